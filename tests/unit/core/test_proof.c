/* Strict clients: what stands in the cells of their holds, and what they are told when it ends. */
#include "tests/unit/core/suites.h"

#include <stdlib.h>

#include "tests/unit/core/rig.h"

#define LEASE (10000 * MS)
#define MARGIN (500 * MS)
#define TIMEOUT (2000 * MS)

static struct rig *r;

static void
make(bool sole, uint32_t max_cells)
{
	struct arb_conf conf = rig_conf();

	conf.sole = sole;
	conf.max_cells = max_cells;
	r = rig_new(sole ? 1 : 2, &conf);
	for (uint64_t c = 1; c <= 9; c++) {
		rig_open(r, 0, c);
		rig_strict(r, 0, c, true);
		if (!sole)
			rig_open(r, 1, c);
	}
}

static void
setup(void)
{
	make(false, RIG_CELLS);
}

static void
teardown(void)
{
	rig_free(r);
}

static uint64_t
ask(uint64_t client, uint32_t n)
{
	return rig_acquire(r, 0, client, "g", 5, n, NSEC_NEVER);
}

static const struct rig_cell *
cell_of(uint64_t request)
{
	const struct rig_answer *a = rig_answer(r, request);

	ck_assert_uint_ne(a->cell, ARB_NO_CELL);
	ck_assert_uint_eq(r->cells[0][a->cell].slot, a->slots[0]);
	return &r->cells[0][a->cell];
}

static uint64_t
resume(uint64_t client, uint32_t n, const uint32_t *slots, uint64_t token)
{
	uint64_t request = ++r->next_request;

	rig_step(r, 0, &(struct arb_event){.type = ARB_RESUME, .client = client,
	    .request = request, .resume = {.group = "g", .n_slots = n, .slots = slots,
	    .token = token, .limit = 5, .hold = NSEC_NEVER}});
	return request;
}

/* ------------------------------------------------------------------ cells */

START_TEST(one_for_each_slot)
{
	uint64_t a = ask(1, 3), token = rig_answer(r, a)->token;
	const struct rig_cell *cell = cell_of(a);

	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(cell[i].token, token);
		ck_assert_uint_eq(cell[i].slot, i + 1);
		ck_assert_uint_eq(cell[i].uid, 1000);
		ck_assert_int_eq(cell[i].deadline, r->now + LEASE - MARGIN);
	}
	rig_release(r, 0, 1, "g", 1, token);
	ck_assert(cell[0].token == 0 && cell[1].token == token && cell[2].token == token);
	rig_gone(r, 0, 1);
	ck_assert(cell[1].token == 0 && cell[2].token == 0);
}
END_TEST

static uint32_t n_proven, n_raw;

static void
note_holder(void *arg, const struct arb_holder *holder)
{
	(void)arg;
	n_proven += holder->proven;
	n_raw += holder->cell == ARB_NO_CELL;
}

/* A hold that got no cell ends with the lease, as that of a client which reads none. */
START_TEST(none_left)
{
	struct arb_group_status st;
	struct arb_stats stats;
	uint64_t a, b;

	rig_free(r);
	make(false, 2);
	a = ask(1, 2);
	b = ask(2, 1);
	ck_assert(cell_of(a)->token != 0);
	ck_assert_uint_eq(rig_answer(r, b)->cell, ARB_NO_CELL);
	arb_holders(r->arb[0], "g", note_holder, NULL);
	ck_assert(n_proven == 3 && n_raw == 1);
	rig_link(r, 0, false);
	rig_advance(r, LEASE);
	ck_assert_uint_eq(r->n_losts, 1);
	ck_assert_uint_eq(r->losts[0].client, 2);
	ck_assert_uint_eq(r->unproven, 1);
	arb_status(r->arb[0], "g", &st);
	ck_assert(st.held == 2 && st.unproven == 2);
	arb_stats(r->arb[0], &stats);
	ck_assert(stats.cells == 2 && stats.no_cells == 1 && stats.unproven == 1 && stats.lapses == 1);
	arb_holders(r->arb[0], "g", note_holder, NULL);
	ck_assert(n_proven == 3 && n_raw == 1);
}
END_TEST

