/* libslot in an event loop: many acquires on one connection, and what callbacks may do. */
#include "tests/unit/lib/suites.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/lib/peer.h"

#define MANY 1000

struct seen {
	int n;                  /* callbacks called */
	int code;               /* of the last */
	char text[64];
	struct slot_hold *hold;
};

static void
note(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	struct seen *seen = userdata;

	seen->n++;
	seen->code = code;
	seen->hold = hold;
	if (code != 0)
		snprintf(seen->text, sizeof seen->text, "%s", slot_error_text(conn));
}

static void
start(struct slot_conn *conn, slot_acquired_fn *callback, void *userdata,
    struct slot_request **request)
{
	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, callback, userdata, request), 0);
}

/* ------------------------------------------------------------------ many */

static void
grant_backwards(struct peer *peer)
{
	static char tags[MANY][40];

	peer_greet(peer);
	for (int i = 0; i < MANY; i++) {
		peer_expect(peer, "ACQUIRE g");
		strcpy(tags[i], peer->tag);
	}
	for (int i = MANY - 1; i >= 0; i--)
		peer_say(peer, "%s OK %d %d limit=1000", tags[i], i + 1, i + 5000);
	for (int i = MANY - 1; i >= 0; i--) {
		char line[64];

		snprintf(line, sizeof line, "RELEASE g %d token=%d", i + 1, i + 5000);
		peer_expect(peer, line);
		peer_answer(peer, "OK");
	}
	peer_expect_eof(peer);
}

static int n_released;

/* userdata is the slot that must come. */
static void
release_that(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	(void)conn;
	ck_assert_int_eq(code, 0);
	ck_assert_ptr_eq(slot_hold_userdata(hold), userdata);
	ck_assert_uint_eq(slot_hold_slot(hold), *(int *)userdata);
	ck_assert_int_eq(slot_release_nowait(hold), 0);
	n_released++;
}

START_TEST(a_thousand_pending)
{
	struct peer *peer = peer_start(grant_backwards);
	struct slot_conn *conn = peer_connect(peer, NULL);
	static int numbers[MANY];

	for (int i = 0; i < MANY; i++) {
		numbers[i] = i + 1;
		start(conn, release_that, &numbers[i], NULL);
	}
	ck_assert_int_eq(process_until(conn, &n_released, MANY), 0);
	while (slot_events(conn) & POLLOUT)
		ck_assert_int_eq(process_once(conn), 0);
	ck_assert_int_eq(slot_timeout_ms(conn), -1);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
never_read(struct peer *peer)
{
	peer_greet(peer);
	peer_pass(peer);
	for (int i = 0; i < 32768; i++)
		peer_expect(peer, "ACQUIRE g");
	peer_answer(peer, "ERR full limit=1 so it is");
	peer_expect_eof(peer);
}

/* A peer that does not read: requests are kept, up to a bound, and sent when it does. */
START_TEST(slow_reader)
{
	struct peer *peer = peer_start(never_read);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct seen seen = {0};

	ck_assert_int_eq(slot_events(conn), POLLIN);
	for (int i = 0; i < 32768; i++)
		start(conn, note, &seen, NULL);
	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, note, &seen, NULL), SLOT_ETOOMANY);
	ck_assert_int_eq(slot_events(conn), POLLIN | POLLOUT);
	ck_assert_int_eq(slot_process(conn), 0);
	ck_assert_int_eq(seen.n, 0);
	peer_next(peer);
	ck_assert_int_eq(process_until(conn, &seen.n, 1), 0);
	ck_assert_int_eq(seen.code, SLOT_EFULL);
	ck_assert_str_eq(seen.text, "so it is");
	ck_assert_int_eq(slot_events(conn), POLLIN);
	slot_close(conn);
	ck_assert_int_eq(seen.n, 1);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ cancel */

