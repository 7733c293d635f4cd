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
#include "daemon/core/memory/pass.h"

#include <string.h>

#include "daemon/core/name.h"

static usec
clamp(usec x, usec low, usec high)
{
	return x < low ? low : x > high ? high : x;
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

/* -> what is left of the grace.  Whoever asks may have heard of no lease longer than its own; 0 is said
 * by those who want no grace at all. */
static usec
marker_touch(struct mem *m, usec now, uint64_t heard, usec grace)
{
	struct marker *k = &m->marker;
	bool unheard = RULE(ERAS) && heard != 0 && !marker_lists(k, heard);

	if (RULE(LONG_GRACE) && grace != 0 && grace < m->longest_lease)
		grace = m->longest_lease;
	if (!k->exists || (RULE(SID) && k->sid != m->sid) || unheard) {
		if (k->exists)
			k->began = unheard ? XCH_BEGAN_OLD : XCH_BEGAN_OTHER;
		else
			k->began = unheard ? XCH_BEGAN_WIPED : XCH_BEGAN_FIRST;
		if (unheard)
			marker_add(k, heard);
		marker_add(k, era_make(m, now));
		k->exists = true;
		k->sid = m->sid;
		k->clock = 0;
		k->looked = now;
	} else if (k->clock < grace) {  /* else there is nothing left to count */
		k->clock += clamp(now - k->looked, 0, RULE(MARKER_CLOCK) ? grace / 10 * 4 : grace);
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
	struct mem_record *r = mem_record_extreme(g, SHORT_LEASE), *tmp;
	usec cap = r != NULL ? r->lease / 10 * 4 : 0;
	usec left;

	if (g->gt == 0)
		g->gt = now;
	else if (p->mem->is_steady || !RULE(GROUP_CLOCK))
		g->gt += now > g->wall ? now - g->wall : 1;
	else
		g->gt += clamp(now - g->wall, 1, cap > 1 ? cap : 1);
	g->wall = now;
	left = marker_touch(p->mem, now, p->q->era, p->q->grace);
	if (g->era != marker_era(p->mem)) {
		g->era = marker_era(p->mem);
		if (left > 0 && RULE(MARKER))
			g->grace_end = g->gt + left;
		TABLE_FOREACH (r, tmp, &g->records) {
			r->incarnation = 0;
			r->aware = 0;
			mem_inbox_clear(r);
			mem_record_place(g, r);
		}
	}
	if (p->mem->marker.clock == CLOCK_ENDED)
		g->grace_end = 0;
	p->grace = g->gt < g->grace_end;
}

/* Step 3.  Nothing but the clock has changed when this refuses. */
static enum xch_status
step_admit(const struct pass *p)
{
	const struct xch_request *q = p->q;
	const struct mem_record *r = p->rec;
	const struct mem_install *in = table_find(&p->g->installs, q->from.install);

	if (RULE(SEQ) && r != NULL && q->seq <= r->seq)
		return XCH_STALE;
	if (RULE(SUPERSEDE) && in != NULL && (q->from.generation < in->generation ||
	    (q->from.generation == in->generation && q->from.nonce != in->nonce)))
		return XCH_GONE;
	if (!q->full && (r == NULL || (RULE(INC) &&
	    (r->incarnation != q->incarnation || r->incarnation == 0))))
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
		if (r->end > g->gt || !RULE(REAP))
			break;
		mem_record_free(g, r);
	}
	if (p->rec == NULL)
		p->rec = mem_record_new(g, &q->from);
	r = p->rec;
	r->end = g->gt + q->lease;
	mem_record_configure(g, r, q->lease, q->limit, q->host);
	r->seq = q->seq;
	r->keep = q->keep;
	r->install->generation = q->from.generation;
	r->install->nonce = q->from.nonce;
	mem_record_place(g, r);
	if (q->lease > p->mem->longest_lease)
		p->mem->longest_lease = q->lease;
}

/* ------------------------------------------------------------------ door */

struct mem *
mem_new(void)
{
	struct mem *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	m->groups = TABLE_OF(struct mem_group, by_name);
	lives_init(&m->lives);
	TAILQ_INIT(&m->sweep);
	return m;
}

static void
forget(struct mem *m, struct mem_group *g)
{
	if (g->last > m->last_forgotten)
		m->last_forgotten = g->last;
	table_remove(&m->groups, g);
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
	lives_fini(&m->lives);
	arena_fini(&m->arena);
	free(m->inherited);
	free(m->granted);
	free(m->lost);
	free(m->full);
	free(m->refused);
	free(m->pushes);
	free(m);
}

void
mem_set_steady(struct mem *m)
{
	m->is_steady = true;
}

void
mem_set_high(struct mem *m, uint64_t number)
{
	m->last_forgotten = number;
}

void
mem_keep_all(struct mem *m)
{
	m->keeps_all = true;
}

static void
add_group(struct mem *m, struct mem_group *g)
{
	table_add(&m->groups, g, name_key(g->name));
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
	m->is_steady = from->is_steady;
	lives_copy(&m->lives, &from->lives);
	for (size_t i = 0; i < from->n_inherited; i++)
		mem_inherit(m, &from->inherited[i].from, from->inherited[i].group,
		    from->inherited[i].slot, from->inherited[i].until);
	TAILQ_FOREACH (g, &from->sweep, link)
		add_group(m, mem_group_clone(g));
	return m;
}

void
mem_set_identity(struct mem *m, uint64_t sid)
{
	m->sid = sid;
}

/* NULL: there is none of that name. */
static struct mem_group *
find_group(struct mem *m, const char *name)
{
	struct mem_group *g = table_find(&m->groups, name_key(name));

	while (g != NULL && strcmp(g->name, name) != 0)
		g = table_find_next(&m->groups, g);
	return g;
}

static struct mem_group *
get_group(struct mem *m, const char *name)
{
	struct mem_group *g = find_group(m, name);

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

	if (!m->keeps_all && g != current && g->in_use == 0 && g->n_queued == 0 &&
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

enum xch_began
mem_began(const struct mem *m)
{
	return m->marker.began;
}

void
mem_end_grace(struct mem *m, usec now, uint64_t heard, usec grace)
{
	marker_touch(m, now, heard, grace);
	m->marker.clock = CLOCK_ENDED;
}

/* Whoever is on record is to exchange again.  The push says nothing else. */
static void
tell_all(struct mem *m, struct mem_group *g)
{
	struct mem_record *r, *tmp;

	TABLE_FOREACH (r, tmp, &g->records) {
		if (!RULE(LIVE_TOLD))
			break;
		ALLOC_ROOM(m->pushes, m->n_pushes, m->cap_pushes, 1);
		m->pushes[m->n_pushes++] =
		    (struct xch_push){.to = r->id, .type = XCH_RECALL, .group = g->name};
	}
}

void
mem_set_live(struct mem *m, usec now, const char *group, enum live_kind kind,
    struct live_setting *setting, usec length, const struct xch_push **pushes, uint32_t *n_pushes)
{
	struct mem_group *g = find_group(m, group);

	arena_reset(&m->arena);
	m->n_pushes = 0;
	lives_set(&m->lives, now, group, kind, setting, length);
	if (g != NULL)
		tell_all(m, g);
	*pushes = m->pushes;
	*n_pushes = m->n_pushes;
}

bool
mem_put_live(struct mem *m, const char *group, enum live_kind kind,
    const struct live_setting *setting)
{
	return lives_hear(&m->lives, group, kind, setting);
}

const struct lives *
mem_lives(const struct mem *m)
{
	return &m->lives;
}

const struct xch_reply *
mem_exchange(struct mem *m, usec now, const struct xch_request *q, const struct xch_push **pushes,
    uint32_t *n_pushes)
{
	struct pass p = {.mem = m, .q = q, .g = get_group(m, q->group)};

	arena_reset(&m->arena);
	m->n_pushes = 0;
	p.live = live_limit(lives_find(&m->lives, q->group), now, &p.live_left);
	m->reply = (struct xch_reply){.seq = q->seq};

	if (m->n_inherited > 0 && p.g->gt == 0)
		pass_inherit(&p, now);
	step_time(&p, now);
	p.rec = mem_record_find(p.g, &q->from);
	m->reply.status = step_admit(&p);
	if (m->reply.status == XCH_OK) {
		step_renew(&p);
		if (q->full)
			pass_sync(&p);
		else
			pass_deltas(&p);
		pass_adopt(&p);
		if (!p.grace || !RULE(NO_GRANT_IN_GRACE))
			pass_serve(&p);
		pass_deliver(&p);
		pass_now_or_never(&p);
		pass_recall(&p);
		pass_reply(&p);
	}
	sweep(m, p.g, now);
	*pushes = m->pushes;
	*n_pushes = m->n_pushes;
	return &m->reply;
}
