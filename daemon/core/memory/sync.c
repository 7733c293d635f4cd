/* What a daemon says in an exchange: its claims, or what has changed; adoptions. */
#include "daemon/core/memory/pass.h"

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
		bool better = s == NULL || (RULE(HIGHER_WINS) && s->number < claim->number) ||
		    (s->number == claim->number && is_predecessor(p, s->rec));

		if (!p->grace || (RULE(LAPSED_CLAIMS) && p->q->lapsed) || !better) {
			pass_reply_lost(p->mem, *claim);
			return;
		}
		if (s != NULL)
			pass_notify_lost(p, s);
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
void
pass_sync(struct pass *p)
{
	const struct xch_request *q = p->q;
	struct mem_record *r = p->rec, *o;
	struct mem_slot *s, *next_slot;
	struct mem_entry *e, *next_entry;

	r->incarnation = q->seq;
	if (RULE(HIGH_WATER) && q->high > p->g->last)
		p->g->last = q->high;
	LIST_FOREACH (o, &r->install->records, same) {
		if (o == r || o->dead || !RULE(SUPERSEDE))
			continue;
		o->dead = true;
		while (!RULE(DEAD_KEEP_SLOTS) && !LIST_EMPTY(&o->slots))
			mem_slot_free(p->g, LIST_FIRST(&o->slots));
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
		if (s->synced != q->seq && RULE(SYNC_FREES))
			mem_slot_free(p->g, s);
	}
	mem_inbox_clear(r);
	for (uint32_t i = 0; i < q->n_want; i++)
		mem_entry_put(p->g, r, &q->want[i], q->limit, p->grace, q->seq);
	TABLE_FOREACH (e, next_entry, &r->entries)
		if (e->synced != q->seq)
			mem_entry_free(p->g, e);
}

static void
delta_release(struct pass *p, const struct xch_slot *release)
{
	struct mem_slot *s = mem_slot_find(p->g, release->slot);
	struct mem_notice *x, *next;

	if (s == NULL || s->rec != p->rec || (RULE(RELEASE_NUMBER) && s->number != release->number))
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
	struct mem_entry *e = table_find(&p->rec->entries, id);
	struct mem_notice *x, *next;

	if (e != NULL)
		mem_entry_free(p->g, e);
	for (x = TAILQ_FIRST(&p->rec->inbox); x != NULL; x = next) {
		next = TAILQ_NEXT(x, link);
		if (x->type != XCH_GRANT || x->id != id)
			continue;
		for (uint32_t i = 0; i < x->grant.n; i++) {
			struct mem_slot *s = mem_slot_find(p->g, x->grant.slots[i]);

			if (s != NULL && s->rec == p->rec && s->number == x->grant.number &&
			    RULE(CANCEL_FREES))
				mem_slot_free(p->g, s);
		}
		mem_notice_free(p->rec, x);
	}
}

/* Step 7. */
void
pass_deltas(struct pass *p)
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
void
pass_adopt(struct pass *p)
{
	for (uint32_t i = 0; i < p->q->n_adopt; i++) {
		const struct xch_adopt *a = &p->q->adopt[i];
		bool ok = true;

		for (uint32_t k = 0; k < a->n && ok; k++)
			ok = adopt_slot_ok(p, mem_slot_find(p->g, a->slots[k]), a->number);
		if (!ok) {
			pass_reply_refused(p->mem, a->id);
			continue;
		}
		for (uint32_t k = 0; k < a->n; k++) {
			struct mem_slot *s = mem_slot_find(p->g, a->slots[k]);

			if (s != NULL && s->number != a->number)
				pass_notify_lost(p, s);
			mem_slot_take(p->g, a->slots[k], p->rec, a->number);
		}
		if (a->number > p->g->last)
			p->g->last = a->number;
		pass_reply_granted(p->mem, a->id, a->n, a->slots, a->number,
		    a->limit > 0 ? (uint32_t)a->limit : 0);
	}
}
