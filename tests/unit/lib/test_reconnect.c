/* Those who wait, and a slotd that goes and comes back, or does not. */
#include "tests/unit/lib/suites.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/lib/diary.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------ waiting */

static int64_t left;            /* what the second slotd was asked to wait at most */

static void
queue_again(struct peer *peer)
{
	static const char *const first[] = {
		"ACQUIRE timed wait=100000", "ACQUIRE forever limit=5 wait=forever label=x%20y",
		"ACQUIRE own n=2 hold=9", "ACQUIRE now wait=0", "ACQUIRE gone", "ACQUIRE told",
	};

	peer_greet_strict(peer);
	for (size_t i = 0; i < COUNT(first); i++)
		peer_expect(peer, first[i]);
	peer_answer(peer, "ERR shutdown slotd is stopping");
	peer_expect(peer, "CANCEL #4");
	peer_close(peer);
	peer_greet_strict(peer);
	peer_read(peer);
	ck_assert_int_eq(sscanf(peer->line, "ACQUIRE timed wait=%" SCNd64, &left), 1);
	peer_answer(peer, "ERR timeout limit=1 waited=1");
	peer_expect(peer, first[1]);
	peer_answer(peer, "OK 1 7 limit=1");
	peer_expect(peer, first[2]);
	peer_answer(peer, "ERR toobig limit=1 n=2");
	peer_expect(peer, first[3]);
	peer_answer(peer, "ERR full limit=1");
	peer_expect(peer, first[5]);
	peer_answer(peer, "OK 2 7 limit=1");
	release_ok(peer, "RELEASE forever 1 token=7");
	release_ok(peer, "RELEASE told 2 token=7");
	peer_expect_eof(peer);
}

START_TEST(waiters_ask_again)
{
	struct slot_acquire_options plain = SLOT_ACQUIRE_OPTIONS_INIT, timed = plain, forever = plain,
	    own = plain, now = plain;
	struct peer *peer = peer_start(queue_again);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_request *gone;

	timed.wait_ms = 100000;
	forever.wait_ms = SLOT_WAIT_FOREVER;
	forever.limit = 5;
	forever.label = "x y";
	own.n = 2;
	own.hold_ms = 9;
	now.wait_ms = SLOT_WAIT_NOW;
	diary_start(&diary, conn, "timed", timed);
	diary_start(&diary, conn, "forever", forever);
	diary_start(&diary, conn, "own", own);
	diary_start(&diary, conn, "now", now);
	gone = diary_start(&diary, conn, "gone", plain);
	diary_start(&diary, conn, "told", plain);
	slot_cancel(gone);
	diary_watch(&diary, conn, 5);
	ck_assert_str_eq(diary.text, "timeout got forever1 toobig full got told2 ");
	ck_assert_int_gt(left, 0);
	ck_assert_int_le(left, 100000);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
grant_next_time(struct peer *peer)
{
	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_say(peer, "ERR shutdown slotd is stopping");
	peer_close(peer);
	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "OK 1 7 limit=1");
	peer_expect(peer, "PING");
	peer_close(peer);
	peer_greet(peer);
	peer_expect(peer, "PING");
	peer_answer(peer, "OK pong");
	peer_expect_eof(peer);
}

/* A call that blocks goes on; a question that is cut short does not, but the next one waits. */
START_TEST(blocking_calls)
{
	struct peer *peer = peer_start(grant_next_time);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *hold = take(conn, "g");

	ck_assert_int_eq(slot_query(conn, "PING", NULL, NULL, NULL), SLOT_EDISCONNECTED);
	ck_assert_int_eq(slot_query(conn, "PING", NULL, NULL, NULL), 0);
	ck_assert_int_eq(slot_process(conn), 0);
	ck_assert_str_eq(diary.text, "lost g1 (disconnected) ");
	ck_assert_int_eq(slot_release(hold), SLOT_ELOST);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ no slotd any more */

static void
go_for_good(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, PROVEN_MS);
	peer_expect(peer, "ACQUIRE g");
	unlink(peer->path);
	peer_close(peer);
}

