/* Several arbiters and one backend: what hosts may rely on of one another. */
#include "tests/unit/core/suites.h"

#include "tests/unit/core/rig.h"

#include <stdio.h>

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
ask(unsigned d, uint64_t client, int64_t limit)
{
	return rig_acquire(r, d, client, "g", limit, 1, NSEC_NEVER);
}

START_TEST(first_come_first_served)
{
	uint64_t asked[9];

	rig_expect_slot(r, ask(0, 10, 1), 1);
	for (unsigned i = 0; i < 9; i++) {
		asked[i] = ask(i % 3, i / 3 + 1, 1);
		rig_advance(r, 5 * MS);
	}
	rig_release(r, 0, 10, "g", 1, 0);
	for (unsigned i = 0; i < 9; i++) {
		rig_expect_slot(r, asked[i], 1);
		for (unsigned later = i + 1; later < 9; later++)
			ck_assert(rig_waits(r, asked[later]));
		rig_release(r, i % 3, i / 3 + 1, "g", 1, 0);
	}
}
END_TEST

START_TEST(idle_slot_is_recalled)
{
	struct arb_group_status st;

	ask(0, 1, 1);
	rig_release(r, 0, 1, "g", 1, 0);
	arb_status(r->arb[0], "g", &st);
	ck_assert_uint_eq(st.idle, 1);
	rig_expect_slot(r, ask(1, 1, 1), 1);    /* at once: by the push */
	ck_assert_uint_eq(r->recalls, 1);
}
END_TEST

/* Then nothing is decided at home: neither an idle slot nor a hand-over. */
START_TEST(no_idle_slots)
{
	struct arb_conf conf = rig_conf();
	uint64_t b;

	rig_free(r);
	conf.idle = 0;
	r = rig_new(1, &conf);
	for (uint64_t c = 1; c <= 2; c++)
		rig_open(r, 0, c);
	ask(0, 1, 1);
	b = ask(0, 2, 1);
	unsigned before = r->exchanges;

	rig_release(r, 0, 1, "g", 1, 0);
	rig_expect_slot(r, b, 1);
	ck_assert_uint_eq(r->exchanges, before + 1);
	ck_assert_uint_eq(rig_answer(r, b)->token & 0xffff, 1);
}
END_TEST

START_TEST(now_or_never_finds_an_idle_slot_elsewhere)
{
	ask(0, 1, 1);
	rig_release(r, 0, 1, "g", 1, 0);
	rig_expect_slot(r, rig_acquire(r, 1, 1, "g", 1, 1, 0), 1);
}
END_TEST

START_TEST(now_or_never_is_refused_when_all_know)
{
	uint64_t a;

	ask(0, 1, 1);
	a = rig_acquire(r, 1, 1, "g", 1, 1, 0);
	rig_expect_error(r, a, WIRE_ERR_FULL);  /* the recalled daemon has spoken */
	unsigned before = r->recalls;

	a = rig_acquire(r, 1, 1, "g", 1, 1, 0);
	rig_expect_error(r, a, WIRE_ERR_FULL);  /* contention is known: nobody is asked */
	ck_assert_uint_eq(r->recalls, before);
}
END_TEST

/* max_waiters counts those who wait: one that does not is neither refused by it nor drives others out. */
START_TEST(now_or_never_is_no_waiter)
{
	struct arb_acquire a = {.group = "g", .n = 1, .limit = 1, .configured = XCH_NO_LIMIT,
	    .wait = NSEC_NEVER, .hold = NSEC_NEVER, .max_waiters = 1};
	uint64_t waits, now, over;

	ask(0, 1, 1);
	waits = rig_acquire_as(r, 1, 1, a);
	a.wait = 0;
	r->lose_pushes = true;
	now = rig_acquire_as(r, 1, 2, a);
	ck_assert(rig_waits(r, waits));
	a.wait = NSEC_NEVER;
	over = rig_acquire_as(r, 1, 3, a);
	rig_expect_error(r, over, WIRE_ERR_QUEUEFULL);
	ck_assert_uint_eq(rig_answer(r, over)->n, 1);
	rig_advance(r, 250 * MS);
	rig_expect_error(r, now, WIRE_ERR_FULL);
	ck_assert(rig_waits(r, waits));
}
END_TEST

