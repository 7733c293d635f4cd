/* The invariants.  Which of them a run must keep beyond the limit itself is said by its profile.
 *
 *  S1  what clients validly believe: slots distinct; within the limit of each, and of all
 *  S2  the backend grants no slot that a client validly believes in, and nothing above the limit
 *  S3  tokens of a slot never decrease, and increase with each new hold
 *  S4  exactly one answer to each request, and a true one
 *  S5  nobody is granted before another who asked earlier and has no lower limit
 *  S6  no slot is given away locally while somebody there asked earlier, or somebody elsewhere has
 *      been queued for it before
 *  S7  `full` is not said while a slot lies idle
 *  S8  no strict client loses anything for nothing
 *  S9  nothing is done or granted for a daemon whose successor has been heard
 *  S10 what is held of a backend that answers has three quarters of a lease left, but for the margin
 *  S11, S12: live limits, see live.c */
#include "tests/sim/sim.h"

#include <assert.h>

/* The outages under which S7 may fail: nobody can say where the idle slots are. */
#define BLIND (FAULT(BREAK) | FAULT(PAUSE) | FAULT(PARTITION) | FAULT(CRASH) | FAULT(STOP) | \
	FAULT(TWIN) | FAULT(STALL) | FAULT(FREEZE) | FAULT(RESTART) | FAULT(SAME) |             \
	FAULT(FAILOVER) | FAULT(SILENT) | FAULT(FLUSH) | FAULT(STEP) | FAULT(SETLIMIT) |            \
	FAULT(RELOAD))

/* ------------------------------------------------------------------ what clients believe */

static bool
overlap(uint32_t n, const uint32_t *a, const struct belief *b)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < b->n; k++)
			if (a[i] == b->slots[k])
				return true;
	return false;
}

/* S1 and S3: b has just become valid.  A lagging replica cannot know that somebody else was granted
 * the slot of an unproven hold, and has given it back: the limit is kept, the token falls. */
void
check_belief(struct world *w, const struct belief *b, enum again again)
{
	bool any_token = w->profile->any_token || (again == BELIEF_PROVEN && w->server->lags);
	const struct belief *x;
	uint32_t total = 0, within = 0, top = 0;

	if (!belief_is_valid(b))
		return;
	LIST_FOREACH (x, &w->beliefs[b->group], link) {
		if (!belief_is_valid(x))
			continue;
		if (x != b && overlap(b->n, b->slots, x))
			world_fail(w, "S1: %s holds %s %s (token %s), and so does %s (token %s)",
			    b->client->name, group_names[b->group], show_slots(b->n, b->slots),
			    show_token(w, b->token), x->client->name, show_token(w, x->token));
		total += x->n;
		if (x->limit > top)
			top = x->limit;
		if (x->limit <= b->limit)
			within += x->n;
	}
	if (total > top || within > b->limit)
		world_fail(w, "S1: %u slots of %s are held under limit %u (%u of them under %u)",
		    total, group_names[b->group], top, within, b->limit);
	for (uint32_t i = 0; i < b->n; i++) {
		uint64_t *last = &w->tokens[b->group][b->slots[i]];

		if (!any_token && (b->token < *last || (b->token == *last && again == BELIEF_NEW)))
			world_fail(w, "S3: the token of %s slot %u goes from %s to %s",
			    group_names[b->group], b->slots[i], show_token(w, *last),
			    show_token(w, b->token));
		if (b->token > *last)
			*last = b->token;
	}
}

/* S1, of all at once. */
void
check_beliefs(struct world *w)
{
	for (int g = 0; g < N_GROUPS; g++) {
		const struct belief *by[SLOTS_MAX + 1] = {NULL}, *b;
		uint32_t total = 0, top = 0;

		LIST_FOREACH (b, &w->beliefs[g], link) {
			if (!belief_is_valid(b))
				continue;
			for (uint32_t i = 0; i < b->n; i++) {
				const struct belief **at = &by[b->slots[i]];

				if (*at != NULL)
					world_fail(w, "S1: slot %u of %s is held by %s and by %s",
					    b->slots[i], group_names[g], (*at)->client->name,
					    b->client->name);
				*at = b;
			}
			total += b->n;
			if (b->limit > top)
				top = b->limit;
		}
		if (total > top)
			world_fail(w, "S1: %u slots of %s are held under limit %u", total,
			    group_names[g], top);
	}
}

