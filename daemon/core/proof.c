/* Proof: what strict clients read in the cells of their holds, and what they are told of it.
 *
 * A cell holds the token and a deadline: until then its client may believe.  An exchange for each
 * grant of a busy group does not write each of its cells: they are written again when they would gain
 * an eighth of a lease, or when a quarter of a lease has passed since the exchange on which they stand
 * was sent and a later one is known.  The lease is renewed no later than a quarter of a lease after the
 * last exchange was sent.  So a hold of a backend that answers in time always has 3/4 lease - margin -
 * command_timeout left.
 *
 * Where the backend is ours alone the cells end, since we may; but what we have not said there is
 * nobody else's word, so they are written by the clock alone, and the end of one ends nothing. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>
#include <string.h>

static nsec
cell_life(const struct arb *arb)
{
	return arb->conf.lease - arb->conf.margin;
}

/* What may be written now. */
nsec
proof_deadline(const struct arb *arb, const struct group *g)
{
	return arb->conf.sole ? arb->now + cell_life(arb) : g->deadline;
}

/* When the cells are to be written again, whatever they gain. */
static nsec
cells_due(const struct arb *arb, const struct group *g)
{
	return g->cells_until - cell_life(arb) + arb->conf.lease / 4;
}

/* One for all slots of which the cells stand in a row. */
static void
act_on_cells(struct arb *arb, const struct hold *h, enum arb_action_type type, nsec deadline)
{
	const uint32_t *cells = hold_cells(h);

	for (uint32_t i = 0, n; i < h->n; i += n) {
		struct arb_action *act = arb_act(arb, type);

		for (n = 1; i + n < h->n && cells[i + n] == cells[i] + n; n++)
			;
		act->client = client_id(h->client);
		act->uid = h->client->uid;
		act->group = h->group->name;
		act->n_slots = n;
		act->slots = arb_copy_slots(arb, h->slots + i, n);
		act->token = h->token;
		act->limit = h->limit;
		act->cell = cells[i];
		act->deadline = deadline;
	}
}

/* An event for a hold's client. */
static void
tell(struct arb *arb, const struct hold *h, enum arb_action_type type)
{
	struct arb_action *act = arb_act(arb, type);

	act->client = client_id(h->client);
	act->group = h->group->name;
	act->n_slots = h->n;
	act->slots = arb_copy_slots(arb, h->slots, h->n);
	act->token = h->token;
	arb->stats.unproven += type == ARB_TELL_UNPROVEN;
	arb->stats.kept += type == ARB_TELL_KEPT;
	h->group->tally->unproven += type == ARB_TELL_UNPROVEN;
	h->group->tally->kept += type == ARB_TELL_KEPT;
}

/* Who is given a hold that is unproven by now. */
void
proof_tell_unproven(struct arb *arb, const struct hold *h)
{
	if (h->group->lapsed)
		tell(arb, h, ARB_TELL_UNPROVEN);
}

/* False: no cell is free, and its client is as one that reads none. */
static bool
take_cells(struct arb *arb, struct hold *h)
{
	uint32_t *cells = hold_cells(h), first = cells_take(&arb->cells, h->n);

	if (first == CELL_NONE)
		return false;
	for (uint32_t i = 0; i < h->n; i++)
		cells[i] = first + i;
	return true;
}

static void
give_cells_back(struct arb *arb, struct hold *h)
{
	for (uint32_t i = 0; i < h->n; i++)
		cells_give_back(&arb->cells, hold_cells(h)[i]);
}

void
proof_begin(struct arb *arb, struct hold *h)
{
	struct group *g = h->group;

	assert(h->state == HOLD_HELD && !h->is_page);
	if (!h->client->strict)
		return;
	if (!take_cells(arb, h)) {
		arb->stats.no_cells++;
		return;
	}
	h->is_page = true;
	if (g->n_page++ == 0)
		g->cells_until = proof_deadline(arb, g);
}

