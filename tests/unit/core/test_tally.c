/* Tallies: what is counted of a group, and that names without end do not make tallies without end. */
#include "tests/unit/core/suites.h"

#include <stdio.h>

#include "daemon/core/tally.h"
#include "tests/unit/core/rig.h"

enum { MAX = 3 };

static struct tallies tallies;
static struct rig *r;

static void
setup(void)
{
	struct arb_conf conf = rig_conf();

	tallies_init(&tallies, MAX);
	conf.tallies = &tallies;
	r = rig_new(1, &conf);
	for (uint64_t c = 1; c <= 9; c++)
		rig_open(r, 0, c);
}

static void
teardown(void)
{
	rig_free(r);
	tallies_fini(&tallies);
}

static uint64_t
ask(uint64_t client, const char *group, uint32_t n, nsec wait)
{
	return rig_acquire_as(r, 0, client, (struct arb_acquire){.group = group, .n = n, .limit = 2,
	    .configured = XCH_NO_LIMIT, .wait = wait, .hold = NSEC_NEVER, .max_waiters = 1});
}

static const struct tally *
tally(void)
{
	return tally_of(&tallies, "g");
}

static uint64_t
sum(const struct histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		n += h->n[i];
	return n;
}

START_TEST(buckets)
{
	struct histogram h = {.bounds = histogram_long};

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		ck_assert(i == 0 || h.bounds[i - 1] < h.bounds[i]);
		histogram_add(&h, h.bounds[i]);
		histogram_add(&h, h.bounds[i] + 1);
	}
	ck_assert_uint_eq(h.n[0], 1);
	for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++)
		ck_assert_uint_eq(h.n[i], 2);
	ck_assert_uint_eq(h.n[HISTOGRAM_BOUNDS], 1);
}
END_TEST

START_TEST(grants)
{
	uint64_t waits;

	ask(1, "g", 1, 0);                      /* by an exchange */
	ask(2, "g", 1, 0);
	waits = ask(3, "g", 1, 5000 * MS);
	rig_advance(r, 300 * MS);
	rig_release(r, 0, 1, "g", 1, 0);           /* handed over to 3, who has waited 300 ms */
	rig_expect_slot(r, waits, 1);
	rig_release(r, 0, 2, "g", 2, 0);
	ask(2, "g", 1, 0);                      /* idle */
	ck_assert_uint_eq(tally()->grants[TALLY_EXCHANGE], 2);
	ck_assert_uint_eq(tally()->grants[TALLY_HANDOVER], 1);
	ck_assert_uint_eq(tally()->grants[TALLY_IDLE], 1);
	ck_assert_uint_eq(sum(&tally()->wait), 4);
	ck_assert_uint_eq(tally()->wait.n[0], 3);
	ck_assert_uint_eq(tally()->wait.n[4], 1);
	ck_assert_uint_eq(tally()->wait.sum, 300000);
	ck_assert_uint_eq(sum(&tally()->hold), 2);
	ck_assert_uint_eq(tally()->hold.sum, 600000);
	ck_assert_uint_ge(tally()->exchanges, 2);
	ck_assert_uint_eq(sum(&tallies.exchange), tally()->exchanges);
}
END_TEST

START_TEST(refusals)
{
	static const uint64_t expected[TALLY_N_RESULTS] = {
	    [TALLY_FULL] = 1,    [TALLY_TIMEOUT] = 1, [TALLY_QUEUEFULL] = 1, [TALLY_CANCELLED] = 1,
	    [TALLY_REFUSED] = 1, [TALLY_GONE] = 1,
	};

	ask(1, "g", 2, 0);
	ask(2, "g", 1, 0);
	ask(2, "g", 3, 0);                      /* too big */
	ask(2, "g", 1, 100 * MS);
	ask(3, "g", 1, 100 * MS);               /* one waits already */
	rig_advance(r, 100 * MS);
	ask(2, "g", 1, 100 * MS);
	rig_step(r, 0, &(struct arb_event){.type = ARB_RELEASE_ALL, .client = 2,
	    .request = ++r->next_request});
	ask(4, "g", 1, 100 * MS);
	rig_step(r, 0, &(struct arb_event){.type = ARB_CLIENT_GONE, .client = 4});
	for (unsigned i = 0; i < TALLY_N_RESULTS; i++)
		ck_assert_msg(tally()->results[i] == expected[i], "result %u", i);
}
END_TEST