/* S8 */
void
check_lost(struct client *c, const char *how)
{
	if (c->w->profile->keep && c->belief.page != NULL)
		world_fail(c->w, "S8: %s loses %s for nothing, %s", c->name,
		    show_slots(c->belief.n, c->belief.slots), how);
}

/* ------------------------------------------------------------------ what the backend does */

/* Who waits in that group, as his living daemon sees it. */
static struct ask *
waiting(struct world *w, const struct client *c, int group)
{
	struct ask *ask = &w->asks[c->request];

	if (c->group != group || c->state != CLIENT_WAIT || ask->answered || ask->since == 0 ||
	    !ask->session->open || ask->session->daemon->paused)
		return NULL;
	return ask;
}

/* Without live limits. */
static int64_t
limit_of(const struct ask *ask)
{
	int64_t configured = ask->session->client->host->configured;

	return ask->own == XCH_NO_LIMIT || (configured != XCH_NO_LIMIT && configured < ask->own)
	    ? configured : ask->own;
}

/* Clocks differ: what a daemon calls an age may be so much off. */
static nsec
age_slack(nsec age)
{
	return age / 1000000 * 4 * DRIFT_PPM;
}

/* S5 */
static void
check_order(struct world *w, struct ask *ask, int64_t limit)
{
	nsec age = w->now - ask->since;

	if (ask->answered || !ask->session->open || ask->session->daemon->paused)
		return;
	for (int i = 0; i < w->n_clients; i++) {
		struct ask *other = waiting(w, w->clients[i], ask->group);

		if (other == NULL || other == ask || other->queued == 0 || other->told ||
		    limit_of(other) < limit || other->n > limit_of(other))
			continue;
		if (w->now - other->since > age + age_slack(age) + 4 * w->net_max)
			world_fail(w, "S5: %s is granted %s after %.3f s, but %s waits for %.3f s",
			    ask->session->client->name, group_names[ask->group], (double)age / SEC,
			    w->clients[i]->name, (double)(w->now - other->since) / SEC);
	}
}

static void
check_grant(struct world *w, int group, const struct xch_grant *grant)
{
	struct ask *ask = &w->asks[grant->id];
	const struct belief *b;
	uint32_t total = 0;

	LIST_FOREACH (b, &w->beliefs[group], link) {
		if (!belief_is_valid(b))
			continue;
		total += b->n;
		if (overlap(grant->n, grant->slots, b))
			world_fail(w, "S2: %s %s is granted, but %s holds %s (token %s)",
			    group_names[group], show_slots(grant->n, grant->slots), b->client->name,
			    show_slots(b->n, b->slots), show_token(w, b->token));
	}
	if (total + grant->n > grant->limit)
		world_fail(w, "S2: %s %s is granted under limit %u, but clients hold %u",
		    group_names[group], show_slots(grant->n, grant->slots), grant->limit, total);
	check_live_grant(w, group, grant);
	if (w->profile->order || w->faults == 0)
		check_order(w, ask, grant->limit);
}

/* S7: idle for longer than a recall takes. */
static void
check_full(struct world *w, int group, uint64_t id)
{
	struct ask *ask = &w->asks[id];
	const struct client *c = ask->session->client;
	int64_t limit = limit_of(ask);
	uint32_t idle = 0, in_use = w->server->in_use[group];

	for (int i = 0; i < w->n_hosts; i++) {
		const struct daemon *d = w->hosts[i].daemon;

		if (d == NULL || !d->alive || d->paused)
			continue;
		for (uint32_t k = 0; k < d->idle[group]; k++)
			idle += w->now - d->idle_since[group][k] > 4 * w->net_max + 5 * MS;
	}
	if (idle == 0 || (int64_t)in_use - idle + ask->n > limit)
		return;
	w->stats.false_full++;
	if (w->p_slow == 0 && !(w->faults & BLIND))
		world_fail(w, "S7: %s is told full although %u slots of %s are idle", c->name, idle,
		    group_names[group]);
}

