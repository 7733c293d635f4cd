/* Those who wait, and their order.
 *
 * Hand-over: while nobody elsewhere waits, a slot that is released goes straight to the oldest local
 * waiter.  Deferral: while nobody elsewhere waits and we hold as many slots as a waiter's limit,
 * only a release of ours can serve it, so it is not queued in the backend at all. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>
#include <string.h>

/* ------------------------------------------------------------------ classes */

static struct wclass *
class_find(const struct group *g, int64_t own)
{
	struct wclass *cls;

	LIST_FOREACH (cls, &g->classes, link)
		if (cls->own == own)
			break;
	return cls;
}

static struct wclass *
class_get(struct group *g, int64_t own)
{
	struct wclass *cls = class_find(g, own);

	if (cls != NULL)
		return cls;
	if ((cls = calloc(1, sizeof *cls)) == NULL)
		return NULL;
	g->n_classes++;
	cls->own = own;
	TAILQ_INIT(&cls->unsent);
	LIST_INSERT_HEAD(&g->classes, cls, link);
	return cls;
}

static void
class_drop(struct group *g, struct wclass *cls)
{
	if (cls->n > 0)
		return;
	g->n_classes--;
	LIST_REMOVE(cls, link);
	free(cls);
}

/* Not under a live limit that lets nobody in, or fewer than there are: it is raised for all hosts at
 * once, and then those who have waited longest go first, wherever they wait. */
bool
waiter_class_deferred(const struct arb *arb, const struct group *g, const struct wclass *cls)
{
	int64_t limit = group_limit(g, cls->own);

	return arb->conf.idle > 0 && group_is_alone(arb, g) && limit > 0 && !group_drains(g) &&
	    group_n_slots(g) >= limit;
}

/* ------------------------------------------------------------------ waiters */

static struct hold *
waiter_new(struct arb *arb, struct client *c, struct group *g, uint64_t request,
    const struct arb_acquire *a)
{
	struct hold *w = hold_new(arb, c, g, a->n, a->label);
	struct wclass *cls = w != NULL ? class_get(g, a->limit) : NULL;

	if (cls == NULL) {
		hold_free(arb, w);
		return NULL;
	}
	w->state = HOLD_WAITING;
	w->length = a->hold;
	w->since = arb->now;
	w->now = a->wait == 0;
	w->cls = cls;
	cls->n++;
	TAILQ_INSERT_TAIL(&cls->unsent, w, of_class);
	TAILQ_INSERT_TAIL(&g->waiters, w, of_group);
	TAILQ_INSERT_TAIL(&c->waiters, w, of_client);
	c->user->n_slots += w->n;
	table_add(&arb->waiters, w, request);
	g->n_waiters++;
	g->n_nows += w->now;
	arb->stats.waiters++;
	if (w->now)
		timer_set(arb, &w->timer, arb->now + arb->conf.recall);
	else if (a->wait < NSEC_NEVER - arb->now)
		timer_set(arb, &w->timer, arb->now + a->wait);
	return w;
}

/* The backend has answered it: there is nothing to cancel when it ends, as it does next. */
void
waiter_answered(struct hold *w)
{
	if (!w->sent)
		return;
	w->sent = false;
	w->cls->n_sent--;
	TAILQ_INSERT_HEAD(&w->cls->unsent, w, of_class);
}

void
waiter_leave(struct arb *arb, struct hold *w)
{
	struct group *g = w->group;
	struct wclass *cls = w->cls;

	assert(w->state == HOLD_WAITING);
	timer_set(arb, &w->timer, NSEC_NEVER);
	if (w->sent) {
		ALLOC_ROOM(g->cancels, g->n_cancels, g->cap_cancels, 1);
		g->cancels[g->n_cancels++] = w->by_id.key;
		cls->n_sent--;
	} else {
		TAILQ_REMOVE(&cls->unsent, w, of_class);
	}
	cls->n--;
	class_drop(g, cls);
	TAILQ_REMOVE(&g->waiters, w, of_group);
	TAILQ_REMOVE(&w->client->waiters, w, of_client);
	w->client->user->n_slots -= w->n;
	table_remove(&arb->waiters, w);
	g->n_waiters--;
	g->n_nows -= w->now;
	arb->stats.waiters--;
	w->state = HOLD_ASKED;
	w->token = 0;
	w->limit = 0;
	group_touch(arb, g);
}

