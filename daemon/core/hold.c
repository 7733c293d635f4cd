/* Slots, and those who hold them.
 *
 * Idle slots: one that is released while nobody waits stays with us for a while and serves the next
 * local request without an exchange.  It may be granted only while the lease is valid, nobody
 * elsewhere waits, no local waiter is before the asker, and it fits the asker's limit: fewer slots
 * than that are in use here, and neither its number nor the limit it was granted under is greater.
 * Else a caller with a lower limit takes the headroom of others. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>
#include <string.h>

/* ------------------------------------------------------------------ slots */

struct slot *
slot_find(const struct group *g, uint32_t num)
{
	return table_find(&g->slots, num);
}

static void
state_enter(struct group *g, struct slot *s, enum slot_state to)
{
	s->state = to;
	g->n_state[to]++;
	if (to == SLOT_IDLE) {
		heap_add(&g->idle, &s->lowest);
		TAILQ_INSERT_TAIL(&g->idle_by_age, s, oldest);
	}
}

static void
state_leave(struct group *g, struct slot *s)
{
	g->n_state[s->state]--;
	if (s->state == SLOT_IDLE) {
		heap_remove(&g->idle, &s->lowest);
		TAILQ_REMOVE(&g->idle_by_age, s, oldest);
	}
}

/* The only way from state to state: counts and lists move with it. */
static void
slot_move(struct group *g, struct slot *s, enum slot_state to)
{
	static const bool may[SLOT_NSTATES][SLOT_NSTATES] = {
	    [SLOT_HELD] = {[SLOT_IDLE] = true, [SLOT_ENDING] = true},
	    [SLOT_IDLE] = {[SLOT_HELD] = true},
	    [SLOT_ENDING] = {[SLOT_IDLE] = true},
	};

	assert(may[s->state][to]);
	state_leave(g, s);
	state_enter(g, s, to);
}

/* A slot that the backend has granted: idle, until it is given to a hold. */
struct slot *
slot_new(struct group *g, uint32_t num, uint64_t number, uint32_t limit, uint64_t token)
{
	struct slot *s = alloc_resize(NULL, sizeof *s);

	*s = (struct slot){.num = num, .number = number, .limit = limit, .token = token};
	table_add(&g->slots, s, num);
	state_enter(g, s, SLOT_IDLE);
	return s;
}

void
slot_forget(struct group *g, struct slot *s)
{
	state_leave(g, s);
	table_remove(&g->slots, s);
	free(s);
}

void
slot_give_back(struct group *g, struct slot *s)
{
	ALLOC_ROOM(g->releases, g->n_releases, g->cap_releases, 1);
	g->releases[g->n_releases++] = (struct xch_slot){s->num, s->number};
	slot_forget(g, s);
}

/* Whether an idle slot, or one just released, may be granted under that limit. */
bool
slot_fits(const struct group *g, const struct slot *s, int64_t limit)
{
	return s->num <= limit && s->limit <= limit &&
	    g->n_state[SLOT_HELD] + g->n_state[SLOT_ENDING] < limit &&
	    !group_drains(g);
}

/* Only the lowest is looked at: if it does not fit, the way through the backend does. */
struct slot *
slot_idle_for(const struct group *g, int64_t limit)
{
	struct heap_node *node = heap_first(&g->idle);
	struct slot *s = node != NULL ? HEAP_OF(node, struct slot, lowest) : NULL;

	return s != NULL && (slot_fits(g, s, limit) || !RULE(IDLE_LIMIT)) ? s : NULL;
}

static void
slot_released(struct arb *arb, struct group *g, struct slot *s, bool is_many)
{
	bool worn = (s->token & TOKEN_COUNT_MAX) == TOKEN_COUNT_MAX;

	s->hold = NULL;
	s->idle_since = arb->now;
	slot_move(g, s, SLOT_IDLE);
	if (!is_many && !worn && waiter_hand_over(arb, g, s))
		return;
	if (is_many || worn || arb->conf.idle == 0 || !group_is_valid(arb, g) ||
	    group_is_contended(arb, g) || g->n_waiters > 0 || arb->stopping || arb->conf.draining)
		slot_give_back(g, s);
}