static bool
is_adopt(const struct xch_request *q, uint64_t id)
{
	for (uint32_t i = 0; i < q->n_adopt; i++)
		if (q->adopt[i].id == id)
			return true;
	return false;
}

/* S9.  It is forgotten with the last record of an install: a lease after that was heard. */
static bool
is_superseded(const struct world *w, const struct xch_daemon *id, int group)
{
	const struct heard *h;

	if (id->install >= INSTALLS_MAX)
		return false;
	h = &w->heard[id->install][group];
	return id->generation < h->generation && w->now - h->at < w->conf.lease / 2;
}

static void
check_successors(struct world *w, const struct xch_request *q, const struct xch_push *pushes,
    uint32_t n_pushes)
{
	const struct xch_daemon *from = &q->from;
	int group = group_index(q->group);

	if (is_superseded(w, from, group))
		world_fail(w, "S9: exchange %llu is done for a daemon whose successor was heard",
		    (unsigned long long)q->seq);
	if (from->install < INSTALLS_MAX && q->full)
		w->heard[from->install][group] = (struct heard){from->generation, w->now};
	for (uint32_t i = 0; i < n_pushes; i++)
		if (pushes[i].type == XCH_GRANT && is_superseded(w, &pushes[i].to, group))
			world_fail(w, "S9: %s is granted to a daemon whose successor was heard",
			    show_slots(pushes[i].grant.n, pushes[i].grant.slots));
}

/* The grants and the `full`s that are decided in this exchange, not those that its reply brings
 * from an inbox: these were met when they were pushed. */
struct decided {
	uint64_t id;
	const struct xch_grant *grant; /* NULL: full */
};

static uint32_t
list_decided(const struct world *w, const struct xch_request *q, const struct xch_reply *r,
    const struct xch_push *pushes, uint32_t n_pushes, struct decided *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n_granted; i++)
		if (!is_adopt(q, r->granted[i].id) && !w->asks[r->granted[i].id].told)
			v[n++] = (struct decided){r->granted[i].id, &r->granted[i]};
	for (uint32_t i = 0; i < r->n_full; i++)
		if (!w->asks[r->full[i]].told)
			v[n++] = (struct decided){r->full[i], NULL};
	for (uint32_t i = 0; i < n_pushes; i++)
		if (pushes[i].type == XCH_GRANT || pushes[i].type == XCH_FULL)
			v[n++] = (struct decided){pushes[i].id,
			    pushes[i].type == XCH_GRANT ? &pushes[i].grant : NULL};
	return n;
}

void
check_exchange(struct world *w, const struct xch_request *q, const struct xch_reply *r,
    const struct xch_push *pushes, uint32_t n_pushes)
{
	struct decided v[4 * HOSTS_MAX * HOST_CLIENTS_MAX];
	int group = group_index(q->group);
	uint32_t n;

	if (r->status != XCH_OK)
		return;
	check_successors(w, q, pushes, n_pushes);
	for (uint32_t i = 0; i < q->n_want; i++) {
		struct ask *ask = &w->asks[q->want[i].id];

		if (q->full)
			ask->told = false;
		if (q->full || ask->queued == 0)
			ask->queued = w->now;
	}
	assert(r->n_granted + r->n_full + n_pushes <= sizeof v / sizeof *v);
	n = list_decided(w, q, r, pushes, n_pushes, v);
	for (uint32_t i = 0; i < n; i++)
		w->asks[v[i].id].told = true;
	for (uint32_t i = 0; i < n; i++) {
		if (v[i].grant != NULL)
			check_grant(w, group, v[i].grant);
		else
			check_full(w, group, v[i].id);
	}
}

/* ------------------------------------------------------------------ what a daemon does */