START_TEST(while_it_reads_them)
{
	uint64_t a, b;

	rig_strict(r, 0, 1, false);
	a = ask(1, 1);
	ck_assert_uint_eq(rig_answer(r, a)->cell, ARB_NO_CELL);
	rig_strict(r, 0, 1, true);
	b = ask(1, 1);
	ck_assert(cell_of(b)->token != 0);
	rig_strict(r, 0, 1, false);
	ck_assert(cell_of(b)->token != 0);
	ck_assert_uint_eq(r->cells_set, 1);
}
END_TEST

/* What is resumed is named by its first cell, so that the others must stand behind it. */
START_TEST(moved)
{
	uint64_t a = ask(1, 3), token = rig_answer(r, a)->token, b;
	const struct rig_cell *cell = cell_of(a);

	b = resume(2, 3, (const uint32_t[]){3, 1, 2}, token);
	ck_assert_ptr_eq(cell_of(b), cell);
	ck_assert_uint_eq(r->cells_ended, 0);
	rig_release(r, 0, 2, "g", 2, token);
	b = resume(1, 2, (const uint32_t[]){1, 3}, token);
	ck_assert(cell[0].token == 0 && cell[2].token == 0);
	cell = cell_of(b);
	ck_assert(cell[0].slot == 1 && cell[0].token == token);
	ck_assert(cell[1].slot == 3 && cell[1].token == token);
	rig_gone(r, 0, 1);
	ck_assert(cell[0].token == 0 && cell[1].token == 0);
}
END_TEST

/* A hold of which a slot was given back needs a new run of cells, and there is none. */
static uint64_t
scatter(void)
{
	uint64_t a, others[8];

	rig_free(r);
	make(false, 8);
	a = ask(1, 3);
	for (unsigned i = 3; i < 8; i++)
		others[i] = rig_acquire(r, 0, 2, "h", 9, 1, 0);
	rig_release(r, 0, 1, "g", 2, 0);
	ck_assert_uint_eq(rig_answer(r, rig_acquire(r, 0, 2, "h", 9, 1, 0))->cell, 1);
	for (unsigned i = 4; i < 8; i += 2)
		rig_release(r, 0, 2, "h", rig_answer(r, others[i])->slots[0], 0);
	return rig_answer(r, a)->token;
}

START_TEST(nowhere_to_move)
{
	uint64_t token = scatter(), b;

	b = resume(3, 2, (const uint32_t[]){1, 3}, token);
	rig_expect_slot(r, b, 1);
	ck_assert_uint_eq(rig_answer(r, b)->cell, ARB_NO_CELL);
	ck_assert(r->cells[0][0].token == 0 && r->cells[0][2].token == 0);
}
END_TEST

/* Likewise where the page is full: the cell behind its first one is another's. */
START_TEST(no_room_to_move)
{
	uint64_t token, b;

	rig_free(r);
	make(false, 3);
	token = rig_answer(r, ask(1, 3))->token;
	rig_release(r, 0, 1, "g", 2, 0);
	ck_assert_uint_eq(rig_answer(r, rig_acquire(r, 0, 2, "h", 9, 1, 0))->cell, 1);
	b = resume(3, 2, (const uint32_t[]){1, 3}, token);
	rig_expect_slot(r, b, 1);
	ck_assert_uint_eq(rig_answer(r, b)->cell, ARB_NO_CELL);
	ck_assert(r->cells[0][0].token == 0 && r->cells[0][2].token == 0);
}
END_TEST

/* ------------------------------------------------------------------ deadlines */

/* Whatever else is said of the group, and however long the backend takes, as long as it answers in
 * time: exchanges do not move the deadline of a hold forward and then leave it without a renewal. */
