/* Requests and what backends say, as text. */
#include "tests/diff/tell.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/alloc.h"

void
tell(struct text *text, const char *format, ...)
{
	va_list ap;
	int len;

	ALLOC_ROOM(text->s, text->n, text->cap, 256);
	va_start(ap, format);
	len = vsnprintf(text->s + text->n, text->cap - text->n, format, ap);
	va_end(ap);
	if (len < 0)
		abort();
	if ((size_t)len >= text->cap - text->n) {
		ALLOC_ROOM(text->s, text->n, text->cap, (size_t)len + 1);
		va_start(ap, format);
		vsnprintf(text->s + text->n, text->cap - text->n, format, ap);
		va_end(ap);
	}
	text->n += (size_t)len;
}

void
text_clear(struct text *text)
{
	text->n = 0;
	tell(text, "%s", "");
}

void
text_fini(struct text *text)
{
	free(text->s);
	*text = (struct text){0};
}

size_t
era_place(struct eras *eras, uint64_t era)
{
	for (size_t i = eras->n; i > 0; i--)
		if (eras->v[i - 1] == era)
			return i - 1;
	ALLOC_ROOM(eras->v, eras->n, eras->cap, 1);
	eras->v[eras->n] = era;
	return eras->n++;
}

static void
tell_daemon(struct text *t, const struct xch_daemon *d)
{
	tell(t, "%" PRIu64 ".%" PRIu64 ".%" PRIx64, d->install, d->generation, d->nonce);
}

static void
tell_slots(struct text *t, const char *word, const struct xch_slot *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		tell(t, "%s%" PRIu32 "=%" PRIu64, i ? "," : word, v[i].slot, v[i].number);
}

static void
tell_ids(struct text *t, const char *word, const uint64_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		tell(t, "%s%" PRIu64, i ? "," : word, v[i]);
}

void
tell_request(struct text *t, usec now, const struct xch_request *q)
{
	tell(t, "at %" PRId64 " ", now);
	tell_daemon(t, &q->from);
	tell(t,
	    " group=%s seq=%" PRIu64 "%s%s%s incarnation=%" PRIu64 " lease=%" PRId64
	    " grace=%" PRId64 " era=%" PRIx64 " high=%" PRIu64 " limit=%" PRId64,
	    q->group, q->seq, q->full ? " full" : "", q->lapsed ? " lapsed" : "",
	    q->keep ? " keep" : "", q->incarnation, q->lease, q->grace, q->era, q->high, q->limit);
	tell_slots(t, " claim:", q->claim, q->n_claim);
	tell_slots(t, " release:", q->release, q->n_release);
	tell_ids(t, " cancel:", q->cancel, q->n_cancel);
	for (uint32_t i = 0; i < q->n_want; i++)
		tell(t, "%s%" PRIu64 "(n=%" PRIu32 "%s limit=%" PRId64 " age=%" PRId64 ")",
		    i ? "," : " want:", q->want[i].id, q->want[i].n, q->want[i].now ? " now" : "",
		    q->want[i].limit, q->want[i].age);
	for (uint32_t i = 0; i < q->n_adopt; i++) {
		tell(t, "%s%" PRIu64 "(number=%" PRIu64 " slots",
		    i ? "," : " adopt:", q->adopt[i].id, q->adopt[i].number);
		for (uint32_t k = 0; k < q->adopt[i].n; k++)
			tell(t, " %" PRIu32, q->adopt[i].slots[k]);
		tell(t, ")");
	}
}

static void
tell_grant(struct text *t, const struct xch_grant *g)
{
	tell(t, "%" PRIu64 "(number=%" PRIu64 " limit=%" PRIu32 " slots", g->id, g->number,
	    g->limit);
	for (uint32_t i = 0; i < g->n; i++)
		tell(t, " %" PRIu32, g->slots[i]);
	tell(t, ")");
}

static int
cmp_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int
cmp_push(const void *a, const void *b)
{
	const struct xch_push *x = a, *y = b;
	int c = memcmp(&x->to, &y->to, sizeof x->to);

	return c != 0 ? c : cmp_u64(&x->id, &y->id);
}

