/* Lists, the numbers of a group, and what a line callback may do. */
#include "tests/unit/lib/suites.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/lib/peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
note(const char *line, void *userdata)
{
	char *lines = userdata;

	strcat(strcat(lines, line), "|");
}

static void
answer_lists(struct peer *peer)
{
	peer_greet(peer);
	peer_expect(peer, "HOLDERS g%25");
	peer_answer(peer, "OK 2\r\nslot=1 token=5\r\n!ERR OK #1 what looks like something else");
	peer_expect(peer, "LIST a*");
	peer_answer(peer, "OK 0");
	peer_expect(peer, "LIST");
	peer_answer(peer, "OK 1 later=x\ngroup=a");
	peer_expect(peer, "PING");
	peer_answer(peer, "OK pong");
	peer_expect(peer, "VERSION");
	peer_answer(peer, "OK");
	peer_expect(peer, "WAITERS g");
	peer_answer(peer, "ERR nogroup closest=h not configured");
	peer_expect(peer, "STATS");
	peer_answer(peer, "OK many");
	peer_expect_eof(peer);
}

START_TEST(lists)
{
	static const struct {
		const char *verb, *argument;
		int code;
		const char *lines;
	} rows[] = {
		{"HOLDERS", "g%", 0, "slot=1 token=5|!ERR OK #1 what looks like something else|"},
		{"LIST", "a*", 0, ""},
		{"LIST", NULL, 0, "group=a|"},
		{"ping", NULL, 0, "pong|"},
		{"VERSION", NULL, 0, "|"},
		{"WAITERS", "g", SLOT_ENOGROUP, ""},
		{"ACQUIRE", "g", SLOT_EINVAL, ""},
		{"RELEASE", "*", SLOT_EINVAL, ""},
		{"QUIT", NULL, SLOT_EINVAL, ""},
		{"HELLO", NULL, SLOT_EINVAL, ""},
		{NULL, NULL, SLOT_EINVAL, ""},
		{"GRACE", "off", SLOT_EINVAL, ""},
		{"STATUS", "a b", SLOT_EBADGROUP, ""},
		{"STATS", NULL, SLOT_EPROTOCOL, ""},
	};
	struct peer *peer = peer_start(answer_lists);
	struct slot_conn *conn = peer_connect(peer, NULL);

	for (size_t i = 0; i < COUNT(rows); i++) {
		char lines[512] = "";

		ck_assert_msg(slot_query(conn, rows[i].verb, rows[i].argument, note, lines) == rows[i].code,
		    "row %zu: %s", i, slot_error_text(conn));
		ck_assert_str_eq(lines, rows[i].lines);
	}
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
answer_status(struct peer *peer)
{
	peer_greet(peer);
	peer_expect(peer, "STATUS g");
	peer_answer(peer, "OK group=g limit=5 limit_from=config held=1 idle=2 ending=3 waiting=4 "
	    "oldest_wait=99 backend=memory");
	peer_expect(peer, "STATUS g");
	peer_answer(peer, "OK group=g limit=- limit_from=none held=x oldest_wait=-");
	peer_expect_eof(peer);
}

START_TEST(status)
{
	struct peer *peer = peer_start(answer_status);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct { struct slot_group_status s; char after; } later = {.after = 'x'};
	struct slot_group_status s = {.size = 0};

	ck_assert_int_eq(slot_status(conn, "g", &s), SLOT_EINVAL);
	s.size = sizeof s;
	ck_assert_int_eq(slot_status(conn, NULL, &s), SLOT_EINVAL);
	ck_assert_int_eq(slot_status(conn, "g", NULL), SLOT_EINVAL);
	ck_assert_int_eq(slot_status(conn, "g", &s), 0);
	ck_assert_uint_eq(s.size, sizeof s);
	ck_assert_int_eq(s.limit, 5);
	ck_assert_uint_eq(s.held, 1);
	ck_assert_uint_eq(s.idle, 2);
	ck_assert_uint_eq(s.ending, 3);
	ck_assert_uint_eq(s.waiting, 4);
	ck_assert_int_eq(s.oldest_wait_ms, 99);

	later.s.size = offsetof(struct slot_group_status, held);        /* an older header's */
	later.s.held = 77;
	ck_assert_int_eq(slot_status(conn, "g", &later.s), 0);
	ck_assert_int_eq(later.s.limit, -1);
	ck_assert_uint_eq(later.s.held, 77);
	ck_assert_int_eq(later.after, 'x');
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ inside a line callback */

struct nested {
	struct slot_conn *conn;
	struct slot_hold *hold;
	int n;
};

static void
call_back(const char *line, void *userdata)
{
	struct nested *nested = userdata;
	struct slot_hold *hold;

	(void)line;
	ck_assert_int_eq(slot_query(nested->conn, "PING", NULL, NULL, NULL), SLOT_EBUSY);
	ck_assert_int_eq(slot_acquire(nested->conn, "g", NULL, &hold), SLOT_EBUSY);
	ck_assert_int_eq(slot_process(nested->conn), SLOT_EBUSY);
	ck_assert_ptr_null(slot_hold_lost(nested->hold));
	nested->n++;
}

static void
close_here(const char *line, void *userdata)
{
	struct nested *nested = userdata;

	(void)line;
	slot_close(nested->conn);
	nested->n++;
}

static void
list_twice(struct peer *peer)
{
	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "OK 1 7 limit=1");
	for (int i = 0; i < 2; i++) {
		peer_expect(peer, "HELP");
		peer_answer(peer, "OK 3\na\nb\nc");
	}
	peer_expect_eof(peer);
}

START_TEST(inside_a_line)
{
	struct peer *peer = peer_start(list_twice);
	struct nested nested = {.conn = peer_connect(peer, NULL)};

	nested.hold = take(nested.conn, "g");
	ck_assert_int_eq(slot_query(nested.conn, "HELP", NULL, call_back, &nested), 0);
	ck_assert_int_eq(nested.n, 3);
	nested.n = 0;
	ck_assert_int_eq(slot_query(nested.conn, "HELP", NULL, close_here, &nested), SLOT_EDISCONNECTED);
	ck_assert_int_eq(nested.n, 1);
	ck_assert_int_eq(slot_release(nested.hold), SLOT_EDISCONNECTED);
	peer_join(peer);
}
END_TEST

Suite *
query_suite(void)
{
	Suite *suite = suite_create("query");
	TCase *tc = tcase_create("query");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, lists);
	tcase_add_test(tc, status);
	tcase_add_test(tc, inside_a_line);
	return suite;
}
