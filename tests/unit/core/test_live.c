/* Live limits and pauses: which one counts, and what arbiters make of it. */
#include "tests/unit/core/suites.h"

#include "daemon/core/live.h"
#include "tests/unit/core/rig.h"

static struct rig *r;

static void
setup(void)
{
	struct arb_conf conf = rig_conf();

	r = rig_new(2, &conf);
	for (unsigned d = 0; d < 2; d++)
		for (uint64_t c = 1; c <= 9; c++)
			rig_open(r, d, 10 * d + c);
}

static void
teardown(void)
{
	rig_free(r);
}

/* The c-th client of daemon d, in a group whose configured limit is 2. */
static uint64_t
ask_n(unsigned d, uint64_t c, uint32_t n)
{
	return rig_acquire_as(r, d, 10 * d + c, (struct arb_acquire){.group = "g", .n = n,
	    .limit = XCH_NO_LIMIT, .configured = 2, .wait = NSEC_NEVER, .hold = NSEC_NEVER});
}

static uint64_t
ask(unsigned d, uint64_t c)
{
	return ask_n(d, c, 1);
}

static void
give_back(unsigned d, uint64_t c, uint64_t request)
{
	const struct rig_answer *a = rig_answer(r, request);

	rig_release(r, d, 10 * d + c, "g", a->slots[0], a->token);
}

static void
set(enum live_kind kind, int64_t limit, nsec length)
{
	struct live_setting setting = {.limit = limit};
	const struct xch_push *pushes;
	struct xch_push copies[8];
	uint32_t n;

	mem_set_live(r->mem, 1700000000000000 + r->now / 1000, "g", kind, &setting,
	    length == NSEC_NEVER ? USEC_NEVER : length / 1000, &pushes, &n);
	ck_assert_uint_le(n, 8);
	for (uint32_t i = 0; i < n; i++)
		copies[i] = pushes[i];
	for (uint32_t i = 0; i < n; i++)
		rig_step(r, (unsigned)copies[i].to.install - 1,
		    &(struct arb_event){.type = ARB_PUSH, .push = &copies[i]});
}

/* How many of them are answered. */
static unsigned
n_granted(const uint64_t *requests, unsigned n)
{
	unsigned granted = 0;

	for (unsigned i = 0; i < n; i++)
		granted += !rig_waits(r, requests[i]);
	return granted;
}

/* ------------------------------------------------------------------ what counts */

START_TEST(the_newest_counts)
{
	struct live_setting first = {.limit = 3, .until = USEC_NEVER, .at = 10, .why = "first"};
	struct live_setting second = {.limit = XCH_NO_LIMIT, .until = USEC_NEVER, .at = 11};
	struct lives lives;
	usec left;

	lives_init(&lives);
	ck_assert_ptr_null(lives_find(&lives, "g"));
	ck_assert_int_eq(live_limit(NULL, 20, &left), XCH_NO_LIMIT);
	ck_assert(lives_hear(&lives, "g", LIVE_LIMIT, &first));
	ck_assert(!lives_hear(&lives, "g", LIVE_LIMIT, &first));
	ck_assert_int_eq(live_limit(lives_find(&lives, "g"), 20, &left), 3);
	ck_assert_int_eq(left, USEC_NEVER);
	ck_assert(lives_hear(&lives, "g", LIVE_LIMIT, &second));
	ck_assert(!lives_hear(&lives, "g", LIVE_LIMIT, &first));
	ck_assert_ptr_null(live_in_force(lives_find(&lives, "g"), 20));
	lives_fini(&lives);
}
END_TEST

START_TEST(a_pause_hides_the_limit)
{
	struct live_setting limit = {.limit = 3}, pause = {.limit = 0};
	struct lives lives, copy;
	usec left;

	lives_init(&lives);
	lives_set(&lives, 100, "g", LIVE_LIMIT, &limit, 50);
	lives_set(&lives, 100, "g", LIVE_PAUSE, &pause, 20);
	ck_assert_int_eq(live_limit(lives_find(&lives, "g"), 119, &left), 0);
	ck_assert_int_eq(left, 1);
	ck_assert_int_eq(live_limit(lives_find(&lives, "g"), 120, &left), 3);
	ck_assert_int_eq(left, 30);
	ck_assert_int_eq(live_limit(lives_find(&lives, "g"), 150, &left), XCH_NO_LIMIT);
	lives_set(&lives, 90, "g", LIVE_LIMIT, &limit, USEC_NEVER);     /* the clock was set back */
	ck_assert_int_eq(limit.at, 101);
	lives_copy(&copy, &lives);
	ck_assert_int_eq(live_limit(lives_find(&copy, "g"), 150, &left), 3);
	ck_assert_uint_eq(lives_find(&copy, "g")->n_said, 3);
	ck_assert_int_eq(lives_find(&copy, "g")->said[0].setting.at, 101);
	lives_fini(&copy);
	lives_fini(&lives);
}
END_TEST

START_TEST(the_last_are_remembered)
{
	struct live_setting setting;
	const struct live *live;
	struct lives lives;

	lives_init(&lives);
	for (int i = 1; i <= LIVE_SAID_MAX + 5; i++) {
		setting = (struct live_setting){.limit = i};
		lives_set(&lives, 1000 + i, "g", LIVE_LIMIT, &setting, USEC_NEVER);
	}
	live = lives_find(&lives, "g");
	ck_assert_uint_eq(live->n_said, LIVE_SAID_MAX);
	ck_assert_int_eq(live->said[0].setting.limit, LIVE_SAID_MAX + 5);
	ck_assert_int_eq(live->said[LIVE_SAID_MAX - 1].setting.limit, 6);
	lives_fini(&lives);
}
END_TEST

/* ------------------------------------------------------------------ what comes of it */

