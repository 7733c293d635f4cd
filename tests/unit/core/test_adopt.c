/* RESUME at the daemon that comes after: holds of the one before, whose clients have come back. */
#include "tests/unit/core/suites.h"

#include "tests/unit/core/rig.h"

static struct rig *r;

static void
setup(void)
{
	struct arb_conf conf = rig_conf();

	r = rig_new(2, &conf);
	for (unsigned d = 0; d < 2; d++)
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

static void
open_strict(uint64_t client)
{
	rig_gone(r, 0, client);
	rig_step(r, 0, &(struct arb_event){.type = ARB_CLIENT_OPEN, .client = client,
	    .open = {.pid = 1, .uid = 1000, .strict = true}});
}

/* The next daemon of the first host's install begins. */
static void
restart(uint64_t generation)
{
	struct arb_conf conf = rig_conf();

	arb_free(r->arb[0]);
	conf.self = (struct xch_daemon){.install = 1, .generation = generation, .nonce = 7};
	r->arb[0] = arb_new(&conf);
	rig_link(r, 0, true);
	rig_step(r, 0, &(struct arb_event){.type = ARB_SUB_UP});
	for (uint64_t c = 1; c <= 3; c++)
		rig_open(r, 0, c);
}

/* Slot 1 of g, on the first host. */
static uint64_t
resume_of(uint64_t client, uint64_t token)
{
	uint64_t req = ++r->next_request;
	uint32_t slot = 1;

	rig_step(r, 0, &(struct arb_event){.type = ARB_RESUME, .client = client, .request = req,
	    .resume = {.group = "g", .n_slots = 1, .slots = &slot, .token = token, .limit = 1,
	    .hold = NSEC_NEVER, .until = r->now + 5000 * MS}});
	return req;
}

/* It takes over a hold whose client came back. */
START_TEST(resume)
{
	uint64_t a = ask(0, 1, 1), b, req;

	restart(2);
	b = ask(1, 1, 1);
	req = resume_of(1, rig_answer(r, a)->token);
	rig_expect_slot(r, req, 1);
	ck_assert(rig_answer(r, req)->token == rig_answer(r, a)->token && rig_waits(r, b));
	rig_release(r, 0, 1, "g", 1, rig_answer(r, a)->token);
	rig_expect_slot(r, b, 1);
}
END_TEST

/* Until its client has read the OK, it believes what its former cell says, and nobody can end that. */
START_TEST(ended_before_it_has_read)
{
	uint64_t token = rig_answer(r, ask(0, 1, 1))->token, b, req = 1000;
	bool is_kicked = _i == 1;

	restart(2);
	b = ask(1, 1, 1);
	rig_step(r, 0, &(struct arb_event){.type = ARB_RESUME, .client = 1, .request = req,
	    .resume = {.group = "g", .n_slots = 1, .slots = &(uint32_t){1}, .token = token,
	    .limit = 1, .hold = 100 * MS, .until = r->now + 5000 * MS}});
	rig_expect_slot(r, req, 1);
	if (is_kicked)
		rig_step(r, 0, &(struct arb_event){.type = ARB_CLIENT_KICK, .client = 1});
	rig_advance(r, 4999 * MS);
	ck_assert(r->n_losts == 1 && rig_waits(r, b));
	rig_advance(r, 1 * MS);
	rig_expect_slot(r, b, 1);
}
END_TEST

/* A client that came back twice, while the backend is asked: its last word counts. */
START_TEST(resume_again)
{
	uint64_t token = rig_answer(r, ask(0, 1, 1))->token, first, second, third;

	restart(2);
	r->hold_exchanges = true;
	resume_of(1, token);
	rig_gone(r, 0, 1);
	second = resume_of(2, token);
	r->hold_exchanges = false;
	rig_exchange(r, 0);
	rig_expect_slot(r, second, 1);
	ck_assert_uint_eq(rig_answer(r, second)->token, token);

	restart(3);
	r->hold_exchanges = true;
	first = resume_of(1, token);
	second = resume_of(2, token);
	third = resume_of(3, token);
	r->hold_exchanges = false;
	rig_exchange(r, 0);
	rig_expect_slot(r, first, 1);
	rig_expect_slot(r, second, 1);
	rig_expect_slot(r, third, 1);
	rig_gone(r, 0, 1);
	rig_gone(r, 0, 2);
	rig_advance(r, 20000 * MS);
	ck_assert_uint_eq(r->n_losts, 0);
	rig_expect_error(r, rig_release(r, 0, 3, "g", 1, token), WIRE_OK);
}
END_TEST

/* The page is written for whoever has the hold now; who does not read it is given no unproven one. */
START_TEST(resume_by_another_kind_of_client)
{
	uint64_t token;

	open_strict(2);
	open_strict(3);
	token = rig_answer(r, ask(0, 1, 1))->token;
	ck_assert_uint_eq(r->cells_set, 0);
	rig_expect_slot(r, resume_of(2, token), 1);
	ck_assert_uint_eq(r->cells_set, 1);
	rig_expect_slot(r, resume_of(1, token), 1);
	ck_assert_uint_eq(r->cells_ended, 1);
	rig_expect_slot(r, resume_of(2, token), 1);
	rig_link(r, 0, false);
	rig_advance(r, 9500 * MS);
	ck_assert_uint_eq(r->n_losts, 0);
	rig_expect_error(r, resume_of(1, token), WIRE_ERR_LOST);
	rig_expect_slot(r, resume_of(3, token), 1);
	rig_gone(r, 0, 2);
	rig_link(r, 0, true);
	rig_expect_error(r, rig_release(r, 0, 3, "g", 1, token), WIRE_OK);
}
END_TEST

/* ------------------------------------------------------------------ given up, or left */

/* A hold of slot 1 whose client has come back, and for which the backend is being asked; another
 * host's client waits for it. */
static uint64_t
resumed(uint64_t *waits)
{
	uint64_t token = rig_answer(r, ask(0, 1, 1))->token, req;

	restart(2);
	*waits = ask(1, 1, 1);
	r->hold_exchanges = true;
	req = resume_of(1, token);
	ck_assert(rig_waits(r, req));
	r->hold_exchanges = false;
	return req;
}

static uint64_t
say(enum arb_event_type type, uint64_t client, uint64_t about)
{
	uint64_t req = ++r->next_request;

	rig_step(r, 0, &(struct arb_event){.type = type, .client = client, .request = req,
	    .cancel = {.request = about}});
	return req;
}

START_TEST(cancelled)
{
	uint64_t waits, req = resumed(&waits);

	rig_expect_error(r, say(ARB_CANCEL, 2, req), WIRE_ERR_NOTAG);
	rig_expect_error(r, say(ARB_CANCEL, 1, req), WIRE_OK);
	rig_expect_error(r, req, WIRE_ERR_CANCELLED);
	rig_exchange(r, 0);
	rig_expect_slot(r, waits, 1);
}
END_TEST

START_TEST(released_with_all)
{
	uint64_t waits, req = resumed(&waits), all = say(ARB_RELEASE_ALL, 1, 0);

	rig_expect_error(r, all, WIRE_OK);
	ck_assert(rig_answer(r, all)->n == 0 && rig_answer(r, all)->m == 1);
	rig_expect_error(r, req, WIRE_ERR_CANCELLED);
	rig_exchange(r, 0);
	rig_expect_slot(r, waits, 1);
}
END_TEST

/* Its client has not given it up, and will be at our successor's: until its cell ends, nobody gets
 * what the backend gives us on its behalf. */
START_TEST(left_by_a_stop)
{
	uint64_t waits, req = resumed(&waits), token;

	rig_step(r, 0, &(struct arb_event){.type = ARB_STOP});
	rig_expect_error(r, req, WIRE_ERR_SHUTDOWN);
	token = 7;
	rig_expect_error(r, resume_of(2, token), WIRE_ERR_SHUTDOWN);
	rig_exchange(r, 0);
	rig_gone(r, 0, 1);
	rig_advance(r, 4999 * MS);
	ck_assert(rig_waits(r, waits));
	rig_advance(r, 1 * MS);
	rig_expect_slot(r, waits, 1);
}
END_TEST

/* A connection that closes before it is answered gives up nothing: its client believes on, and may be
 * back. */
START_TEST(gone_before_the_answer)
{
	uint64_t waits, again, token;

	token = rig_answer(r, resumed(&waits) - 2)->token;
	rig_gone(r, 0, 1);
	rig_exchange(r, 0);
	rig_advance(r, 2000 * MS);
	ck_assert(rig_waits(r, waits));
	rig_step(r, 0, &(struct arb_event){.type = ARB_CLIENT_OPEN, .client = 11,
	    .open = {.pid = 1, .uid = 1001}});
	rig_expect_error(r, resume_of(11, token), WIRE_ERR_LOST);
	again = resume_of(2, token);
	rig_expect_slot(r, again, 1);
	ck_assert_uint_eq(rig_answer(r, again)->token, token);
	rig_advance(r, 60000 * MS);
	ck_assert(r->n_losts == 0 && rig_waits(r, waits));
	rig_gone(r, 0, 2);
	rig_expect_slot(r, waits, 1);
}
END_TEST

START_TEST(gone_for_good)
{
	uint64_t waits;

	resumed(&waits);
	rig_gone(r, 0, 1);
	rig_exchange(r, 0);
	rig_advance(r, 4999 * MS);
	ck_assert(rig_waits(r, waits));
	rig_advance(r, 1 * MS);
	rig_expect_slot(r, waits, 1);
}
END_TEST

/* What is granted while other holds are unproven is unproven as well: only who reads that may have it.
 * There is a hold that is, a grace, and no cell. */
START_TEST(unproven_without_a_cell)
{
	uint64_t token = rig_answer(r, ask(0, 1, 2))->token, other, strict, raw;
	struct arb_conf conf = rig_conf();

	other = rig_answer(r, ask(0, 2, 2))->token;
	arb_free(r->arb[0]);
	conf.self = (struct xch_daemon){.install = 1, .generation = 2, .nonce = 7};
	conf.grace = 10000 * MS;
	conf.max_cells = 1;
	r->arb[0] = arb_new(&conf);
	rig_link(r, 0, true);
	rig_step(r, 0, &(struct arb_event){.type = ARB_SUB_UP});
	for (uint64_t c = 1; c <= 2; c++) {
		rig_open(r, 0, c);
		rig_strict(r, 0, c, true);
	}
	strict = resume_of(1, token);
	rig_expect_slot(r, strict, 1);
	rig_link(r, 0, false);
	rig_advance(r, 10000 * MS);
	ck_assert_uint_eq(r->unproven, 1);
	mem_set_identity(r->mem, 2);            /* another process, with the data */
	rig_link(r, 0, true);
	raw = ++r->next_request;
	rig_step(r, 0, &(struct arb_event){.type = ARB_RESUME, .client = 2, .request = raw,
	    .resume = {.group = "g", .n_slots = 1, .slots = &(uint32_t){2}, .token = other,
	    .limit = 2, .hold = NSEC_NEVER, .until = r->now + 5000 * MS}});
	rig_expect_error(r, raw, WIRE_ERR_LOST);
	rig_advance(r, 60000 * MS);
	ck_assert(r->kept == 1 && r->n_losts == 0);
	rig_expect_slot(r, ask(1, 1, 2), 2);
}
END_TEST

START_TEST(left_and_resumed)
{
	uint64_t token = rig_answer(r, ask(0, 1, 1))->token, waits = ask(1, 1, 1), req;

	restart(2);
	r->hold_exchanges = true;
	req = resume_of(1, token);
	r->hold_exchanges = false;
	rig_step(r, 0, &(struct arb_event){.type = ARB_STOP});
	rig_expect_error(r, req, WIRE_ERR_SHUTDOWN);
	rig_exchange(r, 0);
	restart(3);
	rig_expect_slot(r, resume_of(1, token), 1);
	ck_assert(rig_waits(r, waits));
	rig_gone(r, 0, 1);
	rig_expect_slot(r, waits, 1);
}
END_TEST

/* What is held is held on: renewed, moved, and given back as ever. */
START_TEST(held_through_a_stop)
{
	uint64_t token = rig_answer(r, ask(0, 1, 1))->token, waits = ask(1, 1, 1);

	rig_step(r, 0, &(struct arb_event){.type = ARB_STOP});
	rig_expect_error(r, ask(0, 2, 1), WIRE_ERR_SHUTDOWN);
	rig_advance(r, 60000 * MS);
	ck_assert(r->n_losts == 0 && rig_waits(r, waits));
	rig_expect_slot(r, resume_of(2, token), 1);
	rig_expect_error(r, rig_release(r, 0, 2, "g", 1, token), WIRE_OK);
	rig_expect_slot(r, waits, 1);
}
END_TEST

Suite *
adopt_suite(void)
{
	Suite *s = suite_create("adopt");
	TCase *tc = tcase_create("adopt");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, resume);
	tcase_add_loop_test(tc, ended_before_it_has_read, 0, 2);
	tcase_add_test(tc, resume_again);
	tcase_add_test(tc, resume_by_another_kind_of_client);
	tcase_add_test(tc, cancelled);
	tcase_add_test(tc, released_with_all);
	tcase_add_test(tc, left_by_a_stop);
	tcase_add_test(tc, gone_before_the_answer);
	tcase_add_test(tc, gone_for_good);
	tcase_add_test(tc, unproven_without_a_cell);
	tcase_add_test(tc, left_and_resumed);
	tcase_add_test(tc, held_through_a_stop);
	suite_add_tcase(s, tc);
	return s;
}