/* Are there n free cells in a row, and does c read them? */
bool
proof_is_possible(struct arb *arb, const struct client *c, uint32_t n)
{
	uint32_t first = c->strict ? cells_take(&arb->cells, n) : CELL_NONE;

	for (uint32_t i = 0; first != CELL_NONE && i < n; i++)
		cells_give_back(&arb->cells, first + i);
	return first != CELL_NONE;
}

void
proof_write(struct arb *arb, const struct hold *h)
{
	if (h->is_page)
		act_on_cells(arb, h, ARB_CELL_SET, proof_deadline(arb, h->group));
}

void
proof_end(struct arb *arb, struct hold *h, nsec rest)
{
	if (!h->is_page)
		return;
	if (RULE(CELLS))
		act_on_cells(arb, h, ARB_CELL_END, rest);
	give_cells_back(arb, h);
	h->is_page = false;
	h->group->n_page--;
}

/* The i-th slot is given back, the others stay; so do their cells. */
void
proof_end_one(struct arb *arb, struct hold *h, uint32_t i)
{
	uint32_t *cells = hold_cells(h);
	struct arb_action *act;

	if (!h->is_page)
		return;
	act = arb_act(arb, ARB_CELL_END);
	act->client = client_id(h->client);
	act->group = h->group->name;
	act->n_slots = 1;
	act->slots = arb_copy_slots(arb, h->slots + i, 1);
	act->token = h->token;
	act->cell = cells[i];
	cells_give_back(&arb->cells, cells[i]);
	memmove(cells + i, cells + i + 1, (h->n - i - 1) * sizeof *cells);
}

/* A hold of which a slot was given back has a gap among its cells. */
static bool
is_in_a_row(const struct hold *h)
{
	const uint32_t *cells = hold_cells(h);
	uint32_t i = 1;

	while (i < h->n && cells[i] == cells[0] + i)
		i++;
	return i == h->n;
}

/* Would h still have cells if it were c's? */
bool
proof_can_move(struct arb *arb, const struct hold *h, const struct client *c)
{
	return c->strict && ((h->is_page && is_in_a_row(h)) || proof_is_possible(arb, c, h->n));
}

/* The hold is c's now, and is about to be answered OK with the first of its cells: the others must
 * stand behind it.  Where there is no such row, it is a raw one from now on. */
void
proof_move(struct arb *arb, struct hold *h, struct client *c)
{
	if (h->is_page && (!c->strict || !is_in_a_row(h)))
		proof_end(arb, h, 0);
	hold_detach(h);
	hold_attach(h, c);
	if (!h->is_page)
		proof_begin(arb, h);
}

/* The new deadline into every cell; lost holds are out of the list by now. */
static void
write_cells(struct arb *arb, struct group *g, bool kept)
{
	struct hold *h;

	g->cells_until = proof_deadline(arb, g);
	TAILQ_FOREACH (h, &g->holds, of_group) {
		if (!h->is_page)
			continue;
		proof_write(arb, h);
		if (kept)
			tell(arb, h, ARB_TELL_KEPT);
	}
}

/* After a reply that counts.  kept: the holds were unproven until now. */
void
proof_renew(struct arb *arb, struct group *g, bool kept)
{
	if (g->n_page > 0 && !arb->conf.sole && (kept || arb->now >= cells_due(arb, g) ||
	    g->deadline - g->cells_until >= arb->conf.lease / 8))
		write_cells(arb, g, kept);
}

/* -> when proof_tick() has something to do */
nsec
proof_due(const struct arb *arb, const struct group *g)
{
	if (g->n_page == 0 || (!arb->conf.sole && g->deadline <= g->cells_until))
		return NSEC_NEVER;
	return cells_due(arb, g);
}

/* The cells have ended. */
void
proof_lapse(struct arb *arb, struct group *g)
{
	const struct hold *h;

	TAILQ_FOREACH (h, &g->holds, of_group)
		if (h->is_page)
			tell(arb, h, ARB_TELL_UNPROVEN);
}

void
proof_tick(struct arb *arb, struct group *g)
{
	if (arb->now < proof_due(arb, g))
		return;
	if (arb->now >= g->cells_until) /* we were stopped, but nothing has ended */
		proof_lapse(arb, g);
	write_cells(arb, g, arb->now >= g->cells_until);
}
