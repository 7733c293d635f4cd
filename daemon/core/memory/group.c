/* What the memory backend keeps for one group: slots, records, queue, inboxes. */
#include "daemon/core/memory/group.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/core/rules.h"

/* ------------------------------------------------------------------ orders */

static int
cmp_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int
mem_daemon_cmp(const struct xch_daemon *a, const struct xch_daemon *b)
{
	int c = cmp_u64(a->install, b->install);

	if (c == 0)
		c = cmp_u64(a->generation, b->generation);
	return c != 0 ? c : cmp_u64(a->nonce, b->nonce);
}

static bool
slot_before(const struct heap_node *a, const struct heap_node *b)
{
	return HEAP_OF(a, struct mem_slot, free)->slot < HEAP_OF(b, struct mem_slot, free)->slot;
}

static bool
entry_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct mem_entry *x = HEAP_OF(a, struct mem_entry, node);
	const struct mem_entry *y = HEAP_OF(b, struct mem_entry, node);
	int c;

	if (x->key != y->key)
		return x->key < y->key;
	c = mem_daemon_cmp(&x->rec->id, &y->rec->id);
	return c != 0 ? c < 0 : x->id < y->id;
}

static bool
end_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct mem_record *x = HEAP_OF(a, struct mem_record, by_end);
	const struct mem_record *y = HEAP_OF(b, struct mem_record, by_end);

	return x->end != y->end ? x->end < y->end : mem_daemon_cmp(&x->id, &y->id) < 0;
}

/* By lease or limit, then by daemon: below 0 if that of a is less. */
static int
extreme_cmp(const struct heap_node *a, const struct heap_node *b, enum mem_extreme extreme)
{
	const struct mem_record *x = HEAP_OF(a - extreme, struct mem_record, by_extreme);
	const struct mem_record *y = HEAP_OF(b - extreme, struct mem_record, by_extreme);
	bool is_lease = extreme == SHORT_LEASE || extreme == LONG_LEASE;
	int64_t v = is_lease ? x->lease : x->limit, w = is_lease ? y->lease : y->limit;

	return v != w ? (v > w) - (v < w) : mem_daemon_cmp(&x->id, &y->id);
}

static bool
short_before(const struct heap_node *a, const struct heap_node *b)
{
	return extreme_cmp(a, b, SHORT_LEASE) < 0;
}

static bool
long_before(const struct heap_node *a, const struct heap_node *b)
{
	return extreme_cmp(a, b, LONG_LEASE) > 0;
}

static bool
low_before(const struct heap_node *a, const struct heap_node *b)
{
	return extreme_cmp(a, b, LOW_LIMIT) < 0;
}

static bool
high_before(const struct heap_node *a, const struct heap_node *b)
{
	return extreme_cmp(a, b, HIGH_LIMIT) > 0;
}

static usec
aware_of(const struct mem_record *r)
{
	return r->keep ? 0 : r->aware;
}

static bool
aware_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct mem_record *x = HEAP_OF(a, struct mem_record, by_aware);
	const struct mem_record *y = HEAP_OF(b, struct mem_record, by_aware);

	if (aware_of(x) != aware_of(y))
		return aware_of(x) < aware_of(y);
	return mem_daemon_cmp(&x->id, &y->id) < 0;
}

static bool
recall_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct mem_record *x = HEAP_OF(a, struct mem_record, by_recall);
	const struct mem_record *y = HEAP_OF(b, struct mem_record, by_recall);

	return x->recall != y->recall ? x->recall < y->recall : mem_daemon_cmp(&x->id, &y->id) < 0;
}

/* ------------------------------------------------------------------ group */

struct mem_group *
mem_group_new(const char *name)
{
	struct mem_group *g = alloc_resize(NULL, sizeof *g);

	*g = (struct mem_group){0};
	g->name = alloc_resize(NULL, strlen(name) + 1);
	strcpy(g->name, name);
	g->records = TABLE_OF(struct mem_record, by_daemon);
	g->installs = TABLE_OF(struct mem_install, by_install);
	heap_init(&g->free, slot_before);
	heap_init(&g->ends, end_before);
	heap_init(&g->extremes[SHORT_LEASE], short_before);
	heap_init(&g->extremes[LONG_LEASE], long_before);
	heap_init(&g->extremes[LOW_LIMIT], low_before);
	heap_init(&g->extremes[HIGH_LIMIT], high_before);
	heap_init(&g->unaware, aware_before);
	heap_init(&g->recalls, recall_before);
	LIST_INIT(&g->classes);
	TAILQ_INIT(&g->nows);
	return g;
}