START_TEST(now_or_never_waits_for_recall_only)
{
	uint64_t a;

	ask(0, 1, 1);
	r->lose_pushes = true;
	a = rig_acquire(r, 1, 1, "g", 1, 1, 0);
	ck_assert(rig_waits(r, a));
	rig_advance(r, 250 * MS);
	rig_expect_error(r, a, WIRE_ERR_FULL);
}
END_TEST

/* Losing every push costs time, never a slot. */
START_TEST(lost_pushes)
{
	ask(0, 1, 1);
	uint64_t a = ask(1, 1, 1);

	r->lose_pushes = true;
	rig_release(r, 0, 1, "g", 1, 0);
	rig_advance(r, 1000 * MS);              /* its idle slot goes back, the grant's push is lost */
	rig_advance(r, 2500 * MS);              /* the renewal brings it */
	rig_expect_slot(r, a, 1);
}
END_TEST

/* Many groups that have spoken at one moment renew their leases at moments of their own: each once in
 * a quarter of a lease, and no great part of them together. */
START_TEST(renewals_are_spread)
{
	const unsigned groups = 256, parts = 32;
	const nsec quarter = 2500 * MS;
	unsigned before, most = 0;

	for (unsigned i = 0; i < groups; i++) {
		char name[16];

		snprintf(name, sizeof name, "g%u", i);
		rig_expect_slot(r, rig_acquire(r, 0, 1, name, 1, 1, 0), 1);
	}
	rig_advance(r, quarter);        /* the first comes within this */
	for (unsigned lease = 0; lease < 4; lease++) {
		before = r->exchanges;
		for (unsigned i = 0; i < parts; i++) {
			unsigned so_far = r->exchanges;

			rig_advance(r, quarter / parts);
			if (r->exchanges - so_far > most)
				most = r->exchanges - so_far;
		}
		ck_assert_uint_eq(r->exchanges - before, groups);
	}
	ck_assert_uint_lt(most, groups / 4);
}
END_TEST

START_TEST(lease_ends)
{
	uint64_t a = ask(0, 1, 1), b = ask(1, 1, 1);

	rig_link(r, 0, false);
	rig_advance(r, 9499 * MS);
	ck_assert(r->n_losts == 0 && rig_waits(r, b));
	rig_advance(r, 1 * MS);                 /* the lease less the margin: its client is told */
	ck_assert_uint_eq(r->n_losts, 1);
	ck_assert(r->losts[0].client == 1 && r->losts[0].reason == ARB_LOST_LEASE);
	ck_assert(rig_waits(r, b));
	rig_advance(r, 600 * MS);
	rig_expect_slot(r, b, 1);
	ck_assert_uint_gt(rig_answer(r, b)->token, rig_answer(r, a)->token);
}
END_TEST

/* A process that was stopped past its lease grants nothing from before. */
START_TEST(stopped_past_its_lease)
{
	ask(0, 1, 1);
	rig_release(r, 0, 1, "g", 1, 0);
	r->now += 20000 * MS;
	rig_expect_slot(r, ask(1, 1, 1), 1);
	ck_assert(rig_waits(r, ask(0, 2, 1)));
}
END_TEST

START_TEST(broken_link_mid_exchange)
{
	rig_expect_slot(r, ask(0, 1, 2), 1);
	r->hold_exchanges = true;
	uint64_t a = ask(0, 2, 2);

	rig_link(r, 0, false);                  /* not done */
	ck_assert(rig_waits(r, a));
	r->hold_exchanges = false;
	rig_link(r, 0, true);
	rig_expect_slot(r, a, 2);
	ck_assert_uint_eq(r->n_losts, 0);
}
END_TEST

/* The exchange was done, its reply lost with the link: the full sync frees what nobody claims, and
 * serves the waiter again. */
