/* The backend is away: who asks waits, is refused, or is let in, as the group wants it. */
#include "tests/unit/core/suites.h"

#include "tests/unit/core/rig.h"

static struct rig *r;

static void
setup(void)
{
	struct arb_conf conf = rig_conf();

	conf.max_groups = 3;
	r = rig_new(1, &conf);
	for (uint64_t c = 1; c <= 9; c++)
		rig_open(r, 0, c);
	rig_link(r, 0, false);
	rig_advance(r, 1000 * MS);
}

static void
teardown(void)
{
	rig_free(r);
}

static uint64_t
ask_of(uint64_t client, const char *group, enum arb_on_down on_down, nsec wait)
{
	return rig_acquire_as(r, 0, client, (struct arb_acquire){.group = group, .n = 1, .limit = 2,
	    .configured = XCH_NO_LIMIT, .wait = wait, .hold = 5000 * MS, .max_holds = 3,
	    .on_down = on_down});
}

static uint64_t
ask(uint64_t client, enum arb_on_down on_down)
{
	return ask_of(client, "g", on_down, 3000 * MS);
}

static uint64_t
let_in(uint64_t client)
{
	uint64_t request = ask(client, ARB_DOWN_OPEN);

	rig_expect_slot(r, request, 0);
	return rig_answer(r, request)->token;
}

static struct arb_group_status
status(void)
{
	struct arb_group_status st;

	arb_status(r->arb[0], "g", &st);
	return st;
}

START_TEST(waits)
{
	uint64_t request = ask(1, ARB_DOWN_WAIT);

	rig_advance(r, 2999 * MS);
	ck_assert(rig_waits(r, request));
	rig_advance(r, 1 * MS);
	rig_expect_error(r, request, WIRE_ERR_UNAVAILABLE);
	ck_assert_str_eq(rig_answer(r, request)->why, "away");
}
END_TEST

START_TEST(refused)
{
	uint64_t request = ask(1, ARB_DOWN_REFUSE);

	rig_expect_error(r, request, WIRE_ERR_UNAVAILABLE);
	ck_assert_str_eq(rig_answer(r, request)->why, "away");
	rig_link(r, 0, true);
	rig_expect_slot(r, ask(1, ARB_DOWN_REFUSE), 1);
}
END_TEST

/* A link that breaks comes back, as a rule. */
START_TEST(not_for_a_moment)
{
	uint64_t first, second, third;

	rig_link(r, 0, true);
	first = ask(1, ARB_DOWN_REFUSE);
	second = ask(2, ARB_DOWN_REFUSE);
	third = ask(3, ARB_DOWN_REFUSE);
	rig_expect_slot(r, first, 1);
	rig_expect_slot(r, second, 2);
	rig_link(r, 0, false);
	rig_advance(r, 249 * MS);
	ck_assert(rig_waits(r, third));
	rig_link(r, 0, true);
	rig_link(r, 0, false);
	rig_advance(r, 249 * MS);
	ck_assert(rig_waits(r, third));
	rig_advance(r, 1 * MS);
	rig_expect_error(r, third, WIRE_ERR_UNAVAILABLE);
}
END_TEST

static void
note_holder(void *arg, const struct arb_holder *holder)
{
	struct arb_holder *v = arg;

	v[v[0].client == 0 ? 0 : 1] = *holder;
}

START_TEST(opened)
{
	struct arb_holder holders[2] = {{.client = 0}, {.client = 0}};
	struct arb_stats stats;

	rig_link(r, 0, true);
	rig_expect_slot(r, ask(3, ARB_DOWN_OPEN), 1);
	rig_link(r, 0, false);
	rig_advance(r, 250 * MS);
	ck_assert_uint_eq(let_in(1), 1);
	ck_assert_uint_eq(let_in(1), 2);
	ck_assert_uint_eq(let_in(1), 3);
	ck_assert_uint_eq(let_in(2), 4);        /* four of two */
	ck_assert(status().open == 4 && status().held == 1 && status().waiting == 0);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 0, 0), WIRE_ERR_NOTHOLD);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 0, 4), WIRE_ERR_NOTHOLD);
	rig_expect_error(r, rig_release(r, 0, 1, "h", 0, 1), WIRE_ERR_NOTHOLD);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 0, 2), WIRE_OK);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 0, 2), WIRE_ERR_NOTHOLD);
	ck_assert_uint_eq(status().open, 3);
	rig_gone(r, 0, 1);
	ck_assert_uint_eq(status().open, 1);
	arb_holders(r->arb[0], "g", note_holder, holders);
	ck_assert(holders[0].client == 2 && holders[0].slot == 0 && !holders[0].proven);
	ck_assert(holders[1].client == 3 && holders[1].slot == 1 && holders[1].proven);
	arb_stats(r->arb[0], &stats);
	ck_assert(stats.opens == 4 && stats.open == 1 && stats.holds == 1);

	rig_link(r, 0, true);                   /* it is claimed by nobody */
	rig_expect_slot(r, ask(4, ARB_DOWN_OPEN), 2);
	ck_assert(rig_waits(r, ask(5, ARB_DOWN_OPEN)));
	ck_assert_uint_eq(status().in_use, 2);
}
END_TEST

START_TEST(opened_to_those_who_wait)
{
	uint64_t first, second, never;

	rig_link(r, 0, true);
	ask(1, ARB_DOWN_OPEN);
	ask(2, ARB_DOWN_OPEN);
	first = ask(3, ARB_DOWN_OPEN);
	never = ask_of(4, "g", ARB_DOWN_OPEN, 0);
	rig_expect_error(r, never, WIRE_ERR_FULL);
	rig_link(r, 0, false);
	rig_advance(r, 249 * MS);
	ck_assert(rig_waits(r, first));
	rig_advance(r, 1 * MS);
	rig_expect_slot(r, first, 0);
	second = ask_of(4, "h", ARB_DOWN_OPEN, 0);
	rig_expect_slot(r, second, 0);
}
END_TEST