void
mem_group_free(struct mem_group *g)
{
	struct mem_record *r, *tmp;

	TABLE_FOREACH (r, tmp, &g->records)
		mem_record_free(g, r);
	assert(g->in_use == 0 && g->n_queued == 0 && LIST_EMPTY(&g->classes));
	for (uint32_t i = 0; i < g->n_slots; i++)
		free(g->slots[i]);
	free(g->slots);
	heap_fini(&g->free);
	heap_fini(&g->ends);
	for (int i = 0; i < N_EXTREMES; i++)
		heap_fini(&g->extremes[i]);
	heap_fini(&g->unaware);
	heap_fini(&g->recalls);
	free(g->name);
	free(g);
}

/* ------------------------------------------------------------------ slots */

/* Makes every number up to `slot` known; the new ones are free. */
static void
slots_reach(struct mem_group *g, uint32_t slot)
{
	while (g->n_slots < slot) {
		struct mem_slot *s = alloc_resize(NULL, sizeof *s);

		ALLOC_ROOM(g->slots, g->n_slots, g->cap_slots, 1);
		*s = (struct mem_slot){.slot = g->n_slots + 1};
		g->slots[g->n_slots++] = s;
		heap_add(&g->free, &s->free);
	}
}

struct mem_slot *
mem_slot_find(const struct mem_group *g, uint32_t slot)
{
	assert(slot > 0);
	if (slot > g->n_slots || g->slots[slot - 1]->rec == NULL)
		return NULL;
	return g->slots[slot - 1];
}

static void
slot_disown(struct mem_group *g, struct mem_slot *s)
{
	struct mem_record *rec = s->rec;

	LIST_REMOVE(s, owned);
	s->rec = NULL;
	g->in_use--;
	if (--rec->n_slots == 0)
		mem_record_place(g, rec);
}

void
mem_slot_take(struct mem_group *g, uint32_t slot, struct mem_record *rec, uint64_t number)
{
	struct mem_slot *s;

	slots_reach(g, slot);
	s = g->slots[slot - 1];
	if (s->rec != NULL)
		slot_disown(g, s);
	else
		heap_remove(&g->free, &s->free);
	s->rec = rec;
	s->number = number;
	s->synced = 0;
	LIST_INSERT_HEAD(&rec->slots, s, owned);
	g->in_use++;
	if (rec->n_slots++ == 0)
		mem_record_place(g, rec);
}

uint32_t
mem_slot_lowest(struct mem_group *g)
{
	if (g->free.n == 0)
		return g->n_slots + 1;
	return HEAP_OF(heap_first(&g->free), struct mem_slot, free)->slot;
}

void
mem_slot_free(struct mem_group *g, struct mem_slot *s)
{
	slot_disown(g, s);
	heap_add(&g->free, &s->free);
}

/* ------------------------------------------------------------------ records */

static void
heap_place(struct heap *heap, struct heap_node *node, bool belongs)
{
	if (belongs && heap_has(node))
		heap_moved(heap, node);
	else if (belongs)
		heap_add(heap, node);
	else if (heap_has(node))
		heap_remove(heap, node);
}

static uint64_t
daemon_key(const struct xch_daemon *id)
{
	return id->install ^ id->generation << 32 ^ id->nonce;
}

struct mem_record *
mem_record_find(struct mem_group *g, const struct xch_daemon *id)
{
	struct mem_record *r = table_find(&g->records, daemon_key(id));

	while (r != NULL && mem_daemon_cmp(&r->id, id) != 0)
		r = table_find_next(&g->records, r);
	return r;
}

