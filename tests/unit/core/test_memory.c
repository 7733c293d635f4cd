/* The memory backend's rules, one exchange at a time. */
#include "tests/unit/core/suites.h"

#include <string.h>

#include "daemon/core/memory/memory.h"
#include "proto/page.h"

#define SEC ((usec)1000000)
#define LEASE (10 * SEC)

static struct mem *mem;
static usec now;
static const struct xch_push *pushes;
static uint32_t n_pushes;
static uint64_t seq;

static void
setup(void)
{
	mem = mem_new();
	mem_set_identity(mem, 1);
	now = 1700000000 * SEC;
	seq = 0;
}

static void
teardown(void)
{
	mem_free(mem);
}

/* A request of the daemon whose install is d; the lists are the test's to add. */
static struct xch_request
from(uint64_t d, bool full, uint64_t incarnation)
{
	return (struct xch_request){.group = "g", .from = {d, 1, 7}, .seq = ++seq, .full = full,
	    .incarnation = incarnation, .lease = LEASE, .limit = XCH_NO_LIMIT,
	    .host = "host"};
}

static const struct xch_reply *
say(const struct xch_request *q)
{
	return mem_exchange(mem, now, q, &pushes, &n_pushes);
}

/* A full sync of daemon d that claims and wants nothing.  -> its incarnation */
static uint64_t
join(uint64_t d)
{
	struct xch_request q = from(d, true, 0);

	ck_assert_int_eq(say(&q)->status, XCH_OK);
	return q.seq;
}

static const struct xch_reply *
want(uint64_t d, uint64_t incarnation, uint64_t id, int64_t limit, uint32_t n)
{
	struct xch_want w = {.id = id, .n = n, .limit = limit};
	struct xch_request q = from(d, false, incarnation);

	q.want = &w;
	q.n_want = 1;
	return say(&q);
}

static const struct xch_reply *
give_back(uint64_t d, uint64_t incarnation, uint32_t slot, uint64_t number)
{
	struct xch_slot s = {slot, number};
	struct xch_request q = from(d, false, incarnation);

	q.release = &s;
	q.n_release = 1;
	return say(&q);
}

static const struct xch_reply *
claim(uint64_t d, usec grace, bool lapsed, uint32_t slot, uint64_t number)
{
	struct xch_slot s = {slot, number};
	struct xch_request q = from(d, true, 0);

	q.claim = &s;
	q.n_claim = 1;
	q.grace = grace;
	q.lapsed = lapsed;
	return say(&q);
}

START_TEST(admission)
{
	uint64_t inc = join(1);
	struct xch_request q = from(1, false, inc);
	const struct xch_reply *re;

	q.seq = 1;
	ck_assert_int_eq(say(&q)->status, XCH_STALE);
	q = from(1, false, inc + 1);
	ck_assert_int_eq(say(&q)->status, XCH_RESYNC);
	q = from(2, false, 0);
	ck_assert_int_eq(say(&q)->status, XCH_RESYNC);
	q = from(1, true, 0);
	q.from.generation = 2;
	ck_assert_int_eq(say(&q)->status, XCH_OK);
	q = from(1, true, 0);
	ck_assert_int_eq(say(&q)->status, XCH_GONE);
	q.from.generation = 2;
	q.from.nonce = 8;
	re = say(&q);
	ck_assert_int_eq(re->status, XCH_GONE);
}
END_TEST

START_TEST(numbers_grow_with_time)
{
	uint64_t inc = join(1), number;

	number = want(1, inc, 1, 1, 1)->granted[0].number;
	ck_assert_uint_ge(number, (uint64_t)now >> 5);
	give_back(1, inc, 1, number);
	ck_assert_uint_gt(want(1, inc, 2, 1, 1)->granted[0].number, number);
}
END_TEST

START_TEST(release_counts_with_its_number_only)
{
	uint64_t inc = join(1), number = want(1, inc, 1, 1, 1)->granted[0].number;

	ck_assert_uint_eq(give_back(1, inc, 1, number - 1)->in_use, 1);
	ck_assert_uint_eq(give_back(2, join(2), 1, number)->in_use, 1);
	ck_assert_uint_eq(give_back(1, inc, 1, number)->in_use, 0);
}
END_TEST

