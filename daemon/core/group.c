/* A group's life, its lease and its clock.
 *
 * The lease: after a reply the backend's record of us may be believed until the time at which the
 * request was sent + lease - margin.  At that deadline idle slots and whatever was to be said are
 * forgotten; what clients hold who do not read the lease page is lost, since they could not know;
 * what the others hold is unproven until the backend has spoken. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>
#include <string.h>

#include "daemon/core/name.h"

static bool
slot_before(const struct heap_node *a, const struct heap_node *b)
{
	return HEAP_OF(a, struct slot, lowest)->num < HEAP_OF(b, struct slot, lowest)->num;
}

struct group *
group_find(const struct arb *arb, const char *name)
{
	struct group *g = table_find(&arb->groups, name_key(name));

	while (g != NULL && strcmp(g->name, name) != 0)
		g = table_find_next(&arb->groups, g);
	return g;
}

/* FNV-1a: which link a group uses must not change while slotd runs, no more. */
unsigned
group_link(const struct arb *arb, const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h % arb->conf.n_links;
}

struct group *
group_get(struct arb *arb, const char *name, enum wire_code *why)
{
	struct group *g = group_find(arb, name);
	size_t len = strlen(name);

	if (g != NULL)
		return g;
	*why = WIRE_ERR_GROUPS;
	if (arb->conf.max_groups != 0 && arb->stats.groups >= arb->conf.max_groups)
		return NULL;
	*why = WIRE_ERR_NOMEM;
	if ((g = calloc(1, sizeof *g)) == NULL || (g->name = malloc(len + 1)) == NULL) {
		free(g);
		return NULL;
	}
	memcpy(g->name, name, len + 1);
	g->tally = tally_of(arb->conf.tallies, name);
	g->link = group_link(arb, name);
	g->slots = TABLE_OF(struct slot, by_num);
	heap_init(&g->idle, slot_before);
	TAILQ_INIT(&g->idle_by_age);
	TAILQ_INIT(&g->holds);
	TAILQ_INIT(&g->opens);
	TAILQ_INIT(&g->waiters);
	LIST_INIT(&g->classes);
	TAILQ_INIT(&g->adopts);
	g->configured = g->asked = g->live = XCH_NO_LIMIT;
	g->live_until = NSEC_NEVER;
	g->high = arb->high_forgotten;
	g->renew_at = g->look_at = NSEC_NEVER;
	g->quiet_since = NSEC_NEVER;
	g->timer.kind = TIMER_GROUP;
	g->timer.at = NSEC_NEVER;
	table_add(&arb->groups, g, name_key(name));
	arb->stats.groups++;
	return g;
}

void
group_free(struct arb *arb, struct group *g)
{
	struct slot *s, *tmp;

	assert(TAILQ_EMPTY(&g->waiters) && TAILQ_EMPTY(&g->adopts));
	while (!TAILQ_EMPTY(&g->holds))         /* ending, of clients that are gone */
		hold_let_go(arb, TAILQ_FIRST(&g->holds));
	TABLE_FOREACH (s, tmp, &g->slots)
		slot_forget(g, s);
	if (g->high > arb->high_forgotten)
		arb->high_forgotten = g->high;
	sync_drop_request(g);
	timer_set(arb, &g->timer, NSEC_NEVER);
	if (g->touched)
		TAILQ_REMOVE(&arb->touched, g, touch);
	table_remove(&arb->groups, g);
	heap_fini(&g->idle);
	free(g->differs);
	free(g->releases);
	free(g->cancels);
	free(g->name);
	free(g);
	arb->stats.groups--;
}

void
group_touch(struct arb *arb, struct group *g)
{
	if (!g->touched) {
		g->touched = true;
		TAILQ_INSERT_TAIL(&arb->touched, g, touch);
	}
}

/* ------------------------------------------------------------------ what may be believed */

uint32_t
group_n_slots(const struct group *g)
{
	return g->n_state[SLOT_HELD] + g->n_state[SLOT_IDLE] + g->n_state[SLOT_ENDING];
}

bool
group_is_valid(const struct arb *arb, const struct group *g)
{
	return arb->now < g->deadline;
}

/* Others want what we hold, or would not be heard if they did. */
bool
group_is_contended(const struct arb *arb, const struct group *g)
{
	return g->others || arb->now < g->hot_until || !arb->sub_up;
}

/* As far as the backend has said nobody elsewhere waits, and we would be told. */
bool
group_is_alone(const struct arb *arb, const struct group *g)
{
	return g->synced && group_is_valid(arb, g) && !g->doubt &&
	    !(RULE(HAND_OVER_ALONE) && g->others) && arb->sub_up &&
	    !(g->request != NULL && g->request->full);
}

/* When the backend is known to be away for this group: a link that breaks is back in a moment, as a
 * rule.  NSEC_NEVER: it is not away. */
