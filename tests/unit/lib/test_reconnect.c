/* A slotd that goes and comes back: what the next one is told, and what becomes of all handles. */
#include "tests/unit/lib/suites.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/lib/peer.h"

#define PROVEN_MS 60000         /* longer than any stall of the machine */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What was called back: "g:taken", "ok g1", "full". */
struct diary {
	char text[256];
	int n;
};

static void
write_down(struct diary *diary, const char *format, const char *what, unsigned number)
{
	size_t len = strlen(diary->text);

	snprintf(diary->text + len, sizeof diary->text - len, format, what, number);
	diary->n++;
}

static void
lost(struct slot_conn *conn, struct slot_hold *hold, const char *reason, void *userdata)
{
	(void)conn;
	ck_assert_int_eq(slot_valid(hold), 0);
	write_down(userdata, "lost %s%u ", slot_hold_group(hold), slot_hold_slot(hold));
	write_down(userdata, "(%s) ", reason, 0);
}

static void
changed(struct slot_conn *conn, struct slot_hold *hold, enum slot_state state, void *userdata)
{
	(void)conn, (void)hold;
	write_down(userdata, "%s ", state == SLOT_STATE_PROVEN ? "proven" : "unproven", 0);
}

static void
acquired(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	(void)conn;
	if (code != 0) {
		write_down(userdata, "%s ", slot_error_word(code), 0);
		return;
	}
	write_down(userdata, "got %s%u ", slot_hold_group(hold), slot_hold_slot(hold));
	slot_release_nowait(hold);
}

static struct slot_conn *
connect_with(struct peer *peer, struct diary *diary)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;

	o.lost = lost;
	o.state = changed;
	o.userdata = diary;
	return peer_connect(peer, &o);
}

/* By the descriptor alone. */
static void
watch_until(struct slot_conn *conn, const struct diary *diary, int n)
{
	struct pollfd pfd = {.fd = slot_fd(conn), .events = POLLIN};

	while (diary->n < n) {
		ck_assert_int_eq(poll(&pfd, 1, -1), 1);
		ck_assert_int_eq(slot_process(conn), 0);
	}
}

static void
watch_until_connected(struct slot_conn *conn, int connected)
{
	struct pollfd pfd = {.fd = slot_fd(conn), .events = POLLIN};

	while (slot_connected(conn) != connected) {
		ck_assert_int_eq(poll(&pfd, 1, -1), 1);
		ck_assert_int_eq(slot_process(conn), 0);
	}
}

/* ------------------------------------------------------------------ scripts' words */

static void
grant(struct peer *peer, const char *group, int cell)
{
	char line[64];

	snprintf(line, sizeof line, "ACQUIRE %s limit=1", group);
	peer_expect(peer, line);
	peer_cell(peer, cell, group, 1, 7, PROVEN_MS);
	peer_answer(peer, "OK 1 7 limit=1 cell=%d", cell);
}

static void
release(struct peer *peer, const char *line)
{
	peer_expect(peer, line);
	peer_answer(peer, "OK");
}

/* The next slotd; the hold of g has another cell there. */
static void
come_back(struct peer *peer)
{
	peer_close(peer);
	peer_greet_strict(peer);
	peer_cell(peer, 3, "g", 1, 7, PROVEN_MS);
}

/* ------------------------------------------------------------------ holds */

