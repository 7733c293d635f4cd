/* The memory backend: one exchange, step by step.
 *
 * The rules, each with what goes wrong without it:
 *
 *  - A group has its own clock (gt): it follows the server's, but advances by at most 0.4 of the
 *    shortest lease at a time.  Else a step of the server's clock ends everybody's lease at once.
 *  - An era is "these data on this server, nothing lost since".  A new one begins if there is no
 *    marker, if the marker is another server process's, or if a daemon has heard of an era that the
 *    marker does not list (we are back on old data).  It begins with a grace: holds are claimed
 *    again, and nothing is granted, because holders that we have forgotten may still believe.
 *  - A request that is not newer than the last one is STALE: a delayed copy would free a slot that
 *    was granted since.  A daemon whose install has been started again is GONE.  A daemon whose
 *    picture does not stand on our record (its incarnation) must sync: RESYNC.
 *  - Numbers of grants grow with the server's time, so they grow through a loss of all data too.
 *  - A release counts only with the number of the hold: a late one would free the next holder's.
 *  - A claim wins a slot only in a grace, with the higher number, and not if it comes from a daemon
 *    whose lease had ended: somebody else may have had the slot in between.
 *  - Waiters are served by when they asked; one that cannot be granted stops every later one whose
 *    limit is not greater.
 *  - A now-or-never want is told `full` only when no other daemon may hold an idle slot without
 *    knowing that somebody wants it. */
#include "daemon/core/memory.h"

#include <assert.h>
#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/core/memory_group.h"

#define ERAS_MAX 16

struct marker {
	bool exists;
	uint64_t sid;
	uint64_t eras[ERAS_MAX];        /* the newest last */
	uint32_t n_eras;
	usec clock;                     /* since the last era began */
	usec looked;                    /* the server's time then */
};

struct mem {
	struct mem_group *groups;
	TAILQ_HEAD(, mem_group) sweep;  /* where to look for groups to forget */
	struct marker marker;
	uint64_t sid;
	uint64_t n_eras_made;
	usec longest_lease;
	uint64_t last_forgotten;        /* highest number of a group that is forgotten */
	bool keeps_all;

	struct arena arena;             /* what the reply and the pushes point to */
	struct xch_reply reply;
	struct xch_grant *granted;
	struct xch_slot *lost;
	uint64_t *full, *refused;
	struct xch_push *pushes;
	uint32_t n_pushes;
	size_t cap_granted, cap_lost, cap_full, cap_refused, cap_pushes;
};

/* One exchange on its way through the steps. */
struct pass {
	struct mem *mem;
	struct mem_group *g;
	struct mem_record *rec;         /* of the daemon that asks */
	const struct xch_request *q;
	bool grace;
};

static usec
clamp(usec x, usec low, usec high)
{
	return x < low ? low : x > high ? high : x;
}

/* ------------------------------------------------------------------ reply and pushes */

static void
reply_granted(struct mem *m, uint64_t id, uint32_t n, const uint32_t *slots, uint64_t number,
    uint32_t limit)
{
	uint32_t *copy = arena_take(&m->arena, n * sizeof *copy);

	memcpy(copy, slots, n * sizeof *copy);
	ALLOC_ROOM(m->granted, m->reply.n_granted, m->cap_granted, 1);
	m->granted[m->reply.n_granted++] = (struct xch_grant){
	    .id = id, .n = n, .slots = copy, .number = number, .limit = limit};
}

static void
reply_lost(struct mem *m, struct xch_slot slot)
{
	ALLOC_ROOM(m->lost, m->reply.n_lost, m->cap_lost, 1);
	m->lost[m->reply.n_lost++] = slot;
}

static void
reply_full(struct mem *m, uint64_t id)
{
	ALLOC_ROOM(m->full, m->reply.n_full, m->cap_full, 1);
	m->full[m->reply.n_full++] = id;
}

