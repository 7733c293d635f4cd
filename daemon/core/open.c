/* Open: holds without a slot.
 *
 * Where a group says so, who asks while the backend is away is let in.  Such a hold is known to nobody
 * but its client and us: it is never claimed or resumed, it counts nowhere against the limit, and when
 * the backend is back those who ask then get slots as ever.  Its token is a count from 1, below every
 * real one: a resource that fences refuses it. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>
#include <string.h>

void
open_begin(struct arb *arb, struct hold *h, uint64_t request)
{
	struct group *g = h->group;
	struct arb_action *act;

	assert(h->state == HOLD_ASKED);
	h->state = HOLD_OPEN;
	h->n = 1;
	h->slots[0] = 0;
	h->token = ++arb->open_token;
	h->since = arb->now;
	hold_attach(h, h->client);
	TAILQ_INSERT_TAIL(&g->opens, h, of_group);
	g->n_opens++;
	arb->stats.open++;
	arb->stats.opens++;
	g->tally->results[TALLY_OPEN]++;
	if (h->length < NSEC_NEVER)
		timer_set(arb, &h->timer, arb->now + h->length);
	act = arb_answer(arb, client_id(h->client), request, WIRE_OK);
	act->group = g->name;
	act->n_slots = h->n;
	act->slots = arb_copy_slots(arb, h->slots, h->n);
	act->token = h->token;
}

/* NULL: none.  Slot 0 says nothing, so the token must be named. */
struct hold *
open_find(const struct client *c, const char *group, uint64_t token)
{
	struct hold *h;

	TAILQ_FOREACH (h, &c->opens, of_client)
		if (h->token == token && strcmp(h->group->name, group) == 0)
			break;
	return h;
}