static void
tell_push(struct text *t, const struct xch_push *p)
{
	static const char *const words[] = {[XCH_RECALL] = "recall",
	    [XCH_GRANT] = "grant",
	    [XCH_FULL] = "full",
	    [XCH_LOST] = "lost"};

	tell(t, "\n    push ");
	tell_daemon(t, &p->to);
	tell(t, " %s group=%s incarnation=%" PRIu64 " version=%" PRIu64 "%s ", words[p->type],
	    p->group, p->incarnation, p->version, p->others ? " others" : "");
	if (p->type == XCH_GRANT)
		tell_grant(t, &p->grant);
	else if (p->type == XCH_FULL)
		tell(t, "%" PRIu64, p->id);
	else if (p->type == XCH_LOST)
		tell_slots(t, "", &p->slot, 1);
}

/* Those of that type are told sorted. */
static void
tell_pushes(struct text *t, struct xch_push *pushes, size_t n, enum xch_push_type type)
{
	size_t begin, end;

	for (begin = 0; begin < n; begin = end) {
		for (end = begin + 1;
		     end < n && pushes[begin].type == type && pushes[end].type == type; end++)
			;
		qsort(pushes + begin, end - begin, sizeof *pushes, cmp_push);
		for (size_t i = begin; i < end; i++)
			tell_push(t, &pushes[i]);
	}
}

void
tell_answer(struct text *t, struct eras *eras, const struct xch_reply *re, struct xch_push *pushes,
    size_t n_pushes)
{
	static const char *const words[] = {
	    [XCH_OK] = "OK", [XCH_STALE] = "STALE", [XCH_RESYNC] = "RESYNC", [XCH_GONE] = "GONE"};

	tell(t, "%s", words[re->status]);
	if (re->status == XCH_OK) {
		tell(t,
		    " live=%" PRId64 " for %" PRId64 " in_use=%" PRIu32 " others=%" PRIu32 " version=%" PRIu64
		    " hot=%" PRId64 " look=%" PRId64 " last=%" PRIu64 " era=#%zu grace=%" PRId64
		    " longest=%" PRId64,
		    re->live_limit, re->live_left, re->in_use, re->others, re->version, re->hot, re->look,
		    re->last, era_place(eras, re->era), re->grace, re->longest_lease);
		for (uint32_t i = 0; i < re->n_granted; i++) {
			tell(t, "%s", i ? "," : " granted:");
			tell_grant(t, &re->granted[i]);
		}
		tell_slots(t, " lost:", re->lost, re->n_lost);
		if (re->n_full > 0)
			qsort((uint64_t *)re->full, re->n_full, sizeof *re->full, cmp_u64);
		tell_ids(t, " full:", re->full, re->n_full);
		tell_ids(t, " refused:", re->refused, re->n_refused);
		for (uint32_t i = 0; i < re->n_peers; i++)
			tell(t, "%s%" PRIu64 "(limit=%" PRId64 " lease=%" PRId64 " host=%s)",
			    i ? "," : " peers:", re->peers[i].install, re->peers[i].limit,
			    re->peers[i].lease, re->peers[i].host);
	}
	tell_pushes(t, pushes, n_pushes, XCH_FULL);
}

void
tell_live(struct text *t, const struct live_said *said, struct xch_push *pushes, size_t n_pushes)
{
	const struct live_setting *s = &said->setting;

	tell(t, "OK %d limit=%" PRId64 " until=%" PRId64 " at=%" PRId64 " uid=%" PRIu32 " by=%s why=%s",
	    (int)said->kind, s->limit, s->until, s->at, s->uid, s->by, s->why);
	tell_pushes(t, pushes, n_pushes, XCH_RECALL);
}

void
tell_touched(
    struct text *t, struct eras *eras, uint64_t era, usec grace, enum xch_began began)
{
	tell(t, "era=#%zu grace=%" PRId64 " began=%d", era_place(eras, era), grace, (int)began);
}
