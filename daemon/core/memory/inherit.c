/* What the memory backend is told that was held before it was there.
 *
 * Its data are gone with the process that had them, but the lease page says which slots its clients
 * may still believe in.  They are held, by a daemon that will not speak again, until that is over or a
 * later daemon of the same install adopts them. */
#include "daemon/core/memory/pass.h"

#include "proto/page.h"

void
mem_inherit(struct mem *m, const struct xch_daemon *from, uint64_t group, struct xch_slot slot,
    usec until)
{
	ALLOC_ROOM(m->inherited, m->n_inherited, m->cap_inherited, 1);
	m->inherited[m->n_inherited++] = (struct inherited){*from, group, slot, until};
}

/* Held by a daemon that will not speak again.  All that end at one time are one record's. */
static void
take(struct mem_group *g, const struct inherited *in, const struct xch_request *q)
{
	struct xch_daemon id = in->from;
	struct mem_record *r;

	id.nonce = (uint64_t)in->until;
	r = mem_record_find(g, &id);
	if (r == NULL) {
		r = mem_record_new(g, &id);
		r->end = in->until;
		r->dead = true;
		mem_record_configure(g, r, q->lease, XCH_NO_LIMIT, q->host);
	}
	mem_slot_take(g, in->slot.slot, r, in->slot.number);
	mem_record_place(g, r);
	if (in->slot.number > g->last)
		g->last = in->slot.number;
}

/* A group is named for the first time: what is inherited for it.  What nobody has asked for in time
 * is dropped. */
void
pass_inherit(struct pass *p, usec now)
{
	struct mem *m = p->mem;
	struct mem_group *g = p->g;
	uint64_t hash = page_group_hash(g->name);
	size_t kept = 0;

	g->gt = g->wall = now;
	for (size_t i = 0; i < m->n_inherited; i++) {
		const struct inherited *in = &m->inherited[i];

		if (in->until > now && in->group == hash)
			take(g, in, p->q);
		else if (in->until > now)
			m->inherited[kept++] = *in;
	}
	m->n_inherited = kept;
}
