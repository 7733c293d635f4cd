/* What is asked of both backends: made up at random by daemons that mostly behave. */
#include "tests/diff/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/redis/exchange.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define N_GROUPS 6 /* the last is large */
#define N_DAEMONS 7
#define N_GHOSTS 3 /* daemons that were superseded, and speak on */
#define N_ERAS 18 /* two more than a marker lists */
#define HELD_MAX 512
#define QUEUED_MAX 48
#define LIST_MAX 640
#define BEGIN ((usec)3800000000000000) /* in 2090: what expires then does not today */

#define MS ((usec)1000)
#define SECOND ((usec)1000000)

struct queued {
	uint64_t id;
	uint32_t n;
	bool now;
	int64_t limit;
	usec since;
};

/* What a daemon believes of a group. */
struct view {
	uint64_t incarnation, high;
	int64_t configured;
	struct xch_slot held[HELD_MAX];
	struct xch_slot left[HELD_MAX]; /* by its predecessor */
	struct queued queued[QUEUED_MAX];
	uint32_t n_held, n_left, n_queued;
};

struct daemon {
	struct xch_daemon id;
	uint64_t seq, next_waiter;
	usec lease, grace;
	char host[XCH_HOST_MAX + 1];
	uint64_t era[EXCHANGE_SHARDS];
	struct view views[N_GROUPS];
};

struct plan {
	uint64_t random;
	usec now;
	uint64_t sid;
	unsigned rough; /* per mille of what is not as it should be */
	uint32_t steps_in_mood;
	bool ends_grace;        /* next: that of a new server, which some groups then never see */
	/* per mille: requests that want something, of which now or never; waiters that give up */
	unsigned wanting[N_GROUPS], in_a_hurry[N_GROUPS], giving_up[N_GROUPS];
	bool is_quiet[N_GROUPS]; /* whoever has no slot wants one; few wait */
	char groups[N_GROUPS][16];
	struct daemon daemons[N_DAEMONS + N_GHOSTS];
	uint64_t n_installs;
	uint64_t eras[EXCHANGE_SHARDS][N_ERAS]; /* the last of each shard, the newest first */
	struct plan_step step;
	struct daemon *asking;
	struct view *view;
	struct xch_slot named[LIST_MAX];
	uint64_t cancel[LIST_MAX];
	struct xch_want want[LIST_MAX];
	struct xch_adopt adopt[4];
	uint32_t adopt_slots[4][XCH_N_MAX];
};

/* ------------------------------------------------------------------ chance */