static void
cancelled(struct peer *peer)
{
	char acquire[40], ping[40], cancel_it[50];

	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g");                 /* cancelled in time */
	strcpy(acquire, peer->tag);
	peer_expect(peer, "CANCEL #0");
	peer_say(peer, "%s ERR cancelled", acquire);
	peer_answer(peer, "OK");

	peer_expect(peer, "ACQUIRE g");                 /* granted first */
	peer_answer(peer, "OK 1 7 limit=1");
	snprintf(cancel_it, sizeof cancel_it, "CANCEL %s", peer->tag);
	peer_tell(peer);
	peer_expect(peer, cancel_it);
	peer_answer(peer, "ERR notag");
	peer_expect(peer, "PING");
	strcpy(ping, peer->tag);
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_answer(peer, "OK");
	peer_say(peer, "%s OK pong", ping);

	peer_expect(peer, "ACQUIRE g");                 /* granted, read, and not told yet */
	peer_answer(peer, "OK 1 8 limit=1");
	peer_expect(peer, "PING");
	peer_answer(peer, "OK pong");
	peer_expect(peer, "RELEASE g 1 token=8");
	peer_answer(peer, "OK");
	peer_expect(peer, "PING");
	peer_answer(peer, "OK pong");
	peer_expect_eof(peer);
}