START_TEST(lost_reply)
{
	const struct xch_push *pushes;
	uint32_t n;

	rig_expect_slot(r, ask(0, 1, 2), 1);
	r->hold_exchanges = true;
	uint64_t a = ask(0, 2, 2);

	mem_exchange(r->mem, 1700000000000000 + r->now / 1000, r->held[0], &pushes, &n);
	rig_link(r, 0, false);
	r->hold_exchanges = false;
	rig_link(r, 0, true);
	rig_expect_slot(r, a, 2);
	rig_expect_slot(r, ask(1, 1, 3), 3);
}
END_TEST

START_TEST(no_reply_in_time)
{
	r->hold_exchanges = true;
	ask(0, 1, 1);
	rig_advance(r, 1999 * MS);
	ck_assert_uint_eq(r->hang_ups, 0);
	rig_advance(r, 1 * MS);
	ck_assert_uint_eq(r->hang_ups, 1);
}
END_TEST

static void
reply_error(void)
{
	struct xch_reply error = {.status = XCH_ERROR, .error = "the key x is a list"};

	error.seq = r->held[0]->seq;
	r->held[0] = NULL;
	rig_step(r, 0, &(struct arb_event){.type = ARB_REPLY,
	    .reply = {.group = "g", .reply = &error}});
}

/* The backend can do nothing for the group: waiters are told, holders keep what they have. */
START_TEST(backend_error)
{
	uint64_t a, b;

	rig_expect_slot(r, ask(0, 1, 1), 1);
	r->hold_exchanges = true;
	a = ask(0, 2, 2);
	reply_error();
	rig_expect_error(r, a, WIRE_ERR_BACKEND);
	b = ask(0, 3, 2);
	ck_assert(r->held[0] == NULL);          /* not before a while has passed */
	r->hold_exchanges = false;
	rig_advance(r, 1000 * MS);
	rig_expect_slot(r, b, 2);
	ck_assert_uint_eq(r->n_losts, 0);
}
END_TEST

static void
open_strict(uint64_t client)
{
	rig_gone(r, 0, client);
	rig_step(r, 0, &(struct arb_event){.type = ARB_CLIENT_OPEN, .client = client,
	    .open = {.pid = 1, .uid = 1000, .strict = true}});
}

/* Of a group that nobody uses any more it is not asked for ever. */
START_TEST(backend_error_that_stays)
{
	struct arb_group_status st;
	unsigned asked = 0;

	rig_expect_slot(r, ask(0, 1, 1), 1);
	r->hold_exchanges = true;
	rig_release(r, 0, 1, "g", 1, 0);
	for (int second = 0; second < 60; second++) {
		rig_advance(r, 1000 * MS);
		if (r->held[0] == NULL)
			continue;
		asked++;
		reply_error();
	}
	ck_assert(asked > 5 && asked <= 11);    /* until the lease ends */
	ck_assert(!arb_status(r->arb[0], "g", &st));
}
END_TEST

/* Nobody could have been granted a slot: that is not the same as full. */
START_TEST(unavailable)
{
	uint64_t a, b;

	rig_expect_slot(r, ask(0, 1, 1), 1);
	rig_link(r, 0, false);
	a = rig_acquire(r, 0, 2, "g", 1, 1, 0);
	rig_expect_error(r, a, WIRE_ERR_FULL);  /* ours alone is as many as there are */
	a = rig_acquire(r, 0, 2, "g", 2, 1, 0);
	b = rig_acquire(r, 0, 3, "g", 2, 1, 300 * MS);
	rig_advance(r, 300 * MS);
	rig_expect_error(r, a, WIRE_ERR_UNAVAILABLE);
	rig_expect_error(r, b, WIRE_ERR_UNAVAILABLE);
	rig_link(r, 0, true);
	r->hold_exchanges = true;
	a = rig_acquire(r, 0, 2, "g", 2, 1, 0);
	rig_advance(r, 250 * MS);
	rig_expect_error(r, a, WIRE_ERR_UNAVAILABLE); /* no reply yet */
}
END_TEST