static uint32_t
limit_shown(const struct group *g, int64_t own)
{
	int64_t limit = group_limit(g, own);

	return limit > 0 ? (uint32_t)limit : 0;
}

void
waiter_refuse(struct arb *arb, struct hold *w, enum wire_code code)
{
	struct arb_action *act = arb_answer(arb, client_id(w->client), w->by_id.key, code);

	act->group = w->group->name;
	act->limit = limit_shown(w->group, w->cls->own);
	act->n = code == WIRE_ERR_QUEUEFULL ? w->group->n_waiters - w->group->n_nows - 1 : w->n;
	act->m = w->group->max_waiters;
	act->waited = arb->now - w->since;
	arb->stats.timeouts += code == WIRE_ERR_TIMEOUT;
	arb->stats.fulls += code == WIRE_ERR_FULL;
	arb->stats.cancels += code == WIRE_ERR_CANCELLED;
	tally_refused(w->group->tally, code);
	hold_free(arb, w);
}

static const struct why {
	const char *word, *text;
} away = {"away", "the backend cannot be reached"},
  in_grace = {"grace", "the backend is new or has lost data: holds are claimed again first"},
  hung = {"hung", "the backend does not answer"},
  drain = {"drain", "this host is drained: slotd grants nothing here any more"};

/* Nobody could have been granted a slot, whoever holds them: why not.  NULL: somebody could. */
static const struct why *
why_unavailable(const struct arb *arb, const struct group *g, int64_t limit)
{
	if (limit != XCH_NO_LIMIT && group_is_valid(arb, g) &&
	    g->n_state[SLOT_HELD] + g->n_state[SLOT_ENDING] >= limit)
		return NULL;            /* ours alone are as many as there are */
	if ((arb->link_up >> g->link & 1) == 0)
		return &away;
	if (arb->now < g->grace_until)
		return &in_grace;
	if (g->request != NULL && arb->now - g->sent_at >= arb->conf.recall)
		return &hung;
	return NULL;
}

static void
explain(struct arb_action *act, const struct why *why, nsec retry)
{
	act->why = why->word;
	act->text = why->text;
	act->retry = retry > RETRY ? retry : RETRY;
}

static void
refuse_unavailable(struct arb *arb, struct hold *w, const struct why *why)
{
	nsec grace = w->group->grace_until - arb->now;

	waiter_refuse(arb, w, WIRE_ERR_UNAVAILABLE);
	explain(&arb->actions[arb->n_actions - 1], why, grace);
}

void
waiter_drain_all(struct arb *arb, struct group *g)
{
	while (!TAILQ_EMPTY(&g->waiters))
		refuse_unavailable(arb, TAILQ_FIRST(&g->waiters), &drain);
}

void
waiter_out_of_time(struct arb *arb, struct hold *w)
{
	const struct why *why = why_unavailable(arb, w->group, group_limit(w->group, w->cls->own));

	if (why != NULL)
		refuse_unavailable(arb, w, why);
	else
		waiter_refuse(arb, w, w->now ? WIRE_ERR_FULL : WIRE_ERR_TIMEOUT);
}

/* The backend is away: who waits is let in, or told so, if that is what the group wants.  Nobody is
 * let in against a limit of 0, by which people stop a group. */
void
waiter_check_away(struct arb *arb, struct group *g)
{
	struct hold *w, *next;

	if (g->on_down == ARB_DOWN_WAIT)
		return;
	for (w = TAILQ_FIRST(&g->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, of_group);
		if (g->on_down == ARB_DOWN_REFUSE) {
			if ((arb->link_up >> g->link & 1) == 0)
				refuse_unavailable(arb, w, &away);
		} else if (group_limit(g, w->cls->own) != 0) {
			uint64_t id = w->by_id.key;

			waiter_leave(arb, w);
			open_begin(arb, w, id);
		}
	}
}