START_TEST(cancel)
{
	struct peer *peer = peer_start(cancelled);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_request *request;
	struct seen seen = {0};

	start(conn, note, &seen, &request);
	slot_cancel(request);
	start(conn, note, &seen, &request);
	peer_await(peer);
	slot_cancel(request);
	ck_assert_int_eq(slot_query(conn, "PING", NULL, NULL, NULL), 0);
	start(conn, note, &seen, &request);
	ck_assert_int_eq(slot_query(conn, "PING", NULL, NULL, NULL), 0);
	ck_assert_int_eq(slot_timeout_ms(conn), 0);
	slot_cancel(request);
	ck_assert_int_eq(slot_timeout_ms(conn), -1);
	ck_assert_int_eq(slot_query(conn, "PING", NULL, NULL, NULL), 0);
	ck_assert_int_eq(slot_process(conn), 0);
	ck_assert_int_eq(seen.n, 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ time */

static void
late(struct peer *peer)
{
	char acquire[40], other[40];

	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g wait=1");
	strcpy(acquire, peer->tag);
	peer_expect(peer, "ACQUIRE g");
	strcpy(other, peer->tag);
	peer_expect(peer, "CANCEL #0");
	peer_say(peer, "%s OK 1 7 limit=1", acquire);
	peer_answer(peer, "ERR notag");
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_answer(peer, "OK");
	peer_say(peer, "%s ERR full limit=1 full", other);
	peer_expect_eof(peer);
}

START_TEST(unanswered)
{
	struct slot_connect_options c = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct peer *peer = peer_start(late);
	struct seen seen = {0}, other = {0};
	struct slot_conn *conn;

	c.answer_ms = 50;
	conn = peer_connect(peer, &c);
	o.wait_ms = 1;
	ck_assert_int_eq(slot_acquire_start(conn, "g", &o, note, &seen, NULL), 0);
	start(conn, note, &other, NULL);
	ck_assert_int_ge(slot_timeout_ms(conn), 0);
	ck_assert_int_le(slot_timeout_ms(conn), 51);
	ck_assert_int_eq(process_until(conn, &seen.n, 1), 0);
	ck_assert_int_eq(seen.code, SLOT_EUNANSWERED);
	ck_assert_int_eq(slot_timeout_ms(conn), -1);
	ck_assert_int_eq(process_until(conn, &other.n, 1), 0);
	ck_assert_int_eq(other.code, SLOT_EFULL);
	ck_assert_int_eq(seen.n, 1);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
deaf(struct peer *peer)
{
	peer_greet(peer);
	while (peer_read(peer) != NULL)
		;
}

START_TEST(each_deadline)
{
	struct slot_connect_options c = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct peer *peer = peer_start(deaf);
	struct seen seen = {0}, patient = {0};
	struct slot_conn *conn;

	c.answer_ms = 1;
	conn = peer_connect(peer, &c);
	o.wait_ms = 1000000;
	ck_assert_int_eq(slot_acquire_start(conn, "g", &o, note, &patient, NULL), 0);
	ck_assert_int_gt(slot_timeout_ms(conn), 900000);
	for (o.wait_ms = 3; o.wait_ms > 0; o.wait_ms--)
		ck_assert_int_eq(slot_acquire_start(conn, "g", &o, note, &seen, NULL), 0);
	ck_assert_int_eq(process_until(conn, &seen.n, 3), 0);
	ck_assert_int_eq(seen.code, SLOT_EUNANSWERED);
	ck_assert_int_eq(patient.n, 0);
	ck_assert_int_gt(slot_timeout_ms(conn), 900000);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ inside callbacks */

static void
grant_all(struct peer *peer)
{
	peer_greet(peer);
	for (int slot = 1; peer_read(peer) != NULL;) {
		if (strcmp(peer->line, "ACQUIRE g") == 0)
			peer_answer(peer, "OK %d 7 limit=3", slot++);
		else
			peer_answer(peer, "OK");
	}
}

static void
use_all(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	struct seen *seen = userdata;

	ck_assert_int_eq(code, 0);
	ck_assert_int_eq(slot_process(conn), SLOT_EBUSY);
	ck_assert_int_eq(slot_release(hold), 0);
	ck_assert_int_eq(slot_query(conn, "PING", NULL, NULL, NULL), 0);
	if (++seen->n < 3)
		start(conn, use_all, seen, NULL);
}

START_TEST(callbacks_may_call)
{
	struct peer *peer = peer_start(grant_all);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct seen seen = {0};

	start(conn, use_all, &seen, NULL);
	ck_assert_int_eq(process_until(conn, &seen.n, 3), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
grant_one(struct peer *peer)
{
	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g");
	peer_answer(peer, "OK 1 7 limit=1");
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_tell(peer);
	peer_expect_eof(peer);
}

static void
release_here(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	struct seen *seen = userdata;

	ck_assert_int_eq(code, 0);
	ck_assert_int_eq(slot_release_nowait(hold), 0);
	if (seen->code++ == 1)
		slot_close(conn);
	seen->n++;
}

/* What a callback says is sent before slot_process() returns, */
START_TEST(said_in_callback)
{
	struct peer *peer = peer_start(grant_one);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct seen seen = {.code = 0};

	start(conn, release_here, &seen, NULL);
	ck_assert_int_eq(process_until(conn, &seen.n, 1), 0);
	peer_await(peer);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* and before the connection closes: another process may have inherited it. */
START_TEST(said_before_close)
{
	struct peer *peer = peer_start(grant_one);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct seen seen = {.code = 1};

	start(conn, release_here, &seen, NULL);
	ck_assert_int_eq(process_until(conn, &seen.n, 1), SLOT_EDISCONNECTED);
	peer_join(peer);
}
END_TEST

static void
close_here(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	struct seen *seen = userdata;

	ck_assert_int_eq(code, 0);
	seen->n++;
	slot_close(conn);
	slot_close(conn);               /* not yet freed, so harmless */
	ck_assert_str_eq(slot_hold_lost(hold), "closed");
	ck_assert_int_eq(slot_release(hold), SLOT_EDISCONNECTED);
}

START_TEST(close_in_callback)
{
	struct peer *peer = peer_start(grant_all);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct seen seen = {0};

	for (int i = 0; i < 3; i++)
		start(conn, close_here, &seen, NULL);
	ck_assert_int_eq(process_until(conn, &seen.n, 1), SLOT_EDISCONNECTED);
	ck_assert_int_eq(seen.n, 1);    /* the others are gone with the connection */
	peer_join(peer);
}
END_TEST

Suite *
loop_suite(void)
{
	Suite *suite = suite_create("loop");
	TCase *tc = tcase_create("loop");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_thousand_pending);
	tcase_add_test(tc, slow_reader);
	tcase_add_test(tc, cancel);
	tcase_add_test(tc, unanswered);
	tcase_add_test(tc, each_deadline);
	tcase_add_test(tc, callbacks_may_call);
	tcase_add_test(tc, said_in_callback);
	tcase_add_test(tc, said_before_close);
	tcase_add_test(tc, close_in_callback);
	return suite;
}