START_TEST(unavailable_in_a_grace)
{
	struct arb_conf conf = rig_conf();
	struct rig *young;
	uint64_t a;

	conf.grace = conf.lease;
	young = rig_new(1, &conf);
	rig_open(young, 0, 1);
	a = rig_acquire(young, 0, 1, "g", 1, 1, 0);
	rig_advance(young, 250 * MS);
	rig_expect_error(young, a, WIRE_ERR_UNAVAILABLE);
	a = rig_acquire(young, 0, 1, "g", XCH_NO_LIMIT, 1, 0); /* a live one may be put back */
	rig_advance(young, 250 * MS);
	rig_expect_error(young, a, WIRE_ERR_UNAVAILABLE);
	a = rig_acquire(young, 0, 1, "g", 1, 1, NSEC_NEVER);
	rig_advance(young, 10000 * MS);
	rig_expect_slot(young, a, 1);
	rig_free(young);
}
END_TEST

/* The waiter that an exchange is under way for gets another's slot meanwhile; the next one has what
 * was granted, at once and without another exchange. */
START_TEST(grant_for_one_that_is_served)
{
	uint64_t a = ask(0, 1, 2), b, c;
	unsigned before;

	rig_expect_slot(r, a, 1);
	r->hold_exchanges = true;
	b = ask(0, 2, 2);
	rig_release(r, 0, 1, "g", 1, 0);
	rig_expect_slot(r, b, 1);
	c = ask(0, 3, 2);
	ck_assert(rig_waits(r, c));
	before = r->exchanges;
	rig_exchange(r, 0);
	rig_expect_slot(r, c, 2);
	ck_assert_uint_eq(r->exchanges, before + 1);
	ck_assert_uint_gt(rig_answer(r, c)->token, rig_answer(r, a)->token);
}
END_TEST

START_TEST(unproven_and_kept)
{
	uint64_t a;

	open_strict(1);
	a = ask(0, 1, 1);
	rig_link(r, 0, false);
	rig_advance(r, 60000 * MS);             /* nobody else wants it */
	ck_assert_uint_eq(r->n_losts, 0);
	rig_link(r, 0, true);
	ck_assert_uint_eq(r->n_losts, 0);
	ck_assert_int_eq(rig_answer(r, rig_release(r, 0, 1, "g", 1, rig_answer(r, a)->token))->code,
	    WIRE_OK);
}
END_TEST

START_TEST(unproven_and_taken)
{
	open_strict(1);
	ask(0, 1, 1);
	rig_link(r, 0, false);
	rig_advance(r, 60000 * MS);
	uint64_t b = ask(1, 1, 1);

	rig_advance(r, 10000 * MS);             /* the group's clock has stood still meanwhile */
	rig_expect_slot(r, b, 1);
	rig_link(r, 0, true);
	ck_assert_uint_eq(r->n_losts, 1);
	ck_assert(r->losts[0].reason == ARB_LOST_TAKEN);
}
END_TEST

static void
configured(unsigned d, int64_t limit)
{
	rig_acquire_as(r, d, 1, (struct arb_acquire){.group = "g", .n = 1, .limit = 9,
	    .configured = limit, .wait = NSEC_NEVER, .hold = NSEC_NEVER});
}

/* Each limit that is not ours is told when it is heard first; of many, the lowest and the highest. */
START_TEST(other_limits)
{
	struct arb_group_status st;

	configured(0, 5);
	configured(1, 5);
	arb_status(r->arb[1], "g", &st);
	ck_assert_uint_eq(st.n_differs, 0);
	configured(2, 7);
	ck_assert_uint_eq(r->differs, 1);
	arb_status(r->arb[2], "g", &st);
	ck_assert_uint_eq(st.n_differs, 1);
	ck_assert_int_eq(st.differs[0].limit, 5);
	ck_assert_int_eq(st.differs[0].lease, 0);
	ck_assert_str_eq(st.differs[0].host, "host");
	rig_advance(r, 3000 * MS);              /* the others renew their leases */
	ck_assert_uint_eq(r->differs, 3);
	arb_status(r->arb[0], "g", &st);
	ck_assert_uint_eq(st.n_differs, 1);
	ck_assert_int_eq(st.differs[0].limit, 7);
	configured(1, 6);
	arb_status(r->arb[1], "g", &st);
	ck_assert_uint_eq(st.n_differs, 2);
	ck_assert_uint_eq(r->differs, 4);       /* it knew of the 7 */
	rig_advance(r, 20000 * MS);
	ck_assert_uint_eq(r->differs, 4);
	configured(2, XCH_NO_LIMIT);            /* no limit is no other limit */
	arb_status(r->arb[2], "g", &st);
	ck_assert_uint_eq(st.n_differs, 0);
}
END_TEST

