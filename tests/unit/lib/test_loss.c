/* Losing: !LOST, a peer that goes, and what is left of the handles then. */
#include "tests/unit/lib/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/unit/lib/peer.h"

/* A diary of callbacks: "g:hold full ..." */
struct diary {
	char text[256];
	int n;
	bool release;           /* a lost hold at once */
};

static void
lost(struct slot_conn *conn, struct slot_hold *hold, const char *reason, void *userdata)
{
	struct diary *diary = userdata;
	size_t len = strlen(diary->text);

	(void)conn;
	ck_assert_str_eq(slot_hold_lost(hold), reason);
	snprintf(diary->text + len, sizeof diary->text - len, "%s:%s ", slot_hold_group(hold), reason);
	diary->n++;
	if (diary->release)
		ck_assert_int_ne(slot_release(hold), 0);
}

static void
acquired(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	struct diary *diary = userdata;
	size_t len = strlen(diary->text);

	(void)conn;
	snprintf(diary->text + len, sizeof diary->text - len, "%s ", slot_error_word(code));
	diary->n++;
	if (hold != NULL)
		slot_hold_set_userdata(hold, diary);
}

static struct slot_conn *
connect_with(struct peer *peer, struct diary *diary)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;

	o.lost = lost;
	o.reconnect_ms = 0;
	o.userdata = diary;
	return peer_connect(peer, &o);
}

/* ------------------------------------------------------------------ !LOST */

static void
take_two(struct peer *peer)
{
	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "OK 1 7 limit=1");
	peer_expect(peer, "ACQUIRE a%25b limit=1");
	peer_answer(peer, "OK 1 7 limit=1");
}

static void
lose_one(struct peer *peer)
{
	take_two(peer);
	peer_say(peer, "!RESHUFFLED g 1 later versions say this");
	peer_say(peer, "!LOST g 1 6 hold");             /* of an earlier hold */
	peer_say(peer, "!LOST g 2 7 hold");
	peer_say(peer, "!LOST unheard 1 7 hold");
	peer_say(peer, "!LOST a%%25b 1 7 a-very-long-new-reason more words");
	peer_expect(peer, "RELEASE a%25b 1 token=7");
	peer_answer(peer, "ERR lost it was");
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_answer(peer, "OK");
	peer_expect_eof(peer);
}

START_TEST(event)
{
	struct peer *peer = peer_start(lose_one);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);
	struct slot_hold *g = take(conn, "g"), *ab = take(conn, "a%b");

	ck_assert_int_eq(process_until(conn, &diary.n, 1), 0);
	ck_assert_str_eq(diary.text, "a%b:a-very-long-new ");
	ck_assert_int_eq(slot_process(conn), 0);
	ck_assert_int_eq(diary.n, 1);
	ck_assert_str_eq(slot_hold_lost(ab), "a-very-long-new");
	ck_assert_ptr_null(slot_hold_lost(g));
	ck_assert_int_eq(slot_release(ab), SLOT_ELOST);
	ck_assert_str_eq(slot_error_text(conn), slot_strerror(SLOT_ELOST));
	ck_assert_int_eq(slot_release(g), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
lose_at_once(struct peer *peer)
{
	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g");
	peer_say(peer, "%s OK 1 7 limit=1\n!LOST g 1 7 evict", peer->tag);
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_answer(peer, "ERR lost it was");
	peer_expect_eof(peer);
}

START_TEST(granted_before_lost)
{
	struct peer *peer = peer_start(lose_at_once);
	struct diary diary = {.release = true};
	struct slot_conn *conn = connect_with(peer, &diary);

	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, acquired, &diary, NULL), 0);
	ck_assert_int_eq(process_until(conn, &diary.n, 2), 0);
	ck_assert_str_eq(diary.text, "ok g:evict ");
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* Without a callback, and without a loop: slot_hold_lost() itself reads. */
static void
lose_silently(struct peer *peer)
{
	take_two(peer);
	peer_say(peer, "!LOST g 1 7 lease");
	peer_tell(peer);
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

START_TEST(asked_for)
{
	struct peer *peer = peer_start(lose_silently);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_hold *g = take(conn, "g"), *ab = take(conn, "a%b");

	peer_await(peer);
	ck_assert_ptr_null(slot_hold_lost(ab));
	ck_assert_str_eq(slot_hold_lost(g), "lease");
	ck_assert_int_eq(slot_timeout_ms(conn), -1);
	ck_assert_int_eq(slot_release_nowait(g), SLOT_ELOST);
	slot_close(conn);
	ck_assert_int_eq(slot_release_nowait(ab), SLOT_EDISCONNECTED);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ the peer goes */

static void
go(struct peer *peer)
{
	take_two(peer);
	peer_expect(peer, "ACQUIRE g");
	peer_expect(peer, "ACQUIRE g");
	peer_close(peer);
}

START_TEST(peer_gone)
{
	struct peer *peer = peer_start(go);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);
	struct slot_hold *g = take(conn, "g"), *ab = take(conn, "a%b"), *none;
	struct slot_group_status status = {.size = sizeof status};
	struct slot_request *request;
	int fd = slot_fd(conn);

	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, acquired, &diary, NULL), 0);
	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, acquired, &diary, &request), 0);
	ck_assert_int_eq(process_to_end(conn), SLOT_EDISCONNECTED);
	ck_assert_str_eq(diary.text, "disconnected disconnected g:disconnected a%b:disconnected ");
	ck_assert_int_eq(slot_process(conn), SLOT_EDISCONNECTED);
	ck_assert_int_eq(diary.n, 4);

	ck_assert_int_eq(slot_acquire(conn, "g", NULL, &none), SLOT_EDISCONNECTED);
	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, acquired, &diary, NULL), SLOT_EDISCONNECTED);
	ck_assert_int_eq(slot_query(conn, "PING", NULL, NULL, NULL), SLOT_EDISCONNECTED);
	ck_assert_int_eq(slot_status(conn, "g", &status), SLOT_EDISCONNECTED);
	ck_assert_int_eq(slot_events(conn), 0);
	ck_assert_int_eq(slot_fd(conn), fd);
	ck_assert_str_eq(slot_hold_lost(g), "disconnected");
	ck_assert_int_eq(slot_release(g), SLOT_EDISCONNECTED);
	slot_close(conn);
	ck_assert_str_eq(slot_hold_lost(ab), "disconnected");
	ck_assert_int_eq(slot_release(ab), SLOT_EDISCONNECTED);
	peer_join(peer);
}
END_TEST

