/* A rig for arbiters under test. */
#include "tests/unit/core/rig.h"

#include <stdlib.h>
#include <string.h>

struct arb_conf
rig_conf(void)
{
	return (struct arb_conf){.host = "host", .lease = 10000 * MS, .margin = 500 * MS,
	    .idle = 1000 * MS, .recall = 250 * MS, .command_timeout = 2000 * MS, .n_links = 1, .max_cells = RIG_CELLS};
}

struct rig *
rig_new(unsigned daemons, const struct arb_conf *conf)
{
	struct rig *r = calloc(1, sizeof *r);

	r->now = 1000 * MS;
	r->mem = mem_new();
	mem_set_identity(r->mem, 1);
	for (unsigned d = 0; d < daemons; d++) {
		struct arb_conf c = *conf;

		c.self = (struct xch_daemon){.install = d + 1, .generation = 1, .nonce = 7};
		r->arb[d] = arb_new(&c);
		rig_link(r, d, true);
		rig_step(r, d, &(struct arb_event){.type = ARB_SUB_UP});
	}
	return r;
}

void
rig_free(struct rig *r)
{
	for (unsigned d = 0; d < RIG_DAEMONS; d++)
		arb_free(r->arb[d]);
	mem_free(r->mem);
	free(r);
}

static void
note_answer(struct rig *r, const struct arb_action *act)
{
	struct rig_answer *a = &r->answers[act->request];

	ck_assert(act->request < RIG_REQUESTS);
	ck_assert_msg(!a->is_there, "request %u is answered twice", (unsigned)act->request);
	*a = (struct rig_answer){.is_there = true, .code = act->code, .n_slots = act->n_slots,
	    .token = act->token, .limit = act->limit, .n = act->n, .m = act->m,
	    .cell = act->cell, .why = act->why,
	    .waited = act->waited, .at = r->now};
	if (act->n_slots > 0)
		memcpy(a->slots, act->slots, act->n_slots * sizeof *a->slots);
}

static void
note_lost(struct rig *r, const struct arb_action *act)
{
	ck_assert_uint_lt(r->n_losts, RIG_LOSTS);
	r->losts[r->n_losts].client = act->client;
	r->losts[r->n_losts].token = act->token;
	r->losts[r->n_losts].slot = act->slots[0];
	r->losts[r->n_losts].reason = act->reason;
	r->losts[r->n_losts++].at = r->now;
}

/* What is written must be where it was, or where nothing is. */
static void
note_cells(struct rig *r, unsigned d, const struct arb_action *act)
{
	bool ends = act->type == ARB_CELL_END;

	ck_assert_uint_le(act->cell + act->n_slots, RIG_CELLS);
	for (uint32_t i = 0; i < act->n_slots; i++) {
		struct rig_cell *cell = &r->cells[d][act->cell + i];

		ck_assert((!ends && cell->token == 0) ||
		    (cell->token == act->token && cell->slot == act->slots[i]));
		*cell = (struct rig_cell){ends ? 0 : act->token, act->deadline, act->slots[i],
		    act->uid};
	}
	r->cells_set += !ends;
	r->cells_ended += ends;
}

void
rig_step(struct rig *r, unsigned d, struct arb_event *e)
{
	const struct xch_request *todo[16];
	unsigned n_todo = 0;
	struct arb_action act;

	arb_step(r->arb[d], r->now, e);
	while (arb_next_action(r->arb[d], &act)) {
		if (act.type == ARB_ANSWER)
			note_answer(r, &act);
		else if (act.type == ARB_TELL_LOST)
			note_lost(r, &act);
		else if (act.type == ARB_HANG_UP)
			r->hang_ups++;
		else if (act.type == ARB_CELL_SET || act.type == ARB_CELL_END)
			note_cells(r, d, &act);
		else if (act.type == ARB_TELL_UNPROVEN)
			r->unproven++;
		else if (act.type == ARB_TELL_KEPT)
			r->kept++;
		else if (act.type == ARB_DIFFERS)
			r->differs++;
		else if (act.type == ARB_EXCHANGE) {
			ck_assert_uint_lt(n_todo, 16);
			todo[n_todo++] = act.xch;
		}
	}
	arb_check(r->arb[d]);
	for (unsigned i = 0; i < n_todo; i++) {
		r->held[d] = todo[i];
		if (!r->hold_exchanges)
			rig_exchange(r, d);
	}
}