struct mem_record *
mem_record_new(struct mem_group *g, const struct xch_daemon *id)
{
	struct mem_record *r = alloc_resize(NULL, sizeof *r);
	struct mem_install *in = table_find(&g->installs, id->install);

	*r = (struct mem_record){.id = *id, .limit = XCH_NO_LIMIT};
	r->entries = TABLE_OF(struct mem_entry, by_id);
	LIST_INIT(&r->slots);
	TAILQ_INIT(&r->nows);
	TAILQ_INIT(&r->inbox);
	if (in == NULL) {
		in = alloc_resize(NULL, sizeof *in);
		*in = (struct mem_install){
		    .generation = id->generation, .nonce = id->nonce};
		LIST_INIT(&in->records);
		table_add(&g->installs, in, id->install);
	}
	r->install = in;
	LIST_INSERT_HEAD(&in->records, r, same);
	table_add(&g->records, r, daemon_key(id));
	heap_add(&g->ends, &r->by_end);
	return r;
}

void
mem_record_leave_queue(struct mem_group *g, struct mem_record *rec)
{
	struct mem_entry *e, *tmp;

	TABLE_FOREACH (e, tmp, &rec->entries)
		mem_entry_free(g, e);
}

void
mem_record_free(struct mem_group *g, struct mem_record *rec)
{
	struct mem_install *in = rec->install;

	while (!LIST_EMPTY(&rec->slots))
		mem_slot_free(g, LIST_FIRST(&rec->slots));
	mem_record_leave_queue(g, rec);
	mem_inbox_clear(rec);
	assert(!heap_has(&rec->by_aware) && !heap_has(&rec->by_recall));
	heap_remove(&g->ends, &rec->by_end);
	for (int i = 0; i < N_EXTREMES; i++)
		heap_place(&g->extremes[i], &rec->by_extreme[i], false);
	LIST_REMOVE(rec, same);
	if (LIST_EMPTY(&in->records)) {
		table_remove(&g->installs, in);
		free(in);
	}
	table_remove(&g->records, rec);
	free(rec);
}

void
mem_record_place(struct mem_group *g, struct mem_record *rec)
{
	bool holder = rec->n_slots > 0 && !rec->dead;

	heap_moved(&g->ends, &rec->by_end);
	heap_place(&g->unaware, &rec->by_aware, holder);
	heap_place(&g->recalls, &rec->by_recall, holder && (rec->keep || rec->aware < USEC_NEVER));
}

void
mem_record_configure(struct mem_group *g, struct mem_record *rec, usec lease, int64_t limit,
    const char *host)
{
	if (rec->lease == lease && rec->limit == limit)
		return;
	rec->lease = lease;
	rec->limit = limit;
	snprintf(rec->host, sizeof rec->host, "%s", host);
	for (int i = 0; i < N_EXTREMES; i++)
		heap_place(&g->extremes[i], &rec->by_extreme[i],
		    i == SHORT_LEASE || i == LONG_LEASE || limit != XCH_NO_LIMIT);
}

struct mem_record *
mem_record_extreme(const struct mem_group *g, enum mem_extreme extreme)
{
	struct heap_node *node = heap_first(&g->extremes[extreme]);

	return node ? HEAP_OF(node - extreme, struct mem_record, by_extreme) : NULL;
}

/* ------------------------------------------------------------------ queue */

static struct mem_class *
class_get(struct mem_group *g, int64_t own, int64_t configured)
{
	struct mem_class *c;

	LIST_FOREACH (c, &g->classes, link)
		if (c->own == own && c->configured == configured)
			return c;
	c = alloc_resize(NULL, sizeof *c);
	c->own = own;
	c->configured = configured;
	c->n_passed = 0;
	heap_init(&c->entries, entry_before);
	LIST_INSERT_HEAD(&g->classes, c, link);
	return c;
}

static void
entry_unclass(struct mem_entry *e)
{
	struct mem_class *c = e->cls;

	heap_remove(&c->entries, &e->node);
	if (c->entries.n == 0 && c->n_passed == 0) {
		LIST_REMOVE(c, link);
		heap_fini(&c->entries);
		free(c);
	}
}

static void
entry_now(struct mem_group *g, struct mem_entry *e, bool now)
{
	if (e->now && !now) {
		TAILQ_REMOVE(&g->nows, e, nows);
		TAILQ_REMOVE(&e->rec->nows, e, rec_nows);
	} else if (!e->now && now) {
		TAILQ_INSERT_TAIL(&g->nows, e, nows);
		TAILQ_INSERT_TAIL(&e->rec->nows, e, rec_nows);
	}
	e->now = now;
}

