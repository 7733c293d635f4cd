/* The lease page: a daemon's cells, and those of its predecessors. */
#include "tests/sim/sim.h"

#include <assert.h>
#include <string.h>

/* Begins with what its predecessors' pages, of which old is the last, have that has not expired. */
struct page *
page_new(struct world *w, const struct page *old, nsec now)
{
	struct page *p = world_alloc(w, sizeof *p);
	const struct cell *from[] = {old != NULL ? old->inherited : NULL, old != NULL ? old->cells : NULL};
	const uint32_t n[] = {old != NULL ? old->n_inherited : 0, old != NULL ? PAGE_CELLS : 0};

	p->inherited = world_alloc(w, (n[0] + n[1]) * sizeof *p->inherited);
	for (int i = 0; i < 2; i++)
		for (uint32_t k = 0; k < n[i]; k++)
			if (from[i][k].token != 0 && from[i][k].deadline > now)
				p->inherited[p->n_inherited++] = from[i][k];
	return p;
}

/* One that was resumed once before is there twice, or more often: what was written last counts. */
static nsec
inherited_until(const struct page *p, const struct cell *want)
{
	nsec until = 0;

	for (uint32_t i = 0; i < p->n_inherited; i++) {
		const struct cell *c = &p->inherited[i];

		if (c->group == want->group && c->slot == want->slot && c->token == want->token &&
		    c->uid == want->uid && c->deadline > until)
			until = c->deadline;
	}
	return until;
}

/* Until when the former daemons' clients may believe in all of them; 0: not at all. */
nsec
page_inherited(const struct page *p, int group, uint32_t n, const uint32_t *slots, uint64_t token,
    uint32_t uid)
{
	nsec until = NSEC_NEVER;

	for (uint32_t i = 0; i < n; i++) {
		nsec at = inherited_until(p, &(struct cell){token, 0, group, slots[i], uid});

		if (at < until)
			until = at;
	}
	return until;
}

void
page_set(struct daemon *d, const struct arb_action *act)
{
	struct world *w = d->host->w;
	struct page *p = d->page;
	int group = group_index(act->group);
	bool had_lapsed = false;
	struct belief *b;

	assert(act->cell < PAGE_CELLS && act->n_slots <= PAGE_CELLS - act->cell);
	for (uint32_t i = 0; i < act->n_slots; i++) {
		struct cell *c = &p->cells[act->cell + i];

		if (c->token != 0 && (c->token != act->token || c->slot != act->slots[i]))
			world_fail(w, "%s writes %s %u into a cell that is slot %u's", d->name,
			    act->group, act->slots[i], c->slot);
		had_lapsed = had_lapsed || (c->token != 0 && c->deadline <= host_now(d->host));
		*c = (struct cell){act->token, act->deadline, group, act->slots[i], act->uid};
	}
	if (!had_lapsed)
		return;
	LIST_FOREACH (b, &w->beliefs[group], link)
		if (b->page == p && b->token == act->token)
			check_belief(w, b, BELIEF_PROVEN);
}

void
page_end(struct daemon *d, const struct arb_action *act)
{
	for (uint32_t i = 0; i < act->n_slots; i++) {
		struct cell *c = &d->page->cells[act->cell + i];

		if (c->token != act->token || c->slot != act->slots[i])
			world_fail(d->host->w, "%s ends slot %u in a cell that is not its", d->name,
			    act->slots[i]);
		c->token = 0;
	}
}