START_TEST(losses)
{
	ask(1, "g", 2, 0);
	rig_step(r, 0, &(struct arb_event){.type = ARB_CLIENT_KICK, .client = 1});
	ck_assert_uint_eq(tally()->losses[ARB_LOST_EVICT], 1);
	ck_assert_uint_eq(sum(&tally()->hold), 1);
}
END_TEST

/* A group is forgotten when nobody has used it for a lease; what was counted is not. */
START_TEST(outlives_group)
{
	struct arb_group_status status;

	ask(1, "g", 1, 0);
	rig_release(r, 0, 1, "g", 1, 0);
	rig_advance(r, 60000 * MS);
	ck_assert(!arb_status(r->arb[0], "g", &status));
	ck_assert_ptr_null(status.tally);
	ck_assert_uint_eq(tally()->grants[TALLY_EXCHANGE], 1);
	ask(1, "g", 1, 0);
	ck_assert(arb_status(r->arb[0], "g", &status));
	ck_assert_ptr_eq(status.tally, tally());
	ck_assert_uint_eq(tally()->grants[TALLY_EXCHANGE], 2);
}
END_TEST

START_TEST(bounded)
{
	struct arb_group_status status;
	char name[16];

	tally_keep(&tallies, "configured");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "g%u", i);
		ask(1, name, 1, 0);
	}
	ck_assert_uint_eq(tallies.n, 1 + 1 + MAX);
	ck_assert_uint_eq(tallies.other.grants[TALLY_EXCHANGE], 100 - MAX);
	ck_assert(arb_status(r->arb[0], "g99", &status));
	ck_assert_ptr_eq(status.tally, &tallies.other);
	ck_assert_ptr_ne(tally_keep(&tallies, "g99"), &tallies.other);
	ck_assert_ptr_eq(tally_of(&tallies, "g98"), &tallies.other);
	tally_keep(&tallies, "g0");             /* which makes room */
	ck_assert_ptr_ne(tally_of(&tallies, "g98"), &tallies.other);
	ck_assert_ptr_eq(tally_of(&tallies, "g97"), &tallies.other);
	ck_assert_ptr_eq(tally_of(&tallies, TALLY_OTHER), &tallies.other);
	ck_assert_ptr_eq(tally_keep(&tallies, TALLY_OTHER), &tallies.other);
}
END_TEST

/* As by a reload: it had no tally of its own so far. */
START_TEST(counted_apart_from_now_on)
{
	struct arb_group_status status;

	tallies.max = 0;
	ask(1, "g", 1, 0);
	ck_assert(arb_status(r->arb[0], "g", &status));
	ck_assert_ptr_eq(status.tally, &tallies.other);
	tally_keep(&tallies, "g");
	rig_step(r, 0, &(struct arb_event){.type = ARB_CONFIGURE,
	    .configure = {.group = "g", .limit = 2}});
	ck_assert(arb_status(r->arb[0], "g", &status));
	ck_assert_ptr_eq(status.tally, tally());
	rig_release(r, 0, 1, "g", 1, 0);
	ck_assert_uint_eq(sum(&tally()->hold), 1);
}
END_TEST

Suite *
tally_suite(void)
{
	Suite *s = suite_create("tally");
	TCase *tc = tcase_create("tally");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, buckets);
	tcase_add_test(tc, grants);
	tcase_add_test(tc, refusals);
	tcase_add_test(tc, losses);
	tcase_add_test(tc, outlives_group);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, counted_apart_from_now_on);
	suite_add_tcase(s, tc);
	return s;
}