nsec
group_away_at(const struct arb *arb, const struct group *g)
{
	if ((arb->link_up >> g->link & 1) == 0)
		return arb->link_down_at[g->link] + arb->conf.recall;
	return arb->now < g->retry_at ? arb->now : NSEC_NEVER;
}

/* Whether what the backend has said of the live limit can be relied upon.  In a grace it may not have
 * been put back yet. */
bool
group_knows_live(const struct arb *arb, const struct group *g)
{
	return g->synced && !g->doubt && arb->now >= g->grace_until;
}

/* More are in use, as last heard, than the live limit allows: it has been lowered. */
bool
group_drains(const struct group *g)
{
	return g->live != XCH_NO_LIMIT && g->in_use > g->live && RULE(LIVE_DRAINS);
}

/* min(own, live limit if one is set, else the configured one) */
int64_t
group_limit(const struct group *g, int64_t own)
{
	int64_t ceiling = g->live != XCH_NO_LIMIT ? g->live : g->configured;

	if (own == XCH_NO_LIMIT || (ceiling != XCH_NO_LIMIT && ceiling < own))
		return ceiling;
	return own;
}

void
group_idle_back(struct group *g)
{
	while (!TAILQ_EMPTY(&g->idle_by_age))
		slot_give_back(g, TAILQ_FIRST(&g->idle_by_age));
}

/* Another limit is felt by all at once: idle slots above a lower one go back, those in use as they
 * are released, and those who wait for more than there is are told so.  What is queued in the
 * backend stands there under the former limit, so everything is said again: who waits keeps his
 * place, since his age goes with it. */
void
group_configure(struct arb *arb, struct group *g, const struct arb_event *e)
{
	g->tally = tally_of(arb->conf.tallies, g->name);        /* it may be counted apart now */
	g->max_waiters = e->configure.max_waiters;
	g->drop_on_lapse = e->configure.drop_on_lapse;
	g->on_down = e->configure.on_down;
	if (g->configured == e->configure.limit)
		return;
	g->configured = e->configure.limit;
	group_idle_back(g);
	group_unsync(g);
	waiter_check_limits(arb, g);
	group_touch(arb, g);
}

/* True if nothing is held, waited for, or to be said. */
static bool
is_quiet(const struct group *g)
{
	return g->slots.n == 0 && g->n_waiters == 0 && g->n_opens == 0 && TAILQ_EMPTY(&g->adopts) &&
	    g->n_releases == 0 && g->n_cancels == 0 && g->request == NULL;
}

void
group_unsync(struct group *g)
{
	if (g->synced || g->request != NULL)
		g->dirty = true;
	g->synced = false;
}

/* Nothing that was said or is to be said counts any more. */
static void
forget_exchanges(struct group *g)
{
	if (!is_quiet(g))
		g->dirty = true;
	g->synced = false;
	if (g->request != NULL)
		g->is_stale = true;
	g->deadline = 0;
	g->n_releases = g->n_cancels = 0;
}

/* Its slots go without a word to the backend. */
static void
drop_hold(struct arb *arb, struct group *g, struct hold *h, enum arb_lost reason)
{
	for (uint32_t i = 0; i < h->n; i++)
		slot_forget(g, slot_find(g, h->slots[i]));
	hold_lost(arb, h, reason);
}

/* The lease has ended. */
static void
lapse(struct arb *arb, struct group *g)
{
	bool had_holds = !TAILQ_EMPTY(&g->holds);
	struct hold *h, *next;

	forget_exchanges(g);
	while (!TAILQ_EMPTY(&g->idle_by_age))
		slot_forget(g, TAILQ_FIRST(&g->idle_by_age));
	for (h = TAILQ_FIRST(&g->holds); h != NULL; h = next) {
		next = TAILQ_NEXT(h, of_group);
		if (g->drop_on_lapse || !h->is_page || h->state == HOLD_ENDING)
			drop_hold(arb, g, h, ARB_LOST_LEASE);
	}
	g->lapsed = g->slots.n > 0;
	arb->stats.lapses += had_holds;
	proof_lapse(arb, g);
	if (g->slots.n > 0 || g->n_waiters > 0 || !TAILQ_EMPTY(&g->adopts))
		g->poke = true;
}

/* Another daemon runs with our install id: nothing that we hold is ours. */
void
group_lose_all(struct arb *arb, struct group *g)
{
	struct slot *s, *tmp;

	forget_exchanges(g);
	while (!TAILQ_EMPTY(&g->holds))
		drop_hold(arb, g, TAILQ_FIRST(&g->holds), ARB_LOST_LEASE);
	TABLE_FOREACH (s, tmp, &g->slots)
		slot_forget(g, s);
	if (g->n_waiters > 0 || !TAILQ_EMPTY(&g->adopts))
		g->poke = true;
}

