/* Clients: what each holds and waits for, and how it gives that back. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>
#include <string.h>

struct client *
client_find(const struct arb *arb, uint64_t id)
{
	return table_find(&arb->clients, id);
}

void
client_open(struct arb *arb, const struct arb_event *e)
{
	struct client *c = alloc_resize(NULL, sizeof *c);

	assert(client_find(arb, e->client) == NULL);
	*c = (struct client){.user = user_enter(arb, e->open.uid), .pid = e->open.pid,
	    .uid = e->open.uid, .strict = e->open.strict};
	TAILQ_INIT(&c->holds);
	TAILQ_INIT(&c->opens);
	TAILQ_INIT(&c->lost);
	TAILQ_INIT(&c->waiters);
	TAILQ_INIT(&c->adopts);
	table_add(&arb->clients, c, e->client);
	arb->stats.clients++;
}

static void
client_forget_lost(struct arb *arb, struct client *c)
{
	while (!TAILQ_EMPTY(&c->lost))
		hold_free(arb, TAILQ_FIRST(&c->lost));
}

/* Waits first: else what it gives back would be handed to itself. */
void
client_gone(struct arb *arb, struct client *c)
{
	while (!TAILQ_EMPTY(&c->waiters)) {
		struct hold *w = TAILQ_FIRST(&c->waiters);

		w->group->tally->results[TALLY_GONE]++;
		hold_free(arb, w);
	}
	while (!TAILQ_EMPTY(&c->adopts))
		adopt_leave(arb, TAILQ_FIRST(&c->adopts));
	while (!TAILQ_EMPTY(&c->holds))
		hold_let_go(arb, TAILQ_FIRST(&c->holds));
	while (!TAILQ_EMPTY(&c->opens))
		hold_free(arb, TAILQ_FIRST(&c->opens));
	client_forget_lost(arb, c);
	table_remove(&arb->clients, c);
	user_leave(arb, c->user);
	free(c);
	arb->stats.clients--;
}

/* We close the connection of a process that may well live: its slots are not free before it can
 * have heard that it has lost them. */
void
client_kick(struct arb *arb, struct client *c)
{
	struct hold *h;

	while ((h = TAILQ_FIRST(&c->holds)) != NULL) {
		if (h->state == HOLD_HELD)
			hold_end(arb, h, ARB_LOST_EVICT);
		hold_detach(h);
	}
	while ((h = TAILQ_FIRST(&c->opens)) != NULL)
		hold_lost(arb, h, ARB_LOST_EVICT);
	client_gone(arb, c);
}

/* ------------------------------------------------------------------ releases */

/* True if that slot was of a hold that this client has lost; it is told so once for each slot. */
static bool
release_of_lost(struct arb *arb, struct client *c, const char *group, uint32_t slot, uint64_t token)
{
	struct hold *h;

	TAILQ_FOREACH (h, &c->lost, of_client) {
		if (strcmp(h->name, group) != 0 || (token != 0 && token != h->token))
			continue;
		for (uint32_t i = 0; i < h->n; i++) {
			if (h->slots[i] != slot)
				continue;
			h->slots[i] = h->slots[--h->n];
			if (h->n == 0)
				hold_free(arb, h);
			return true;
		}
	}
	return false;
}

static bool
names_all(const struct arb_event *e, const struct hold *h)
{
	for (uint32_t i = 0; i < h->n; i++) {
		uint32_t k = 0;

		while (k < e->release.n_slots && e->release.slots[k] != h->slots[i])
			k++;
		if (k == e->release.n_slots)
			return false;
	}
	return true;
}

/* WIRE_OK if the client may give that slot back.  Of a hold that is ending, its client's word frees
 * all for good if it names all; else it may believe in the rest until it has heard. */
static enum wire_code
release_check(struct arb *arb, struct client *c, struct group *g, const struct arb_event *e,
    uint32_t num)
{
	struct slot *s = g != NULL ? slot_find(g, num) : NULL;
	struct hold *h = s != NULL ? s->hold : NULL;
	uint64_t token = e->release.token;

	if (num == 0 && e->release.n_slots == 1 && open_find(c, e->release.group, token) != NULL)
		return WIRE_OK;
	if (h == NULL || h->client != c)
		return release_of_lost(arb, c, e->release.group, num, token) ? WIRE_ERR_LOST :
		    WIRE_ERR_NOTHOLD;
	if (token != 0 && token != h->token)
		return WIRE_ERR_LOST;
	if (h->state == HOLD_HELD)
		return WIRE_OK;
	if (names_all(e, h)) {
		hold_detach(h);
		hold_let_go(arb, h);
	}
	return WIRE_ERR_LOST;
}

void
client_release(struct arb *arb, struct client *c, const struct arb_event *e)
{
	struct group *g = group_find(arb, e->release.group);
	struct arb_action *act;

	for (uint32_t i = 0; i < e->release.n_slots; i++) {
		uint32_t num = e->release.slots[i];
		enum wire_code code = release_check(arb, c, g, e, num);

		if (code != WIRE_OK) {
			act = arb_answer(arb, client_id(c), e->request, code);
			act->group = arb_copy_string(arb, e->release.group);
			act->slot = num;
			return;
		}
	}
	/* The answer first: a waiter of the same client may be granted by what follows. */
	arb->stats.releases++;
	act = arb_answer(arb, client_id(c), e->request, WIRE_OK);
	act->group = g->name;
	if (e->release.slots[0] == 0) {
		hold_free(arb, open_find(c, e->release.group, e->release.token));
		return;
	}
	for (uint32_t i = 0; i < e->release.n_slots; i++) {
		struct slot *s = slot_find(g, e->release.slots[i]);

		assert(s != NULL && s->hold != NULL && s->hold->client == c);
		hold_drop_slot(arb, s->hold, s);
	}
}

void
client_release_all(struct arb *arb, struct client *c, uint64_t request)
{
	uint32_t holds = 0, waits = 0;
	struct arb_action *act;

	for (; !TAILQ_EMPTY(&c->waiters); waits++)
		waiter_refuse(arb, TAILQ_FIRST(&c->waiters), WIRE_ERR_CANCELLED);
	for (; !TAILQ_EMPTY(&c->adopts); waits++)
		adopt_refuse(arb, TAILQ_FIRST(&c->adopts), WIRE_ERR_CANCELLED);
	for (; !TAILQ_EMPTY(&c->opens); holds++)
		hold_free(arb, TAILQ_FIRST(&c->opens));
	while (!TAILQ_EMPTY(&c->holds)) {
		struct hold *h = TAILQ_FIRST(&c->holds);

		holds += h->state == HOLD_HELD;
		hold_let_go(arb, h);
	}
	client_forget_lost(arb, c);
	arb->stats.releases += holds;
	act = arb_answer(arb, client_id(c), request, WIRE_OK);
	act->n = holds;
	act->m = waits;
}

/* Of a RESUME: its client gives up what it had. */
void
client_cancel(struct arb *arb, struct client *c, const struct arb_event *e)
{
	struct hold *w = table_find(&arb->waiters, e->cancel.request);
	struct adopt *a = table_find(&arb->adopts, e->cancel.request);

	if (w != NULL && w->client == c) {
		waiter_refuse(arb, w, WIRE_ERR_CANCELLED);
	} else if (a != NULL && a->hold->client == c) {
		adopt_refuse(arb, a, WIRE_ERR_CANCELLED);
	} else {
		arb_answer(arb, client_id(c), e->request, WIRE_ERR_NOTAG);
		return;
	}
	arb_answer(arb, client_id(c), e->request, WIRE_OK);
}