void
waiter_refuse_all(struct arb *arb, struct group *g, const char *text)
{
	struct hold *w;

	text = arb_copy_string(arb, text);
	while ((w = TAILQ_FIRST(&g->waiters)) != NULL) {
		waiter_refuse(arb, w, WIRE_ERR_BACKEND);
		arb->actions[arb->n_actions - 1].text = text;
	}
}

/* How many of the waiters the backend may serve with what is under way or about to be sent: nobody
 * knows which. */
static uint64_t
may_be_served(const struct arb *arb, const struct group *g, int64_t limit)
{
	if ((arb->link_up >> g->link & 1) == 0 || (g->synced && g->request == NULL))
		return 0;
	return limit == XCH_NO_LIMIT ? XCH_WANTS_MAX : (uint64_t)limit;
}

/* Those that wait beyond what max_waiters allows, the newest first.  A now-or-never want does not
 * wait. */
static void
check_queue(struct arb *arb, struct group *g, uint64_t besides)
{
	struct hold *w = TAILQ_LAST(&g->waiters, waiter_list), *before;

	for (; g->max_waiters != 0 && g->n_waiters - g->n_nows > g->max_waiters + besides; w = before) {
		before = TAILQ_PREV(w, waiter_list, of_group);
		if (!w->now)
			waiter_refuse(arb, w, WIRE_ERR_QUEUEFULL);
	}
}

void
waiter_check_queue(struct arb *arb, struct group *g)
{
	check_queue(arb, g, 0);
}

/* ------------------------------------------------------------------ ACQUIRE */

/* g is NULL where the group is not known. */
static struct arb_action *
refuse_acquire(struct arb *arb, struct client *c, uint64_t request, struct group *g,
    enum wire_code code, const struct arb_acquire *a)
{
	struct arb_action *act = arb_answer(arb, client_id(c), request, code);

	tally_refused(g != NULL ? g->tally : &arb->conf.tallies->other, code);
	act->group = arb_copy_string(arb, a->group);
	act->n = a->n;
	return act;
}

/* True: nobody is let in any more, and this one has been told so. */
static bool
is_closed(struct arb *arb, struct client *c, uint64_t request, const struct arb_acquire *a)
{
	struct group *g = NULL;

	if (arb->stopping || arb->gone) {
		refuse_acquire(arb, c, request, g, WIRE_ERR_SHUTDOWN, a);
		return true;
	}
	if (!arb->conf.draining)
		return false;
	g = group_find(arb, a->group);
	explain(refuse_acquire(arb, c, request, g, WIRE_ERR_UNAVAILABLE, a), &drain, 0);
	return true;
}