START_TEST(raising_wakes_the_difference)
{
	uint64_t requests[9];

	for (unsigned i = 0; i < 9; i++)
		requests[i] = ask(i % 2, 1 + i);
	ck_assert_uint_eq(n_granted(requests, 9), 2);
	set(LIVE_LIMIT, 5, NSEC_NEVER);
	ck_assert_uint_eq(n_granted(requests, 9), 5);
	rig_advance(r, 1000 * MS);
	ck_assert_uint_eq(n_granted(requests, 9), 5);
}
END_TEST

/* Of a host alone, which has not told Redis of those who wait. */
START_TEST(those_at_home_too)
{
	uint64_t requests[5];

	for (unsigned i = 0; i < 5; i++)
		requests[i] = ask(0, 1 + i);
	set(LIVE_LIMIT, 3, NSEC_NEVER);
	ck_assert_uint_eq(n_granted(requests, 5), 3);
}
END_TEST

START_TEST(lowering_drains)
{
	uint64_t requests[5];

	requests[0] = ask(0, 1);
	set(LIVE_LIMIT, 3, NSEC_NEVER);
	for (unsigned i = 1; i < 5; i++)
		requests[i] = ask(0, 1 + i);
	ck_assert_uint_eq(n_granted(requests, 5), 3);
	set(LIVE_LIMIT, 1, NSEC_NEVER);
	give_back(0, 1, requests[0]);
	give_back(0, 2, requests[1]);
	ck_assert_uint_eq(n_granted(requests, 5), 3);
	give_back(0, 3, requests[2]);
	ck_assert_uint_eq(n_granted(requests, 5), 4);
}
END_TEST

START_TEST(a_pause_ends_by_itself)
{
	uint64_t requests[2];

	rig_expect_slot(r, ask(0, 1), 1);
	set(LIVE_PAUSE, 0, 700 * MS);
	requests[0] = ask(0, 2);
	requests[1] = ask(1, 3);
	rig_advance(r, 699 * MS);
	ck_assert_uint_eq(n_granted(requests, 2), 0);
	rig_advance(r, 51 * MS);
	ck_assert_uint_eq(n_granted(requests, 2), 1);
}
END_TEST

/* Whichever host hears of it first: nobody waits at home alone for what others may give back. */
START_TEST(those_who_waited_longest_go_first)
{
	unsigned far = (unsigned)_i % 2, near = 1 - far;
	bool is_pause = _i < 2;
	uint64_t held[2], older[2], younger[2];

	for (unsigned d = 0; d < 2; d++)
		rig_answer(r, held[d] = ask(d, 1));
	if (is_pause)
		for (unsigned d = 0; d < 2; d++)
			give_back(d, 1, held[d]);
	set(is_pause ? LIVE_PAUSE : LIVE_LIMIT, !is_pause, NSEC_NEVER);
	for (unsigned i = 0; i < 2; i++)
		older[i] = ask(far, 2 + i);
	rig_advance(r, 1000 * MS);
	for (unsigned i = 0; i < 2; i++)
		younger[i] = ask(near, 2 + i);
	set(is_pause ? LIVE_PAUSE : LIVE_LIMIT, is_pause ? XCH_NO_LIMIT : 4, NSEC_NEVER);
	ck_assert_uint_eq(n_granted(older, 2), 2);
	ck_assert_uint_eq(n_granted(younger, 2), 0);
}
END_TEST

START_TEST(a_raise_ends_by_itself)
{
	uint64_t requests[4];

	requests[0] = ask(0, 1);
	set(LIVE_LIMIT, 3, 700 * MS);
	for (unsigned i = 1; i < 4; i++)
		requests[i] = ask(0, 1 + i);
	ck_assert_uint_eq(n_granted(requests, 4), 3);
	rig_advance(r, 700 * MS);
	give_back(0, 1, requests[0]);
	ck_assert_uint_eq(n_granted(requests, 4), 3);
	give_back(0, 2, requests[1]);
	ck_assert_uint_eq(n_granted(requests, 4), 4);
}
END_TEST

/* What is configured does not say what is too much before it is known that nothing is set. */
START_TEST(more_than_is_configured)
{
	uint64_t request;

	set(LIVE_LIMIT, 4, NSEC_NEVER);
	rig_expect_slot(r, ask_n(0, 1, 3), 1);
	rig_expect_error(r, ask_n(0, 2, 5), WIRE_ERR_TOOBIG);
	rig_expect_error(r, ask_n(1, 3, 5), WIRE_ERR_TOOBIG);
	request = ask_n(1, 4, 3);
	ck_assert(rig_waits(r, request));
	set(LIVE_LIMIT, XCH_NO_LIMIT, NSEC_NEVER);
	rig_expect_error(r, request, WIRE_ERR_TOOBIG);
}
END_TEST

Suite *
live_suite(void)
{
	Suite *suite = suite_create("live");
	TCase *counts = tcase_create("what counts"), *arbiters = tcase_create("arbiters");

	tcase_add_test(counts, the_newest_counts);
	tcase_add_test(counts, a_pause_hides_the_limit);
	tcase_add_test(counts, the_last_are_remembered);
	suite_add_tcase(suite, counts);
	tcase_add_checked_fixture(arbiters, setup, teardown);
	tcase_add_test(arbiters, raising_wakes_the_difference);
	tcase_add_test(arbiters, those_at_home_too);
	tcase_add_test(arbiters, lowering_drains);
	tcase_add_test(arbiters, a_pause_ends_by_itself);
	tcase_add_loop_test(arbiters, those_who_waited_longest_go_first, 0, 4);
	tcase_add_test(arbiters, a_raise_ends_by_itself);
	tcase_add_test(arbiters, more_than_is_configured);
	suite_add_tcase(suite, arbiters);
	return suite;
}