/* Pushes arrive before the reply, as they may. */
void
rig_exchange(struct rig *r, unsigned d)
{
	const struct xch_request *q = r->held[d];
	const struct xch_reply *reply;
	const struct xch_push *pushes;
	struct xch_push copies[64];
	uint32_t slots[64][XCH_N_MAX], n;
	struct xch_reply copy;
	struct xch_grant granted[64];
	uint32_t granted_slots[64][XCH_N_MAX];
	struct xch_slot lost[64];
	uint64_t full[64];
	struct xch_peer peers[XCH_PEERS_MAX];

	ck_assert_ptr_nonnull(q);
	r->held[d] = NULL;
	r->exchanges++;
	reply = mem_exchange(r->mem, 1700000000000000 + r->now / 1000, q, &pushes, &n);

	/* both live until the next exchange only, and what follows may start one */
	copy = *reply;
	ck_assert(copy.n_granted <= 64 && copy.n_lost <= 64 && copy.n_full <= 64 && n <= 64);
	for (uint32_t i = 0; i < copy.n_granted; i++) {
		granted[i] = reply->granted[i];
		granted[i].slots = memcpy(granted_slots[i], reply->granted[i].slots,
		    granted[i].n * sizeof **granted_slots);
	}
	if (copy.n_lost > 0)
		memcpy(lost, reply->lost, copy.n_lost * sizeof *lost);
	if (copy.n_full > 0)
		memcpy(full, reply->full, copy.n_full * sizeof *full);
	if (copy.n_peers > 0)
		memcpy(peers, reply->peers, copy.n_peers * sizeof *peers);
	copy.granted = granted;
	copy.lost = lost;
	copy.full = full;
	copy.peers = peers;
	for (uint32_t i = 0; i < n; i++) {
		copies[i] = pushes[i];
		if (pushes[i].type == XCH_GRANT)
			copies[i].grant.slots = memcpy(slots[i], pushes[i].grant.slots,
			    pushes[i].grant.n * sizeof **slots);
	}
	for (uint32_t i = 0; i < n; i++) {
		r->recalls += copies[i].type == XCH_RECALL;
		if (!r->lose_pushes)
			rig_step(r, (unsigned)copies[i].to.install - 1,
			    &(struct arb_event){.type = ARB_PUSH, .push = &copies[i]});
	}
	rig_step(r, d, &(struct arb_event){.type = ARB_REPLY,
	    .reply = {.group = q->group, .reply = &copy}});
}

void
rig_advance(struct rig *r, nsec by)
{
	nsec until = r->now + by;

	for (;;) {
		nsec next = until;

		for (unsigned d = 0; d < RIG_DAEMONS; d++)
			if (r->arb[d] != NULL && arb_deadline(r->arb[d]) < next)
				next = arb_deadline(r->arb[d]);
		if (next > r->now)
			r->now = next;
		for (unsigned d = 0; d < RIG_DAEMONS; d++)
			if (r->arb[d] != NULL)
				rig_step(r, d, &(struct arb_event){.type = ARB_TICK});
		if (next == until)
			return;
	}
}

void
rig_open(struct rig *r, unsigned d, uint64_t client)
{
	rig_step(r, d, &(struct arb_event){.type = ARB_CLIENT_OPEN, .client = client,
	    .open = {.pid = (int64_t)client, .uid = 1000}});
}

void
rig_strict(struct rig *r, unsigned d, uint64_t client, bool strict)
{
	rig_step(r, d, &(struct arb_event){.type = ARB_CLIENT_STRICT, .client = client,
	    .strict = strict});
}

void
rig_gone(struct rig *r, unsigned d, uint64_t client)
{
	rig_step(r, d, &(struct arb_event){.type = ARB_CLIENT_GONE, .client = client});
}

uint64_t
rig_acquire_as(struct rig *r, unsigned d, uint64_t client, struct arb_acquire a)
{
	uint64_t request = ++r->next_request;

	rig_step(r, d, &(struct arb_event){.type = ARB_ACQUIRE, .client = client,
	    .request = request, .acquire = a});
	return request;
}

uint64_t
rig_acquire(struct rig *r, unsigned d, uint64_t client, const char *group, int64_t limit,
    uint32_t n, nsec wait)
{
	return rig_acquire_as(r, d, client, (struct arb_acquire){.group = group, .n = n,
	    .limit = limit, .configured = XCH_NO_LIMIT, .wait = wait, .hold = NSEC_NEVER});
}

uint64_t
rig_release(struct rig *r, unsigned d, uint64_t client, const char *group, uint32_t slot,
    uint64_t token)
{
	uint64_t request = ++r->next_request;

	rig_step(r, d, &(struct arb_event){.type = ARB_RELEASE, .client = client,
	    .request = request, .release = {.group = group, .n_slots = 1, .slots = &slot,
	    .token = token}});
	return request;
}

void
rig_link(struct rig *r, unsigned d, bool up)
{
	if (!up)
		r->held[d] = NULL;
	rig_step(r, d, &(struct arb_event){.type = up ? ARB_LINK_UP : ARB_LINK_DOWN});
}

const struct rig_answer *
rig_answer(struct rig *r, uint64_t request)
{
	ck_assert_msg(r->answers[request].is_there, "request %u is not answered", (unsigned)request);
	return &r->answers[request];
}

bool
rig_waits(struct rig *r, uint64_t request)
{
	return !r->answers[request].is_there;
}