static void
reply_refused(struct mem *m, uint64_t id)
{
	ALLOC_ROOM(m->refused, m->reply.n_refused, m->cap_refused, 1);
	m->refused[m->reply.n_refused++] = id;
}

static struct xch_push *
push_new(struct pass *p, const struct mem_record *to, enum xch_push_type type)
{
	struct mem *m = p->mem;
	struct xch_push *push;

	ALLOC_ROOM(m->pushes, m->n_pushes, m->cap_pushes, 1);
	push = &m->pushes[m->n_pushes++];
	*push = (struct xch_push){.to = to->id, .type = type, .group = p->g->name,
	    .incarnation = to->incarnation, .version = (uint64_t)p->g->gt};
	return push;
}

/* To its inbox, and by a push.  A daemon that is dead gets no more notices. */
static void
notify_grant(struct pass *p, struct mem_record *to, const struct xch_grant *grant)
{
	struct mem_notice *x;
	struct xch_push *push;
	uint32_t *copy;

	if (to->dead)
		return;
	x = mem_notice_new(to, XCH_GRANT, grant->n);
	memcpy((uint32_t *)(x + 1), grant->slots, grant->n * sizeof *grant->slots);
	x->grant.id = x->id = grant->id;
	x->grant.number = grant->number;
	x->grant.limit = grant->limit;
	copy = arena_take(&p->mem->arena, grant->n * sizeof *copy);
	memcpy(copy, grant->slots, grant->n * sizeof *copy);
	push = push_new(p, to, XCH_GRANT);
	push->grant = x->grant;
	push->grant.slots = copy;
	push->id = grant->id;
}

static void
notify_full(struct pass *p, struct mem_record *to, uint64_t id)
{
	if (to->dead)
		return;
	mem_notice_new(to, XCH_FULL, 0)->id = id;
	push_new(p, to, XCH_FULL)->id = id;
}

static void
notify_lost(struct pass *p, const struct mem_slot *s)
{
	struct xch_slot slot = {s->slot, s->number};

	if (s->rec == p->rec || s->rec->dead)
		return;
	mem_notice_new(s->rec, XCH_LOST, 0)->slot = slot;
	push_new(p, s->rec, XCH_LOST)->slot = slot;
}

/* ------------------------------------------------------------------ time and era */

/* splitmix64, Steele et al. 2014 */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* A random-looking id that neither this server nor another makes up twice. */
static uint64_t
era_make(struct mem *m, usec now)
{
	uint64_t x = mix(mix(mix(m->sid) + (uint64_t)now) + ++m->n_eras_made);

	return x != 0 ? x : 1;
}

static bool
marker_lists(const struct marker *k, uint64_t era)
{
	for (uint32_t i = 0; i < k->n_eras; i++)
		if (k->eras[i] == era)
			return true;
	return false;
}

static void
marker_add(struct marker *k, uint64_t era)
{
	if (k->n_eras == ERAS_MAX)
		memmove(k->eras, k->eras + 1, --k->n_eras * sizeof *k->eras);
	k->eras[k->n_eras++] = era;
}

/* -> what is left of the grace */
static usec
marker_touch(struct mem *m, usec now, uint64_t heard, usec grace)
{
	struct marker *k = &m->marker;
	bool unheard = heard != 0 && !marker_lists(k, heard);

	if (!k->exists || k->sid != m->sid || unheard) {
		if (unheard)
			marker_add(k, heard);
		marker_add(k, era_make(m, now));
		k->exists = true;
		k->sid = m->sid;
		k->clock = 0;
		k->looked = now;
	} else if (k->clock < grace) {  /* else there is nothing left to count */
		k->clock += clamp(now - k->looked, 0, grace / 10 * 4);
		k->looked = now;
	}
	return k->clock < grace ? grace - k->clock : 0;
}

static uint64_t
marker_era(const struct mem *m)
{
	return m->marker.eras[m->marker.n_eras - 1];
}

