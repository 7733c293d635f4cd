/* Serving the queue of a group, and who must know of whom that waits. */
#include "daemon/core/memory/pass.h"

#include <assert.h>

/* ------------------------------------------------------------------ serving the queue */

/* The limit under which a class is served; XCH_NO_LIMIT: nobody names one. */
static int64_t
class_limit(const struct pass *p, const struct mem_class *c)
{
	int64_t ceiling = p->live != XCH_NO_LIMIT ? p->live : c->configured;

	if (c->own == XCH_NO_LIMIT || ceiling == XCH_NO_LIMIT)
		return c->own == XCH_NO_LIMIT ? ceiling : c->own;
	return c->own < ceiling ? c->own : ceiling;
}

/* The first in order of service among the classes whose limit is above `blocked`. */
static struct mem_entry *
queue_first(const struct pass *p, int64_t blocked)
{
	struct mem_entry *best = NULL;
	struct mem_class *c;

	LIST_FOREACH (c, &p->g->classes, link) {
		struct heap_node *node;

		if (class_limit(p, c) <= blocked || (node = heap_first(&c->entries)) == NULL)
			continue;
		if (best == NULL || c->entries.before(node, &best->node))
			best = HEAP_OF(node, struct mem_entry, node);
	}
	return best;
}

static void
serve_entry(struct pass *p, struct mem_entry *e, uint32_t limit)
{
	struct mem_group *g = p->g;
	uint32_t slots[XCH_N_MAX];
	struct xch_grant grant = {.id = e->id, .n = e->n, .slots = slots, .limit = limit};
	struct mem_record *to = e->rec;

	assert(e->n >= 1 && e->n <= XCH_N_MAX);
	g->last++;
	if (RULE(TIME_NUMBERS) && g->last < (uint64_t)g->wall >> 5)
		g->last = (uint64_t)g->wall >> 5;
	grant.number = g->last;
	mem_entry_free(g, e);
	for (uint32_t i = 0; i < grant.n; i++) {
		slots[i] = mem_slot_lowest(g);
		mem_slot_take(g, slots[i], to, grant.number);
	}
	if (to == p->rec)
		pass_reply_granted(p->mem, grant.id, grant.n, slots, grant.number, limit);
	else
		pass_notify_grant(p, to, &grant);
}

/* Step 10.  Wants for more than their limit are passed over: their daemon refuses them as soon as
 * it hears of the limit.  They are taken out of the way and put back, so that each is met once. */
void
pass_serve(struct pass *p)
{
	struct mem_group *g = p->g;
	struct mem_entry *e;
	struct mem_entry **passed = NULL;
	size_t n_passed = 0, cap_passed = 0;
	int64_t blocked = 0;

	while ((e = queue_first(p, blocked)) != NULL) {
		int64_t limit = class_limit(p, e->cls);

		if (e->n > limit || (!RULE(BLOCKED) && g->in_use + e->n > limit)) {
			ALLOC_ROOM(passed, n_passed, cap_passed, 1);
			passed[n_passed++] = e;
			e->cls->n_passed++;
			heap_remove(&e->cls->entries, &e->node);
		} else if (g->in_use + e->n > limit) {
			blocked = limit;
		} else {
			serve_entry(p, e, (uint32_t)limit);
		}
	}
	while (n_passed > 0) {
		e = passed[--n_passed];
		e->cls->n_passed--;
		heap_add(&e->cls->entries, &e->node);
	}
	free(passed);
}

/* ------------------------------------------------------------------ who knows of whom */

uint32_t
pass_others_queued(const struct mem_group *g, const struct mem_record *r)
{
	return g->n_queued - r->n_entries;
}

/* One that may hold an idle slot now without knowing that somebody wants it. */
static struct mem_record *
maybe_idle(const struct mem_group *g, const struct mem_record *but)
{
	struct heap_node *node = heap_first_but(&g->unaware, but ? &but->by_aware : NULL);
	struct mem_record *r = node ? HEAP_OF(node, struct mem_record, by_aware) : NULL;

	return RULE(FULL_KNOWING) && r != NULL && (r->keep || r->aware <= g->gt) ? r : NULL;
}

static void
answer_full(struct pass *p, struct mem_entry *e)
{
	struct mem_record *to = e->rec;
	uint64_t id = e->id;

	mem_entry_free(p->g, e);
	if (to == p->rec)
		pass_reply_full(p->mem, id);
	else
		pass_notify_full(p, to, id);
}

static void
set_aware(struct pass *p)
{
	p->rec->aware = pass_others_queued(p->g, p->rec) > 0 ? USEC_NEVER : p->g->hot_until;
	mem_record_place(p->g, p->rec);
}

/* Step 12.  A want is answered unless somebody but its own daemon may be idle: with nobody so,
 * every want is answered; with one, only its own; with more, none.  So none is met for nothing. */
void
pass_now_or_never(struct pass *p)
{
	struct mem_group *g = p->g;
	struct mem_record *one;

	if (!p->grace && !TAILQ_EMPTY(&g->nows) && g->hot_until < g->gt + XCH_HOT)
		g->hot_until = g->gt + XCH_HOT;
	p->rec->recall = 0;
	set_aware(p);
	if (p->grace)
		return;
	one = maybe_idle(g, NULL);
	if (one == NULL)
		while (!TAILQ_EMPTY(&g->nows))
			answer_full(p, TAILQ_FIRST(&g->nows));
	else if (maybe_idle(g, one) == NULL)
		while (!TAILQ_EMPTY(&one->nows))
			answer_full(p, TAILQ_FIRST(&one->nows));
	set_aware(p);
}

/* Step 13.  Each push says whether others wait; a recall is repeated only after a while. */
void
pass_recall(struct pass *p)
{
	struct mem_group *g = p->g;
	struct heap_node *node;
	struct mem_record *passed = NULL;

	for (uint32_t i = 0; i < p->mem->n_pushes; i++) {
		struct xch_push *push = &p->mem->pushes[i];
		const struct mem_record *to = mem_record_find(g, &push->to);

		push->others = to != NULL && pass_others_queued(g, to) > 0;
	}
	if (g->n_queued == 0 || !RULE(RECALL))
		return;
	/* At most one daemon is met here that is not recalled: the one whose waiters are all there
	 * are; and ourselves, who have just been told. */
	while ((node = heap_first(&g->recalls)) != NULL) {
		struct mem_record *r = HEAP_OF(node, struct mem_record, by_recall);

		if (r->recall > g->gt)
			break;
		if (r == p->rec || pass_others_queued(g, r) == 0) {
			heap_remove(&g->recalls, node);
			if (r != p->rec)
				passed = r;
			continue;
		}
		r->recall = g->gt + XCH_HOT;
		heap_moved(&g->recalls, node);
		pass_push_new(p, r, XCH_RECALL)->others = true;
	}
	mem_record_place(g, p->rec);
	if (passed != NULL)
		mem_record_place(g, passed);
}