START_TEST(a_healthy_hold_has_time_left)
{
	nsec asked = 0, delay = 0, least = LEASE;
	uint64_t other = 0;
	const struct rig_cell *cell = cell_of(ask(1, 1));

	srand((unsigned)_i);
	r->hold_exchanges = true;
	for (int step = 0; step < 3000; step++) {
		rig_advance(r, 50 * MS);
		if (r->held[0] == NULL) {
			asked = 0;
		} else if (asked == 0) {
			asked = r->now;
			delay = (nsec)(rand() % 3 == 0 ? rand() % 1900 : rand() % 100) * MS;
		} else if (r->now - asked >= delay) {
			rig_exchange(r, 0);
			asked = 0;
		}
		if (other == 0 && rand() % (1 + _i * 10) == 0) {
			other = ask(2, 2);      /* never idle: each is an exchange or two */
		} else if (other != 0 && !rig_waits(r, other)) {
			rig_release(r, 0, 2, "g", rig_answer(r, other)->slots[0], 0);
			rig_release(r, 0, 2, "g", rig_answer(r, other)->slots[1], 0);
			other = 0;
		}
		if (cell->deadline - r->now < least)
			least = cell->deadline - r->now;
		ck_assert_uint_eq(r->hang_ups, 0);
	}
	ck_assert_int_ge(least, LEASE * 3 / 4 - MARGIN - TIMEOUT);
	ck_assert_int_lt(least, LEASE * 3 / 4 - MARGIN);
}
END_TEST

/* A busy group does not write each cell with each grant. */
START_TEST(written_now_and_then)
{
	unsigned before;

	for (uint64_t c = 1; c <= 4; c++)
		ask(c, 1);
	before = r->cells_set;
	for (int i = 0; i < 1000; i++) {
		uint64_t a = ask(5, 1);

		rig_release(r, 0, 5, "g", rig_answer(r, a)->slots[0], 0);
		rig_advance(r, 10 * MS);
	}
	ck_assert_uint_le(r->cells_set - before, 1000 + 4 * 8);
	ck_assert_uint_ge(r->cells_set - before, 1000 + 4 * 4);
}
END_TEST

/* Where we are alone cells end as well, since we may die; but nobody need be asked, and what we were
 * too late to write is still ours. */
START_TEST(alone)
{
	const struct rig_cell *cell;
	unsigned exchanges;
	uint64_t a, b;

	rig_free(r);
	make(true, RIG_CELLS);
	rig_strict(r, 0, 2, false);
	b = ask(2, 1);
	rig_advance(r, 100000 * MS);
	a = ask(1, 1);
	cell = cell_of(a);
	exchanges = r->exchanges;
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_ge(cell->deadline - r->now, LEASE * 3 / 4 - MARGIN);
		ck_assert_int_le(cell->deadline - r->now, LEASE - MARGIN);
		rig_advance(r, 77 * MS);
	}
	ck_assert_uint_le(r->cells_set, 1 + 77000 / 2500 + 1);
	ck_assert_uint_eq(r->exchanges, exchanges);

	r->now += 3 * LEASE;                    /* we were stopped */
	rig_step(r, 0, &(struct arb_event){.type = ARB_TICK});
	ck_assert(r->unproven == 1 && r->kept == 1 && r->n_losts == 0);
	ck_assert_int_eq(cell->deadline - r->now, LEASE - MARGIN);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 2, 0), WIRE_OK);
	rig_expect_error(r, rig_release(r, 0, 2, "g", rig_answer(r, b)->slots[0], 0), WIRE_OK);
	rig_advance(r, 3000 * MS);
	ck_assert(arb_deadline(r->arb[0]) > r->now + LEASE / 2); /* nothing more to write */
}
END_TEST

/* ------------------------------------------------------------------ the end of a lease */

START_TEST(unproven_then_kept)
{
	const struct rig_cell *cell = cell_of(ask(1, 1));
	nsec deadline;

	rig_link(r, 0, false);
	rig_advance(r, LEASE);
	deadline = cell->deadline;
	ck_assert(r->unproven == 1 && r->kept == 0 && cell->token != 0 && deadline < r->now);
	rig_link(r, 0, true);
	ck_assert(r->unproven == 1 && r->kept == 1 && r->n_losts == 0);
	ck_assert_int_eq(cell->deadline, r->now + LEASE - MARGIN);
}
END_TEST