static uint64_t
roll(struct plan *p)
{
	uint64_t x = p->random += 0x9e3779b97f4a7c15; /* splitmix64 */

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* 0 to n - 1 */
static uint32_t
below(struct plan *p, uint32_t n)
{
	return (uint32_t)(roll(p) % n);
}

static bool
per_mille(struct plan *p, unsigned chance)
{
	return below(p, 1000) < chance;
}

/* Something goes wrong, so many times as often as the mood says. */
static bool
goes_wrong(struct plan *p, unsigned times)
{
	return below(p, 1000) < p->rough * times;
}

static usec
time_step(struct plan *p)
{
	uint32_t r = below(p, 1000);

	if (r < 620)
		return 1 + below(p, 2000);
	if (r < 900)
		return 1 + below(p, 150000);
	if (r < 985)
		return 1 + below(p, 2000000);
	if (r < 985 + p->rough)
		return below(p, 60000) * MS;
	if (r < 985 + p->rough + p->rough / 5)
		return (usec)below(p, 3600000) * MS - 1800 * SECOND;
	return 0;
}

/* ------------------------------------------------------------------ daemons */

static void
daemon_settle(struct plan *p, struct daemon *d)
{
	static const usec leases[] = {
	    SECOND, 3 * SECOND, 10 * SECOND, 10 * SECOND, 10 * SECOND, 60 * SECOND};

	d->lease = leases[below(p, COUNT(leases))];
	d->grace = per_mille(p, 100) ? 0 : d->lease + (per_mille(p, 200) ? 7 * SECOND : 0);
	for (unsigned g = 0; g < N_GROUPS; g++) {
		static const int64_t limits[] = {XCH_NO_LIMIT, 1, 2, 3, 3, 3, 5, 8};

		if (g == N_GROUPS - 1)
			d->views[g].configured = 100 + below(p, 200);
		else if (per_mille(p, 700))
			d->views[g].configured = (int64_t)g + 1;
		else
			d->views[g].configured = limits[below(p, COUNT(limits))];
	}
}

static void
daemon_begin(struct plan *p, struct daemon *d)
{
	memset(d, 0, sizeof *d);
	d->id = (struct xch_daemon){++p->n_installs << 8 | below(p, 256), 1, roll(p)};
	snprintf(d->host, sizeof d->host, "host-%" PRIu64 ".example", p->n_installs);
	daemon_settle(p, d);
}

/* The host's next daemon takes its place; it goes on as a ghost. */
static void
daemon_restart(struct plan *p, struct daemon *d)
{
	p->daemons[N_DAEMONS + below(p, N_GHOSTS)] = *d;
	if (!per_mille(p, 100))
		d->id.generation++;
	d->id.nonce = roll(p);
	d->seq = per_mille(p, 500) ? 0 : d->seq;
	if (per_mille(p, 200))
		daemon_settle(p, d);
	for (unsigned g = 0; g < N_GROUPS; g++) {
		struct view *v = &d->views[g];

		memcpy(v->left, v->held, sizeof v->left);
		v->n_left = v->n_held;
		v->n_held = v->n_queued = 0;
		v->incarnation = 0;
		if (per_mille(p, 500))
			v->high = 0;
	}
}

static void
view_hold(struct view *v, uint32_t slot, uint64_t number)
{
	uint32_t i;

	for (i = 0; i < v->n_held && v->held[i].slot != slot; i++)
		;
	if (i == HELD_MAX)
		return;
	v->held[i] = (struct xch_slot){slot, number};
	if (i == v->n_held)
		v->n_held++;
	if (number > v->high)
		v->high = number;
}

static void
view_lose(struct view *v, const struct xch_slot *slot)
{
	for (uint32_t i = 0; i < v->n_held; i++)
		if (v->held[i].slot == slot->slot && v->held[i].number == slot->number) {
			v->held[i] = v->held[--v->n_held];
			return;
		}
}

static void
view_answered(struct view *v, uint64_t id)
{
	for (uint32_t i = 0; i < v->n_queued; i++)
		if (v->queued[i].id == id) {
			v->queued[i] = v->queued[--v->n_queued];
			return;
		}
}

/* ------------------------------------------------------------------ a request */

static bool
is_named(const struct plan *p, uint32_t n, uint32_t slot)
{
	for (uint32_t i = 0; i < n; i++)
		if (p->named[i].slot == slot)
			return true;
	return false;
}

/* A hold, or something like one. */
static void
name_slot(struct plan *p, uint32_t *n, struct xch_slot slot)
{
	if (slot.number > 2 && goes_wrong(p, 1))
		slot.number += below(p, 5) - (uint64_t)2;
	if (goes_wrong(p, 1))
		slot.slot = 1 + below(p, 12);
	if (*n < LIST_MAX && !is_named(p, *n, slot.slot))
		p->named[(*n)++] = slot;
}

static void
name_of_others(struct plan *p, uint32_t *n, unsigned group)
{
	const struct daemon *d = &p->daemons[below(p, COUNT(p->daemons))];
	const struct view *v = &d->views[group];

	if (v->n_held > 0 && goes_wrong(p, 3))
		name_slot(p, n, v->held[below(p, v->n_held)]);
	if (goes_wrong(p, 1))
		name_slot(p, n, (struct xch_slot){1 + below(p, 40), p->view->high + below(p, 3)});
}

static void
put_claims(struct plan *p, struct xch_request *q, unsigned group)
{
	struct view *v = p->view;

	for (uint32_t i = 0; i < v->n_held; i++)
		if (!goes_wrong(p, 1))
			name_slot(p, &q->n_claim, v->held[i]);
	for (uint32_t i = 0; i < v->n_left && i < 3; i++)
		if (per_mille(p, 100))
			name_slot(p, &q->n_claim, v->left[i]);
	name_of_others(p, &q->n_claim, group);
	q->claim = p->named;
}

static void
put_releases(struct plan *p, struct xch_request *q, unsigned group)
{
	struct view *v = p->view;
	unsigned chance = p->is_quiet[group] ? 600 : below(p, 600);

	for (uint32_t i = 0; i < v->n_held;)
		if (per_mille(p, chance)) {
			name_slot(p, &q->n_release, v->held[i]);
			v->held[i] = v->held[--v->n_held];
		} else {
			i++;
		}
	name_of_others(p, &q->n_release, group);
	q->release = p->named;
	for (uint32_t i = 0; i < v->n_queued;)
		if (per_mille(p, p->giving_up[group])) {
			p->cancel[q->n_cancel++] = v->queued[i].id;
			v->queued[i] = v->queued[--v->n_queued];
		} else {
			i++;
		}
	if (p->asking->next_waiter > 0 && goes_wrong(p, 3)) {
		uint64_t id = 1 + roll(p) % p->asking->next_waiter;
		bool there = false;

		for (uint32_t i = 0; i < q->n_cancel; i++)
			there = there || p->cancel[i] == id;
		if (!there)
			p->cancel[q->n_cancel++] = id;
	}
	q->cancel = p->cancel;
}

static void
put_want(struct plan *p, struct xch_request *q, const struct queued *w)
{
	p->want[q->n_want++] = (struct xch_want){.id = w->id,
	    .n = w->n,
	    .now = w->now,
	    .limit = w->limit,
	    .age = p->now > w->since ? p->now - w->since : 0};
}

static void
put_wants(struct plan *p, struct xch_request *q, unsigned group)
{
	struct view *v = p->view;
	uint32_t most = group == N_GROUPS - 1 ? 24 : 3, n = 0;

	if (per_mille(p, p->wanting[group]))
		n = 1 + below(p, most);
	if (p->is_quiet[group])
		n = v->n_held + v->n_queued + q->n_release == 0 && per_mille(p, 500);
	for (uint32_t i = 0; i < v->n_queued;) {
		bool anew = q->full ? !goes_wrong(p, 2) : goes_wrong(p, 1);

		if (anew && goes_wrong(p, 1))
			v->queued[i].limit = 1 + below(p, 5);
		if (anew)
			put_want(p, q, &v->queued[i]);
		if (q->full && !anew)
			v->queued[i] = v->queued[--v->n_queued];
		else
			i++;
	}
	for (; n > 0 && v->n_queued < QUEUED_MAX; n--) {
		struct queued *w = &v->queued[v->n_queued++];

		*w = (struct queued){.id = ++p->asking->next_waiter, .n = 1, .limit = XCH_NO_LIMIT};
		if (per_mille(p, 150))
			w->n = 1 + below(p, group == N_GROUPS - 1 ? XCH_N_MAX : group + 2);
		w->now = per_mille(p, p->in_a_hurry[group]);
		if (per_mille(p, 250))
			w->limit = 1 + below(p, group == N_GROUPS - 1 ? 250 : group + 2);
		/* some at the very same time as others: then daemon and id decide */
		w->since =
		    per_mille(p, 300) ? p->now / (50 * MS) * (50 * MS) : p->now - below(p, 300000);
		put_want(p, q, w);
	}
	q->want = p->want;
}

/* All slots of one grant that a predecessor held, or that somebody else holds. */
static void
put_adopts(struct plan *p, struct xch_request *q, unsigned group)
{
	struct view *v = p->view;
	uint32_t n_adopts = below(p, 3);
	bool strange = goes_wrong(p, 2);

	if (strange)
		v = &p->daemons[below(p, COUNT(p->daemons))].views[group];
	for (; n_adopts > 0; n_adopts--) {
		struct xch_slot *from = strange ? v->held : v->left;
		uint32_t *n_from = strange ? &v->n_held : &v->n_left, n = 0;
		struct xch_adopt *a = &p->adopt[q->n_adopt];
		uint64_t number;

		if (*n_from == 0)
			break;
		number = from[below(p, *n_from)].number;
		for (uint32_t i = 0; i < *n_from && n < XCH_N_MAX;)
			if (from[i].number == number) {
				p->adopt_slots[q->n_adopt][n++] = from[i].slot;
				from[i] = from[--*n_from];
			} else {
				i++;
			}
		*a = (struct xch_adopt){.id = ++p->asking->next_waiter,
		    .n = n,
		    .slots = p->adopt_slots[q->n_adopt],
		    .number = number,
		    .limit = 3};
		q->n_adopt++;
	}
	q->adopt = p->adopt;
}

static void
put_request(struct plan *p, struct xch_request *q)
{
	unsigned group = below(p, N_GROUPS);
	struct daemon *d = &p->daemons[below(p, N_DAEMONS)];
	struct view *v;
	unsigned shard;

	if (goes_wrong(p, 4))
		d = &p->daemons[N_DAEMONS + below(p, N_GHOSTS)];
	p->asking = d;
	p->view = v = &d->views[group];
	if (per_mille(p, 5)) /* it is told otherwise: for one group, or all */
		v->configured = per_mille(p, 300) ? XCH_NO_LIMIT : 1 + (int64_t)below(p, 8);
	if (per_mille(p, 2))
		d->lease = (1 + below(p, 20)) * SECOND;
	*q = (struct xch_request){.group = p->groups[group], .from = d->id, .seq = ++d->seq};
	shard = exchange_shard(q->group);
	q->full = v->incarnation == 0 || goes_wrong(p, 2);
	q->lapsed = q->full && goes_wrong(p, 8);
	q->keep = per_mille(p, 80);
	q->incarnation = v->incarnation;
	q->lease = d->lease;
	q->grace = d->grace;
	q->era = d->era[shard];
	q->high = v->high;
	q->limit = v->configured;
	q->host = d->host;
	if (d->seq > 3 && goes_wrong(p, 1))
		q->seq -= 1 + below(p, 3);
	if (goes_wrong(p, 1))
		q->incarnation = below(p, 2) ? q->incarnation + 1 : 0;
	if (goes_wrong(p, 1) && per_mille(p, 200))
		q->era = roll(p) | 1;
	if (goes_wrong(p, 2))
		q->era = p->eras[shard][below(p, N_ERAS)];
	if (q->full)
		put_claims(p, q, group);
	else
		put_releases(p, q, group);
	put_wants(p, q, group);
	put_adopts(p, q, group);
}

/* ------------------------------------------------------------------ door */

struct plan *
plan_new(uint64_t seed)
{
	struct plan *p = alloc_resize(NULL, sizeof *p);
	unsigned n = 0;

	memset(p, 0, sizeof *p);
	p->random = seed;
	p->now = BEGIN;
	p->sid = roll(p);
	/* some groups share a shard, and so a marker; some do not */
	for (unsigned i = 0; n < N_GROUPS; i++) {
		char name[sizeof p->groups[0]];

		snprintf(name, sizeof name, "group:%u", i);
		if (n == 0 || (exchange_shard(name) == exchange_shard(p->groups[0])) == (n < 3))
			strcpy(p->groups[n++], name);
	}
	for (size_t i = 0; i < COUNT(p->daemons); i++)
		daemon_begin(p, &p->daemons[i]);
	return p;
}

void
plan_free(struct plan *p)
{
	free(p);
}

static void
change_mood(struct plan *p)
{
	static const unsigned roughs[] = {0, 2, 2, 10, 10, 30};

	p->rough = roughs[below(p, COUNT(roughs))];
	p->steps_in_mood = 100 + below(p, 3000);
	for (unsigned g = 0; g < N_GROUPS; g++) {
		static const unsigned wanting[] = {60, 200, 600, 600},
				      in_a_hurry[] = {0, 100, 100, 900};

		p->wanting[g] = wanting[below(p, COUNT(wanting))];
		p->in_a_hurry[g] = in_a_hurry[below(p, COUNT(in_a_hurry))];
		p->giving_up[g] = p->wanting[g] < 600 ? 300 : 60;
		p->is_quiet[g] = per_mille(p, 400);
		if (p->is_quiet[g])
			p->giving_up[g] = 600;
	}
}

const struct plan_step *
plan_next(struct plan *p)
{
	struct plan_step *s = &p->step;
	uint32_t r = below(p, 10000);

	if (p->steps_in_mood-- == 0) {
		change_mood(p);
	}
	p->now += time_step(p);
	s->now = p->now;
	put_request(p, &s->request);
	s->what = PLAN_EXCHANGE;
	if (r < 5 || p->ends_grace) {
		s->what = PLAN_END;
		p->ends_grace = false;
	} else if (r < 60) {
		s->what = PLAN_TOUCH;
	} else if (r < 90) {
		s->what = PLAN_LIVE;
		s->kind = per_mille(p, 250) ? LIVE_PAUSE : LIVE_LIMIT;
		s->length = per_mille(p, 500) ? USEC_NEVER : 1 + (usec)below(p, 20000000);
		s->request.limit = per_mille(p, 500) ? XCH_NO_LIMIT :
		    s->kind == LIVE_PAUSE ? 0 : (int64_t)below(p, 8);
	} else if (r < 90 + p->rough) {
		s->what = PLAN_SERVER;
		p->sid = roll(p);
		p->ends_grace = per_mille(p, 600);
	} else if (r < 90 + p->rough + p->rough / 2) {
		s->what = PLAN_FLUSH;
		if (per_mille(p, 500)) /* FLUSHALL, or a restart */
			p->sid = roll(p);
	} else if (r < 110 + p->rough * 4 && r >= 100 + p->rough * 2) {
		daemon_restart(p, &p->daemons[below(p, N_DAEMONS)]);
	} else if (r < 9999) {
		;
	} else {
		daemon_begin(p, &p->daemons[below(p, N_DAEMONS)]);
	}
	s->sid = p->sid;
	return s;
}

static void
heard_grant(struct view *v, const struct xch_grant *grant)
{
	for (uint32_t i = 0; i < grant->n; i++)
		view_hold(v, grant->slots[i], grant->number);
	view_answered(v, grant->id);
}

static void
heard_push(struct plan *p, const struct xch_push *push)
{
	unsigned group;

	for (group = 0; strcmp(p->groups[group], push->group) != 0; group++)
		;
	for (size_t i = 0; i < N_DAEMONS; i++) {
		struct daemon *d = &p->daemons[i];
		struct view *v = &d->views[group];

		if (memcmp(&d->id, &push->to, sizeof d->id) != 0 ||
		    v->incarnation != push->incarnation)
			continue;
		if (push->type == XCH_GRANT)
			heard_grant(v, &push->grant);
		else if (push->type == XCH_FULL)
			view_answered(v, push->id);
		else if (push->type == XCH_LOST)
			view_lose(v, &push->slot);
	}
}

static void
heard_era(struct plan *p, unsigned shard, uint64_t era)
{
	uint64_t *eras = p->eras[shard];

	p->asking->era[shard] = era;
	if (era == eras[0])
		return;
	memmove(eras + 1, eras, (N_ERAS - 1) * sizeof *eras);
	eras[0] = era;
}

void
plan_heard(
    struct plan *p, const struct xch_reply *re, const struct xch_push *pushes, uint32_t n_pushes)
{
	const struct xch_request *q = &p->step.request;
	struct view *v = p->view;

	for (uint32_t i = 0; i < n_pushes; i++)
		if (per_mille(p, 600))
			heard_push(p, &pushes[i]);
	if (goes_wrong(p, 3)) { /* the reply is lost */
		v->incarnation = 0;
		return;
	}
	if (re->status == XCH_GONE && per_mille(p, 100))
		daemon_begin(p, p->asking);
	else if (re->status != XCH_OK)
		v->incarnation = 0;
	if (re->status != XCH_OK)
		return;
	if (q->full) {
		v->incarnation = q->seq;
		v->n_held = 0;
		for (uint32_t i = 0; i < q->n_claim; i++)
			view_hold(v, q->claim[i].slot, q->claim[i].number);
	}
	for (uint32_t i = 0; i < re->n_lost; i++)
		view_lose(v, &re->lost[i]);
	for (uint32_t i = 0; i < re->n_full; i++)
		view_answered(v, re->full[i]);
	for (uint32_t i = 0; i < re->n_granted; i++)
		heard_grant(v, &re->granted[i]);
	if (re->last > v->high)
		v->high = re->last;
	heard_era(p, exchange_shard(q->group), re->era);
}
