/* RESUME: a hold whose client has come back, by another connection or to another daemon. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>
#include <string.h>

void
adopt_free(struct arb *arb, struct adopt *a, bool keep_hold)
{
	struct group *g = a->group;

	timer_set(arb, &a->timer, NSEC_NEVER);
	if (a->sent) {
		g->adopt_dropped = true;
		ALLOC_ROOM(g->cancels, g->n_cancels, g->cap_cancels, 1);
		g->cancels[g->n_cancels++] = a->by_id.key;
	}
	TAILQ_REMOVE(&g->adopts, a, of_group);
	if (a->hold->client != NULL)
		TAILQ_REMOVE(&a->hold->client->adopts, a, of_client);
	table_remove(&arb->adopts, a);
	if (!keep_hold)
		hold_free(arb, a->hold);
	free(a);
	group_touch(arb, g);
}

static void
answer(struct arb *arb, const struct adopt *a, enum wire_code code)
{
	struct arb_action *act;

	if (a->hold->client == NULL)
		return;
	act = arb_answer(arb, client_id(a->hold->client), a->by_id.key, code);
	act->group = a->group->name;
	act->slot = a->hold->slots[0];
}

void
adopt_refuse(struct arb *arb, struct adopt *a, enum wire_code code)
{
	answer(arb, a, code);
	adopt_free(arb, a, false);
}

/* Its connection has closed, or we stop, and its client will come back, to us or to our successor:
 * until then it believes what its cell says.  So if the backend has been asked, and gives us the slots,
 * we must not give them back before that is over. */
void
adopt_leave(struct arb *arb, struct adopt *a)
{
	if (!a->sent || !RULE(LEAVE_ADOPTED)) {
		adopt_free(arb, a, false);
		return;
	}
	TAILQ_REMOVE(&a->hold->client->adopts, a, of_client);
	a->hold->client = NULL;
}

void
adopt_stop(struct arb *arb, struct adopt *a)
{
	if (a->hold->client == NULL)
		return;
	answer(arb, a, WIRE_ERR_SHUTDOWN);
	adopt_leave(arb, a);
}

/* Until it has read the OK, it goes on by a cell of the former page, which nobody can clear any more. */
static void
believes(struct client *c, nsec until)
{
	if (until > c->believes)
		c->believes = until;
}

/* The backend has given us what it asks for.  A hold without a cell that is unproven from its first
 * moment would have no end: then its client is told that it is lost, and may read that late. */
void
adopt_granted(struct arb *arb, struct adopt *a, uint32_t limit)
{
	struct hold *h = a->hold;
	uint64_t id = a->by_id.key;
	uint32_t uid = a->uid;
	nsec until = a->timer.at;

	a->sent = false;
	if (h->client != NULL && !group_is_valid(arb, a->group) &&
	    !proof_is_possible(arb, h->client, h->n)) {
		answer(arb, a, WIRE_ERR_LOST);
		TAILQ_REMOVE(&h->client->adopts, a, of_client);
		h->client = NULL;
	}
	adopt_free(arb, a, true);
	if (h->client == NULL) {
		hold_rest(arb, h, uid, until);
		return;
	}
	arb->stats.adoptions++;
	believes(h->client, until);
	hold_give(arb, h, id, h->token, limit);
}

