/* The arbiter alone with its memory backend: what a client on one host may rely on. */
#include "tests/unit/core/suites.h"

#include <string.h>

#include "tests/unit/core/rig.h"

static struct rig *r;

static void
setup(void)
{
	struct arb_conf conf = rig_conf();

	conf.sole = true;
	r = rig_new(1, &conf);
	for (uint64_t c = 1; c <= 20; c++)
		rig_open(r, 0, c);
}

static void
teardown(void)
{
	rig_free(r);
}

static uint64_t
ask(uint64_t client, int64_t limit)
{
	return rig_acquire(r, 0, client, "g", limit, 1, NSEC_NEVER);
}

START_TEST(lowest_free_number)
{
	uint64_t a = ask(1, 10), b = ask(2, 10), c = ask(3, 10);

	rig_expect_slot(r, a, 1);
	rig_expect_slot(r, b, 2);
	rig_expect_slot(r, c, 3);
	rig_release(r, 0, 2, "g", 2, 0);
	rig_release(r, 0, 1, "g", 1, 0);
	rig_expect_slot(r, ask(4, 10), 1);
	rig_expect_slot(r, ask(5, 10), 2);
	rig_expect_slot(r, ask(6, 10), 4);
}
END_TEST

START_TEST(ten_of_ten)
{
	for (uint64_t c = 1; c <= 10; c++)
		rig_expect_slot(r, ask(c, 10), c);
	ck_assert(rig_waits(r, ask(11, 10)));
}
END_TEST

START_TEST(first_come_first_served)
{
	uint64_t first = ask(1, 1), asked[10];

	for (uint64_t c = 2; c <= 11; c++)
		asked[c - 2] = ask(c, 1);
	rig_release(r, 0, 1, "g", 1, 0);
	for (uint64_t c = 2; c <= 11; c++) {
		rig_expect_slot(r, asked[c - 2], 1);
		for (uint64_t later = c + 1; later <= 11; later++)
			ck_assert(rig_waits(r, asked[later - 2]));
		ck_assert_uint_gt(rig_answer(r, asked[c - 2])->token, rig_answer(r, first)->token);
		if (c > 2)
			ck_assert_uint_gt(rig_answer(r, asked[c - 2])->token,
			    rig_answer(r, asked[c - 3])->token);
		if (c % 2)
			rig_release(r, 0, c, "g", 1, 0);
		else
			rig_gone(r, 0, c);      /* a dead process's slot moves on as well */
	}
}
END_TEST

START_TEST(now_or_never)
{
	rig_expect_slot(r, rig_acquire(r, 0, 1, "g", 1, 1, 0), 1);
	uint64_t a = rig_acquire(r, 0, 2, "g", 1, 1, 0);

	rig_expect_error(r, a, WIRE_ERR_FULL);
	ck_assert_uint_eq(rig_answer(r, a)->limit, 1);
}
END_TEST

START_TEST(timeout)
{
	ask(1, 1);
	uint64_t a = rig_acquire(r, 0, 2, "g", 1, 1, 300 * MS);

	rig_advance(r, 299 * MS);
	ck_assert(rig_waits(r, a));
	rig_advance(r, 1 * MS);
	rig_expect_error(r, a, WIRE_ERR_TIMEOUT);
	ck_assert_int_eq(rig_answer(r, a)->waited, 300 * MS);
}
END_TEST

START_TEST(cancel)
{
	ask(1, 1);
	uint64_t a = ask(2, 1), c = ++r->next_request, d = ++r->next_request;
	struct arb_event e = {.type = ARB_CANCEL, .client = 2, .request = c, .cancel = {a}};

	rig_step(r, 0, &e);
	rig_expect_error(r, a, WIRE_ERR_CANCELLED);
	ck_assert_int_eq(rig_answer(r, c)->code, WIRE_OK);
	e.request = d;
	rig_step(r, 0, &e);
	rig_expect_error(r, d, WIRE_ERR_NOTAG);
}
END_TEST

START_TEST(release_checks)
{
	uint64_t a = ask(1, 1), token = rig_answer(r, a)->token;

	rig_expect_error(r, rig_release(r, 0, 2, "g", 1, 0), WIRE_ERR_NOTHOLD);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 2, 0), WIRE_ERR_NOTHOLD);
	rig_expect_error(r, rig_release(r, 0, 1, "other", 1, 0), WIRE_ERR_NOTHOLD);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 1, token + 1), WIRE_ERR_LOST);
	ck_assert(rig_waits(r, ask(2, 1)));
	ck_assert_int_eq(rig_answer(r, rig_release(r, 0, 1, "g", 1, token))->code, WIRE_OK);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 1, token), WIRE_ERR_NOTHOLD);
}
END_TEST