START_TEST(grant_is_pushed_and_kept_for_the_next_exchange)
{
	uint64_t a = join(1), b = join(2), number = want(1, a, 1, 1, 1)->granted[0].number;
	const struct xch_reply *re = want(2, b, 5, 1, 1);

	ck_assert_uint_eq(re->n_granted, 0);
	ck_assert(n_pushes == 1 && pushes[0].type == XCH_RECALL && pushes[0].to.install == 1);
	give_back(1, a, 1, number);
	ck_assert(n_pushes == 1 && pushes[0].type == XCH_GRANT && pushes[0].grant.id == 5);
	ck_assert_uint_eq(pushes[0].incarnation, b);
	struct xch_request q = from(2, false, b);
	re = say(&q);
	ck_assert(re->n_granted == 1 && re->granted[0].id == 5 && re->granted[0].slots[0] == 1);
	q = from(2, false, b);
	ck_assert_uint_eq(say(&q)->n_granted, 0);
}
END_TEST

START_TEST(lease_ends)
{
	uint64_t a = join(1), b = join(2);
	const struct xch_reply *re;

	want(1, a, 1, 1, 1);
	for (int i = 0; i < 9; i++) {           /* the other one keeps the clock going */
		now += SEC;
		struct xch_request q = from(2, false, b);
		re = say(&q);
		ck_assert_int_eq(re->look, LEASE - (i + 1) * SEC);
	}
	ck_assert_uint_eq(want(2, b, 1, 1, 1)->n_granted, 0);
	now += SEC;
	struct xch_request q = from(2, false, b);
	re = say(&q);
	ck_assert_uint_eq(re->n_granted, 1);
	ck_assert_int_eq(re->look, USEC_NEVER);
}
END_TEST

/* A step of the server's clock ends nobody's lease at once. */
START_TEST(clock_step)
{
	uint64_t a = join(1), b = join(2);

	want(1, a, 1, 1, 1);
	now += 3600 * SEC;
	ck_assert_uint_eq(want(2, b, 1, 1, 1)->n_granted, 0);
	now -= 7200 * SEC;
	struct xch_request q = from(1, false, a);
	ck_assert_int_eq(say(&q)->status, XCH_OK);
	ck_assert_uint_eq(want(2, b, 2, 1, 1)->n_granted, 0);
}
END_TEST

/* Data lost: nothing is granted before the grace is over, and holders get theirs back. */
/* A daemon with a short lease holds the clock back only while it is on record. */
START_TEST(clock_follows_the_shortest_lease)
{
	struct xch_request q = from(1, true, 0);
	uint64_t inc = join(2), version;

	join(3);
	q.lease = SEC;
	say(&q);
	for (int i = 0; i < 3; i++) {   /* 0.4 s each: then the short lease is over */
		now += LEASE;
		q = from(2, false, inc);
		say(&q);
	}
	now += 3 * SEC;
	q = from(2, false, inc);
	version = say(&q)->version;
	now += 3 * SEC;
	q = from(2, false, inc);
	ck_assert_uint_eq(say(&q)->version, version + 3 * SEC);
}
END_TEST

START_TEST(grace)
{
	const struct xch_reply *re;
	uint64_t number = (uint64_t)now >> 5;
	struct xch_request q = from(2, true, 0);
	struct xch_want w = {.id = 1, .n = 1, .limit = 1};

	q.grace = LEASE;
	q.want = &w;
	q.n_want = 1;
	re = say(&q);
	ck_assert(re->n_granted == 0 && re->grace == LEASE && re->look == LEASE);
	now += 3 * SEC;
	re = claim(1, LEASE, false, 1, number);
	ck_assert(re->n_lost == 0 && re->in_use == 1 && re->grace == LEASE - 3 * SEC);
	re = claim(3, LEASE, false, 1, number - 1);
	ck_assert(re->n_lost == 1 && n_pushes == 0);
	re = claim(3, LEASE, false, 1, number + 1);
	ck_assert(re->n_lost == 0 && n_pushes == 1 && pushes[0].type == XCH_LOST);
	for (int i = 0; i < 7; i++) {
		now += SEC;
		q = from(2, false, 1);
		q.grace = LEASE;
		re = say(&q);
	}
	ck_assert(re->grace == 0 && re->n_granted == 0); /* one is claimed */
}
END_TEST