static void
resume(struct peer *peer)
{
	peer_greet_strict(peer);
	grant(peer, "g", 0);
	peer_expect(peer, "ACQUIRE raw limit=1");
	peer_answer(peer, "OK 1 9 limit=1");
	peer_close(peer);
	peer_pass(peer);
	come_back(peer);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "OK 1 7 limit=1 cell=3");
	release(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

START_TEST(resumed)
{
	struct peer *peer = peer_start(resume);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);
	struct slot_hold *g = take(conn, "g"), *raw = take(conn, "raw");
	int fd = slot_fd(conn);

	ck_assert_int_ge(slot_socket_fd(conn), 0);
	watch_until_connected(conn, 0);
	ck_assert_int_lt(slot_socket_fd(conn), 0);
	ck_assert_str_eq(diary.text, "lost raw1 (disconnected) ");
	ck_assert_int_eq(slot_release(raw), SLOT_ELOST);
	ck_assert_ptr_null(slot_hold_lost(g));
	ck_assert_int_ne(slot_valid(g), 0);
	ck_assert_int_gt(slot_timeout_ms(conn), -1);
	peer_next(peer);
	watch_until_connected(conn, 1);
	ck_assert_int_ge(slot_socket_fd(conn), 0);
	ck_assert_int_eq(slot_fd(conn), fd);
	ck_assert_int_eq(slot_release(g), 0);
	ck_assert_int_eq(diary.n, 2);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* What is said to the RESUME, and what that means.  The first try is always "not just now"; the loss of
 * another hold, m, tells that all has been read. */
#define M_LOST "lost m1 (disconnected) "

static const struct {
	const char *answer;
	const char *diary;
	int valid, state;
} answers[] = {
	{"OK 1 7 limit=1 cell=3", M_LOST, 1, SLOT_STATE_PROVEN},
	{"OK 1 7 limit=1", M_LOST, 0, SLOT_STATE_PROVEN},       /* no room in the page: a raw hold */
	{"ERR lost no such hold", "lost g1 (disconnected) " M_LOST, 0, SLOT_STATE_LOST},
	{"ERR unknown no such request", "lost g1 (disconnected) " M_LOST, 0, SLOT_STATE_LOST},
};

static void
answer_resume(struct peer *peer)
{
	char m[40];

	for (size_t i = 0; i < COUNT(answers); i++) {
		peer_greet_strict(peer);
		grant(peer, "g", 0);
		grant(peer, "m", 1);
		come_back(peer);
		peer_expect(peer, "RESUME g 1 7 limit=1");
		peer_answer(peer, "ERR nomem not just now");
		peer_expect(peer, "RESUME m 1 7 limit=1");
		strcpy(m, peer->tag);
		peer_expect(peer, "RESUME g 1 7 limit=1");
		peer_answer(peer, "%s", answers[i].answer);
		peer_say(peer, "%s ERR lost", m);
		if (answers[i].state == SLOT_STATE_PROVEN)
			release(peer, "RELEASE g 1 token=7");
		peer_expect_eof(peer);
		peer_close(peer);
	}
}

START_TEST(answers_to_resume)
{
	struct peer *peer = peer_start(answer_resume);

	for (size_t i = 0; i < COUNT(answers); i++) {
		struct diary diary = {.n = 0};
		struct slot_conn *conn = connect_with(peer, &diary);
		struct slot_hold *g = take(conn, "g"), *m = take(conn, "m");

		watch_until(conn, &diary, answers[i].state == SLOT_STATE_LOST ? 4 : 2);
		ck_assert_str_eq(diary.text, answers[i].diary);
		ck_assert_int_eq(slot_valid(g) != 0, answers[i].valid);
		ck_assert_int_eq(slot_hold_state(g), answers[i].state);
		ck_assert_int_eq(slot_release(g), answers[i].state == SLOT_STATE_LOST ? SLOT_ELOST : 0);
		ck_assert_int_eq(slot_release(m), SLOT_ELOST);
		slot_close(conn);
	}
	peer_join(peer);
}
END_TEST

static void
resume_wrongly(struct peer *peer)
{
	static const char *const wrong[] = {"OK", "OK 2 7", "OK 1,2 7 limit=1", "OK 1 8 limit=1 cell=3"};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		peer_greet_strict(peer);
		grant(peer, "g", 0);
		come_back(peer);
		peer_expect(peer, "RESUME g 1 7 limit=1");
		peer_answer(peer, "%s", wrong[i]);
		peer_expect_eof(peer);
		peer_close(peer);
	}
}