static bool
same_slots(const struct hold *h, uint32_t n, const uint32_t *slots)
{
	if (h->n != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (h->slots[i] != slots[i])
			return false;
	return true;
}

/* The one that this is granted to, or if its client has gone, another for the same: that may have come
 * back once more.  NULL: none. */
struct adopt *
adopt_of(const struct arb *arb, const struct group *g, const struct xch_grant *grant)
{
	struct adopt *a = table_find(&arb->adopts, grant->id), *other;

	if (a != NULL && (a->group != g || a->hold->n != grant->n))
		a = NULL;
	if (a != NULL && a->hold->client != NULL)
		return a;
	TAILQ_FOREACH (other, &g->adopts, of_group)
		if (other->hold->client != NULL && other->hold->token >> TOKEN_BITS == grant->number &&
		    same_slots(other->hold, grant->n, grant->slots))
			return other;
	return a;
}

static bool
relabel(struct hold *h, const char *label)
{
	char *copy;

	if (label == NULL || *label == '\0')
		return true;
	if ((copy = strdup(label)) == NULL)
		return false;
	free(h->label);
	h->label = copy;
	return true;
}

/* It is granted what we have: by then its client had come back once more, or twice. */
void
adopt_again(struct arb *arb, struct adopt *a)
{
	struct hold *h = slot_find(a->group, a->hold->slots[0])->hold;

	a->sent = false;
	if (a->hold->client == NULL) {
		adopt_free(arb, a, false);
		return;
	}
	if (h != NULL && h->rests && h->token == a->hold->token &&
	    same_slots(h, a->hold->n, a->hold->slots)) {
		hold_unrest(arb, h);
		adopt_granted(arb, a, a->hold->limit);
		return;
	}
	if (h == NULL || h->state != HOLD_HELD || h->token != a->hold->token ||
	    h->client->uid != a->hold->client->uid || !same_slots(h, a->hold->n, a->hold->slots) ||
	    !hold_can_move(arb, h, a->hold->client) || !relabel(h, a->hold->label)) {
		adopt_refuse(arb, a, WIRE_ERR_LOST);
		return;
	}
	hold_move(arb, h, a->hold->client, a->by_id.key);
	adopt_free(arb, a, false);
}

static void
refuse_resume(struct arb *arb, struct client *c, const struct arb_event *e, enum wire_code code)
{
	struct arb_action *act = arb_answer(arb, client_id(c), e->request, code);

	act->group = arb_copy_string(arb, e->resume.group);
	act->slot = e->resume.slots[0];
	act->m = arb->conf.max_groups;
}

/* A hold that this client had: at this daemon, by another connection; as an idle slot by now; or at
 * our predecessor, then the backend is asked until the inherited cell's deadline.  Tokens are no
 * secret, so the uid must be that of whoever had it last. */
void
adopt_resume(struct arb *arb, struct client *c, const struct arb_event *e)
{
	bool inherited = e->resume.until > arb->now || !RULE(ADOPT_DEADLINE);
	uint32_t n = e->resume.n_slots, known = 0, same = 0, idle = 0;
	uint32_t limit = WIRE_LIMIT_MAX;        /* not known: never idle for those with a lower one */
	enum wire_code why = WIRE_ERR_LOST;
	struct group *g = arb->gone ? NULL : inherited ? group_get(arb, e->resume.group, &why) :
	    group_find(arb, e->resume.group);
	struct hold *h = NULL, *resting = NULL;
	struct adopt *a;

	if (g == NULL) {
		refuse_resume(arb, c, e, why);
		return;
	}
	g->drop_on_lapse = e->resume.drop_on_lapse;
	group_touch(arb, g);
	for (uint32_t i = 0; i < n; i++) {
		struct slot *s = slot_find(g, e->resume.slots[i]);

		h = s != NULL ? s->hold : NULL;
		if (s == NULL)
			continue;
		known++;
		same += s->token == e->resume.token && s->uid == c->uid;
		idle += s->state == SLOT_IDLE;
		limit = s->limit;
	}
	if (same == n && h != NULL && h->state == HOLD_HELD && h->n == n &&
	    (c->strict || group_is_valid(arb, g))) { /* else it could not know that it is unproven */
		if (hold_can_move(arb, h, c) && relabel(h, e->resume.label))
			hold_move(arb, h, c, e->request);
		else
			refuse_resume(arb, c, e, WIRE_ERR_NOMEM);
		return;
	}
	if (same == n && h != NULL && h->rests && h->n == n)    /* it has come back in time */
		resting = h;
	if (known > 0 ? same < n || (idle < n && resting == NULL) || !group_is_valid(arb, g) || g->doubt : !inherited) {
		refuse_resume(arb, c, e, WIRE_ERR_LOST);
		return;
	}
	if (arb->stopping && known == 0) {      /* its next daemon may have it */
		refuse_resume(arb, c, e, WIRE_ERR_SHUTDOWN);
		return;
	}
	if ((h = hold_new(arb, c, g, n, e->resume.label)) == NULL ||
	    (a = calloc(1, sizeof *a)) == NULL) {
		hold_free(arb, h);
		refuse_resume(arb, c, e, WIRE_ERR_NOMEM);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		h->slots[i] = e->resume.slots[i];
	h->length = e->resume.hold;
	if (e->resume.limit != XCH_NO_LIMIT)
		limit = (uint32_t)e->resume.limit;
	if (known > 0) {
		free(a);
		if (resting != NULL)    /* nothing can go wrong from here on */
			hold_unrest(arb, resting);
		if (inherited)
			believes(c, e->resume.until);
		hold_give(arb, h, e->request, e->resume.token, limit);
		return;
	}
	h->token = e->resume.token;
	h->limit = limit;
	a->hold = h;
	a->group = g;
	a->uid = c->uid;
	a->timer.kind = TIMER_ADOPT;
	a->timer.at = NSEC_NEVER;
	TAILQ_INSERT_TAIL(&g->adopts, a, of_group);
	TAILQ_INSERT_TAIL(&c->adopts, a, of_client);
	table_add(&arb->adopts, a, e->request);
	timer_set(arb, &a->timer,
	    RULE(ADOPT_DEADLINE) ? e->resume.until : arb->now + arb->conf.lease);
}