/* ------------------------------------------------------------------ clock */

/* Does anybody wait for what will have changed then: a slot that may be free, a grace that is over? */
static bool
is_looked_at(const struct arb *arb, const struct group *g)
{
	return g->n_waiters > 0 || g->lapsed || arb->now < g->reap_until;
}

/* An exchange without a word of ours: it is made though the backend has no record of us. */
static void
look(struct arb *arb, struct group *g)
{
	g->poke = true;
	if (arb->now < g->reap_until && !g->synced)
		g->dirty = true;
}

/* The backend reaps at every exchange whoever's lease has ended by the group's clock.  That stands
 * still while nobody speaks, and moves on by less than half a lease at a time: so we speak as often as
 * those do who hold something, until every lease of the dead is over. */
void
group_reap(struct arb *arb, const char *name)
{
	enum wire_code why;
	struct group *g = group_get(arb, name, &why);

	if (g == NULL)
		return;
	g->reap_until = arb->now + 2 * arb->longest_lease;
	look(arb, g);
	group_touch(arb, g);
}

/* Is it time to renew the lease, or to look again?  Either may have come due unnoticed: while a
 * reply was under way, or while nobody waited. */
void
group_due(struct arb *arb, struct group *g)
{
	if (arb->now >= g->renew_at) {
		g->renew_at = NSEC_NEVER;
		if (g->slots.n > 0 || g->n_waiters > 0 || !TAILQ_EMPTY(&g->adopts) ||
		    arb->now < g->reap_until)
			look(arb, g);
	}
	if (arb->now >= g->look_at) {
		g->look_at = NSEC_NEVER;
		if (is_looked_at(arb, g))
			look(arb, g);
	}
}

/* The live limit was set for a time, and that is over: what is in force now the backend knows. */
void
group_check_live(const struct arb *arb, struct group *g)
{
	if (arb->now < g->live_until || !RULE(LIVE_ENDS))
		return;
	g->live = XCH_NO_LIMIT;
	g->live_until = NSEC_NEVER;
	g->doubt = true;
	if (g->slots.n > 0 || g->n_waiters > 0)
		g->poke = true;
}

void
group_tick(struct arb *arb, struct group *g)
{
	if (RULE(EXPIRE) && g->deadline != 0 && !group_is_valid(arb, g))
		lapse(arb, g);
	group_check_live(arb, g);
	proof_tick(arb, g);
	if (g->request != NULL && arb->now >= g->hang_at) {
		g->hang_at = arb->now + arb->conf.command_timeout;
		arb_act(arb, ARB_HANG_UP)->link = g->link;
	}
	if (is_quiet(g) && g->quiet_since != NSEC_NEVER &&
	    arb->now - g->quiet_since >= arb->conf.lease)
		group_free(arb, g);
	else
		group_touch(arb, g);
}

static void
sooner(nsec *at, nsec other)
{
	if (other < *at)
		*at = other;
}

/* Sets the group's timer.  One that is set for earlier stays: it then fires for nothing, which is
 * cheaper than moving it with each hold of a hot group. */
void
group_rearm(struct arb *arb, struct group *g)
{
	bool up = !arb->gone && (arb->link_up >> g->link & 1) != 0;
	nsec at = NSEC_NEVER;

	if (!is_quiet(g))
		g->quiet_since = NSEC_NEVER;
	else if (g->quiet_since == NSEC_NEVER)
		g->quiet_since = arb->now;
	if (g->quiet_since != NSEC_NEVER)
		sooner(&at, g->quiet_since + arb->conf.lease);
	if (RULE(EXPIRE) && g->deadline != 0 && (g->slots.n > 0 || g->synced))
		sooner(&at, g->deadline);
	if (up && g->retry_at > arb->now)
		sooner(&at, g->retry_at);
	if (g->request != NULL)
		sooner(&at, g->hang_at);
	else if (up && is_looked_at(arb, g))
		sooner(&at, g->look_at < g->renew_at ? g->look_at : g->renew_at);
	else if (up && (g->slots.n > 0 || !TAILQ_EMPTY(&g->adopts)))
		sooner(&at, g->renew_at);
	sooner(&at, proof_due(arb, g));
	if (RULE(LIVE_ENDS))
		sooner(&at, g->live_until);
	if (!up && g->n_waiters > 0 && g->on_down != ARB_DOWN_WAIT && arb->now < group_away_at(arb, g))
		sooner(&at, group_away_at(arb, g));
	if (up && !TAILQ_EMPTY(&g->idle_by_age))
		sooner(&at, TAILQ_FIRST(&g->idle_by_age)->idle_since + arb->conf.idle);
	if (at < g->timer.at)
		timer_set(arb, &g->timer, at);
}