/* ------------------------------------------------------------------ holds */

struct hold *
hold_new(struct arb *arb, struct client *c, struct group *g, uint32_t n, const char *label)
{
	size_t size = sizeof(struct hold) + 2 * n * sizeof(uint32_t);
	struct hold *h = n == 1 ? arb->spare : NULL;

	if (h != NULL) {
		arb->spare = NULL;
		memset(h, 0, size);
	} else if ((h = calloc(1, size)) == NULL) {
		return NULL;
	}
	if (label != NULL && *label != '\0' && (h->label = strdup(label)) == NULL) {
		free(h);
		return NULL;
	}
	h->state = HOLD_ASKED;
	h->client = c;
	h->group = g;
	h->n = h->cap = (uint16_t)n;
	h->is_many = n > 1;
	h->length = NSEC_NEVER;
	h->timer.kind = TIMER_HOLD;
	h->timer.at = NSEC_NEVER;
	return h;
}

void
hold_attach(struct hold *h, struct client *c)
{
	h->client = c;
	c->n_slots += h->n;
	c->user->n_slots += h->n;
	if (h->state == HOLD_OPEN)
		TAILQ_INSERT_TAIL(&c->opens, h, of_client);
	else
		TAILQ_INSERT_TAIL(&c->holds, h, of_client);
}

void
hold_detach(struct hold *h)
{
	struct client *c = h->client;

	if (c == NULL)
		return;
	c->n_slots -= h->n;
	c->user->n_slots -= h->n;
	if (h->state == HOLD_OPEN)
		TAILQ_REMOVE(&c->opens, h, of_client);
	else
		TAILQ_REMOVE(&c->holds, h, of_client);
	h->client = NULL;
}

/* Its client has it no more. */
static void
hold_over(struct arb *arb, struct hold *h)
{
	arb->n_holds--;
	histogram_add(&h->group->tally->hold, arb->now - h->since);
}

/* Out of the lists it is in. */
static void
hold_unlink(struct arb *arb, struct hold *h)
{
	timer_set(arb, &h->timer, NSEC_NEVER);
	switch (h->state) {
	case HOLD_ASKED:
		break;
	case HOLD_WAITING:
		waiter_leave(arb, h);
		break;
	case HOLD_HELD:
		hold_over(arb, h);
		/* fall through */
	case HOLD_ENDING:
		TAILQ_REMOVE(&h->group->holds, h, of_group);
		hold_detach(h);
		break;
	case HOLD_OPEN:
		TAILQ_REMOVE(&h->group->opens, h, of_group);
		h->group->n_opens--;
		arb->stats.open--;
		hold_detach(h);
		group_touch(arb, h->group);
		break;
	case HOLD_LOST:
		TAILQ_REMOVE(&h->client->lost, h, of_client);
		h->client->n_lost--;
		break;
	}
}

void
hold_free(struct arb *arb, struct hold *h)
{
	if (h == NULL)
		return;
	if (h->state == HOLD_LOST)
		free(h->name);
	hold_unlink(arb, h);
	free(h->label);
	if (h->cap == 1 && arb->spare == NULL)
		arb->spare = h;
	else
		free(h);
}

/* The request is answered OK: the cell first, then the word. */
static void
hold_tell(struct arb *arb, const struct hold *h, uint64_t request)
{
	struct arb_action *act;

	proof_write(arb, h);
	act = arb_answer(arb, client_id(h->client), request, WIRE_OK);
	act->group = h->group->name;
	act->n_slots = h->n;
	act->slots = arb_copy_slots(arb, h->slots, h->n);
	act->token = h->token;
	act->limit = h->limit;
	act->deadline = proof_deadline(arb, h->group);
	if (h->is_page) {
		act->cell = hold_cells(h)[0];
		proof_tell_unproven(arb, h);
	}
}

