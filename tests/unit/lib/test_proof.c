/* What a hold is worth, as the page says, and that the program hears of it though slotd is
 * silent. */
#include "tests/unit/lib/suites.h"

#include "tests/unit/lib/diary.h"

/* ------------------------------------------------------------------ a slotd that says nothing */

static void
say_nothing(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, 60);
	grant_proven(peer, "h", 1, PROVEN_MS);
	peer_pass(peer);
	peer_cell(peer, 0, "g", 1, 7, PROVEN_MS);
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_answer(peer, "OK");
	peer_expect(peer, "RELEASE h 1 token=7");
	peer_answer(peer, "OK");
	peer_expect_eof(peer);
}

START_TEST(silent_slotd)
{
	struct peer *peer = peer_start(say_nothing);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *g = take(conn, "g"), *h = take(conn, "h");

	diary_watch(&diary, conn, 1);
	ck_assert_str_eq(diary.text, "g1 unproven ");
	ck_assert_int_eq(slot_hold_left_ms(g), 0);
	ck_assert_ptr_null(slot_hold_lost(g));
	ck_assert_int_ne(slot_valid(h), 0);
	peer_next(peer);
	diary_watch(&diary, conn, 2);
	ck_assert_str_eq(diary.text, "g1 unproven g1 proven ");
	ck_assert_int_eq(slot_release(g), 0);
	ck_assert_int_eq(slot_release(h), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ one that says so */

static void
say_all(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, PROVEN_MS);
	peer_cell(peer, 0, "g", 1, 7, -1);
	peer_say(peer, "!UNPROVEN g 1 7");
	peer_pass(peer);
	peer_cell(peer, 0, "g", 1, 7, PROVEN_MS);
	peer_say(peer, "!KEPT g 1 7");
	peer_pass(peer);
	peer_cell(peer, 0, "g", 1, 0, PROVEN_MS);
	peer_say(peer, "!UNPROVEN g 1 7");
	peer_pass(peer);
	peer_say(peer, "!KEPT h 1 7");                  /* nobody's */
	peer_say(peer, "!LOST g 1 7 taken");
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

START_TEST(told)
{
	struct peer *peer = peer_start(say_all);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *g = take(conn, "g");

	for (int i = 1; i <= 3; i++) {
		diary_watch(&diary, conn, i);
		peer_next(peer);
	}
	diary_watch(&diary, conn, 4);
	ck_assert_str_eq(diary.text, "g1 unproven g1 proven g1 unproven lost g1 (taken) ");
	ck_assert_int_eq(slot_release_nowait(g), SLOT_ELOST);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* Unproven and kept before the program looks: there is no news. */
static void
say_both(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, PROVEN_MS);
	peer_cell(peer, 0, "g", 1, 7, -1);
	peer_say(peer, "!UNPROVEN g 1 7");
	peer_tell(peer);
	peer_pass(peer);
	peer_cell(peer, 0, "g", 1, 7, PROVEN_MS);
	peer_tell(peer);
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_answer(peer, "OK");
	peer_expect_eof(peer);
}

START_TEST(no_news)
{
	struct peer *peer = peer_start(say_both);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *g = take(conn, "g");

	peer_await(peer);
	ck_assert_ptr_null(slot_hold_lost(g));          /* reads the event */
	ck_assert_int_eq(slot_hold_state(g), SLOT_STATE_UNPROVEN);
	ck_assert_int_eq(slot_timeout_ms(conn), 0);
	peer_next(peer);
	peer_await(peer);
	ck_assert_int_eq(slot_process(conn), 0);
	ck_assert_int_eq(diary.n, 0);
	ck_assert_int_eq(slot_release(g), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ releases */

static void
release_unproven(struct peer *peer)
{
	static const char *const answers[] = {"OK", "ERR lost so it was", "OK"};

	peer_greet_strict(peer);
	for (int i = 0; i < 3; i++) {
		grant_proven(peer, "g", 0, -1);
		peer_expect(peer, "RELEASE g 1 token=7");
		peer_answer(peer, "%s", answers[i]);
	}
	peer_expect_eof(peer);
}

START_TEST(released_unproven)
{
	struct peer *peer = peer_start(release_unproven);
	struct slot_conn *conn = peer_connect(peer, NULL);

	ck_assert_int_eq(slot_release(take(conn, "g")), SLOT_EUNPROVEN);
	ck_assert_str_eq(slot_error_text(conn), slot_strerror(SLOT_EUNPROVEN));
	ck_assert_int_eq(slot_release(take(conn, "g")), SLOT_ELOST);
	ck_assert_int_eq(slot_release_nowait(take(conn, "g")), SLOT_EUNPROVEN);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ other holds */

static void
grant_three(struct peer *peer)
{
	peer_greet_strict(peer);
	peer_expect(peer, "ACQUIRE g limit=9 n=3");
	for (int i = 0; i < 3; i++)
		peer_cell(peer, 5 + i, "g", (uint32_t)(9 - i), 7, PROVEN_MS);
	peer_answer(peer, "OK 9,8,7 7 limit=9 cell=5");
	peer_pass(peer);
	for (int i = 0; i < 3; i++)
		peer_cell(peer, 5 + i, "g", (uint32_t)(9 - i), 0, PROVEN_MS);
	peer_say(peer, "!LOST g 9,8,7 7 evict");
	peer_expect(peer, "RELEASE g 9,8,7 token=7");
	peer_answer(peer, "ERR lost evicted");
	peer_expect_eof(peer);
}

START_TEST(several_slots)
{
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct peer *peer = peer_start(grant_three);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *hold;

	o.limit = 9;
	o.n = 3;
	ck_assert_int_eq(slot_acquire(conn, "g", &o, &hold), 0);
	ck_assert_int_ne(slot_valid(hold), 0);
	peer_next(peer);
	diary_watch(&diary, conn, 1);
	ck_assert_int_eq(slot_release(hold), SLOT_ELOST);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* Let in without a slot, as the backend was away: never proven, and there is no change to tell. */
static void
let_in(struct peer *peer)
{
	peer_greet_strict(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "OK 0 5 unproven=yes");
	peer_expect(peer, "RELEASE g 0 token=5");
	peer_answer(peer, "OK");
	peer_expect_eof(peer);
}

START_TEST(open_group)
{
	struct peer *peer = peer_start(let_in);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *hold = take(conn, "g");

	ck_assert_uint_eq(slot_hold_slot(hold), 0);
	ck_assert_uint_eq(slot_hold_token(hold), 5);
	ck_assert_int_eq(slot_hold_state(hold), SLOT_STATE_UNPROVEN);
	ck_assert_int_eq(slot_valid(hold), 0);
	ck_assert_int_eq(slot_hold_left_ms(hold), 0);
	ck_assert_int_eq(slot_process(conn), 0);
	ck_assert_int_eq(slot_timeout_ms(conn), -1);
	ck_assert_int_eq(slot_release(hold), SLOT_EUNPROVEN);
	ck_assert_int_eq(diary.n, 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* slotd takes the hold for a strict client's, and this process cannot read the page: the lease
 * ends it. */
static void
unprove_raw(struct peer *peer)
{
	peer_greet_strict(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "OK 1 7 limit=1 cell=1000");
	peer_say(peer, "!UNPROVEN g 1 7");
	peer_say(peer, "!KEPT g 1 7");
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

START_TEST(raw_hold)
{
	struct peer *peer = peer_start(unprove_raw);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *hold = take(conn, "g");

	diary_watch(&diary, conn, 1);
	ck_assert_str_eq(diary.text, "lost g1 (lease) ");
	ck_assert_int_eq(slot_release_nowait(hold), SLOT_ELOST);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

Suite *
proof_suite(void)
{
	Suite *suite = suite_create("proof");
	TCase *tc = tcase_create("proof");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, silent_slotd);
	tcase_add_test(tc, told);
	tcase_add_test(tc, no_news);
	tcase_add_test(tc, released_unproven);
	tcase_add_test(tc, several_slots);
	tcase_add_test(tc, open_group);
	tcase_add_test(tc, raw_hold);
	return suite;
}
