/* RESUME at the daemon that granted the hold: what moves, for whom, and what does not. */
#include "tests/unit/core/suites.h"

#include "tests/unit/core/rig.h"

static struct rig *r;

static void
setup(void)
{
	struct arb_conf conf = rig_conf();

	conf.sole = true;
	r = rig_new(1, &conf);
	for (uint64_t c = 1; c <= 3; c++)
		rig_open(r, 0, c);
}

static void
teardown(void)
{
	rig_free(r);
}

static uint64_t
ask(uint64_t client, uint32_t n)
{
	return rig_acquire_as(r, 0, client, (struct arb_acquire){.group = "g", .label = "first",
	    .n = n, .limit = 5, .configured = XCH_NO_LIMIT, .wait = NSEC_NEVER,
	    .hold = 5000 * MS});
}

/* With limit 7, which may count only where the hold's own is not known. */
static uint64_t
resume_as(uint64_t client, uint32_t n, const uint32_t *slots, uint64_t token, const char *label)
{
	uint64_t req = ++r->next_request;

	rig_step(r, 0, &(struct arb_event){.type = ARB_RESUME, .client = client, .request = req,
	    .resume = {.group = "g", .label = label, .n_slots = n, .slots = slots, .token = token,
	    .limit = 7, .hold = 20000 * MS}});
	return req;
}

static uint64_t
resume(uint64_t client, uint64_t token)
{
	return resume_as(client, 1, (const uint32_t[]){1}, token, NULL);
}

static void
note_holder(void *arg, const struct arb_holder *holder)
{
	*(struct arb_holder *)arg = *holder;
}

/* That of the highest slot. */
static struct arb_holder
holder(void)
{
	struct arb_holder found = {0};

	arb_holders(r->arb[0], "g", note_holder, &found);
	return found;
}

START_TEST(moves)
{
	uint64_t token = rig_answer(r, ask(1, 1))->token, moved = resume(2, token), again;

	rig_expect_slot(r, moved, 1);
	ck_assert_uint_eq(rig_answer(r, moved)->token, token);
	ck_assert_uint_eq(rig_answer(r, moved)->limit, 5);
	ck_assert_uint_eq(holder().client, 2);
	ck_assert_str_eq(holder().label, "first");
	rig_expect_error(r, rig_release(r, 0, 1, "g", 1, 0), WIRE_ERR_NOTHOLD);
	rig_gone(r, 0, 1);
	ck_assert_uint_eq(holder().client, 2);
	again = resume_as(2, 1, (const uint32_t[]){1}, token, "second");
	rig_expect_slot(r, again, 1);
	ck_assert_str_eq(holder().label, "second");
	rig_expect_error(r, rig_release(r, 0, 2, "g", 1, token), WIRE_OK);
}
END_TEST

/* The forced end is that of the ACQUIRE, and it is the new connection that hears of it. */
START_TEST(keeps_its_end)
{
	uint64_t token = rig_answer(r, ask(1, 1))->token;

	rig_advance(r, 3000 * MS);
	rig_expect_slot(r, resume(2, token), 1);
	rig_advance(r, 1999 * MS);
	ck_assert_uint_eq(r->n_losts, 0);
	rig_advance(r, 1 * MS);
	ck_assert_uint_eq(r->n_losts, 1);
	ck_assert_uint_eq(r->losts[0].client, 2);
	rig_expect_error(r, resume(3, token), WIRE_ERR_LOST);
}
END_TEST

START_TEST(moves_whole_or_not)
{
	static const uint32_t some[] = {1, 2}, all[] = {3, 1, 2}, more[] = {1, 2, 3, 4}, rest[] = {3, 1};
	uint64_t token = rig_answer(r, ask(1, 3))->token;

	rig_expect_slot(r, ask(3, 1), 4);
	rig_expect_error(r, resume_as(2, 2, some, token, NULL), WIRE_ERR_LOST);
	rig_expect_error(r, resume_as(2, 4, more, token, NULL), WIRE_ERR_LOST);
	rig_expect_error(r, resume_as(2, 3, all, token + 1, NULL), WIRE_ERR_LOST);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 2, token), WIRE_OK);
	rig_expect_error(r, resume_as(2, 3, all, token, NULL), WIRE_ERR_LOST);
	rig_expect_slot(r, resume_as(2, 2, rest, token, NULL), 1);
	rig_gone(r, 0, 1);
	rig_expect_error(r, rig_release(r, 0, 2, "g", 3, token), WIRE_OK);
	rig_expect_error(r, rig_release(r, 0, 2, "g", 1, token), WIRE_OK);
}
END_TEST

/* HOLDERS shows every token to everybody. */
START_TEST(for_the_same_user_only)
{
	uint64_t token = rig_answer(r, ask(1, 1))->token;

	rig_step(r, 0, &(struct arb_event){.type = ARB_CLIENT_OPEN, .client = 4,
	    .open = {.pid = 4, .uid = 1001}});
	rig_expect_error(r, resume(4, token), WIRE_ERR_LOST);
	ck_assert_uint_eq(holder().client, 1);
	rig_gone(r, 0, 1);                      /* the slot is idle now */
	rig_expect_error(r, resume(4, token), WIRE_ERR_LOST);
	rig_expect_slot(r, resume(2, token), 1);
}
END_TEST

/* A hold that was given back with its connection is taken up again while the slot is idle. */
START_TEST(idle)
{
	uint64_t token = rig_answer(r, ask(1, 1))->token, again, next;

	rig_gone(r, 0, 1);
	again = resume(2, token);
	rig_expect_slot(r, again, 1);
	ck_assert_uint_eq(rig_answer(r, again)->token, token);
	ck_assert_uint_eq(rig_answer(r, again)->limit, 7);
	rig_advance(r, 19999 * MS);
	ck_assert_uint_eq(r->n_losts, 0);
	rig_advance(r, 1 * MS);
	ck_assert_uint_eq(r->n_losts, 1);
	rig_advance(r, 500 * MS);               /* the margin */

	next = ask(2, 1);
	rig_expect_slot(r, next, 1);
	rig_expect_error(r, rig_release(r, 0, 2, "g", 1, 0), WIRE_OK);
	rig_expect_slot(r, ask(3, 1), 1);
	rig_expect_error(r, resume(2, rig_answer(r, next)->token), WIRE_ERR_LOST);
}
END_TEST

/* Nothing here says that a hold of the daemon before was its. */
START_TEST(of_a_former_daemon)
{
	struct arb_stats stats;

	rig_expect_error(r, resume(1, 7), WIRE_ERR_LOST);
	arb_stats(r->arb[0], &stats);
	ck_assert_uint_eq(stats.groups, 0);
	ck_assert_uint_eq(r->exchanges, 0);
}
END_TEST

Suite *
resume_suite(void)
{
	Suite *s = suite_create("resume");
	TCase *tc = tcase_create("one host");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, moves);
	tcase_add_test(tc, keeps_its_end);
	tcase_add_test(tc, moves_whole_or_not);
	tcase_add_test(tc, for_the_same_user_only);
	tcase_add_test(tc, idle);
	tcase_add_test(tc, of_a_former_daemon);
	suite_add_tcase(s, tc);
	return s;
}