START_TEST(time_is_up)
{
	struct slot_connect_options c = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct peer *peer = peer_start(go_for_good);
	struct diary diary = {.n = 0};
	struct slot_conn *conn;
	struct slot_hold *g, *none;

	c.lost = diary_lost;
	c.userdata = &diary;
	c.reconnect_ms = 1;
	conn = peer_connect(peer, &c);
	g = take(conn, "g");
	diary_start(&diary, conn, "g", o);
	ck_assert_int_eq(process_to_end(conn), SLOT_EDISCONNECTED);
	ck_assert_str_eq(diary.text, "disconnected lost g1 (disconnected) ");
	ck_assert_int_eq(slot_valid(g), 0);
	ck_assert_int_eq(slot_events(conn), 0);
	ck_assert_int_lt(slot_socket_fd(conn), 0);
	ck_assert_int_eq(slot_acquire(conn, "g", &o, &none), SLOT_EDISCONNECTED);
	ck_assert_int_eq(slot_release(g), SLOT_EDISCONNECTED);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* A hold has only what is left of its lease: it does not wait for seconds to try again. */
START_TEST(pauses_with_a_hold)
{
	struct slot_connect_options c = SLOT_CONNECT_OPTIONS_INIT;
	struct peer *peer = peer_start(go_for_good);
	struct diary diary = {.n = 0};
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct slot_conn *conn = peer_connect(peer, &c);
	struct slot_hold *g = take(conn, "g");

	diary_start(&diary, conn, "g", o);
	watch_connected(conn, 0);
	for (int attempt = 0; attempt < 4; attempt++) {         /* by the fourth 400 ms, without one */
		ck_assert_int_le(slot_timeout_ms(conn), PEER_LEASE_MS / 32 + 1);
		ck_assert_int_eq(process_once(conn), 0);
	}
	ck_assert_int_ne(slot_valid(g), 0);
	slot_close(conn);
	slot_release(g);
	peer_join(peer);
}
END_TEST

/* Nobody waits longer than he said. */
START_TEST(own_time_is_up)
{
	struct slot_connect_options c = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct peer *peer = peer_start(go_for_good);
	struct diary diary = {.n = 0};
	struct slot_conn *conn;
	struct slot_hold *g, *none;

	c.answer_ms = 1;
	conn = peer_connect(peer, &c);
	g = take(conn, "g");
	diary_start(&diary, conn, "g", o);                    /* nobody knows how long the group's wait is */
	watch_connected(conn, 0);
	o.wait_ms = 1;
	diary_start(&diary, conn, "g", o);
	diary_watch(&diary, conn, 2);
	ck_assert_str_eq(diary.text, "unanswered unanswered ");
	ck_assert_int_eq(slot_acquire(conn, "g", &o, &none), SLOT_EUNANSWERED);
	ck_assert_int_eq(slot_query(conn, "PING", NULL, NULL, NULL), SLOT_EUNANSWERED);
	ck_assert_int_eq(slot_release(g), SLOT_EUNANSWERED);
	slot_close(conn);
	ck_assert_int_eq(diary.n, 2);
	peer_join(peer);
}
END_TEST

static void
babble(struct peer *peer)
{
	peer_greet(peer);
	peer_close(peer);
	peer_accept(peer);
	peer_say(peer, "HTTP/1.1 400 Bad Request");
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_expect_eof(peer);
}

START_TEST(no_slotd)
{
	struct peer *peer = peer_start(babble);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);

	ck_assert_int_eq(process_to_end(conn), SLOT_EPROTOCOL);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

Suite *
reconnect_suite(void)
{
	Suite *suite = suite_create("reconnect");
	TCase *tc = tcase_create("reconnect");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, waiters_ask_again);
	tcase_add_test(tc, blocking_calls);
	tcase_add_test(tc, time_is_up);
	tcase_add_test(tc, pauses_with_a_hold);
	tcase_add_test(tc, own_time_is_up);
	tcase_add_test(tc, no_slotd);
	return suite;
}