/* By hand: it is over for every group, whether that has begun to count it or not; the next is not. */
START_TEST(grace_is_ended)
{
	struct xch_want w = {.id = 1, .n = 1, .limit = 1};
	struct xch_request q = from(1, true, 0), r = from(1, true, 0);
	const struct xch_reply *re;

	q.grace = r.grace = LEASE;
	q.want = r.want = &w;
	q.n_want = r.n_want = 1;
	r.group = "other";
	ck_assert(say(&q)->grace == LEASE && mem_began(mem) == XCH_BEGAN_FIRST);
	mem_end_grace(mem, now, 0, LEASE);
	ck_assert_int_eq(mem_touch(mem, now, 0, 100 * LEASE), 0);
	q = from(1, false, q.seq);
	q.grace = LEASE;
	re = say(&q);
	ck_assert(re->grace == 0 && re->n_granted == 1);
	r.seq = ++seq;
	re = say(&r);
	ck_assert(re->grace == 0 && re->n_granted == 1);
	mem_set_identity(mem, 2);
	q = from(1, false, q.seq);
	q.grace = LEASE;
	ck_assert_int_eq(say(&q)->status, XCH_RESYNC);
	ck_assert(mem_touch(mem, now, 0, LEASE) == LEASE && mem_began(mem) == XCH_BEGAN_OTHER);
}
END_TEST

/* Whoever asks may not have heard of the longest lease, and its holder has not been heard. */
START_TEST(grace_of_the_longest_lease)
{
	struct xch_request q = from(2, true, 0);

	q.lease = 6 * LEASE;
	say(&q);
	mem_set_identity(mem, 2);
	ck_assert_int_eq(mem_touch(mem, now, 0, LEASE), 6 * LEASE);
	now += SEC;
	q = from(1, true, 0);
	q.grace = LEASE;
	ck_assert_int_eq(say(&q)->grace, 6 * LEASE - SEC);
	ck_assert_int_eq(mem_touch(mem, now, 0, 0), 0); /* there is to be none */
}
END_TEST

START_TEST(how_eras_begin)
{
	mem_touch(mem, now, 0, LEASE);
	ck_assert_int_eq(mem_began(mem), XCH_BEGAN_FIRST);
	mem_touch(mem, now, 12345, LEASE);
	ck_assert_int_eq(mem_began(mem), XCH_BEGAN_OLD);
	mem_set_identity(mem, 2);
	mem_touch(mem, now, 12345, LEASE);
	ck_assert_int_eq(mem_began(mem), XCH_BEGAN_OTHER);
	teardown();
	setup();
	mem_touch(mem, now, 12345, LEASE);
	ck_assert_int_eq(mem_began(mem), XCH_BEGAN_WIPED);
}
END_TEST

START_TEST(claims_of_the_lapsed_take_nothing)
{
	const struct xch_reply *re = claim(1, LEASE, true, 1, 1000);

	ck_assert_uint_eq(re->n_lost, 1);
}
END_TEST

START_TEST(no_claim_after_the_grace)
{
	ck_assert_uint_eq(claim(1, 0, false, 1, 1000)->n_lost, 1);
}
END_TEST

START_TEST(eras)
{
	struct xch_request q = from(1, true, 0);
	uint64_t era = say(&q)->era;

	mem_set_identity(mem, 2);               /* another process */
	q = from(1, false, q.seq);
	ck_assert_int_eq(say(&q)->status, XCH_RESYNC);
	q = from(1, true, 0);
	q.grace = LEASE;
	const struct xch_reply *re = say(&q);
	ck_assert(re->era != era);
	era = re->era;
	q = from(1, true, 0);
	q.grace = LEASE;
	q.era = 12345;                          /* heard elsewhere: these data are old */
	re = say(&q);
	ck_assert(re->era != era && re->grace == LEASE);
	q = from(1, true, 0);
	q.grace = LEASE;
	q.era = era;                            /* an earlier one of this lineage */
	ck_assert(say(&q)->era == re->era);
}
END_TEST

