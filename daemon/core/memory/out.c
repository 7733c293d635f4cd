/* What an exchange says: its reply, the inboxes of other daemons, pushes. */
#include "daemon/core/memory/pass.h"

#include <string.h>

/* ------------------------------------------------------------------ reply and pushes */

void
pass_reply_granted(struct mem *m, uint64_t id, uint32_t n, const uint32_t *slots, uint64_t number,
    uint32_t limit)
{
	uint32_t *copy = arena_take(&m->arena, n * sizeof *copy);

	memcpy(copy, slots, n * sizeof *copy);
	ALLOC_ROOM(m->granted, m->reply.n_granted, m->cap_granted, 1);
	m->granted[m->reply.n_granted++] = (struct xch_grant){
	    .id = id, .n = n, .slots = copy, .number = number, .limit = limit};
}

void
pass_reply_lost(struct mem *m, struct xch_slot slot)
{
	ALLOC_ROOM(m->lost, m->reply.n_lost, m->cap_lost, 1);
	m->lost[m->reply.n_lost++] = slot;
}

void
pass_reply_full(struct mem *m, uint64_t id)
{
	ALLOC_ROOM(m->full, m->reply.n_full, m->cap_full, 1);
	m->full[m->reply.n_full++] = id;
}

void
pass_reply_refused(struct mem *m, uint64_t id)
{
	ALLOC_ROOM(m->refused, m->reply.n_refused, m->cap_refused, 1);
	m->refused[m->reply.n_refused++] = id;
}

struct xch_push *
pass_push_new(struct pass *p, const struct mem_record *to, enum xch_push_type type)
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
void
pass_notify_grant(struct pass *p, struct mem_record *to, const struct xch_grant *grant)
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
	push = pass_push_new(p, to, XCH_GRANT);
	push->grant = x->grant;
	push->grant.slots = copy;
	push->id = grant->id;
}

void
pass_notify_full(struct pass *p, struct mem_record *to, uint64_t id)
{
	if (to->dead)
		return;
	mem_notice_new(to, XCH_FULL, 0)->id = id;
	pass_push_new(p, to, XCH_FULL)->id = id;
}

void
pass_notify_lost(struct pass *p, const struct mem_slot *s)
{
	struct xch_slot slot = {s->slot, s->number};

	if (s->rec == p->rec || s->rec->dead)
		return;
	mem_notice_new(s->rec, XCH_LOST, 0)->slot = slot;
	pass_push_new(p, s->rec, XCH_LOST)->slot = slot;
}

/* ------------------------------------------------------------------ the end of a pass */

/* Step 11. */
void
pass_deliver(struct pass *p)
{
	struct mem_notice *x;

	while ((x = TAILQ_FIRST(&p->rec->inbox)) != NULL) {
		if (x->type == XCH_GRANT)
			pass_reply_granted(p->mem, x->id, x->grant.n, x->grant.slots, x->grant.number,
			    x->grant.limit);
		else if (x->type == XCH_FULL)
			pass_reply_full(p->mem, x->id);
		else
			pass_reply_lost(p->mem, x->slot);
		mem_notice_free(p->rec, x);
	}
}

/* Who stands out.  Each is told once, though it may do so in both ways. */
static void
reply_peers(struct pass *p)
{
	const struct mem_record *told[XCH_PEERS_MAX];
	struct xch_peer *peers;
	uint32_t n = 0;

	for (int i = 0; i < N_EXTREMES; i += 2) {
		const struct mem_record *of[2] = {
		    mem_record_extreme(p->g, i), mem_record_extreme(p->g, i + 1)};

		if (of[0] == NULL || (i == SHORT_LEASE ? of[0]->lease == of[1]->lease :
		    of[0]->limit == of[1]->limit))
			continue;
		for (int j = 0; j < 2; j++) {
			uint32_t k;

			for (k = 0; k < n && told[k] != of[j]; k++)
				;
			if (k == n)
				told[n++] = of[j];
		}
	}
	p->mem->reply.n_peers = n;
	p->mem->reply.peers = peers = arena_take(&p->mem->arena, n * sizeof *peers);
	for (uint32_t k = 0; k < n; k++) {
		peers[k] = (struct xch_peer){.install = told[k]->id.install,
		    .limit = told[k]->limit, .lease = told[k]->lease};
		strcpy(peers[k].host, told[k]->host);
	}
}

/* Step 14. */
void
pass_reply(struct pass *p)
{
	struct mem *m = p->mem;
	struct mem_group *g = p->g;
	struct xch_reply *re = &m->reply;
	struct heap_node *node = heap_first_but(&g->ends, &p->rec->by_end);

	re->granted = m->granted;
	re->lost = m->lost;
	re->full = m->full;
	re->refused = m->refused;
	re->live_limit = p->live;
	re->live_left = p->live_left;
	re->in_use = g->in_use;
	re->others = pass_others_queued(g, p->rec);
	re->version = (uint64_t)g->gt;
	re->hot = g->hot_until > g->gt ? g->hot_until - g->gt : 0;
	re->look = node ? HEAP_OF(node, struct mem_record, by_end)->end - g->gt : USEC_NEVER;
	re->grace = p->grace ? g->grace_end - g->gt : 0;
	if (p->grace && re->grace < re->look)
		re->look = re->grace;
	re->last = g->last;
	re->era = g->era;
	re->longest_lease = m->longest_lease;
	reply_peers(p);
}
