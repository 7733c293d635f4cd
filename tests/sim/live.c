/* Live limits: what operators set, what each daemon remembers of it and puts back, and what must come
 * of it.
 *
 *  S11 nothing is granted above a live limit, whatever data are lost, while a daemon has heard of it
 *  S12 nothing is handed on at home above one, nor while more are in use, as soon as that is known */
#include "tests/sim/sim.h"

/* What is heard on a subscription is lost only with it. */
static void
news_arrives(struct world *w, struct event *e)
{
	const struct live_said *said = e->owned;
	struct conn *c = e->p;

	(void)w;
	if (!c->broken)
		lives_hear(&e->daemon->lives, group_names[e->a], said->kind, &said->setting);
}

static void
tell(struct world *w, int group, enum live_kind kind, const struct live_setting *setting)
{
	for (int i = 0; i < w->n_hosts; i++) {
		struct daemon *d = w->hosts[i].daemon;
		struct live_said *copy;
		struct event *e;

		if (d == NULL || !d->alive || d->sub == NULL || d->sub->broken ||
		    d->sub->server != w->server)
			continue;
		copy = alloc_new(sizeof *copy);
		*copy = (struct live_said){kind, *setting};
		e = world_in(w, d, 1, conn_arrival(w, &d->sub->s2c), news_arrives);
		e->p = d->sub;
		e->owned = copy;
		e->a = (uint64_t)group;
	}
}

/* Whoever sets it does so through a daemon, which knows it then. */
void
live_set(struct world *w, struct daemon *d, int group, enum live_kind kind, int64_t limit, usec length)
{
	struct live_setting setting = {.limit = limit};
	const struct xch_push *pushes;
	uint32_t n;

	mem_set_live(w->server->mem, server_time(w, w->server), group_names[group], kind, &setting,
	    length, &pushes, &n);
	TRACE(w, "somebody sets the %s of %s to %lld for %.3f s",
	    kind == LIVE_PAUSE ? "pause" : "live limit", group_names[group], (long long)limit,
	    length == USEC_NEVER ? 0 : (double)length / 1e6);
	for (uint32_t i = 0; i < n; i++)
		server_publish(w, &pushes[i]);
	tell(w, group, kind, &setting);
	lives_hear(&w->live, group_names[group], kind, &setting);
	w->live_set[group] = w->now;
	if (d != NULL)
		lives_hear(&d->lives, group_names[group], kind, &setting);
}

void
live_meet(struct daemon *d)
{
	struct world *w = d->host->w;
	struct mem *mem = w->server->mem;
	const struct live *live;

	for (int g = 0; g < N_GROUPS; g++) {
		for (enum live_kind kind = 0; kind < N_LIVE_KINDS; kind++) {
			if ((live = lives_find(&d->lives, group_names[g])) != NULL &&
			    mem_put_live(mem, group_names[g], kind, &live->settings[kind])) {
				TRACE(w, "%s puts a live limit of %s back", d->name, group_names[g]);
				tell(w, g, kind, &live->settings[kind]);
			}
			if ((live = lives_find(mem_lives(mem), group_names[g])) != NULL)
				lives_hear(&d->lives, group_names[g], kind,
				    &live->settings[kind]);
		}
	}
}

static void
meets(struct world *w, struct event *e)
{
	struct daemon *d = e->daemon;

	if (d->link[0] != NULL && !d->link[0]->broken && d->link[0]->server == w->server &&
	    w->server->mem != NULL)
		live_meet(d);
}

/* A daemon has noticed that data are lost, and says so to all. */
void
live_era_begins(struct world *w)
{
	for (int i = 0; i < w->n_hosts; i++) {
		struct daemon *d = w->hosts[i].daemon;

		if (d != NULL && d->alive)
			world_in(w, d, 1, w->now + rng_between(&w->rng, 0, 4 * w->net_max), meets);
	}
}

/* ------------------------------------------------------------------ what must come of it */

/* Of what was set last; false: nobody may know of that any more. */
static bool
is_known(const struct world *w, int group)
{
	const struct live *was = lives_find(&w->live, group_names[group]), *live;
	bool is_known = false;

	for (int i = 0; i < w->n_hosts && was != NULL && !is_known; i++) {
		const struct daemon *d = w->hosts[i].daemon;

		if (d == NULL || !d->alive ||
		    (live = lives_find(&d->lives, group_names[group])) == NULL)
			continue;
		is_known = true;
		for (int kind = 0; kind < N_LIVE_KINDS; kind++)
			is_known = is_known && live->settings[kind].at == was->settings[kind].at;
	}
	return is_known;
}

static int64_t
limit_at(const struct world *w, int group, usec t)
{
	usec left;

	return live_limit(lives_find(&w->live, group_names[group]), t, &left);
}

void
check_live_grant(struct world *w, int group, const struct xch_grant *grant)
{
	int64_t limit = limit_at(w, group, server_time(w, w->server));

	if (w->profile->live && limit != XCH_NO_LIMIT && grant->limit > limit && is_known(w, group))
		world_fail(w, "S11: %s %s is granted under limit %u, but the live one is %lld",
		    group_names[group], show_slots(grant->n, grant->slots), grant->limit,
		    (long long)limit);
}

/* act: OK without an exchange.  What is believed counts it already. */
void
check_live_local(struct world *w, const struct daemon *d, int group, const struct arb_action *act)
{
	nsec slack = 4 * w->net_max + 50 * MS;
	usec t = server_time(w, w->server);
	int64_t limit = limit_at(w, group, t), before = limit_at(w, group, t - slack / 1000);
	const struct belief *b;
	uint32_t total = act->n_slots;

	if (w->faults != FAULT(SETLIMIT) || w->now - w->live_set[group] < slack || limit != before)
		return;
	if (limit == XCH_NO_LIMIT) {            /* another host may have another, and holds of it */
		limit = d->host->configured;
		total = 0;
	}
	if (limit == XCH_NO_LIMIT)
		return;
	LIST_FOREACH (b, &w->beliefs[group], link)
		if (belief_is_valid(b) && total > 0)
			total += b->n;
	if (act->limit > limit || total > limit)
		world_fail(w, "S12: %s hands %s of %s on under limit %u, and %u are in use; the live "
		    "one is %lld", d->name, show_slots(act->n_slots, act->slots),
		    group_names[group], act->limit, total, (long long)limit);
}