/* Steps 1 and 2: the group's clock and its era. */
static void
step_time(struct pass *p, usec now)
{
	struct mem_group *g = p->g;
	struct heap_node *node = heap_first(&g->leases);
	usec cap = node ? HEAP_OF(node, struct mem_record, by_lease)->lease / 10 * 4 : 0;
	struct mem_record *r, *tmp;
	usec left;

	if (g->gt == 0)
		g->gt = now;
	else
		g->gt += clamp(now - g->wall, 1, cap > 1 ? cap : 1);
	g->wall = now;
	left = marker_touch(p->mem, now, p->q->era, p->q->grace);
	if (g->era != marker_era(p->mem)) {
		g->era = marker_era(p->mem);
		if (left > 0)
			g->grace_end = g->gt + left;
		HASH_ITER (hh, g->records, r, tmp) {
			r->incarnation = 0;
			r->aware = 0;
			mem_inbox_clear(r);
			mem_record_place(g, r);
		}
	}
	p->grace = g->gt < g->grace_end;
}

/* Step 3.  Nothing but the clock has changed when this refuses. */
static enum xch_status
step_admit(const struct pass *p)
{
	const struct xch_request *q = p->q;
	const struct mem_record *r = p->rec;
	const struct mem_install *in;

	if (r != NULL && q->seq <= r->seq)
		return XCH_STALE;
	HASH_FIND(hh, p->g->installs, &q->from.install, sizeof q->from.install, in);
	if (in != NULL && (q->from.generation < in->generation ||
	    (q->from.generation == in->generation && q->from.nonce != in->nonce)))
		return XCH_GONE;
	if (!q->full && (r == NULL || r->incarnation != q->incarnation || r->incarnation == 0))
		return XCH_RESYNC;
	return XCH_OK;
}

/* Steps 4 and 5: forget whose lease is over, and renew ours. */
static void
step_renew(struct pass *p)
{
	const struct xch_request *q = p->q;
	struct mem_group *g = p->g;
	struct heap_node *node;
	struct mem_record *r;

	while ((node = heap_first_but(&g->ends, p->rec ? &p->rec->by_end : NULL)) != NULL) {
		r = HEAP_OF(node, struct mem_record, by_end);
		if (r->end > g->gt)
			break;
		mem_record_free(g, r);
	}
	if (p->rec == NULL)
		p->rec = mem_record_new(g, &q->from);
	r = p->rec;
	r->end = g->gt + q->lease;
	r->lease = q->lease;
	r->seq = q->seq;
	r->keep = q->keep;
	r->install->generation = q->from.generation;
	r->install->nonce = q->from.nonce;
	mem_record_place(g, r);
	if (q->lease > p->mem->longest_lease)
		p->mem->longest_lease = q->lease;
}

/* ------------------------------------------------------------------ what the daemon says */

static bool
is_predecessor(const struct pass *p, const struct mem_record *r)
{
	return r->id.install == p->q->from.install && r->id.generation < p->q->from.generation;
}

static void
sync_claim(struct pass *p, const struct xch_slot *claim)
{
	struct mem_group *g = p->g;
	struct mem_slot *s = mem_slot_find(g, claim->slot);

	if (claim->number > g->last)
		g->last = claim->number;
	if (s == NULL || s->rec != p->rec || s->number != claim->number) {
		bool better = s == NULL || s->number < claim->number ||
		    (s->number == claim->number && is_predecessor(p, s->rec));

		if (!p->grace || p->q->lapsed || !better) {
			reply_lost(p->mem, *claim);
			return;
		}
		if (s != NULL)
			notify_lost(p, s);
		mem_slot_take(g, claim->slot, p->rec, claim->number);
	}
	mem_slot_find(g, claim->slot)->synced = p->q->seq;
}

static bool
adopt_is_ours(const struct pass *p, const struct xch_adopt *a)
{
	for (uint32_t i = 0; i < a->n; i++) {
		const struct mem_slot *s = mem_slot_find(p->g, a->slots[i]);

		if (s == NULL || s->rec != p->rec || s->number != a->number)
			return false;
	}
	return true;
}

