/* The arbiter's door: events in, actions out, the next deadline; and its clients.
 *
 * What a daemon may believe, and why, is written where it is done:
 * the lease in group.c, idle slots and their order in hold.c and waiter.c, exchanges in sync.c. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>
#include <string.h>

_Static_assert(XCH_N_MAX == WIRE_N_MAX, "one want fits one request");

static bool
timer_before(const struct heap_node *a, const struct heap_node *b)
{
	return HEAP_OF(a, struct timer, node)->at < HEAP_OF(b, struct timer, node)->at;
}

struct arb *
arb_new(const struct arb_conf *conf)
{
	struct arb *arb = calloc(1, sizeof *arb);

	assert(conf->n_links >= 1 && conf->n_links <= 64);
	if (arb == NULL)
		return NULL;
	arb->conf = *conf;
	arb->era = conf->era;
	arb->longest_lease = conf->lease;
	heap_init(&arb->timers, timer_before);
	TAILQ_INIT(&arb->touched);
	return arb;
}

/* ------------------------------------------------------------------ actions and timers */

struct arb_action *
arb_act(struct arb *arb, enum arb_action_type type)
{
	struct arb_action *act;

	ALLOC_ROOM(arb->actions, arb->n_actions, arb->cap_actions, 1);
	act = &arb->actions[arb->n_actions++];
	*act = (struct arb_action){.type = type};
	return act;
}

struct arb_action *
arb_answer(struct arb *arb, uint64_t client, uint64_t request, enum wire_code code)
{
	struct arb_action *act = arb_act(arb, ARB_ANSWER);

	act->client = client;
	act->request = request;
	act->code = code;
	return act;
}

const char *
arb_copy_string(struct arb *arb, const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(arena_take(&arb->arena, size), s, size);
}

const uint32_t *
arb_copy_slots(struct arb *arb, const uint32_t *slots, uint32_t n)
{
	return memcpy(arena_take(&arb->arena, n * sizeof *slots), slots, n * sizeof *slots);
}

bool
arb_next_action(struct arb *arb, struct arb_action *action)
{
	if (arb->next_action == arb->n_actions)
		return false;
	*action = arb->actions[arb->next_action++];
	return true;
}

void
timer_set(struct arb *arb, struct timer *t, nsec at)
{
	t->at = at;
	if (at == NSEC_NEVER) {
		if (heap_has(&t->node))
			heap_remove(&arb->timers, &t->node);
	} else if (heap_has(&t->node)) {
		heap_moved(&arb->timers, &t->node);
	} else {
		heap_add(&arb->timers, &t->node);
	}
}

nsec
arb_deadline(const struct arb *arb)
{
	const struct heap_node *node = heap_first(&arb->timers);

	return node != NULL ? HEAP_OF(node, struct timer, node)->at : NSEC_NEVER;
}

static void
hold_timer(struct arb *arb, struct hold *h)
{
	if (h->state == HOLD_HELD)
		hold_end(arb, h, ARB_LOST_HOLD);
	else
		hold_let_go(arb, h);
}

/* What has the clock ended?  Asked before every event: a process that was stopped must notice
 * before it acts. */
static void
run_timers(struct arb *arb)
{
	struct heap_node *node;

	while ((node = heap_first(&arb->timers)) != NULL) {
		struct timer *t = HEAP_OF(node, struct timer, node);

		if (t->at > arb->now)
			break;
		timer_set(arb, t, NSEC_NEVER);
		switch (t->kind) {
		case TIMER_GROUP:
			group_tick(arb, HEAP_OF(t, struct group, timer));
			break;
		case TIMER_WAITER:
			waiter_out_of_time(arb, HEAP_OF(t, struct waiter, timer));
			break;
		case TIMER_HOLD:
			hold_timer(arb, HEAP_OF(t, struct hold, timer));
			break;
		case TIMER_ADOPT:
			adopt_refuse(arb, HEAP_OF(t, struct adopt, timer));
			break;
		}
	}
}

/* ------------------------------------------------------------------ clients */

static struct client *
client_find(const struct arb *arb, uint64_t id)
{
	struct client *c;

	HASH_FIND(hh, arb->clients, &id, sizeof id, c);
	return c;
}

static void
client_open(struct arb *arb, const struct arb_event *e)
{
	struct client *c = alloc_resize(NULL, sizeof *c);

	assert(client_find(arb, e->client) == NULL);
	*c = (struct client){.id = e->client, .pid = e->open.pid, .uid = e->open.uid,
	    .strict = e->open.strict};
	TAILQ_INIT(&c->holds);
	TAILQ_INIT(&c->lost);
	TAILQ_INIT(&c->waiters);
	TAILQ_INIT(&c->adopts);
	HASH_ADD(hh, arb->clients, id, sizeof c->id, c);
	arb->stats.clients++;
}