void
hold_give(struct arb *arb, struct hold *h, uint64_t request, uint64_t token, uint32_t limit)
{
	struct group *g = h->group;

	assert(h->state == HOLD_ASKED);
	for (uint32_t i = 0; i < h->n; i++) {
		struct slot *s = slot_find(g, h->slots[i]);

		slot_move(g, s, SLOT_HELD);
		s->hold = h;
		s->token = token;
		s->uid = h->client->uid;
	}
	h->state = HOLD_HELD;
	h->token = token;
	h->limit = limit;
	h->since = arb->now;
	hold_attach(h, h->client);
	TAILQ_INSERT_TAIL(&g->holds, h, of_group);
	arb->n_holds++;
	arb->stats.grants++;
	if (h->length < NSEC_NEVER)
		timer_set(arb, &h->timer, arb->now + h->length);
	proof_begin(arb, h);
	hold_tell(arb, h, request);
	group_touch(arb, g);
}

bool
hold_can_move(struct arb *arb, const struct hold *h, const struct client *c)
{
	return group_is_valid(arb, h->group) || proof_can_move(arb, h, c);
}

void
hold_move(struct arb *arb, struct hold *h, struct client *c, uint64_t request)
{
	assert(h->state == HOLD_HELD);
	if (h->client->believes > c->believes)
		c->believes = h->client->believes;
	proof_move(arb, h, c);
	hold_tell(arb, h, request);
}

/* The client goes, or has heard that the hold is lost.  Of one that it does not know of yet, so
 * much stays as is needed to tell it. */
static void
hold_bury(struct arb *arb, struct hold *h)
{
	struct client *c = h->client;

	h->name = c != NULL ? strdup(h->group->name) : NULL;
	if (h->name == NULL) {
		hold_free(arb, h);
		return;
	}
	hold_unlink(arb, h);
	h->client = c;
	h->state = HOLD_LOST;
	h->group = NULL;
	TAILQ_INSERT_TAIL(&c->lost, h, of_client);
	if (++c->n_lost > LOST_MAX)
		hold_free(arb, TAILQ_FIRST(&c->lost));
}

void
hold_let_go(struct arb *arb, struct hold *h)
{
	struct group *g = h->group;
	bool was_held = h->state == HOLD_HELD, is_many = h->is_many;
	uint32_t n = h->n, slots[XCH_N_MAX];

	memcpy(slots, h->slots, n * sizeof *slots);
	for (uint32_t i = 0; i < n; i++)
		slot_find(g, slots[i])->hold = NULL;
	if (was_held) {
		proof_end(arb, h, 0);
		hold_free(arb, h);
	} else {
		hold_bury(arb, h);
	}
	for (uint32_t i = 0; i < n; i++)
		slot_released(arb, g, slot_find(g, slots[i]), is_many);
	group_touch(arb, g);
}

void
hold_drop_slot(struct arb *arb, struct hold *h, struct slot *s)
{
	uint32_t i = 0;

	assert(h->state == HOLD_HELD && s->hold == h);
	if (h->n == 1) {
		hold_let_go(arb, h);
		return;
	}
	while (h->slots[i] != s->num)
		i++;
	proof_end_one(arb, h, i);
	h->n--;
	h->client->n_slots--;
	h->client->user->n_slots--;
	memmove(h->slots + i, h->slots + i + 1, (h->n - i) * sizeof *h->slots);
	slot_released(arb, h->group, s, true);
	group_touch(arb, h->group);
}

/* rest: as for proof_end(). */
static void
tell_lost(struct arb *arb, struct hold *h, enum arb_lost reason, nsec rest)
{
	struct arb_action *act;

	proof_end(arb, h, rest);
	act = arb_act(arb, ARB_TELL_LOST);
	act->client = client_id(h->client);
	act->group = h->group->name;
	act->n_slots = h->n;
	act->slots = arb_copy_slots(arb, h->slots, h->n);
	act->token = h->token;
	act->reason = reason;
	arb->stats.losts++;
	h->group->tally->losses[reason]++;
}