START_TEST(limits)
{
	uint64_t a = rig_acquire(r, 0, 1, "g", XCH_NO_LIMIT, 1, 0);

	rig_expect_error(r, a, WIRE_ERR_NOLIMIT);
	a = rig_acquire(r, 0, 1, "g", 5, 6, NSEC_NEVER);
	rig_expect_error(r, a, WIRE_ERR_TOOBIG);

	/* the configured one is the ceiling */
	a = rig_acquire_as(r, 0, 1, (struct arb_acquire){.group = "h", .n = 2, .limit = 9,
	    .configured = 2, .wait = 0, .hold = NSEC_NEVER});
	ck_assert_uint_eq(rig_answer(r, a)->limit, 2);
	a = rig_acquire_as(r, 0, 1, (struct arb_acquire){.group = "h", .n = 1, .limit = 9,
	    .configured = 2, .wait = 0, .hold = NSEC_NEVER});
	rig_expect_error(r, a, WIRE_ERR_FULL);
}
END_TEST

START_TEST(headroom)
{
	for (uint64_t c = 1; c <= 3; c++)
		rig_expect_slot(r, ask(c, 3), c);
	uint64_t low = ask(4, 3);

	ck_assert(rig_waits(r, low));
	rig_expect_slot(r, ask(5, 5), 4);
	rig_expect_slot(r, ask(6, 5), 5);
	uint64_t high = ask(7, 5);

	ck_assert(rig_waits(r, high));
	rig_release(r, 0, 1, "g", 1, 0);        /* four are left: room for the high limit only */
	rig_expect_slot(r, high, 1);
	ck_assert(rig_waits(r, low));
	rig_release(r, 0, 2, "g", 2, 0);
	rig_release(r, 0, 3, "g", 3, 0);
	ck_assert(rig_waits(r, low));
	rig_release(r, 0, 5, "g", 4, 0);        /* two are left */
	rig_expect_slot(r, low, 2);
}
END_TEST

START_TEST(many_at_once)
{
	ask(1, 5);
	ask(2, 5);
	ask(3, 5);
	uint64_t many = rig_acquire(r, 0, 4, "g", 5, 4, NSEC_NEVER), one = ask(5, 5);

	ck_assert(rig_waits(r, many) && rig_waits(r, one)); /* not starved by singles */
	rig_release(r, 0, 1, "g", 1, 0);
	ck_assert(rig_waits(r, many));
	rig_release(r, 0, 3, "g", 3, 0);
	const struct rig_answer *a = rig_answer(r, many);

	ck_assert_uint_eq(a->n_slots, 4);
	ck_assert(a->slots[0] == 1 && a->slots[1] == 3 && a->slots[2] == 4 && a->slots[3] == 5);
	ck_assert(rig_waits(r, one));
	rig_release(r, 0, 4, "g", 4, 0);        /* one of the four */
	rig_expect_slot(r, one, 4);
	rig_expect_error(r, rig_release(r, 0, 4, "g", 4, 0), WIRE_ERR_NOTHOLD);
}
END_TEST

START_TEST(forced_end)
{
	uint64_t a = rig_acquire_as(r, 0, 1, (struct arb_acquire){.group = "g", .n = 1, .limit = 1,
	    .configured = XCH_NO_LIMIT, .wait = 0, .hold = 1000 * MS}), b = ask(2, 1);
	nsec start = r->now;

	rig_expect_slot(r, a, 1);
	rig_advance(r, 1499 * MS);
	ck_assert_uint_eq(r->n_losts, 1);
	ck_assert(r->losts[0].client == 1 && r->losts[0].reason == ARB_LOST_HOLD);
	ck_assert_int_eq(r->losts[0].at, start + 1000 * MS);
	ck_assert(rig_waits(r, b));             /* its client may not have heard of it yet */
	rig_advance(r, 1 * MS);
	rig_expect_slot(r, b, 1);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 1, 0), WIRE_ERR_LOST);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 1, 0), WIRE_ERR_NOTHOLD);
}
END_TEST

START_TEST(forced_end_that_was_heard)
{
	rig_acquire_as(r, 0, 1, (struct arb_acquire){.group = "g", .n = 1, .limit = 1,
	    .configured = XCH_NO_LIMIT, .wait = 0, .hold = 1000 * MS});
	uint64_t b = ask(2, 1);

	rig_advance(r, 1000 * MS);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 1, 0), WIRE_ERR_LOST);
	rig_expect_slot(r, b, 1);               /* no need to wait out the margin */
}
END_TEST