static void
client_forget_lost(struct arb *arb, struct client *c)
{
	while (!TAILQ_EMPTY(&c->lost))
		hold_free(arb, TAILQ_FIRST(&c->lost));
}

/* Waits first: else what it gives back would be handed to itself. */
static void
client_gone(struct arb *arb, struct client *c)
{
	while (!TAILQ_EMPTY(&c->waiters))
		waiter_free(arb, TAILQ_FIRST(&c->waiters), false);
	while (!TAILQ_EMPTY(&c->adopts))
		adopt_free(arb, TAILQ_FIRST(&c->adopts), false);
	while (!TAILQ_EMPTY(&c->holds))
		hold_let_go(arb, TAILQ_FIRST(&c->holds));
	client_forget_lost(arb, c);
	HASH_DEL(arb->clients, c);
	free(c);
	arb->stats.clients--;
}

/* We close the connection of a process that may well live: its slots are not free before it can
 * have heard that it has lost them. */
static void
client_kick(struct arb *arb, struct client *c)
{
	struct hold *h;

	while ((h = TAILQ_FIRST(&c->holds)) != NULL) {
		if (h->state == HOLD_HELD)
			hold_end(arb, h, ARB_LOST_EVICT);
		TAILQ_REMOVE(&c->holds, h, of_client);
		h->client = NULL;
	}
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

	if (h == NULL || h->client != c)
		return release_of_lost(arb, c, e->release.group, num, token) ? WIRE_ERR_LOST :
		    WIRE_ERR_NOTHOLD;
	if (token != 0 && token != h->token)
		return WIRE_ERR_LOST;
	if (h->state == HOLD_HELD)
		return WIRE_OK;
	if (names_all(e, h)) {
		TAILQ_REMOVE(&c->holds, h, of_client);
		h->client = NULL;
		hold_let_go(arb, h);
	}
	return WIRE_ERR_LOST;
}

static void
client_release(struct arb *arb, struct client *c, const struct arb_event *e)
{
	struct group *g = group_find(arb, e->release.group);
	struct arb_action *act;

	for (uint32_t i = 0; i < e->release.n_slots; i++) {
		uint32_t num = e->release.slots[i];
		enum wire_code code = release_check(arb, c, g, e, num);

		if (code != WIRE_OK) {
			act = arb_answer(arb, c->id, e->request, code);
			act->group = arb_copy_string(arb, e->release.group);
			act->slot = num;
			return;
		}
	}
	/* The answer first: a waiter of the same client may be granted by what follows. */
	arb->stats.releases++;
	act = arb_answer(arb, c->id, e->request, WIRE_OK);
	act->group = g->name;
	for (uint32_t i = 0; i < e->release.n_slots; i++) {
		struct slot *s = slot_find(g, e->release.slots[i]);

		assert(s != NULL && s->hold != NULL && s->hold->client == c);
		hold_drop_slot(arb, s->hold, s);
	}
}

static void
client_release_all(struct arb *arb, struct client *c, uint64_t request)
{
	uint32_t holds = 0, waits = 0;
	struct arb_action *act;

	for (; !TAILQ_EMPTY(&c->waiters); waits++)
		waiter_refuse(arb, TAILQ_FIRST(&c->waiters), WIRE_ERR_CANCELLED);
	while (!TAILQ_EMPTY(&c->holds)) {
		struct hold *h = TAILQ_FIRST(&c->holds);

		holds += h->state == HOLD_HELD;
		hold_let_go(arb, h);
	}
	client_forget_lost(arb, c);
	arb->stats.releases += holds;
	act = arb_answer(arb, c->id, request, WIRE_OK);
	act->n = holds;
	act->m = waits;
}

static void
client_cancel(struct arb *arb, struct client *c, const struct arb_event *e)
{
	struct waiter *w;

	HASH_FIND(hh, arb->waiters, &e->cancel.request, sizeof e->cancel.request, w);
	if (w == NULL || w->hold->client != c) {
		arb_answer(arb, c->id, e->request, WIRE_ERR_NOTAG);
		return;
	}
	waiter_refuse(arb, w, WIRE_ERR_CANCELLED);
	arb_answer(arb, c->id, e->request, WIRE_OK);
}

/* ------------------------------------------------------------------ links, stop */