/* Step 6: the record becomes what the daemon says. */
static void
step_sync(struct pass *p)
{
	const struct xch_request *q = p->q;
	struct mem_record *r = p->rec, *o;
	struct mem_slot *s, *next_slot;
	struct mem_entry *e, *next_entry;

	r->incarnation = q->seq;
	if (q->high > p->g->last)
		p->g->last = q->high;
	LIST_FOREACH (o, &r->install->records, same) {
		if (o == r || o->dead)
			continue;
		o->dead = true;
		mem_record_leave_queue(p->g, o);
		mem_inbox_clear(o);
		mem_record_place(p->g, o);
	}
	for (uint32_t i = 0; i < q->n_claim; i++)
		sync_claim(p, &q->claim[i]);
	for (uint32_t i = 0; i < q->n_adopt; i++)       /* adopted before, but the reply was lost */
		if (adopt_is_ours(p, &q->adopt[i]))
			for (uint32_t k = 0; k < q->adopt[i].n; k++)
				mem_slot_find(p->g, q->adopt[i].slots[k])->synced = q->seq;
	for (s = LIST_FIRST(&r->slots); s != NULL; s = next_slot) {
		next_slot = LIST_NEXT(s, owned);
		if (s->synced != q->seq)
			mem_slot_free(p->g, s);
	}
	mem_inbox_clear(r);
	for (uint32_t i = 0; i < q->n_want; i++)
		mem_entry_put(p->g, r, &q->want[i], q->limit, p->grace, q->seq);
	HASH_ITER (hh, r->entries, e, next_entry)
		if (e->synced != q->seq)
			mem_entry_free(p->g, e);
}

static void
delta_release(struct pass *p, const struct xch_slot *release)
{
	struct mem_slot *s = mem_slot_find(p->g, release->slot);
	struct mem_notice *x, *next;

	if (s == NULL || s->rec != p->rec || s->number != release->number)
		return;
	mem_slot_free(p->g, s);
	for (x = TAILQ_FIRST(&p->rec->inbox); x != NULL; x = next) {
		next = TAILQ_NEXT(x, link);
		if (x->type == XCH_GRANT && x->grant.number == release->number)
			mem_notice_free(p->rec, x);
	}
}

static void
delta_cancel(struct pass *p, uint64_t id)
{
	struct mem_entry *e;
	struct mem_notice *x, *next;

	HASH_FIND(hh, p->rec->entries, &id, sizeof id, e);
	if (e != NULL)
		mem_entry_free(p->g, e);
	for (x = TAILQ_FIRST(&p->rec->inbox); x != NULL; x = next) {
		next = TAILQ_NEXT(x, link);
		if (x->type != XCH_GRANT || x->id != id)
			continue;
		for (uint32_t i = 0; i < x->grant.n; i++) {
			struct mem_slot *s = mem_slot_find(p->g, x->grant.slots[i]);

			if (s != NULL && s->rec == p->rec && s->number == x->grant.number)
				mem_slot_free(p->g, s);
		}
		mem_notice_free(p->rec, x);
	}
}

/* Step 7. */
static void
step_deltas(struct pass *p)
{
	const struct xch_request *q = p->q;

	for (uint32_t i = 0; i < q->n_release; i++)
		delta_release(p, &q->release[i]);
	for (uint32_t i = 0; i < q->n_cancel; i++)
		delta_cancel(p, q->cancel[i]);
	for (uint32_t i = 0; i < q->n_want; i++)
		mem_entry_put(p->g, p->rec, &q->want[i], q->limit, true, q->seq);
}

static bool
adopt_slot_ok(const struct pass *p, const struct mem_slot *s, uint64_t number)
{
	if (s == NULL)
		return p->grace;
	if (s->number != number)
		return p->grace && s->number < number;
	return s->rec == p->rec || is_predecessor(p, s->rec);
}