void
hold_lost(struct arb *arb, struct hold *h, enum arb_lost reason)
{
	if (h->state != HOLD_ENDING)
		tell_lost(arb, h, reason, 0);
	hold_bury(arb, h);
}

/* Its slots are nobody's until then. */
static void
end_until(struct arb *arb, struct hold *h, nsec until)
{
	for (uint32_t i = 0; i < h->n; i++)
		slot_move(h->group, slot_find(h->group, h->slots[i]), SLOT_ENDING);
	h->state = HOLD_ENDING;
	timer_set(arb, &h->timer, until);
	group_touch(arb, h->group);
}

static nsec
heard_by(const struct arb *arb, const struct client *c)
{
	nsec at = arb->now + (RULE(LOST_FIRST) ? arb->conf.margin : 0);

	return at > c->believes ? at : c->believes;
}

/* We end it ourselves.  Its client may go on until it has read of that: so long its slots rest. */
void
hold_end(struct arb *arb, struct hold *h, enum arb_lost reason)
{
	nsec until = heard_by(arb, h->client);

	assert(h->state == HOLD_HELD);
	tell_lost(arb, h, reason, until);
	hold_over(arb, h);
	end_until(arb, h, until);
}

/* Slots that are granted to us, idle now, are those of a client that may resume them, here or at our
 * successor's: until its cell ends they rest. */
void
hold_rest(struct arb *arb, struct hold *h, uint32_t uid, nsec until)
{
	assert(h->state == HOLD_ASKED && h->client == NULL);
	h->rests = true;
	for (uint32_t i = 0; i < h->n; i++) {
		struct slot *s = slot_find(h->group, h->slots[i]);

		slot_move(h->group, s, SLOT_HELD);
		s->hold = h;
		s->token = h->token;
		s->uid = uid;
	}
	TAILQ_INSERT_TAIL(&h->group->holds, h, of_group);
	end_until(arb, h, until);
}

void
hold_unrest(struct arb *arb, struct hold *h)
{
	assert(h->rests);
	for (uint32_t i = 0; i < h->n; i++) {
		struct slot *s = slot_find(h->group, h->slots[i]);

		s->hold = NULL;
		slot_move(h->group, s, SLOT_IDLE);
	}
	hold_free(arb, h);
}

/* h, of which a slot is gone, is told LOST as a whole, and what is left of it ends.  Of the slot so
 * much stays as its client needs to be answered when it gives it back. */
static void
lose_slot(struct arb *arb, struct hold *h, uint32_t num)
{
	struct hold *gone;
	uint32_t i = 0;

	while (h->slots[i] != num)
		i++;
	if (h->client != NULL && (gone = hold_new(arb, h->client, h->group, 1, NULL)) != NULL) {
		gone->slots[0] = num;
		gone->token = h->token;
		hold_bury(arb, gone);
	}
	h->n--;
	if (h->client != NULL) {
		h->client->n_slots--;
		h->client->user->n_slots--;
	}
	memmove(h->slots + i, h->slots + i + 1, (h->n - i) * sizeof *h->slots);
}

/* The backend says that this slot is another's.  What was granted with it goes back when its client
 * can have heard. */
void
hold_slot_lost(struct arb *arb, struct group *g, uint32_t num, uint64_t number)
{
	struct slot *s = slot_find(g, num);
	struct hold *h;

	if (s == NULL || s->number != number)
		return;
	h = s->hold;
	slot_forget(g, s);
	if (h == NULL)
		return;
	if (h->n == 1) {
		hold_lost(arb, h, ARB_LOST_TAKEN);
	} else if (h->state == HOLD_ENDING) {
		lose_slot(arb, h, num);
	} else {
		nsec until = heard_by(arb, h->client);

		tell_lost(arb, h, ARB_LOST_TAKEN, until);
		lose_slot(arb, h, num);
		hold_over(arb, h);
		end_until(arb, h, until);
	}
}