static void
link_change(struct arb *arb, unsigned link, bool up)
{
	struct group *g, *tmp;

	assert(link < arb->conf.n_links);
	if (up)
		arb->link_up |= 1ull << link;
	else
		arb->link_up &= ~(1ull << link);
	HASH_ITER (hh, arb->groups, g, tmp) {
		if (g->link != link)
			continue;
		if (!up && RULE(SYNC_AFTER_BREAK)) {
			/* The outcome of what was in flight is unknown, so is what the backend has
			 * heard: the full sync after the break says it all. */
			group_unsync(g);
			g->n_releases = g->n_cancels = 0;
			sync_drop_request(g);
		} else if (g->high != 0) {
			g->dirty = true;        /* it may have lost the numbers: tell it ours */
		}
		group_touch(arb, g);
	}
}

static void
sub_change(struct arb *arb, bool up)
{
	struct group *g, *tmp;

	arb->sub_up = up;
	HASH_ITER (hh, arb->groups, g, tmp) {
		if (up && (g->slots != NULL || g->n_waiters > 0))
			g->poke = true;
		group_touch(arb, g);
	}
}

static void
stop(struct arb *arb)
{
	struct group *g, *tmp;

	arb->stopping = true;
	HASH_ITER (hh, arb->groups, g, tmp) {
		while (!TAILQ_EMPTY(&g->waiters))
			waiter_refuse(arb, TAILQ_FIRST(&g->waiters), WIRE_ERR_SHUTDOWN);
		while (!TAILQ_EMPTY(&g->idle_by_age))
			slot_give_back(g, TAILQ_FIRST(&g->idle_by_age));
		group_touch(arb, g);
	}
}

/* ------------------------------------------------------------------ door */

static void
handle(struct arb *arb, const struct arb_event *e)
{
	struct client *c = NULL;
	struct group *g;

	if (e->type >= ARB_CLIENT_GONE && e->type <= ARB_RESUME) {
		c = client_find(arb, e->client);
		assert(c != NULL);
	}
	switch (e->type) {
	case ARB_TICK:
		break;
	case ARB_CLIENT_OPEN:
		client_open(arb, e);
		break;
	case ARB_CLIENT_GONE:
		client_gone(arb, c);
		break;
	case ARB_CLIENT_KICK:
		client_kick(arb, c);
		break;
	case ARB_ACQUIRE:
		waiter_acquire(arb, c, e->request, &e->acquire);
		break;
	case ARB_RELEASE:
		client_release(arb, c, e);
		break;
	case ARB_RELEASE_ALL:
		client_release_all(arb, c, e->request);
		break;
	case ARB_CANCEL:
		client_cancel(arb, c, e);
		break;
	case ARB_RESUME:
		waiter_resume(arb, c, e);
		break;
	case ARB_LINK_UP:
	case ARB_LINK_DOWN:
		link_change(arb, e->link.link, e->type == ARB_LINK_UP);
		break;
	case ARB_SUB_UP:
	case ARB_SUB_DOWN:
		sub_change(arb, e->type == ARB_SUB_UP);
		break;
	case ARB_REPLY:
		if ((g = group_find(arb, e->reply.group)) != NULL)
			sync_reply(arb, g, e->reply.reply);
		break;
	case ARB_PUSH:
		arb->stats.pushes++;
		if ((g = group_find(arb, e->push->group)) != NULL)
			sync_push(arb, g, e->push);
		break;
	case ARB_STOP:
		stop(arb);
		break;
	}
}

void
arb_step(struct arb *arb, nsec now, const struct arb_event *event)
{
	struct group *g;

	assert(!arb->busy && arb->next_action == arb->n_actions && now >= arb->now);
	arb->busy = true;
	arb->now = now;
	arb->n_actions = arb->next_action = 0;
	arena_reset(&arb->arena);

	run_timers(arb);
	handle(arb, event);
	while ((g = TAILQ_FIRST(&arb->touched)) != NULL) {
		sync_compose(arb, g);
		group_rearm(arb, g);
		TAILQ_REMOVE(&arb->touched, g, touch);
		g->touched = false;
	}
	arb->busy = false;
}

void
arb_free(struct arb *arb)
{
	struct client *c, *next_client;
	struct group *g, *next_group;

	if (arb == NULL)
		return;
	HASH_ITER (hh, arb->clients, c, next_client)
		client_gone(arb, c);
	HASH_ITER (hh, arb->groups, g, next_group)
		group_free(arb, g);
	heap_fini(&arb->timers);
	arena_fini(&arb->arena);
	free(arb->actions);
	free(arb);
}