void
mem_entry_put(struct mem_group *g, struct mem_record *rec, const struct xch_want *want,
    int64_t configured, bool rekey, uint64_t synced)
{
	struct mem_entry *e = table_find(&rec->entries, want->id);

	if (e == NULL) {
		e = alloc_resize(NULL, sizeof *e);
		*e = (struct mem_entry){.rec = rec, .id = want->id};
		table_add(&rec->entries, e, want->id);
		rec->n_entries++;
		g->n_queued++;
		rekey = true;
	} else {
		entry_unclass(e);
	}
	if (rekey)
		e->key = g->gt - (RULE(AGE_ORDER) ? want->age : 0);
	e->n = want->n;
	e->synced = synced;
	entry_now(g, e, want->now);
	e->cls = class_get(g, want->limit, configured);
	heap_add(&e->cls->entries, &e->node);
}

void
mem_entry_free(struct mem_group *g, struct mem_entry *e)
{
	entry_unclass(e);
	entry_now(g, e, false);
	e->rec->n_entries--;
	g->n_queued--;
	table_remove(&e->rec->entries, e);
	free(e);
}

/* ------------------------------------------------------------------ inbox */

struct mem_notice *
mem_notice_new(struct mem_record *rec, enum xch_push_type type, uint32_t n_slots)
{
	struct mem_notice *x = alloc_resize(NULL, sizeof *x + n_slots * sizeof(uint32_t));

	*x = (struct mem_notice){.type = type};
	x->grant.n = n_slots;
	x->grant.slots = (uint32_t *)(x + 1);
	TAILQ_INSERT_TAIL(&rec->inbox, x, link);
	return x;
}

void
mem_notice_free(struct mem_record *rec, struct mem_notice *notice)
{
	TAILQ_REMOVE(&rec->inbox, notice, link);
	free(notice);
}

void
mem_inbox_clear(struct mem_record *rec)
{
	while (!TAILQ_EMPTY(&rec->inbox))
		mem_notice_free(rec, TAILQ_FIRST(&rec->inbox));
}

/* ------------------------------------------------------------------ a second one */

static void
clone_notice(struct mem_record *to, const struct mem_notice *x)
{
	struct mem_notice *y = mem_notice_new(to, x->type, x->grant.n);

	memcpy(y + 1, x + 1, x->grant.n * sizeof(uint32_t));
	y->grant.id = x->grant.id;
	y->grant.number = x->grant.number;
	y->grant.limit = x->grant.limit;
	y->slot = x->slot;
	y->id = x->id;
}

static void
clone_record(struct mem_group *g, const struct mem_record *from)
{
	struct mem_record *r = mem_record_new(g, &from->id);
	const struct mem_slot *s;
	const struct mem_notice *x;
	struct mem_entry *e, *tmp;

	r->install->generation = from->install->generation;
	r->install->nonce = from->install->nonce;
	r->end = from->end;
	mem_record_configure(g, r, from->lease, from->limit, from->host);
	r->seq = from->seq;
	r->incarnation = from->incarnation;
	r->aware = from->aware;
	r->recall = from->recall;
	r->keep = from->keep;
	r->dead = from->dead;
	LIST_FOREACH (s, &from->slots, owned)
		mem_slot_take(g, s->slot, r, s->number);
	TABLE_FOREACH (e, tmp, &from->entries)
		mem_entry_put(g, r, &(struct xch_want){.id = e->id, .n = e->n, .now = e->now,
		    .limit = e->cls->own, .age = g->gt - e->key}, e->cls->configured, true, e->synced);
	TAILQ_FOREACH (x, &from->inbox, link)
		clone_notice(r, x);
	mem_record_place(g, r);
}

struct mem_group *
mem_group_clone(struct mem_group *from)
{
	struct mem_group *g = mem_group_new(from->name);
	struct mem_record *r, *tmp;

	g->era = from->era;
	g->gt = from->gt;
	g->wall = from->wall;
	g->grace_end = from->grace_end;
	g->hot_until = from->hot_until;
	g->last = from->last;
	slots_reach(g, from->n_slots);
	TABLE_FOREACH (r, tmp, &from->records)
		clone_record(g, r);
	return g;
}