START_TEST(adoption)
{
	uint64_t a = join(1), number = want(1, a, 1, 1, 1)->granted[0].number;
	uint32_t slot = 1;
	struct xch_adopt adopt = {.id = 9, .n = 1, .slots = &slot, .number = number, .limit = 1};
	struct xch_request q = from(2, true, 0);
	const struct xch_reply *re;

	q.adopt = &adopt;
	q.n_adopt = 1;
	re = say(&q);                           /* a stranger with a token */
	ck_assert(re->n_refused == 1 && re->refused[0] == 9);
	q = from(1, true, 0);
	q.from.generation = 2;
	q.adopt = &adopt;
	q.n_adopt = 1;
	re = say(&q);                           /* the successor */
	ck_assert(re->n_granted == 1 && re->granted[0].number == number && re->in_use == 1);
}
END_TEST

START_TEST(queue_order)
{
	uint64_t a = join(1), b = join(2), number = want(1, a, 1, 2, 2)->granted[0].number;
	struct xch_want w[3] = {
	    {.id = 11, .n = 1, .limit = 2, .age = 1 * SEC},
	    {.id = 12, .n = 2, .limit = 2, .age = 3 * SEC},
	    {.id = 13, .n = 1, .limit = 3, .age = 0},
	};
	struct xch_request q = from(2, false, b);
	const struct xch_reply *re;

	q.want = w;
	q.n_want = 3;
	re = say(&q);
	ck_assert(re->n_granted == 1 && re->granted[0].id == 13); /* a higher limit is not stopped */
	ck_assert_uint_eq(re->granted[0].slots[0], 3);
	give_back(2, b, 3, re->granted[0].number);
	give_back(1, a, 1, number);             /* one is free, the oldest wants two */
	ck_assert_uint_eq(n_pushes, 0);
	give_back(1, a, 2, number);
	ck_assert(n_pushes == 1 && pushes[0].grant.id == 12 && pushes[0].grant.n == 2);
}
END_TEST

START_TEST(forgotten_groups_leave_their_numbers)
{
	uint64_t inc = join(1), number = want(1, inc, 1, 1, 1)->granted[0].number;

	give_back(1, inc, 1, number);
	now += 1000 * SEC;
	for (int i = 0; i < 3; i++) {
		struct xch_request q = from(1, true, 0);
		q.group = "other";
		say(&q);
	}
	now -= 2000 * SEC;                      /* and the clock steps back */
	struct xch_request q = from(1, false, inc);
	ck_assert_int_eq(say(&q)->status, XCH_RESYNC);
	ck_assert_uint_gt(want(1, join(1), 2, 1, 1)->granted[0].number, number);
}
END_TEST

/* ------------------------------------------------------------------ what was held before */

static void
inherit(uint64_t d, const char *group, uint32_t slot, uint64_t number, usec left)
{
	const struct xch_daemon id = {d, 0, 0};

	mem_inherit(mem, &id, page_group_hash(group), (struct xch_slot){slot, number}, now + left);
}

static const struct xch_reply *
adopt(uint64_t d, uint64_t incarnation, uint32_t slot, uint64_t number)
{
	const struct xch_adopt a = {.id = 9, .n = 1, .slots = &slot, .number = number, .limit = 5};
	struct xch_request q = from(d, incarnation == 0, incarnation);

	q.adopt = &a;
	q.n_adopt = 1;
	return say(&q);
}

