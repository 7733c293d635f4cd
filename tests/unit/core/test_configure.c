/* A configuration that changes while daemons run, and hosts that are drained: at any moment of an
 * exchange. */
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
ask_n(unsigned d, uint64_t client, int64_t configured, uint32_t n, nsec wait)
{
	return rig_acquire_as(r, d, client, (struct arb_acquire){.group = "g", .n = n,
	    .limit = XCH_NO_LIMIT, .configured = configured, .wait = wait, .hold = NSEC_NEVER});
}

static uint64_t
ask(unsigned d, uint64_t client, int64_t configured)
{
	return ask_n(d, client, configured, 1, NSEC_NEVER);
}

static void
configure(unsigned d, int64_t limit)
{
	rig_step(r, d, &(struct arb_event){.type = ARB_CONFIGURE,
	    .configure = {.group = "g", .limit = limit}});
}

static void
drain(unsigned d, bool on)
{
	rig_step(r, d, &(struct arb_event){.type = ARB_DRAIN, .drain = on});
}

static uint32_t
idle_at(unsigned d)
{
	struct arb_group_status st;

	arb_status(r->arb[d], "g", &st);
	return st.idle;
}

static void
expect_drained(uint64_t request)
{
	rig_expect_error(r, request, WIRE_ERR_UNAVAILABLE);
	ck_assert_str_eq(rig_answer(r, request)->why, "drain");
}

/* Those who wait are let in, exactly as many as there is room for; those of one host in the order of
 * asking. */
START_TEST(raised)
{
	uint64_t asked[6];
	unsigned n = 0;

	rig_expect_slot(r, ask(0, 10, 1), 1);
	for (unsigned i = 0; i < 6; i++) {
		asked[i] = ask(i % 3, i / 3 + 1, 1);
		rig_advance(r, 5 * MS);
	}
	for (unsigned d = 0; d < 3; d++)
		configure(d, 4);
	for (unsigned i = 0; i < 6; i++)
		n += !rig_waits(r, asked[i]);
	ck_assert_uint_eq(n, 3);
	for (unsigned d = 0; d < 3; d++)
		ck_assert(rig_waits(r, asked[d + 3]) || !rig_waits(r, asked[d]));
}
END_TEST

/* The request that is under way has the former limit: whether it is a full sync or not, the new one is
 * said behind it. */
START_TEST(raised_during_an_exchange)
{
	uint64_t second;
	bool is_full = _i == 0;

	if (!is_full) {
		rig_expect_slot(r, ask(0, 2, 1), 1);
		ask(1, 1, 1);   /* so that who asks here is queued behind it */
	}
	r->hold_exchanges = true;
	if (is_full)
		ask(0, 1, 1);
	second = ask(0, 3, 1);
	ck_assert_ptr_nonnull(r->held[0]);
	ck_assert_int_eq(r->held[0]->full, is_full);
	configure(0, 2);
	configure(0, 3);
	rig_exchange(r, 0);
	ck_assert_ptr_nonnull(r->held[0]);
	ck_assert(r->held[0]->full);
	ck_assert_int_eq(r->held[0]->limit, 3);
	rig_exchange(r, 0);
	rig_expect_slot(r, second, 2);
}
END_TEST

START_TEST(lowered)
{
	uint64_t waits, n;

	for (uint64_t c = 1; c <= 3; c++)
		rig_expect_slot(r, ask(0, c, 3), (uint32_t)c);
	waits = ask(0, 4, 3);
	n = ask_n(0, 5, 3, 2, NSEC_NEVER);
	configure(0, 1);
	rig_expect_error(r, n, WIRE_ERR_TOOBIG);
	rig_release(r, 0, 1, "g", 1, 0);
	rig_release(r, 0, 3, "g", 3, 0);
	ck_assert(rig_waits(r, waits));
	rig_release(r, 0, 2, "g", 2, 0);
	rig_expect_slot(r, waits, 1);
	ck_assert_uint_eq(idle_at(0), 0);
}
END_TEST

START_TEST(idle_slots_go_back)
{
	rig_expect_slot(r, ask(0, 1, 2), 1);
	rig_release(r, 0, 1, "g", 1, 0);
	ck_assert_uint_eq(idle_at(0), 1);
	configure(0, 2);        /* nothing new */
	ck_assert_uint_eq(idle_at(0), 1);
	configure(0, 1);
	ck_assert_uint_eq(idle_at(0), 0);
}
END_TEST

