/* Copies of what is under way: who wrote it goes on, or dies, before it arrives. */
#include "tests/sim/message.h"

#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/core/exchange.h"

/* Moves through one block of memory; with p NULL it only counts. */
struct block {
	char *p;
	size_t used;
};

static void *
put(struct block *b, const void *from, size_t size)
{
	char *to = b->p != NULL ? b->p + b->used : NULL;

	if (to != NULL && size > 0)
		memcpy(to, from, size);
	b->used += (size + 7) & ~(size_t)7;
	return to;
}

#define PUT(b, v, n) put(b, v, (n) * sizeof *(v))

static struct xch_request *
put_request(struct block *b, const struct xch_request *q)
{
	struct xch_request *to = put(b, q, sizeof *q), x = *q;
	struct xch_adopt *adopts;

	x.group = put(b, q->group, strlen(q->group) + 1);
	x.claim = PUT(b, q->claim, q->n_claim);
	x.release = PUT(b, q->release, q->n_release);
	x.cancel = PUT(b, q->cancel, q->n_cancel);
	x.want = PUT(b, q->want, q->n_want);
	x.adopt = adopts = PUT(b, q->adopt, q->n_adopt);
	for (uint32_t i = 0; i < q->n_adopt; i++) {
		const uint32_t *slots = PUT(b, q->adopt[i].slots, q->adopt[i].n);

		if (adopts != NULL)
			adopts[i].slots = slots;
	}
	if (to != NULL)
		*to = x;
	return to;
}

static struct xch_reply *
put_reply(struct block *b, const struct xch_reply *r)
{
	struct xch_reply *to = put(b, r, sizeof *r), x = *r;
	struct xch_grant *granted;

	x.granted = granted = PUT(b, r->granted, r->n_granted);
	for (uint32_t i = 0; i < r->n_granted; i++) {
		const uint32_t *slots = PUT(b, r->granted[i].slots, r->granted[i].n);

		if (granted != NULL)
			granted[i].slots = slots;
	}
	x.lost = PUT(b, r->lost, r->n_lost);
	x.full = PUT(b, r->full, r->n_full);
	x.refused = PUT(b, r->refused, r->n_refused);
	x.peers = PUT(b, r->peers, r->n_peers);
	if (to != NULL)
		*to = x;
	return to;
}

static struct xch_push *
put_push(struct block *b, const struct xch_push *p)
{
	struct xch_push *to = put(b, p, sizeof *p), x = *p;

	x.group = put(b, p->group, strlen(p->group) + 1);
	x.grant.slots = PUT(b, p->grant.slots, p->grant.n);
	if (to != NULL)
		*to = x;
	return to;
}

#define COPY(put_it, x)                                                                         \
	struct block b = {NULL, 0};                                                             \
	put_it(&b, x);                                                                          \
	b.p = alloc_resize(NULL, b.used);                                                       \
	b.used = 0;                                                                             \
	return put_it(&b, x)

struct xch_request *
request_copy(const struct xch_request *q)
{
	COPY(put_request, q);
}

struct xch_reply *
reply_copy(const struct xch_reply *r)
{
	COPY(put_reply, r);
}

struct xch_push *
push_copy(const struct xch_push *p)
{
	COPY(put_push, p);
}