START_TEST(inherited_is_held)
{
	const struct xch_reply *re;
	uint64_t a;

	inherit(1, "g", 1, 500, 4 * SEC);
	inherit(1, "g", 3, (uint64_t)now, 4 * SEC);     /* granted by a clock that was ahead */
	inherit(1, "other", 2, 502, 4 * SEC);
	a = join(1);
	re = want(1, a, 1, 3, 1);
	ck_assert_uint_eq(re->n_granted, 1);
	ck_assert_uint_eq(re->granted[0].slots[0], 2);
	ck_assert_uint_gt(re->granted[0].number, (uint64_t)now);
	re = want(1, a, 2, 3, 1);
	ck_assert_uint_eq(re->n_granted, 0);
	ck_assert_uint_eq(re->in_use, 3);
	ck_assert_uint_eq(n_pushes, 0);
	ck_assert_int_le(re->look, 4 * SEC);
	now += 3 * SEC;
	ck_assert_uint_eq(want(1, a, 2, 3, 1)->n_granted, 0);
	now += 2 * SEC;
	re = want(1, a, 2, 3, 1);
	ck_assert_uint_eq(re->n_granted, 1);
	ck_assert_uint_eq(re->granted[0].slots[0], 1);
	ck_assert_uint_eq(re->in_use, 2);
}
END_TEST

START_TEST(inherited_is_adopted)
{
	const struct xch_reply *re;
	uint64_t a;

	inherit(1, "g", 1, 500, 4 * SEC);
	inherit(1, "g", 2, 501, 2 * SEC);
	re = adopt(1, 0, 1, 500);
	a = re->seq;
	ck_assert_uint_eq(re->n_granted, 1);
	ck_assert_uint_eq(re->granted[0].number, 500);
	ck_assert_uint_eq(re->in_use, 2);
	re = adopt(1, a, 2, 777);
	ck_assert_uint_eq(re->n_refused, 1);
	now += 3 * SEC;                         /* each until its own end */
	re = adopt(1, a, 2, 501);
	ck_assert_uint_eq(re->n_refused, 1);
	ck_assert_uint_eq(re->in_use, 1);
}
END_TEST

/* Where the clock can be trusted, silence makes nothing last longer. */
START_TEST(inherited_ends_in_time)
{
	uint64_t a;

	mem_set_steady(mem);
	inherit(1, "g", 1, 500, 9 * SEC);
	a = join(1);
	now += 9 * SEC + 1;
	ck_assert_uint_eq(want(1, a, 1, 1, 1)->n_granted, 1);
}
END_TEST

/* Another install's hold is held as well, but nobody's to adopt; and what nobody asks for in time is
 * forgotten. */
START_TEST(inherited_of_others)
{
	const struct xch_reply *re;

	inherit(2, "g", 1, 500, 4 * SEC);
	inherit(1, "late", 1, 500, 4 * SEC);
	re = adopt(1, 0, 1, 500);
	ck_assert_uint_eq(re->n_refused, 1);
	ck_assert_uint_eq(re->in_use, 1);
	ck_assert_uint_eq(n_pushes, 0);
	now += 5 * SEC;
	re = say(&(struct xch_request){.group = "late", .from = {1, 1, 7}, .seq = ++seq, .full = true,
	    .lease = LEASE, .limit = XCH_NO_LIMIT, .host = "host"});
	ck_assert_uint_eq(re->in_use, 0);
}
END_TEST

Suite *
memory_suite(void)
{
	Suite *s = suite_create("memory");
	TCase *tc = tcase_create("exchange");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, admission);
	tcase_add_test(tc, numbers_grow_with_time);
	tcase_add_test(tc, release_counts_with_its_number_only);
	tcase_add_test(tc, grant_is_pushed_and_kept_for_the_next_exchange);
	tcase_add_test(tc, lease_ends);
	tcase_add_test(tc, clock_step);
	tcase_add_test(tc, clock_follows_the_shortest_lease);
	tcase_add_test(tc, grace);
	tcase_add_test(tc, grace_is_ended);
	tcase_add_test(tc, grace_of_the_longest_lease);
	tcase_add_test(tc, how_eras_begin);
	tcase_add_test(tc, claims_of_the_lapsed_take_nothing);
	tcase_add_test(tc, no_claim_after_the_grace);
	tcase_add_test(tc, eras);
	tcase_add_test(tc, adoption);
	tcase_add_test(tc, queue_order);
	tcase_add_test(tc, forgotten_groups_leave_their_numbers);
	tcase_add_test(tc, inherited_is_held);
	tcase_add_test(tc, inherited_is_adopted);
	tcase_add_test(tc, inherited_ends_in_time);
	tcase_add_test(tc, inherited_of_others);
	suite_add_tcase(s, tc);
	return s;
}