static void
go_while_blocked(struct peer *peer)
{
	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g wait=forever");
	peer_send(peer, "#0 O", 4);                     /* half an answer */
	peer_close(peer);
}

START_TEST(peer_gone_while_blocked)
{
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct peer *peer = peer_start(go_while_blocked);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_hold *hold;

	o.wait_ms = SLOT_WAIT_FOREVER;
	ck_assert_int_eq(slot_acquire(conn, "g", &o, &hold), SLOT_EDISCONNECTED);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
stop(struct peer *peer)
{
	take_two(peer);
	peer_expect(peer, "ACQUIRE g");
	peer_say(peer, "ERR shutdown slotd is stopping");
	peer_close(peer);
	peer_tell(peer);
}

/* What the peer said last is heard, though writing to it fails; and no SIGPIPE. */
START_TEST(peer_stops)
{
	struct peer *peer = peer_start(stop);
	struct diary diary = {.release = true};
	struct slot_conn *conn = connect_with(peer, &diary);
	struct slot_hold *none;

	take(conn, "g");
	take(conn, "a%b");
	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, acquired, &diary, NULL), 0);
	peer_await(peer);
	ck_assert_int_eq(slot_acquire(conn, "g", NULL, &none), SLOT_ESHUTDOWN);
	ck_assert_int_eq(process_to_end(conn), SLOT_ESHUTDOWN);
	ck_assert_str_eq(diary.text, "shutdown g:disconnected a%b:disconnected ");
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
stop_reading(struct peer *peer)
{
	peer_greet(peer);
	shutdown(peer->fd, SHUT_RD);
	peer_tell(peer);
	peer_pass(peer);
}

/* Who cannot be asked cannot answer, though the connection looks open. */
START_TEST(peer_deaf)
{
	struct peer *peer = peer_start(stop_reading);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_hold *none;

	peer_await(peer);
	ck_assert_int_eq(slot_acquire(conn, "g", NULL, &none), SLOT_EDISCONNECTED);
	slot_close(conn);
	peer_next(peer);
	peer_join(peer);
}
END_TEST

Suite *
loss_suite(void)
{
	Suite *suite = suite_create("loss");
	TCase *tc = tcase_create("loss");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, event);
	tcase_add_test(tc, granted_before_lost);
	tcase_add_test(tc, asked_for);
	tcase_add_test(tc, peer_gone);
	tcase_add_test(tc, peer_gone_while_blocked);
	tcase_add_test(tc, peer_stops);
	tcase_add_test(tc, peer_deaf);
	return suite;
}