/* By hold=, by a kick, by RELEASE *. */
START_TEST(ended)
{
	uint64_t token = let_in(1), all = ++r->next_request;

	rig_advance(r, 5000 * MS);
	ck_assert(r->n_losts == 1 && r->losts[0].token == token && r->losts[0].slot == 0);
	ck_assert(r->losts[0].reason == ARB_LOST_HOLD && status().open == 0);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 0, token), WIRE_ERR_LOST);
	let_in(2);
	rig_step(r, 0, &(struct arb_event){.type = ARB_CLIENT_KICK, .client = 2});
	ck_assert(r->n_losts == 2 && r->losts[1].reason == ARB_LOST_EVICT && status().open == 0);
	let_in(3);
	let_in(3);
	rig_step(r, 0, &(struct arb_event){.type = ARB_RELEASE_ALL, .client = 3, .request = all});
	ck_assert_uint_eq(rig_answer(r, all)->n, 2);
	ck_assert_uint_eq(status().open, 0);
	rig_advance(r, 30000 * MS);
	ck_assert(!arb_status(r->arb[0], "g", &(struct arb_group_status){0}));
}
END_TEST

/* People stop a group by a limit of 0. */
START_TEST(not_what_is_stopped)
{
	const struct xch_push *pushes;
	uint32_t n;

	mem_set_live(r->mem, r->now / 1000, "g", LIVE_LIMIT, &(struct live_setting){.limit = 0}, USEC_NEVER,
	    &pushes, &n);
	rig_link(r, 0, true);
	ck_assert(rig_waits(r, ask(1, ARB_DOWN_OPEN)));
	rig_link(r, 0, false);
	rig_advance(r, 1000 * MS);
	ck_assert(rig_waits(r, ask(2, ARB_DOWN_OPEN)));
	rig_advance(r, 3000 * MS);
	ck_assert_uint_eq(status().open + status().waiting, 0);
}
END_TEST

START_TEST(bounds)
{
	uint64_t request;

	let_in(1);
	let_in(1);
	let_in(1);
	request = ask(1, ARB_DOWN_OPEN);
	rig_expect_error(r, request, WIRE_ERR_HOLDS);
	ck_assert_uint_eq(rig_answer(r, request)->m, 3);
	let_in(2);
	ask_of(2, "h", ARB_DOWN_WAIT, 0);
	ask_of(2, "i", ARB_DOWN_WAIT, 0);
	request = ask_of(2, "j", ARB_DOWN_WAIT, 0);
	rig_expect_error(r, request, WIRE_ERR_GROUPS);
	ck_assert_uint_eq(rig_answer(r, request)->m, 3);
	rig_advance(r, 12000 * MS);             /* what nobody uses is forgotten */
	ck_assert(rig_waits(r, ask_of(2, "j", ARB_DOWN_WAIT, NSEC_NEVER)));
}
END_TEST

/* Also while nobody has heard yet what the backend says. */
START_TEST(bounded_waiters)
{
	struct arb_acquire a = {.group = "g", .n = 1, .limit = 2, .configured = XCH_NO_LIMIT,
	    .wait = NSEC_NEVER, .hold = NSEC_NEVER, .max_waiters = 3};
	uint64_t first, over;

	for (uint64_t c = 1; c <= 3; c++)
		first = rig_acquire_as(r, 0, c, a);
	over = rig_acquire_as(r, 0, 4, a);
	rig_expect_error(r, over, WIRE_ERR_QUEUEFULL);
	ck_assert(rig_answer(r, over)->n == 3 && rig_answer(r, over)->m == 3);
	ck_assert(rig_waits(r, first));
	r->hold_exchanges = true;
	rig_link(r, 0, true);
	for (uint64_t c = 4; c <= 5; c++)       /* two may be served by now */
		ck_assert(rig_waits(r, rig_acquire_as(r, 0, c, a)));
	rig_expect_error(r, rig_acquire_as(r, 0, 6, a), WIRE_ERR_QUEUEFULL);
}
END_TEST

/* Each limit is looked at in each exchange. */
START_TEST(bounded_limits)
{
	uint64_t last;

	for (int64_t limit = 1; limit <= 256; limit++)
		ck_assert(rig_waits(r, rig_acquire(r, 0, 1, "g", limit, 1, NSEC_NEVER)));
	last = rig_acquire(r, 0, 1, "g", 257, 1, NSEC_NEVER);
	rig_expect_error(r, last, WIRE_ERR_QUEUEFULL);
	ck_assert(rig_answer(r, last)->n == 256 && rig_answer(r, last)->m == 256);
	ck_assert(rig_waits(r, rig_acquire(r, 0, 1, "g", 256, 1, NSEC_NEVER)));
}
END_TEST

Suite *
open_suite(void)
{
	Suite *s = suite_create("open");
	TCase *tc = tcase_create("open");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, waits);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, not_for_a_moment);
	tcase_add_test(tc, opened);
	tcase_add_test(tc, opened_to_those_who_wait);
	tcase_add_test(tc, ended);
	tcase_add_test(tc, not_what_is_stopped);
	tcase_add_test(tc, bounds);
	tcase_add_test(tc, bounded_waiters);
	tcase_add_test(tc, bounded_limits);
	suite_add_tcase(s, tc);
	return s;
}