/* S6: a slot goes to a local client without an exchange. */
static void
check_overtake(struct world *w, struct daemon *d, const struct ask *ask, int64_t limit)
{
	nsec age = w->now - ask->since;

	for (int i = 0; i < w->n_clients; i++) {
		const struct client *c = w->clients[i];
		const struct ask *x = waiting(w, c, ask->group);
		int64_t its = x != NULL ? limit_of(x) : 0;

		if (x != NULL && x->session->daemon == d && x->since < ask->since)
			world_fail(w, "S6: %s gives a slot of %s to %s, but %s was there before",
			    d->name, group_names[ask->group], ask->session->client->name, c->name);
		if (x == NULL || x->session->daemon == d || w->faults != 0 || x->queued == 0 ||
		    x->told)
			continue;
		if (its < limit || (int64_t)w->server->in_use[ask->group] - 1 + x->n > its ||
		    w->now - x->since <= age + age_slack(age) + 1 * MS)
			continue;
		if (w->now - x->queued > 4 * w->net_max + 10 * MS)
			world_fail(w, "S6: %s gives a slot of %s to %s, but %s waits for %.3f s",
			    d->name, group_names[ask->group], ask->session->client->name, c->name,
			    (double)(w->now - x->since) / SEC);
	}
}

/* Without a slot: only where that is wanted, and only while the server cannot be asked. */
static void
check_open(const struct daemon *d, const struct arb_action *act)
{
	const struct world *w = d->host->w;
	bool away = w->error[group_index(act->group)] + 2 * SEC + w->slow_max > w->now;

	for (int i = 0; i < N_LINKS; i++)
		away = away || d->link[i] == NULL;
	if (w->on_down != ARB_DOWN_OPEN || !away || act->n_slots != 1 || act->cell != ARB_NO_CELL)
		world_fail(d->host->w, "S4: %s lets request %llu in without a slot", d->name,
		    (unsigned long long)act->request);
}

/* S4 */
void
check_answer(struct daemon *d, const struct arb_event *e, const struct arb_action *act)
{
	struct world *w = d->host->w;
	struct ask *ask = &w->asks[act->request];

	if (act->request >= w->n_asks || ask->answered || ask->session->id != act->client ||
	    !ask->session->open) {
		world_fail(w, "S4: %s answers request %llu of session %llu: done before, or gone",
		    d->name, (unsigned long long)act->request, (unsigned long long)act->client);
		return;
	}
	ask->answered = true;
	if (act->code != WIRE_OK || ask->kind != ASK_ACQUIRE)
		return;
	if (act->slots[0] == 0) {
		check_open(d, act);
		return;
	}
	if (act->n_slots != ask->n || act->deadline <= host_now(d->host))
		world_fail(w, "S4: %s is told OK for %u slots, but asked for %u; %lld ms are left",
		    ask->session->client->name, act->n_slots, ask->n,
		    (long long)(act->deadline - host_now(d->host)) / MS);
	if (e->type != ARB_REPLY && e->type != ARB_PUSH) {
		w->stats.local++;
		check_overtake(w, d, ask, act->limit);
		check_live_local(w, d, ask->group, act);
	}
}

/* How many slots have been idle for how long. */
static void
note_idle(struct daemon *d, int group)
{
	struct arb_group_status st;

	arb_status(d->arb, group_names[group], &st);
	for (uint32_t k = d->idle[group]; k < st.idle && k < SLOTS_MAX; k++)
		d->idle_since[group][k] = d->host->w->now;
	d->idle[group] = st.idle < SLOTS_MAX ? st.idle : SLOTS_MAX;
}

/* S10 */
static void
check_left(struct daemon *d)
{
	struct world *w = d->host->w;
	nsec least = w->conf.lease * 3 / 4 - w->conf.margin - 3 * w->net_max - 5 * MS;

	for (uint32_t i = 0; i < PAGE_CELLS; i++) {
		const struct cell *c = &d->page->cells[i];

		if (c->token != 0 && c->deadline - host_now(d->host) < least)
			world_fail(w, "S10: %s %u of %s has only %.3f s left", group_names[c->group],
			    c->slot, d->name, (double)(c->deadline - host_now(d->host)) / SEC);
	}
}

void
check_step(struct daemon *d)
{
	struct world *w = d->host->w;

	for (int i = 0; i < N_GROUPS; i++)
		note_idle(d, i);
	if (w->faults == 0 && w->p_slow == 0)
		check_left(d);
	if (++d->steps % w->opt->check_every == 0) {
		arb_check(d->arb);
		check_beliefs(w);
	}
}