/* In a grace others may claim what they held: it is kept as soon as that is over. */
START_TEST(kept_when_the_grace_is_over)
{
	struct arb_conf conf = rig_conf();
	nsec since;

	rig_free(r);
	conf.grace = LEASE;
	r = rig_new(1, &conf);
	rig_open(r, 0, 1);
	rig_strict(r, 0, 1, true);
	ask(1, 1);
	rig_advance(r, LEASE + 100 * MS);       /* that of the first use */
	rig_link(r, 0, false);
	rig_advance(r, 2 * LEASE);
	ck_assert_uint_eq(r->unproven, 1);
	mem_set_identity(r->mem, 2);            /* another process, with the data */
	rig_link(r, 0, true);
	since = r->now;
	while (r->kept == 0 && r->now < since + 2 * LEASE)
		rig_advance(r, 10 * MS);
	ck_assert_int_ge(r->now - since, LEASE);
	ck_assert_int_le(r->now - since, LEASE + 100 * MS);
	ck_assert_uint_eq(r->n_losts, 0);
}
END_TEST

START_TEST(unproven_then_lost)
{
	const struct rig_cell *cell = cell_of(ask(1, 1));
	uint64_t other;

	rig_link(r, 0, false);
	rig_advance(r, 2 * LEASE);
	other = rig_acquire(r, 1, 1, "g", 1, 1, NSEC_NEVER);
	rig_advance(r, LEASE);
	rig_expect_slot(r, other, 1);
	rig_link(r, 0, true);
	ck_assert(r->unproven == 1 && r->kept == 0 && r->n_losts == 1);
	ck_assert(r->losts[0].reason == ARB_LOST_TAKEN && cell->token == 0);
}
END_TEST

/* Who resumes what is unproven is told that it is. */
START_TEST(resumed_while_unproven)
{
	uint64_t a = ask(1, 1), token = rig_answer(r, a)->token;

	rig_link(r, 0, false);
	rig_advance(r, LEASE);
	rig_expect_slot(r, resume(2, 1, (const uint32_t[]){1}, token), 1);
	ck_assert_uint_eq(r->unproven, 2);
	rig_link(r, 0, true);
	ck_assert_uint_eq(r->kept, 1);
}
END_TEST

/* A client that cannot see that its hold is unproven must not have it. */
START_TEST(unproven_and_nowhere_to_move)
{
	uint64_t token = scatter(), b;

	rig_link(r, 0, false);
	rig_advance(r, LEASE);
	b = resume(3, 2, (const uint32_t[]){1, 3}, token);
	rig_expect_error(r, b, WIRE_ERR_NOMEM);
	ck_assert(r->cells[0][0].token == token && r->cells[0][2].token == token);
	rig_link(r, 0, true);
	rig_expect_slot(r, resume(3, 2, (const uint32_t[]){1, 3}, token), 1);
}
END_TEST

START_TEST(dropped_with_the_lease)
{
	uint64_t a = rig_acquire_as(r, 0, 1, (struct arb_acquire){.group = "g", .n = 1, .limit = 5,
	    .configured = XCH_NO_LIMIT, .wait = 0, .hold = NSEC_NEVER, .drop_on_lapse = true});
	const struct rig_cell *cell = cell_of(a);

	rig_link(r, 0, false);
	rig_advance(r, LEASE - MARGIN - 1);
	ck_assert(r->n_losts == 0 && cell->token != 0);
	rig_advance(r, 1);
	ck_assert(r->n_losts == 1 && cell->token == 0 && r->unproven == 0);
	ck_assert(r->losts[0].reason == ARB_LOST_LEASE);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 1, 0), WIRE_ERR_LOST);
}
END_TEST

Suite *
proof_suite(void)
{
	Suite *s = suite_create("proof");
	TCase *tc = tcase_create("proof");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_for_each_slot);
	tcase_add_test(tc, none_left);
	tcase_add_test(tc, while_it_reads_them);
	tcase_add_test(tc, moved);
	tcase_add_test(tc, nowhere_to_move);
	tcase_add_test(tc, no_room_to_move);
	tcase_add_loop_test(tc, a_healthy_hold_has_time_left, 0, 8);
	tcase_add_test(tc, written_now_and_then);
	tcase_add_test(tc, alone);
	tcase_add_test(tc, unproven_then_kept);
	tcase_add_test(tc, kept_when_the_grace_is_over);
	tcase_add_test(tc, unproven_then_lost);
	tcase_add_test(tc, resumed_while_unproven);
	tcase_add_test(tc, unproven_and_nowhere_to_move);
	tcase_add_test(tc, dropped_with_the_lease);
	suite_add_tcase(s, tc);
	return s;
}