/* Step 8.  Never refused for the limit. */
static void
step_adopt(struct pass *p)
{
	for (uint32_t i = 0; i < p->q->n_adopt; i++) {
		const struct xch_adopt *a = &p->q->adopt[i];
		bool ok = true;

		for (uint32_t k = 0; k < a->n && ok; k++)
			ok = adopt_slot_ok(p, mem_slot_find(p->g, a->slots[k]), a->number);
		if (!ok) {
			reply_refused(p->mem, a->id);
			continue;
		}
		for (uint32_t k = 0; k < a->n; k++) {
			struct mem_slot *s = mem_slot_find(p->g, a->slots[k]);

			if (s != NULL && s->number != a->number)
				notify_lost(p, s);
			mem_slot_take(p->g, a->slots[k], p->rec, a->number);
		}
		if (a->number > p->g->last)
			p->g->last = a->number;
		reply_granted(p->mem, a->id, a->n, a->slots, a->number,
		    a->limit > 0 ? (uint32_t)a->limit : 0);
	}
}

/* ------------------------------------------------------------------ serving the queue */

/* The limit under which a class is served; XCH_NO_LIMIT: nobody names one. */
static int64_t
class_limit(const struct mem_group *g, const struct mem_class *c)
{
	int64_t ceiling = g->live != XCH_NO_LIMIT ? g->live : c->configured;

	if (c->own == XCH_NO_LIMIT || ceiling == XCH_NO_LIMIT)
		return c->own == XCH_NO_LIMIT ? ceiling : c->own;
	return c->own < ceiling ? c->own : ceiling;
}