START_TEST(no_limit_any_more)
{
	uint64_t without, with;

	rig_expect_slot(r, ask(0, 1, 1), 1);
	without = ask(0, 2, 1);
	with = rig_acquire_as(r, 0, 3, (struct arb_acquire){.group = "g", .n = 1, .limit = 1,
	    .configured = 1, .wait = NSEC_NEVER, .hold = NSEC_NEVER});
	configure(0, XCH_NO_LIMIT);
	rig_expect_error(r, without, WIRE_ERR_NOLIMIT);
	ck_assert(rig_waits(r, with));
	rig_release(r, 0, 1, "g", 1, 0);
	rig_expect_slot(r, with, 1);
}
END_TEST

/* Other hosts are told, once. */
START_TEST(others_are_told)
{
	ask(0, 1, 2);
	ask(1, 1, 2);
	ck_assert_uint_eq(r->differs, 0);
	configure(1, 3);
	ck_assert_uint_eq(r->differs, 1);       /* the one that has changed has heard of the other */
	rig_advance(r, 10000 * MS);
	ck_assert_uint_eq(r->differs, 2);
	configure(0, 3);
	rig_advance(r, 10000 * MS);
	ck_assert_uint_eq(r->differs, 2);
}
END_TEST

START_TEST(unknown_group)
{
	configure(0, 3);
	rig_step(r, 0, &(struct arb_event){.type = ARB_CONFIGURE, .configure.max_groups = 1});
	rig_expect_slot(r, ask(0, 1, 3), 1);
	rig_expect_error(r, rig_acquire(r, 0, 1, "h", 1, 1, 0), WIRE_ERR_GROUPS);
	rig_step(r, 0, &(struct arb_event){.type = ARB_CONFIGURE, .configure.max_groups = 2});
	rig_expect_slot(r, rig_acquire(r, 0, 1, "h", 1, 1, 0), 1);
}
END_TEST

START_TEST(drained)
{
	uint64_t waits, now_or_never;

	rig_expect_slot(r, ask(0, 1, 1), 1);
	rig_release(r, 0, 1, "g", 1, 0);
	rig_expect_slot(r, ask(0, 1, 1), 1);
	waits = ask(0, 2, 1);
	drain(0, true);
	expect_drained(waits);
	now_or_never = ask_n(0, 2, 1, 1, 0);
	expect_drained(now_or_never);
	rig_release(r, 0, 1, "g", 1, 0);
	ck_assert_uint_eq(idle_at(0), 0);
	rig_expect_slot(r, ask(1, 1, 1), 1);    /* another host has it */
	rig_release(r, 1, 1, "g", 1, 0);
	drain(0, false);
	rig_expect_slot(r, ask(0, 2, 1), 1);
}
END_TEST

/* A grant that is under way to one that has been told so goes back, and on to another host. */
START_TEST(drained_during_an_exchange)
{
	uint64_t waits;

	r->hold_exchanges = true;
	waits = ask(0, 1, 1);
	drain(0, true);
	expect_drained(waits);
	rig_exchange(r, 0);
	if (r->held[0] != NULL)
		rig_exchange(r, 0);
	r->hold_exchanges = false;
	rig_expect_slot(r, ask(1, 1, 1), 1);
	ck_assert_uint_eq(idle_at(0), 0);
}
END_TEST

/* Without a backend nobody is let in either; a stop goes before. */
START_TEST(drained_goes_before)
{
	drain(0, true);
	rig_link(r, 0, false);
	rig_advance(r, 1000 * MS);
	expect_drained(rig_acquire_as(r, 0, 1, (struct arb_acquire){.group = "g", .n = 1, .limit = 1,
	    .configured = 1, .wait = 0, .hold = NSEC_NEVER, .on_down = ARB_DOWN_OPEN}));
	rig_step(r, 0, &(struct arb_event){.type = ARB_STOP});
	rig_expect_error(r, ask(0, 1, 1), WIRE_ERR_SHUTDOWN);
}
END_TEST

Suite *
configure_suite(void)
{
	Suite *s = suite_create("configure");
	TCase *tc = tcase_create("configure");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, raised);
	tcase_add_loop_test(tc, raised_during_an_exchange, 0, 2);
	tcase_add_test(tc, lowered);
	tcase_add_test(tc, idle_slots_go_back);
	tcase_add_test(tc, no_limit_any_more);
	tcase_add_test(tc, others_are_told);
	tcase_add_test(tc, unknown_group);
	tcase_add_test(tc, drained);
	tcase_add_test(tc, drained_during_an_exchange);
	tcase_add_test(tc, drained_goes_before);
	return s;
}