void
waiter_acquire(struct arb *arb, struct client *c, uint64_t request, const struct arb_acquire *a)
{
	enum wire_code why;
	struct group *g;
	int64_t limit;
	struct slot *s;
	struct hold *h;

	arb->stats.acquires++;
	assert(a->n >= 1 && a->n <= XCH_N_MAX);
	if (is_closed(arb, c, request, a))
		return;
	g = group_get(arb, a->group, &why);
	if (g == NULL) {
		refuse_acquire(arb, c, request, NULL, why, a)->m = arb->conf.max_groups;
		return;
	}
	if (a->max_holds != 0 && c->n_slots + a->n > a->max_holds) {
		refuse_acquire(arb, c, request, g, WIRE_ERR_HOLDS, a)->m = a->max_holds;
		return;
	}
	if (a->max_holds_per_user != 0 && c->user->n_slots + a->n > a->max_holds_per_user) {
		struct arb_action *act = refuse_acquire(arb, c, request, g, WIRE_ERR_HOLDS, a);

		act->m = a->max_holds_per_user;
		act->is_of_user = true;
		act->uid = c->uid;
		return;
	}
	g->configured = a->configured;
	if (a->limit != XCH_NO_LIMIT)
		g->asked = a->limit;
	g->drop_on_lapse = a->drop_on_lapse;
	g->on_down = a->on_down;
	group_touch(arb, g);

	limit = group_limit(g, a->limit);
	if (limit == XCH_NO_LIMIT && group_knows_live(arb, g)) {
		refuse_acquire(arb, c, request, g, WIRE_ERR_NOLIMIT, a);
		return;
	}
	if (RULE(SKIP_TOO_BIG) && limit > 0 && a->n > limit &&
	    (group_knows_live(arb, g) || limit == a->limit)) {
		refuse_acquire(arb, c, request, g, WIRE_ERR_TOOBIG, a)->limit = (uint32_t)limit;
		return;
	}
	if (a->n == 1 && group_is_valid(arb, g) && !g->doubt && !group_is_contended(arb, g) &&
	    (g->n_waiters == 0 || !RULE(IDLE_ORDER)) && (s = slot_idle_for(g, limit)) != NULL) {
		if ((h = hold_new(arb, c, g, 1, a->label)) == NULL) {
			refuse_acquire(arb, c, request, g, WIRE_ERR_NOMEM, a);
			return;
		}
		h->length = a->hold;
		h->slots[0] = s->num;
		arb->stats.grants_idle++;
		tally_granted(g->tally, TALLY_IDLE, 0);
		hold_give(arb, h, request, s->token + RULE(TOKEN_GROWS), (uint32_t)limit);
		return;
	}
	if (a->wait == 0 && limit != XCH_NO_LIMIT && group_is_valid(arb, g) &&
	    g->n_state[SLOT_HELD] + g->n_state[SLOT_ENDING] + a->n > limit) {
		arb->stats.fulls++;
		refuse_acquire(arb, c, request, g, WIRE_ERR_FULL, a)->limit = (uint32_t)limit;
		return;
	}
	if (g->n_classes >= CLASSES_MAX && class_find(g, a->limit) == NULL) {
		struct arb_action *act = refuse_acquire(arb, c, request, g, WIRE_ERR_QUEUEFULL, a);

		act->n = g->n_waiters - g->n_nows;
		act->m = CLASSES_MAX;
		return;
	}
	g->max_waiters = a->max_waiters;
	if (waiter_new(arb, c, g, request, a) == NULL)
		refuse_acquire(arb, c, request, g, WIRE_ERR_NOMEM, a);
	else
		check_queue(arb, g, may_be_served(arb, g, limit));
}

/* ------------------------------------------------------------------ serving them */

bool
waiter_hand_over(struct arb *arb, struct group *g, struct slot *s)
{
	struct hold *w = TAILQ_FIRST(&g->waiters);
	int64_t limit;
	uint64_t id;

	if (w == NULL || arb->conf.idle == 0 || !group_is_alone(arb, g) || w->n != 1)
		return false;
	limit = group_limit(g, w->cls->own);
	if (!slot_fits(g, s, limit) && RULE(IDLE_LIMIT))
		return false;
	id = w->by_id.key;
	waiter_leave(arb, w);
	w->slots[0] = s->num;
	arb->stats.handovers++;
	tally_granted(g->tally, TALLY_HANDOVER, arb->now - w->since);
	hold_give(arb, w, id, s->token + 1, (uint32_t)limit);
	return true;
}

/* Nobody waits for ever for more than there is. */
void
waiter_check_limits(struct arb *arb, struct group *g)
{
	struct hold *w, *next;

	for (w = TAILQ_FIRST(&g->waiters); w != NULL; w = next) {
		int64_t limit = group_limit(g, w->cls->own);

		next = TAILQ_NEXT(w, of_group);
		if (limit == XCH_NO_LIMIT)
			waiter_refuse(arb, w, WIRE_ERR_NOLIMIT);
		else if (RULE(SKIP_TOO_BIG) && limit > 0 && w->n > limit)
			waiter_refuse(arb, w, WIRE_ERR_TOOBIG);
	}
}