/* Of a hold of two that has ended its client names one, and another hold's: it may still believe in
 * the second. */
START_TEST(forced_end_that_was_heard_in_part)
{
	uint32_t slots[] = {1, 3};
	uint64_t both, b, c;

	rig_acquire_as(r, 0, 1, (struct arb_acquire){.group = "g", .n = 2, .limit = 3,
	    .configured = XCH_NO_LIMIT, .wait = 0, .hold = 1000 * MS});
	rig_expect_slot(r, ask(1, 3), 3);
	b = ask(2, 3);
	rig_advance(r, 1000 * MS);
	both = ++r->next_request;
	rig_step(r, 0, &(struct arb_event){.type = ARB_RELEASE, .client = 1, .request = both,
	    .release = {.group = "g", .n_slots = 2, .slots = slots}});
	rig_expect_error(r, both, WIRE_ERR_LOST);
	ck_assert(rig_waits(r, b));
	c = rig_release(r, 0, 1, "g", 3, 0);    /* nothing had been freed */
	rig_expect_error(r, c, WIRE_OK);
	rig_expect_slot(r, b, 3);
}
END_TEST

START_TEST(release_all)
{
	ask(1, 2);
	rig_acquire(r, 0, 1, "h", 1, 1, 0);
	uint64_t w = ask(1, 1), other = ask(2, 1), all = ++r->next_request;

	ck_assert(rig_waits(r, w));
	rig_step(r, 0, &(struct arb_event){.type = ARB_RELEASE_ALL, .client = 1, .request = all});
	rig_expect_error(r, w, WIRE_ERR_CANCELLED);
	ck_assert_uint_eq(rig_answer(r, all)->n, 2);
	ck_assert_uint_eq(rig_answer(r, all)->m, 1);
	rig_expect_slot(r, other, 1);
}
END_TEST

START_TEST(queue_full)
{
	struct arb_acquire a = {.group = "g", .n = 1, .limit = 1, .configured = XCH_NO_LIMIT,
	    .wait = NSEC_NEVER, .hold = NSEC_NEVER, .max_waiters = 2};
	uint64_t first = rig_acquire_as(r, 0, 1, a);

	rig_expect_slot(r, first, 1);
	ck_assert(rig_waits(r, rig_acquire_as(r, 0, 2, a)));
	ck_assert(rig_waits(r, rig_acquire_as(r, 0, 3, a)));
	uint64_t over = rig_acquire_as(r, 0, 4, a);

	rig_expect_error(r, over, WIRE_ERR_QUEUEFULL);
	ck_assert_uint_eq(rig_answer(r, over)->n, 2);
	ck_assert_uint_eq(rig_answer(r, over)->m, 2);
}
END_TEST

/* A hot group, and one that is contended on this host only, need the backend for their first slots
 * only. */
START_TEST(nobody_else_needs_to_know)
{
	for (int i = 0; i < 100; i++) {
		ask(1, 1);
		rig_release(r, 0, 1, "g", 1, 0);
	}
	ck_assert_uint_eq(r->exchanges, 1);
	for (uint64_t c = 1; c <= 20; c++)
		ask(c, 4);
	unsigned before = r->exchanges;
	uint64_t holders[4] = {1, 2, 3, 4};

	for (uint64_t i = 0; i < 16; i++) {
		rig_release(r, 0, holders[i % 4], "g", (uint32_t)(i % 4) + 1, 0);
		holders[i % 4] = i + 5;
	}
	ck_assert_uint_le(r->exchanges, before + 1);
}
END_TEST

START_TEST(idle_slots_go_back)
{
	struct arb_group_status st;

	ask(1, 1);
	rig_release(r, 0, 1, "g", 1, 0);
	arb_status(r->arb[0], "g", &st);
	ck_assert(st.idle == 1 && st.held == 0);
	rig_advance(r, 1000 * MS);
	arb_status(r->arb[0], "g", &st);
	ck_assert(st.idle == 0);
	rig_advance(r, 10000 * MS);             /* and the group is forgotten */
	ck_assert(!arb_status(r->arb[0], "g", &st));
	rig_expect_slot(r, ask(1, 1), 1);
}
END_TEST

