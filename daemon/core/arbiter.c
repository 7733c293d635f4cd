/* The arbiter's door: an event comes in, and is handled by whom it concerns.
 *
 * What a daemon may believe, and why, is written where it is done:
 * the lease in group.c, idle slots and their order in hold.c and waiter.c, exchanges in sync.c. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>

_Static_assert(XCH_N_MAX == WIRE_N_MAX, "one want fits one request");

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
	if (!cells_init(&arb->cells, conf->max_cells)) {
		free(arb);
		return NULL;
	}
	if (conf->tallies == NULL) {
		tallies_init(&arb->uncounted, 0);
		arb->conf.tallies = &arb->uncounted;
	}
	arb->other_leases = TABLE_OF(struct other_lease, by_install);
	arb->clients = TABLE_OF(struct client, by_id);
	arb->users = TABLE_OF(struct user, by_uid);
	arb->groups = TABLE_OF(struct group, by_name);
	arb->waiters = TABLE_OF(struct hold, by_id);
	arb->adopts = TABLE_OF(struct adopt, by_id);
	heap_init(&arb->timers, timer_before);
	TAILQ_INIT(&arb->touched);
	return arb;
}

static void
hold_timer(struct arb *arb, struct hold *h)
{
	if (h->state == HOLD_WAITING)
		waiter_out_of_time(arb, h);
	else if (h->state == HOLD_OPEN)
		hold_lost(arb, h, ARB_LOST_HOLD);
	else if (h->state == HOLD_HELD)
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
		case TIMER_HOLD:
			hold_timer(arb, HEAP_OF(t, struct hold, timer));
			break;
		case TIMER_ADOPT:
			adopt_refuse(arb, HEAP_OF(t, struct adopt, timer), WIRE_ERR_LOST);
			break;
		}
	}
}

/* ------------------------------------------------------------------ links, stop */

static void
link_is_down(struct arb *arb, unsigned link)
{
	arb->link_up &= ~(1ull << link);
	arb->link_down_at[link] = arb->now;
}

static void
link_change(struct arb *arb, unsigned link, bool up)
{
	struct group *g, *tmp;

	assert(link < arb->conf.n_links);
	if (up)
		arb->link_up |= 1ull << link;
	else if ((arb->link_up >> link & 1) != 0)
		link_is_down(arb, link);
	TABLE_FOREACH (g, tmp, &arb->groups) {
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
	TABLE_FOREACH (g, tmp, &arb->groups) {
		if (up && (g->slots.n > 0 || g->n_waiters > 0))
			g->poke = true;
		group_touch(arb, g);
	}
}

/* ------------------------------------------------------------------ what operators ask for */

static void
evict(struct arb *arb, const struct arb_event *e)
{
	struct group *g = group_find(arb, e->evict.group);
	struct slot *s = g != NULL ? slot_find(g, e->evict.slot) : NULL;

	if (s == NULL || s->state != SLOT_HELD || s->hold->token != e->evict.token)
		return;
	arb->stats.evictions += s->hold->n;
	hold_end(arb, s->hold, ARB_LOST_EVICT);
}

static void
drain(struct arb *arb, bool on)
{
	struct group *g, *tmp;

	arb->conf.draining = on;
	TABLE_FOREACH (g, tmp, &arb->groups) {
		if (!on)
			break;
		waiter_drain_all(arb, g);
		group_idle_back(g);
		group_touch(arb, g);
	}
}

static void
configure(struct arb *arb, const struct arb_event *e)
{
	struct group *g;

	if (e->configure.group == NULL)
		arb->conf.max_groups = e->configure.max_groups;
	else if ((g = group_find(arb, e->configure.group)) != NULL)
		group_configure(arb, g, e);
}

static void
stop(struct arb *arb)
{
	struct group *g, *tmp;
	struct adopt *a, *next;

	arb->stopping = true;
	TABLE_FOREACH (a, next, &arb->adopts)
		adopt_stop(arb, a);
	TABLE_FOREACH (g, tmp, &arb->groups) {
		while (!TAILQ_EMPTY(&g->waiters))
			waiter_refuse(arb, TAILQ_FIRST(&g->waiters), WIRE_ERR_SHUTDOWN);
		group_idle_back(g);
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
	case ARB_CLIENT_STRICT:
		c->strict = e->strict;
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
		adopt_resume(arb, c, e);
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
	case ARB_EVICT:
		evict(arb, e);
		break;
	case ARB_REAP:
		group_reap(arb, e->reap.group);
		break;
	case ARB_STOP:
		stop(arb);
		break;
	case ARB_DRAIN:
		drain(arb, e->drain);
		break;
	case ARB_CONFIGURE:
		configure(arb, e);
		break;
	}
}

void
arb_step(struct arb *arb, nsec now, const struct arb_event *event)
{
	struct group *g;

	assert(!arb->busy && arb->next_action == arb->n_actions && now >= arb->now);
	arb->busy = true;
	if (arb->now == 0)              /* the first step */
		for (unsigned i = 0; i < arb->conf.n_links; i++)
			arb->link_down_at[i] = now;
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
	struct adopt *a, *next_adopt;
	struct other_lease *other, *next_other;

	if (arb == NULL)
		return;
	TABLE_FOREACH (c, next_client, &arb->clients)
		client_gone(arb, c);
	TABLE_FOREACH (a, next_adopt, &arb->adopts)
		adopt_free(arb, a, false);
	TABLE_FOREACH (g, next_group, &arb->groups)
		group_free(arb, g);
	TABLE_FOREACH (other, next_other, &arb->other_leases) {
		table_remove(&arb->other_leases, other);
		free(other);
	}
	free(arb->spare);
	cells_fini(&arb->cells);
	heap_fini(&arb->timers);
	arena_fini(&arb->arena);
	free(arb->actions);
	free(arb);
}
