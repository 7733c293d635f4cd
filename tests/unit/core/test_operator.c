/* What operators ask of an arbiter: to end a hold, and to have the dead forgotten. */
#include "tests/unit/core/suites.h"

#include "tests/unit/core/rig.h"

static struct rig *r;

static void
setup(void)
{
	struct arb_conf conf = rig_conf();

	r = rig_new(3, &conf);
	for (unsigned d = 0; d < 3; d++)
		for (uint64_t c = 1; c <= 10; c++)
			rig_open(r, d, c);
}

static void
teardown(void)
{
	rig_free(r);
}

static uint64_t
ask(unsigned d, uint64_t client, int64_t limit, uint32_t n)
{
	return rig_acquire(r, d, client, "g", limit, n, NSEC_NEVER);
}

static void
evict(unsigned d, const char *group, uint32_t slot, uint64_t token)
{
	rig_step(r, d, &(struct arb_event){.type = ARB_EVICT,
	    .evict = {.group = group, .slot = slot, .token = token}});
}

static uint64_t
evictions(unsigned d)
{
	struct arb_stats st;

	arb_stats(r->arb[d], &st);
	return st.evictions;
}

/* Its client is told at once, the next one has the slot when that can have heard. */
START_TEST(evicted)
{
	uint64_t a = ask(0, 1, 1, 1), b = ask(1, 1, 1, 1);
	uint64_t token = rig_answer(r, a)->token;

	ck_assert_uint_eq(arb_token(r->arb[0], "g", 1), token);
	evict(0, "g", 1, token);
	ck_assert_uint_eq(r->n_losts, 1);
	ck_assert(r->losts[0].client == 1 && r->losts[0].slot == 1 && r->losts[0].token == token &&
	    r->losts[0].reason == ARB_LOST_EVICT);
	ck_assert_uint_eq(evictions(0), 1);
	ck_assert_uint_eq(arb_token(r->arb[0], "g", 1), 0);
	evict(0, "g", 1, token);                /* once is enough */
	ck_assert_uint_eq(evictions(0), 1);
	rig_advance(r, rig_conf().margin - 1 * MS);
	ck_assert(rig_waits(r, b));
	rig_advance(r, 2 * MS);
	rig_expect_slot(r, b, 1);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 1, token), WIRE_ERR_LOST);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 1, token), WIRE_ERR_NOTHOLD);
}
END_TEST

/* A strict client reads it before it is told anything. */
START_TEST(evicted_by_the_page)
{
	uint64_t a;

	rig_strict(r, 0, 1, true);
	a = ask(0, 1, 1, 1);
	ck_assert_uint_eq(r->cells[0][rig_answer(r, a)->cell].token, rig_answer(r, a)->token);
	evict(0, "g", 1, rig_answer(r, a)->token);
	ck_assert_uint_eq(r->cells[0][rig_answer(r, a)->cell].token, 0);
	ck_assert_uint_eq(r->cells_ended, 1);
}
END_TEST

START_TEST(evicted_as_a_whole)
{
	uint64_t a = ask(0, 1, 5, 3), b = ask(0, 2, 5, 1);

	rig_expect_slot(r, b, 4);
	evict(0, "g", 2, rig_answer(r, a)->token);
	ck_assert_uint_eq(evictions(0), 3);
	rig_advance(r, rig_conf().margin);
	rig_expect_slot(r, ask(1, 1, 4, 3), 1);
	ck_assert_uint_eq(arb_token(r->arb[0], "g", 4), rig_answer(r, b)->token);
}
END_TEST

/* Nobody but the one that is meant. */
START_TEST(not_evicted)
{
	uint64_t a = ask(0, 1, 2, 1), b = ask(1, 1, 2, 1);

	evict(0, "g", 1, rig_answer(r, a)->token + 1);
	evict(0, "g", 2, rig_answer(r, a)->token);
	evict(0, "g", 2, rig_answer(r, b)->token);
	evict(0, "g", 3, 5);
	evict(0, "unknown", 1, 5);
	ck_assert_uint_eq(r->n_losts, 0);
	rig_release(r, 0, 1, "g", 1, 0);
	evict(0, "g", 1, rig_answer(r, a)->token);      /* it is idle */
	ck_assert_uint_eq(evictions(0) + r->n_losts, 0);
	ck_assert_uint_eq(arb_token(r->arb[0], "unknown", 1), 0);
}
END_TEST

static uint32_t
in_use(unsigned d)
{
	struct arb_group_status st;

	arb_status(r->arb[d], "g", &st);
	return st.in_use;
}

/* The clock of a group whose one daemon is dead stands still: who is asked to reap moves it on. */
START_TEST(reaped)
{
	const nsec lease = rig_conf().lease;

	ask(0, 1, 2, 2);
	rig_link(r, 0, false);
	rig_advance(r, 10 * lease);
	rig_step(r, 1, &(struct arb_event){.type = ARB_REAP, .reap.group = "g"});
	ck_assert_uint_eq(in_use(1), 2);        /* as far as anybody can tell, it has just begun */
	rig_advance(r, lease / 2);
	ck_assert_uint_eq(in_use(1), 2);
	rig_advance(r, lease / 2 + lease / 4);
	ck_assert_uint_eq(in_use(1), 0);
}
END_TEST

/* It ends by itself, and leaves nothing behind. */
START_TEST(reaping_ends)
{
	const nsec lease = rig_conf().lease;
	struct arb_group_status st;
	unsigned exchanges;

	rig_step(r, 1, &(struct arb_event){.type = ARB_REAP, .reap.group = "g"});
	rig_advance(r, 3 * lease);
	exchanges = r->exchanges;
	rig_advance(r, 10 * lease);
	ck_assert_uint_eq(r->exchanges, exchanges);
	ck_assert(!arb_status(r->arb[1], "g", &st));
}
END_TEST

START_TEST(reaping_without_a_link)
{
	const nsec lease = rig_conf().lease;

	ask(0, 1, 1, 1);
	rig_link(r, 0, false);
	rig_link(r, 1, false);
	rig_step(r, 1, &(struct arb_event){.type = ARB_REAP, .reap.group = "g"});
	rig_advance(r, lease / 2);
	rig_link(r, 1, true);
	rig_advance(r, lease + lease / 2);
	ck_assert_uint_eq(in_use(1), 0);
}
END_TEST

Suite *
operator_suite(void)
{
	Suite *s = suite_create("operator");
	TCase *tc = tcase_create("operator");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, evicted);
	tcase_add_test(tc, evicted_by_the_page);
	tcase_add_test(tc, evicted_as_a_whole);
	tcase_add_test(tc, not_evicted);
	tcase_add_test(tc, reaped);
	tcase_add_test(tc, reaping_ends);
	tcase_add_test(tc, reaping_without_a_link);
	suite_add_tcase(s, tc);
	return s;
}