/* Without anybody to share with, a process that was stopped loses nothing. */
START_TEST(stopped_for_an_hour)
{
	uint64_t a = ask(1, 1), b = ask(2, 1);

	r->now += 3600000 * MS;
	rig_step(r, 0, &(struct arb_event){.type = ARB_TICK});
	ck_assert_uint_eq(r->n_losts, 0);
	ck_assert(rig_waits(r, b));
	ck_assert_int_eq(rig_answer(r, rig_release(r, 0, 1, "g", 1, rig_answer(r, a)->token))->code,
	    WIRE_OK);
	rig_expect_slot(r, b, 1);
}
END_TEST

START_TEST(kicked)
{
	ask(1, 1);
	uint64_t b = ask(2, 1);

	rig_step(r, 0, &(struct arb_event){.type = ARB_CLIENT_KICK, .client = 1});
	ck_assert(rig_waits(r, b));
	rig_advance(r, 500 * MS);
	rig_expect_slot(r, b, 1);
}
END_TEST

START_TEST(stop)
{
	uint64_t a = ask(1, 1), b = ask(2, 1);

	rig_step(r, 0, &(struct arb_event){.type = ARB_STOP});
	rig_expect_slot(r, a, 1);
	rig_expect_error(r, b, WIRE_ERR_SHUTDOWN);
	rig_expect_error(r, ask(3, 1), WIRE_ERR_SHUTDOWN);
}
END_TEST

static void
count_holder(void *arg, const struct arb_holder *h)
{
	unsigned *n = arg;

	ck_assert_uint_eq(h->slot, ++*n);
	ck_assert_int_eq(h->pid, (int64_t)h->client);
	ck_assert_str_eq(h->label, h->client == 1 ? "nightly" : "");
}

static void
count_waiter(void *arg, const struct arb_waiter *w)
{
	unsigned *n = arg;

	ck_assert_uint_eq(w->place, ++*n);
	ck_assert_uint_eq(w->client, *n + 2);
	ck_assert_int_eq(w->limit, 2);
}

START_TEST(reading)
{
	unsigned holders = 0, waiters = 0;
	struct arb_stats st;

	rig_acquire_as(r, 0, 1, (struct arb_acquire){.group = "g", .n = 1, .limit = 2,
	    .label = "nightly", .configured = XCH_NO_LIMIT, .wait = 0, .hold = NSEC_NEVER});
	for (uint64_t c = 2; c <= 5; c++)
		ask(c, 2);
	arb_holders(r->arb[0], "g", count_holder, &holders);
	arb_waiters(r->arb[0], "g", count_waiter, &waiters);
	ck_assert(holders == 2 && waiters == 3);
	arb_stats(r->arb[0], &st);
	ck_assert(st.holds == 2 && st.waiters == 3 && st.grants == 2 && st.acquires == 5);
	arb_holders(r->arb[0], "nobody", count_holder, &holders);
	ck_assert(holders == 2);
}
END_TEST

START_TEST(lost_are_remembered_within_bounds)
{
	for (int i = 0; i < 100; i++)
		rig_acquire_as(r, 0, 1, (struct arb_acquire){.group = "g", .n = 1, .limit = 100,
		    .configured = XCH_NO_LIMIT, .wait = 0, .hold = (i + 1) * MS});
	rig_advance(r, 1000 * MS);
	ck_assert_uint_eq(r->n_losts, 100);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 100, 0), WIRE_ERR_LOST);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 37, 0), WIRE_ERR_LOST);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 36, 0), WIRE_ERR_NOTHOLD);
}
END_TEST

Suite *
arbiter_suite(void)
{
	Suite *s = suite_create("arbiter");
	TCase *tc = tcase_create("one host");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, lowest_free_number);
	tcase_add_test(tc, ten_of_ten);
	tcase_add_test(tc, first_come_first_served);
	tcase_add_test(tc, now_or_never);
	tcase_add_test(tc, timeout);
	tcase_add_test(tc, cancel);
	tcase_add_test(tc, release_checks);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, headroom);
	tcase_add_test(tc, many_at_once);
	tcase_add_test(tc, forced_end);
	tcase_add_test(tc, forced_end_that_was_heard);
	tcase_add_test(tc, forced_end_that_was_heard_in_part);
	tcase_add_test(tc, release_all);
	tcase_add_test(tc, queue_full);
	tcase_add_test(tc, nobody_else_needs_to_know);
	tcase_add_test(tc, idle_slots_go_back);
	tcase_add_test(tc, stopped_for_an_hour);
	tcase_add_test(tc, kicked);
	tcase_add_test(tc, stop);
	tcase_add_test(tc, reading);
	tcase_add_test(tc, lost_are_remembered_within_bounds);
	suite_add_tcase(s, tc);
	return s;
}