/* The first in order of service among the classes whose limit is above `blocked`. */
static struct mem_entry *
queue_first(const struct mem_group *g, int64_t blocked)
{
	struct mem_entry *best = NULL;
	struct mem_class *c;

	LIST_FOREACH (c, &g->classes, link) {
		struct heap_node *node;

		if (class_limit(g, c) <= blocked || (node = heap_first(&c->entries)) == NULL)
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
	if (g->last < (uint64_t)g->wall >> 5)
		g->last = (uint64_t)g->wall >> 5;
	grant.number = g->last;
	mem_entry_free(g, e);
	for (uint32_t i = 0; i < grant.n; i++) {
		slots[i] = mem_slot_lowest(g);
		mem_slot_take(g, slots[i], to, grant.number);
	}
	if (to == p->rec)
		reply_granted(p->mem, grant.id, grant.n, slots, grant.number, limit);
	else
		notify_grant(p, to, &grant);
}

/* Step 10.  Wants for more than their limit are passed over: their daemon refuses them as soon as
 * it hears of the limit.  They are taken out of the way and put back, so that each is met once. */
static void
step_serve(struct pass *p)
{
	struct mem_group *g = p->g;
	struct mem_entry *e;
	struct mem_entry **passed = NULL;
	size_t n_passed = 0, cap_passed = 0;
	int64_t blocked = 0;

	while ((e = queue_first(g, blocked)) != NULL) {
		int64_t limit = class_limit(g, e->cls);

		if (e->n > limit) {
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

/* Step 11. */
static void
step_deliver(struct pass *p)
{
	struct mem_notice *x;

	while ((x = TAILQ_FIRST(&p->rec->inbox)) != NULL) {
		if (x->type == XCH_GRANT)
			reply_granted(p->mem, x->id, x->grant.n, x->grant.slots, x->grant.number,
			    x->grant.limit);
		else if (x->type == XCH_FULL)
			reply_full(p->mem, x->id);
		else
			reply_lost(p->mem, x->slot);
		mem_notice_free(p->rec, x);
	}
}

/* ------------------------------------------------------------------ who knows of whom */

static uint32_t
others_queued(const struct mem_group *g, const struct mem_record *r)
{
	return g->n_queued - r->n_entries;
}

/* One that may hold an idle slot now without knowing that somebody wants it. */
static struct mem_record *
maybe_idle(const struct mem_group *g, const struct mem_record *but)
{
	struct heap_node *node = heap_first_but(&g->unaware, but ? &but->by_aware : NULL);
	struct mem_record *r = node ? HEAP_OF(node, struct mem_record, by_aware) : NULL;

	return r != NULL && (r->keep || r->aware <= g->gt) ? r : NULL;
}

static void
answer_full(struct pass *p, struct mem_entry *e)
{
	struct mem_record *to = e->rec;
	uint64_t id = e->id;

	mem_entry_free(p->g, e);
	if (to == p->rec)
		reply_full(p->mem, id);
	else
		notify_full(p, to, id);
}

static void
set_aware(struct pass *p)
{
	p->rec->aware = others_queued(p->g, p->rec) > 0 ? USEC_NEVER : p->g->hot_until;
	mem_record_place(p->g, p->rec);
}

/* Step 12.  A want is answered unless somebody but its own daemon may be idle: with nobody so,
 * every want is answered; with one, only its own; with more, none.  So none is met for nothing. */
static void
step_now_or_never(struct pass *p)
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
static void
step_recall(struct pass *p)
{
	struct mem_group *g = p->g;
	struct heap_node *node;
	struct mem_record *passed = NULL;

	for (uint32_t i = 0; i < p->mem->n_pushes; i++) {
		struct xch_push *push = &p->mem->pushes[i];
		const struct mem_record *to = mem_record_find(g, &push->to);

		push->others = to != NULL && others_queued(g, to) > 0;
	}
	if (g->n_queued == 0)
		return;
	/* At most one daemon is met here that is not recalled: the one whose waiters are all there
	 * are; and ourselves, who have just been told. */
	while ((node = heap_first(&g->recalls)) != NULL) {
		struct mem_record *r = HEAP_OF(node, struct mem_record, by_recall);

		if (r->recall > g->gt)
			break;
		if (r == p->rec || others_queued(g, r) == 0) {
			heap_remove(&g->recalls, node);
			if (r != p->rec)
				passed = r;
			continue;
		}
		r->recall = g->gt + XCH_HOT;
		heap_moved(&g->recalls, node);
		push_new(p, r, XCH_RECALL)->others = true;
	}
	mem_record_place(g, p->rec);
	if (passed != NULL)
		mem_record_place(g, passed);
}

/* Step 14. */
static void
step_reply(struct pass *p)
{
	struct mem *m = p->mem;
	struct mem_group *g = p->g;
	struct xch_reply *re = &m->reply;
	struct heap_node *node = heap_first_but(&g->ends, &p->rec->by_end);

	re->granted = m->granted;
	re->lost = m->lost;
	re->full = m->full;
	re->refused = m->refused;
	re->live_limit = g->live;
	re->in_use = g->in_use;
	re->others = others_queued(g, p->rec);
	re->version = (uint64_t)g->gt;
	re->hot = g->hot_until > g->gt ? g->hot_until - g->gt : 0;
	re->look = node ? HEAP_OF(node, struct mem_record, by_end)->end - g->gt : USEC_NEVER;
	re->grace = p->grace ? g->grace_end - g->gt : 0;
	if (p->grace && re->grace < re->look)
		re->look = re->grace;
	re->last = g->last;
	re->era = g->era;
	re->longest_lease = m->longest_lease;
}

/* ------------------------------------------------------------------ door */

struct mem *
mem_new(void)
{
	struct mem *m = calloc(1, sizeof *m);

	if (m != NULL)
		TAILQ_INIT(&m->sweep);
	return m;
}

static void
forget(struct mem *m, struct mem_group *g)
{
	if (g->last > m->last_forgotten)
		m->last_forgotten = g->last;
	HASH_DEL(m->groups, g);
	TAILQ_REMOVE(&m->sweep, g, link);
	mem_group_free(g);
}

void
mem_free(struct mem *m)
{
	if (m == NULL)
		return;
	while (!TAILQ_EMPTY(&m->sweep))
		forget(m, TAILQ_FIRST(&m->sweep));
	arena_fini(&m->arena);
	free(m->granted);
	free(m->lost);
	free(m->full);
	free(m->refused);
	free(m->pushes);
	free(m);
}

void
mem_keep_all(struct mem *m)
{
	m->keeps_all = true;
}

static void
add_group(struct mem *m, struct mem_group *g)
{
	HASH_ADD_KEYPTR(hh, m->groups, g->name, strlen(g->name), g);
	TAILQ_INSERT_TAIL(&m->sweep, g, link);
}

struct mem *
mem_clone(const struct mem *from)
{
	struct mem *m = mem_new();
	struct mem_group *g;

	if (m == NULL)
		return NULL;
	m->marker = from->marker;
	m->sid = from->sid;
	m->n_eras_made = from->n_eras_made;
	m->longest_lease = from->longest_lease;
	m->last_forgotten = from->last_forgotten;
	m->keeps_all = from->keeps_all;
	TAILQ_FOREACH (g, &from->sweep, link)
		add_group(m, mem_group_clone(g));
	return m;
}

void
mem_set_identity(struct mem *m, uint64_t sid)
{
	m->sid = sid;
}

static struct mem_group *
find_group(struct mem *m, const char *name)
{
	struct mem_group *g;

	HASH_FIND_STR(m->groups, name, g);
	if (g == NULL) {
		g = mem_group_new(name);
		g->last = m->last_forgotten;
		add_group(m, g);
	}
	return g;
}

/* One step of the sweep: the next group is forgotten if nothing is in it and every lease is over. */
static void
sweep(struct mem *m, const struct mem_group *current, usec now)
{
	struct mem_group *g = TAILQ_FIRST(&m->sweep);

	if (!m->keeps_all && g != current && g->in_use == 0 && g->n_queued == 0 && g->live == XCH_NO_LIMIT &&
	    now - g->wall > m->longest_lease) {
		forget(m, g);
	} else {
		TAILQ_REMOVE(&m->sweep, g, link);
		TAILQ_INSERT_TAIL(&m->sweep, g, link);
	}
}

usec
mem_touch(struct mem *m, usec now, uint64_t heard, usec grace)
{
	return marker_touch(m, now, heard, grace);
}

uint64_t
mem_era(const struct mem *m)
{
	return m->marker.exists ? marker_era(m) : 0;
}

void
mem_set_live_limit(struct mem *m, const char *group, int64_t limit, const struct xch_push **pushes,
    uint32_t *n_pushes)
{
	struct pass p = {.mem = m, .g = find_group(m, group)};
	struct mem_record *r, *tmp;

	arena_reset(&m->arena);
	m->n_pushes = 0;
	p.g->live = limit;
	p.g->gt += p.g->gt > 0;         /* what was said before is older */
	HASH_ITER (hh, p.g->records, r, tmp)
		if (!r->dead)
			push_new(&p, r, XCH_RECALL)->others = true;
	*pushes = m->pushes;
	*n_pushes = m->n_pushes;
}

const struct xch_reply *
mem_exchange(struct mem *m, usec now, const struct xch_request *q, const struct xch_push **pushes,
    uint32_t *n_pushes)
{
	struct pass p = {.mem = m, .q = q, .g = find_group(m, q->group)};

	arena_reset(&m->arena);
	m->n_pushes = 0;
	m->reply = (struct xch_reply){.seq = q->seq};

	step_time(&p, now);
	p.rec = mem_record_find(p.g, &q->from);
	m->reply.status = step_admit(&p);
	if (m->reply.status == XCH_OK) {
		step_renew(&p);
		if (q->full)
			step_sync(&p);
		else
			step_deltas(&p);
		step_adopt(&p);
		if (!p.grace)
			step_serve(&p);
		step_deliver(&p);
		step_now_or_never(&p);
		step_recall(&p);
		step_reply(&p);
	}
	sweep(m, p.g, now);
	*pushes = m->pushes;
	*n_pushes = m->n_pushes;
	return &m->reply;
}