START_TEST(nonsense_to_resume)
{
	struct peer *peer = peer_start(resume_wrongly);

	for (int i = 0; i < 4; i++) {
		struct diary diary = {.n = 0};
		struct slot_conn *conn = connect_with(peer, &diary);
		struct slot_hold *g = take(conn, "g");

		ck_assert_int_eq(process_to_end(conn), SLOT_EPROTOCOL);
		ck_assert_str_eq(diary.text, "lost g1 (disconnected) ");
		ck_assert_int_eq(slot_release(g), SLOT_EPROTOCOL);
		slot_close(conn);
	}
	peer_join(peer);
}
END_TEST

/* Killed again before it has answered, and again before it has greeted. */
static void
die_twice(struct peer *peer)
{
	peer_greet_strict(peer);
	grant(peer, "g", 0);
	come_back(peer);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_close(peer);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_close(peer);
	peer_accept(peer);
	peer_say(peer, "ERR clients max=1 too many");
	come_back(peer);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "OK 1 7 limit=1 cell=3");
	release(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

START_TEST(again_and_again)
{
	struct peer *peer = peer_start(die_twice);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);

	ck_assert_int_eq(slot_release(take(conn, "g")), 0);     /* blocks through it all */
	ck_assert_int_eq(diary.n, 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* Connections are accepted by the backlog, and nobody answers: at the deadline the hold is lost. */
static void
stay_away(struct peer *peer)
{
	peer_greet_strict(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_cell(peer, 0, "g", 1, 7, 150);
	peer_answer(peer, "OK 1 7 limit=1 cell=0");
	peer_close(peer);
	peer_pass(peer);
}

START_TEST(deadline_while_away)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;
	struct peer *peer = peer_start(stay_away);
	struct diary diary = {.n = 0};
	struct slot_conn *conn;
	struct slot_hold *g;

	o.lost = lost;
	o.userdata = &diary;
	conn = peer_connect(peer, &o);
	g = take(conn, "g");
	watch_until(conn, &diary, 2);
	ck_assert_str_eq(diary.text, "lost g1 (lease) ");
	ck_assert_int_eq(slot_release(g), SLOT_ELOST);
	slot_close(conn);
	peer_next(peer);
	peer_join(peer);
}
END_TEST

/* The RESUME is said in time and answered late: unproven meanwhile, and proven again. */
static void
answer_late(struct peer *peer)
{
	peer_greet_strict(peer);
	grant(peer, "g", 0);
	peer_close(peer);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_hello_ok(peer);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_cell(peer, 0, "g", 1, 7, -1);
	peer_say(peer, "!UNPROVEN g 1 7");
	peer_pass(peer);
	peer_cell(peer, 3, "g", 1, 7, PROVEN_MS);
	peer_answer(peer, "OK 1 7 limit=1 cell=3");
	release(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

START_TEST(deadline_while_resuming)
{
	struct peer *peer = peer_start(answer_late);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);
	struct slot_hold *g = take(conn, "g");

	watch_until(conn, &diary, 1);
	peer_next(peer);
	watch_until(conn, &diary, 2);
	ck_assert_str_eq(diary.text, "unproven proven ");
	ck_assert_int_eq(slot_release(g), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
meet_older(struct peer *peer)
{
	peer_greet_strict(peer);
	grant(peer, "g", 0);
	peer_close(peer);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_answer(peer, "ERR badkey key=page no such key");
	peer_expect(peer, "HELLO events=on detail=on");
	peer_answer(peer, "OK protocol=1");
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "ERR unknown no such request");
	peer_expect_eof(peer);
}

START_TEST(older_slotd)
{
	struct peer *peer = peer_start(meet_older);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);
	struct slot_hold *g = take(conn, "g");

	watch_until(conn, &diary, 2);
	ck_assert_str_eq(diary.text, "lost g1 (disconnected) ");
	ck_assert_int_eq(slot_lease_ms(conn), 0);
	slot_close(conn);
	ck_assert_int_eq(slot_release(g), SLOT_EDISCONNECTED);
	peer_join(peer);
}
END_TEST

/* A label that makes the line too long is left out. */
static void
resume_64(struct peer *peer)
{
	char slots[600] = "", line[1100], group[400] = "", name[129] = "";

	for (int i = 0; i < 64; i++)
		sprintf(slots + strlen(slots), "%s%d", i > 0 ? "," : "", 100000 + i);
	for (int i = 0; i < 128 / 2; i++) {
		strcat(name, "\xc3\xbc");
		strcat(group, "%C3%BC");
	}
	peer_greet_strict(peer);
	peer_read(peer);
	peer_cell(peer, 0, name, 100000, 7, PROVEN_MS);
	peer_answer(peer, "OK %s 7 limit=1000000 cell=0", slots);
	peer_close(peer);
	peer_greet_strict(peer);
	snprintf(line, sizeof line, "RESUME %s %s 7 limit=1000000", group, slots);
	peer_expect(peer, line);
	peer_answer(peer, "ERR lost");
	peer_expect_eof(peer);
}

START_TEST(long_resume)
{
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct peer *peer = peer_start(resume_64);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);
	struct slot_hold *hold;
	char group[129] = "", label[65];

	for (int i = 0; i < 64; i++)
		strcat(group, "\xc3\xbc");
	memset(label, '%', 64);
	label[64] = '\0';
	o.n = 64;
	o.label = label;
	ck_assert_int_eq(slot_acquire(conn, group, &o, &hold), 0);
	watch_until(conn, &diary, 2);
	ck_assert_int_eq(slot_release(hold), SLOT_ELOST);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ releases */

static void
resume_and_release(struct peer *peer)
{
	peer_greet_strict(peer);
	grant(peer, "g", 0);
	grant(peer, "h", 1);
	grant(peer, "i", 2);
	peer_expect(peer, "RELEASE g 1 token=7");       /* not answered */
	peer_close(peer);
	peer_pass(peer);
	come_back(peer);
	peer_expect(peer, "RESUME i 1 7 limit=1");
	peer_answer(peer, "ERR lost");
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "ERR lost");                  /* the RELEASE was carried out */
	peer_expect(peer, "RESUME h 1 7 limit=1");
	peer_pass(peer);
	peer_answer(peer, "OK 1 7 limit=1 cell=1000");
	release(peer, "RELEASE h 1 token=7");           /* not before it is ours */
	peer_close(peer);
}

/* One with the answer under way, one while away, one while it is being resumed. */
START_TEST(released_meanwhile)
{
	struct peer *peer = peer_start(resume_and_release);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);
	struct slot_hold *g = take(conn, "g"), *h = take(conn, "h"), *i = take(conn, "i");

	ck_assert_int_eq(slot_release_nowait(g), 0);
	watch_until_connected(conn, 0);
	ck_assert_int_eq(slot_release_nowait(h), 0);
	peer_next(peer);
	watch_until(conn, &diary, 2);
	ck_assert_str_eq(diary.text, "lost i1 (disconnected) ");
	ck_assert_int_eq(slot_release(i), SLOT_ELOST);
	peer_next(peer);
	watch_until_connected(conn, 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
release_lost(struct peer *peer)
{
	peer_greet_strict(peer);
	grant(peer, "g", 0);
	peer_expect(peer, "RELEASE g 1 token=7");
	come_back(peer);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "ERR lost");
	peer_expect_eof(peer);
}

/* It was good when it was released, and is free now: that is success. */
START_TEST(release_goes_on)
{
	struct peer *peer = peer_start(release_lost);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);

	ck_assert_int_eq(slot_release(take(conn, "g")), 0);
	ck_assert_int_eq(diary.n, 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

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
	release(peer, "RELEASE forever 1 token=7");
	release(peer, "RELEASE told 2 token=7");
	peer_expect_eof(peer);
}

static struct slot_request *
start(struct slot_conn *conn, const char *group, struct slot_acquire_options o, struct diary *diary)
{
	struct slot_request *request;

	ck_assert_int_eq(slot_acquire_start(conn, group, &o, acquired, diary, &request), 0);
	return request;
}

START_TEST(waiters_ask_again)
{
	struct slot_acquire_options plain = SLOT_ACQUIRE_OPTIONS_INIT, timed = plain, forever = plain,
	    own = plain, now = plain;
	struct peer *peer = peer_start(queue_again);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);
	struct slot_request *gone;

	timed.wait_ms = 100000;
	forever.wait_ms = SLOT_WAIT_FOREVER;
	forever.limit = 5;
	forever.label = "x y";
	own.n = 2;
	own.hold_ms = 9;
	now.wait_ms = SLOT_WAIT_NOW;
	start(conn, "timed", timed, &diary);
	start(conn, "forever", forever, &diary);
	start(conn, "own", own, &diary);
	start(conn, "now", now, &diary);
	gone = start(conn, "gone", plain, &diary);
	start(conn, "told", plain, &diary);
	slot_cancel(gone);
	watch_until(conn, &diary, 5);
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
	struct slot_conn *conn = connect_with(peer, &diary);
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
	grant(peer, "g", 0);
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

	c.lost = lost;
	c.userdata = &diary;
	c.reconnect_ms = 1;
	conn = peer_connect(peer, &c);
	g = take(conn, "g");
	start(conn, "g", o, &diary);
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
	start(conn, "g", o, &diary);
	watch_until_connected(conn, 0);
	o.wait_ms = 1;
	start(conn, "g", o, &diary);
	watch_until(conn, &diary, 1);
	ck_assert_str_eq(diary.text, "unanswered ");
	ck_assert_int_eq(slot_acquire(conn, "g", &o, &none), SLOT_EUNANSWERED);
	ck_assert_int_eq(slot_query(conn, "PING", NULL, NULL, NULL), SLOT_EUNANSWERED);
	ck_assert_int_eq(slot_release(g), SLOT_EUNANSWERED);
	slot_close(conn);
	ck_assert_int_eq(diary.n, 1);
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
	struct slot_conn *conn = connect_with(peer, &diary);

	ck_assert_int_eq(process_to_end(conn), SLOT_EPROTOCOL);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ others that look on */

#define ROUNDS 30

static void
come_and_go(struct peer *peer)
{
	peer_greet_strict(peer);
	grant(peer, "g", 0);
	for (int i = 0; i < ROUNDS; i++) {
		come_back(peer);
		peer_expect(peer, "RESUME g 1 7 limit=1");
		peer_answer(peer, "OK 1 7 limit=1 cell=3");
	}
	release(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

struct onlooker {
	const struct slot_hold *hold;
	int stop, n_invalid;
};

static void *
look_on(void *arg)
{
	struct onlooker *o = arg;

	while (!__atomic_load_n(&o->stop, __ATOMIC_ACQUIRE))
		o->n_invalid += slot_valid(o->hold) == 0 || slot_hold_left_ms(o->hold) <= 0;
	return NULL;
}

/* In another thread the hold is proven all the while, though the page is another each time. */
START_TEST(valid_in_another_thread)
{
	struct peer *peer = peer_start(come_and_go);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = connect_with(peer, &diary);
	struct slot_hold *g = take(conn, "g");
	struct onlooker onlooker = {.hold = g};
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, look_on, &onlooker), 0);
	for (int i = 0; i < ROUNDS; i++) {
		watch_until_connected(conn, 0);
		watch_until_connected(conn, 1);
	}
	__atomic_store_n(&onlooker.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	ck_assert_int_eq(onlooker.n_invalid, 0);
	ck_assert_int_eq(slot_release(g), 0);
	ck_assert_int_eq(diary.n, 0);
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
	tcase_add_test(tc, resumed);
	tcase_add_test(tc, answers_to_resume);
	tcase_add_test(tc, nonsense_to_resume);
	tcase_add_test(tc, again_and_again);
	tcase_add_test(tc, deadline_while_away);
	tcase_add_test(tc, deadline_while_resuming);
	tcase_add_test(tc, older_slotd);
	tcase_add_test(tc, long_resume);
	tcase_add_test(tc, released_meanwhile);
	tcase_add_test(tc, release_goes_on);
	tcase_add_test(tc, waiters_ask_again);
	tcase_add_test(tc, blocking_calls);
	tcase_add_test(tc, time_is_up);
	tcase_add_test(tc, own_time_is_up);
	tcase_add_test(tc, no_slotd);
	tcase_add_test(tc, valid_in_another_thread);
	return suite;
}