/* Two slots are held, and the backend gives one away: its push. */
static void
one_of_two(void)
{
	uint64_t token = rig_answer(r, rig_acquire(r, 0, 1, "g", 2, 2, NSEC_NEVER))->token;
	struct xch_push push = {.to = {1, 1, 7}, .type = XCH_LOST, .group = "g", .incarnation = 1,
	    .slot = {1, token >> 16}};

	rig_step(r, 0, &(struct arb_event){.type = ARB_PUSH, .push = &push});
	ck_assert(r->n_losts == 1 && r->losts[0].token == token);
	ck_assert(r->losts[0].reason == ARB_LOST_TAKEN);
}

/* Its client may go on with the other until it can have heard. */
START_TEST(one_of_two_is_lost)
{
	uint64_t b;

	one_of_two();
	b = ask(1, 1, 2);
	rig_advance(r, 499 * MS);
	ck_assert(rig_waits(r, b));
	rig_advance(r, 1 * MS);
	rig_expect_slot(r, b, 2);
	for (uint32_t slot = 1; slot <= 2; slot++)
		rig_expect_error(r, rig_release(r, 0, 1, "g", slot, 0), WIRE_ERR_LOST);
}
END_TEST

START_TEST(one_of_two_is_lost_and_heard)
{
	uint64_t b;

	one_of_two();
	b = ask(1, 1, 2);
	rig_expect_error(r, rig_release(r, 0, 1, "g", 1, 0), WIRE_ERR_LOST);
	ck_assert(rig_waits(r, b));
	rig_expect_error(r, rig_release(r, 0, 1, "g", 2, 0), WIRE_ERR_LOST);
	rig_expect_slot(r, b, 2);
	rig_gone(r, 0, 1);
}
END_TEST

Suite *
fleet_suite(void)
{
	Suite *s = suite_create("fleet");
	TCase *tc = tcase_create("three hosts");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, first_come_first_served);
	tcase_add_test(tc, idle_slot_is_recalled);
	tcase_add_test(tc, no_idle_slots);
	tcase_add_test(tc, other_limits);
	tcase_add_test(tc, now_or_never_finds_an_idle_slot_elsewhere);
	tcase_add_test(tc, now_or_never_is_refused_when_all_know);
	tcase_add_test(tc, now_or_never_is_no_waiter);
	tcase_add_test(tc, now_or_never_waits_for_recall_only);
	tcase_add_test(tc, lost_pushes);
	tcase_add_test(tc, renewals_are_spread);
	tcase_add_test(tc, lease_ends);
	tcase_add_test(tc, stopped_past_its_lease);
	tcase_add_test(tc, broken_link_mid_exchange);
	tcase_add_test(tc, lost_reply);
	tcase_add_test(tc, no_reply_in_time);
	tcase_add_test(tc, backend_error);
	tcase_add_test(tc, backend_error_that_stays);
	tcase_add_test(tc, unavailable);
	tcase_add_test(tc, unavailable_in_a_grace);
	tcase_add_test(tc, grant_for_one_that_is_served);
	tcase_add_test(tc, unproven_and_kept);
	tcase_add_test(tc, unproven_and_taken);
	tcase_add_test(tc, one_of_two_is_lost);
	tcase_add_test(tc, one_of_two_is_lost_and_heard);
	suite_add_tcase(s, tc);
	return s;
}
