/* What the arbiter tells those who ask: groups, holders, waiters, counters. */
#include "daemon/core/arbiter_state.h"

static nsec
down_since(const struct arb *arb, unsigned link)
{
	return (arb->link_up >> link & 1) != 0 ? NSEC_NEVER : arb->link_down_at[link];
}

static void
fill(const struct arb *arb, const struct group *g, struct arb_group_status *st)
{
	*st = (struct arb_group_status){
	    .name = g->name,
	    .tally = g->tally,
	    .configured = g->configured,
	    .asked = g->asked,
	    .live = g->live,
	    .held = g->n_state[SLOT_HELD],
	    .idle = g->n_state[SLOT_IDLE],
	    .ending = g->n_state[SLOT_ENDING],
	    .waiting = g->n_waiters,
	    .open = g->n_opens,
	    .unproven = g->lapsed ? g->n_state[SLOT_HELD] : 0,
	    .in_use = g->in_use,
	    .oldest = g->n_waiters > 0 ? TAILQ_FIRST(&g->waiters)->since : NSEC_NEVER,
	    .down_since = down_since(arb, g->link),
	    .asked_at = g->request != NULL ? g->sent_at : NSEC_NEVER,
	    .retry_at = g->retry_at,
	    .deadline = g->deadline,
	    .synced = g->synced,
	    .n_differs = g->n_differs,
	    .differs = g->differs,
	};
}

bool
arb_status(const struct arb *arb, const char *name, struct arb_group_status *status)
{
	const struct group *g = group_find(arb, name);

	*status = (struct arb_group_status){.name = name, .configured = XCH_NO_LIMIT,
	    .asked = XCH_NO_LIMIT, .live = XCH_NO_LIMIT, .oldest = NSEC_NEVER,
	    .asked_at = NSEC_NEVER,
	    .down_since = down_since(arb, group_link(arb, name))};
	if (g == NULL)
		return false;
	fill(arb, g, status);
	return true;
}

void
arb_groups(const struct arb *arb, void (*fn)(void *, const struct arb_group_status *), void *arg)
{
	const struct group *g, *tmp;
	struct arb_group_status st;

	TABLE_FOREACH (g, tmp, &arb->groups) {
		fill(arb, g, &st);
		fn(arg, &st);
	}
}

static int
by_number(const void *a, const void *b)
{
	const struct slot *x = *(struct slot *const *)a, *y = *(struct slot *const *)b;

	return (x->num > y->num) - (x->num < y->num);
}

static uint32_t
cell_of(const struct hold *h, uint32_t slot)
{
	uint32_t i = 0;

	if (!h->is_page)
		return ARB_NO_CELL;
	while (h->slots[i] != slot)
		i++;
	return hold_cells(h)[i];
}

static void
give_holder(const struct hold *h, uint32_t slot, uint32_t cell, bool proven,
    void (*fn)(void *, const struct arb_holder *), void *arg)
{
	fn(arg, &(struct arb_holder){.client = client_id(h->client), .pid = h->client->pid,
	    .uid = h->client->uid, .label = h->label != NULL ? h->label : "", .slot = slot,
	    .token = h->token, .cell = cell, .proven = proven, .since = h->since});
}

void
arb_holders(const struct arb *arb, const char *name, void (*fn)(void *, const struct arb_holder *),
    void *arg)
{
	const struct group *g = group_find(arb, name);
	const struct hold *h;
	struct slot *s, *tmp, **v;
	size_t n = 0;

	if (g == NULL)
		return;
	TAILQ_FOREACH (h, &g->opens, of_group)
		give_holder(h, 0, ARB_NO_CELL, false, fn, arg);
	if (g->n_state[SLOT_HELD] == 0)
		return;
	v = alloc_resize(NULL, g->n_state[SLOT_HELD] * sizeof *v);
	TABLE_FOREACH (s, tmp, &g->slots)
		if (s->state == SLOT_HELD)
			v[n++] = s;
	qsort(v, n, sizeof *v, by_number);
	for (size_t i = 0; i < n; i++) {
		h = v[i]->hold;
		give_holder(h, v[i]->num, cell_of(h, v[i]->num), !g->lapsed, fn, arg);
	}
	free(v);
}

void
arb_waiters(const struct arb *arb, const char *name, void (*fn)(void *, const struct arb_waiter *),
    void *arg)
{
	const struct group *g = group_find(arb, name);
	const struct hold *w;
	uint32_t place = 0;

	if (g == NULL)
		return;
	TAILQ_FOREACH (w, &g->waiters, of_group) {
		const struct client *c = w->client;

		fn(arg, &(struct arb_waiter){.client = client_id(c), .pid = c->pid, .uid = c->uid,
		    .label = w->label != NULL ? w->label : "", .place = ++place,
		    .n = w->n, .limit = group_limit(g, w->cls->own), .since = w->since,
		    .until = w->timer.at});
	}
}

uint64_t
arb_token(const struct arb *arb, const char *name, uint32_t num)
{
	const struct group *g = group_find(arb, name);
	const struct slot *s = g != NULL ? slot_find(g, num) : NULL;

	return s != NULL && s->state == SLOT_HELD ? s->hold->token : 0;
}

void
arb_stats(const struct arb *arb, struct arb_stats *stats)
{
	*stats = arb->stats;
	stats->holds = arb->n_holds;
	stats->cells = arb->cells.n_used;
}

uint32_t
arb_user_slots(const struct arb *arb, uint32_t uid)
{
	const struct user *user = table_find(&arb->users, uid);

	return user != NULL ? user->n_slots : 0;
}
