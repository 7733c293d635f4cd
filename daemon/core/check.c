/* Every invariant of the arbiter's data, asserted.  Tests call it after each step. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>

static void
check_timer(const struct timer *t)
{
	assert(heap_has(&t->node) == (t->at < NSEC_NEVER));
}

static void
check_slots(const struct group *g)
{
	uint32_t n[SLOT_NSTATES] = {0};
	const struct slot *s, *tmp;
	const struct hold *h;
	uint32_t pages = 0;

	TABLE_FOREACH (s, tmp, &g->slots) {
		uint32_t covered = 0;

		n[s->state]++;
		assert((s->hold == NULL) == (s->state == SLOT_IDLE));
		assert(heap_has(&s->lowest) == (s->state == SLOT_IDLE));
		assert(s->number > 0);
		if (s->hold == NULL)
			continue;
		assert(s->hold->group == g && s->token == s->hold->token);
		assert(s->hold->state == (s->state == SLOT_HELD ? HOLD_HELD : HOLD_ENDING));
		for (uint32_t i = 0; i < s->hold->n; i++)
			covered += s->hold->slots[i] == s->num;
		assert(covered == 1);
	}
	for (int i = 0; i < SLOT_NSTATES; i++)
		assert(n[i] == g->n_state[i]);
	assert(g->idle.n == n[SLOT_IDLE]);
	TAILQ_FOREACH (h, &g->holds, of_group) {
		pages += h->is_page;
		assert(!h->is_page || h->state == HOLD_HELD);
		assert(h->n > 0 && (h->client != NULL || h->state == HOLD_ENDING));
		check_timer(&h->timer);
		for (uint32_t i = 0; i < h->n; i++)
			assert(slot_find(g, h->slots[i])->hold == h);
	}
	assert(pages == g->n_page);
}

static void
check_waiters(const struct arb *arb, const struct group *g)
{
	const struct hold *w, *before = NULL;
	const struct wclass *cls;
	uint32_t n = 0, nows = 0, of_classes = 0, n_classes = 0;

	TAILQ_FOREACH (w, &g->waiters, of_group) {
		assert(w->group == g && w->state == HOLD_WAITING && w->client != NULL);
		assert(before == NULL || before->since <= w->since);
		check_timer(&w->timer);
		before = w;
		nows += w->now;
		n++;
	}
	assert(n == g->n_waiters && nows == g->n_nows);
	LIST_FOREACH (cls, &g->classes, link) {
		uint32_t unsent = 0;

		TAILQ_FOREACH (w, &cls->unsent, of_class) {
			assert(!w->sent && w->cls == cls);
			unsent++;
		}
		assert(cls->n > 0 && cls->n_sent + unsent == cls->n && cls->n_sent <= XCH_WANTS_MAX);
		of_classes += cls->n;
		n_classes++;
	}
	assert(n_classes == g->n_classes && n_classes <= CLASSES_MAX);
	assert(of_classes == n);
	/* whoever could be served at once is at least on the way to the backend */
	if (n > 0 && g->request == NULL && g->retry_at <= arb->now && !arb->gone && (arb->link_up >> g->link & 1) != 0)
		LIST_FOREACH (cls, &g->classes, link)
			assert(cls->n_sent == cls->n || cls->n_sent == XCH_WANTS_MAX ||
			    waiter_class_deferred(arb, g, cls));
}

static uint64_t
sum(const uint64_t *v, unsigned n)
{
	uint64_t all = 0;

	while (n-- > 0)
		all += v[n];
	return all;
}

/* Each request, hold and loss is counted once; but tallies that outlive an arbiter have those of others
 * too. */
static void
check_tally(const struct arb *arb)
{
	const struct tally *t = &arb->uncounted.other;

	if (arb->conf.tallies != &arb->uncounted)
		return;
	assert(sum(t->results, TALLY_N_RESULTS) + sum(t->grants, TALLY_N_WAYS) + arb->stats.waiters ==
	    arb->stats.acquires);
	assert(sum(t->wait.n, HISTOGRAM_BOUNDS + 1) == sum(t->grants, TALLY_N_WAYS));
	assert(sum(t->hold.n, HISTOGRAM_BOUNDS + 1) + arb->n_holds == arb->stats.grants);
	assert(sum(t->losses, ARB_N_LOST) == arb->stats.losts && t->exchanges == arb->stats.exchanges);
	assert(t->unproven == arb->stats.unproven && t->kept == arb->stats.kept);
}

void
arb_check(const struct arb *arb)
{
	const struct group *g, *next_group;
	const struct client *c, *next_client;
	const struct hold *h;
	const struct user *user, *next_user;
	uint32_t held = 0, cells = 0, user_slots = 0, slots, lost;

	assert(!arb->busy && TAILQ_EMPTY(&arb->touched));
	TABLE_FOREACH (g, next_group, &arb->groups) {
		assert(!g->touched && g->timer.at > arb->now);
		check_timer(&g->timer);
		check_slots(g);
		check_waiters(arb, g);
		assert(g->request == NULL || !(g->synced && g->request->full));
		assert(g->n_waiters == 0 || g->n_state[SLOT_IDLE] == 0 ||
		    (arb->link_up >> g->link & 1) == 0);
		TAILQ_FOREACH (h, &g->holds, of_group) {
			held += h->state == HOLD_HELD;
			cells += h->is_page ? h->n : 0;
		}
	}
	assert(held == arb->n_holds && cells == arb->cells.n_used);
	check_tally(arb);
	TABLE_FOREACH (c, next_client, &arb->clients) {
		lost = 0;
		TAILQ_FOREACH (h, &c->lost, of_client) {
			assert(h->state == HOLD_LOST && h->client == c);
			lost++;
		}
		assert(lost == c->n_lost && lost <= LOST_MAX);
		slots = 0;
		TAILQ_FOREACH (h, &c->holds, of_client) {
			assert(h->client == c);
			slots += h->n;
		}
		TAILQ_FOREACH (h, &c->opens, of_client) {
			assert(h->client == c && h->state == HOLD_OPEN && h->n == 1);
			slots += h->n;
		}
		assert(slots == c->n_slots);
		user_slots += slots;
		TAILQ_FOREACH (h, &c->waiters, of_client)
			user_slots += h->n;
	}
	TABLE_FOREACH (user, next_user, &arb->users)
		user_slots -= user->n_slots;
	assert(user_slots == 0);
	for (size_t i = 0; i < arb->timers.n; i++)
		assert(arb->timers.v[i]->pos == i + 1 &&
		    (i == 0 || !arb->timers.before(arb->timers.v[i], arb->timers.v[(i - 1) / 2])));
}
