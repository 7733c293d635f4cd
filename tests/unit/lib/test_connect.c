/* Connecting: who is there, who is not, and who is no slotd. */
#include "tests/unit/lib/suites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/lib/peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int
try(const char *path, int64_t timeout_ms, int async)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_conn *conn = (struct slot_conn *)&o;
	int code;

	o.path = path;
	o.timeout_ms = timeout_ms;
	o.async = async;
	code = slot_connect(&conn, &o);
	if (code != 0)
		ck_assert_ptr_null(conn);
	else
		slot_close(conn);
	return code;
}

static void
silent(struct peer *peer)
{
	peer_pass(peer);
}

START_TEST(never_answers)
{
	struct peer *peer = peer_start(silent);

	ck_assert_int_eq(try(peer->path, 20, 0), SLOT_EUNANSWERED);
	peer_next(peer);
	peer_join(peer);
}
END_TEST

START_TEST(never_answers_async)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;
	struct peer *peer = peer_start(silent);
	struct slot_conn *conn;

	o.timeout_ms = 20;
	o.async = 1;
	conn = peer_connect(peer, &o);
	ck_assert_int_ge(slot_timeout_ms(conn), 0);     /* however late it is by now */
	ck_assert_int_le(slot_timeout_ms(conn), 20);
	ck_assert_int_eq(process_to_end(conn), SLOT_EUNANSWERED);
	slot_close(conn);
	peer_next(peer);
	peer_join(peer);
}
END_TEST

START_TEST(nobody)
{
	struct peer *peer = peer_start(silent);
	char missing[80], file[80];

	strcat(strcpy(missing, peer->dir), "/missing");
	ck_assert_int_eq(try(missing, 0, 0), SLOT_ENODAEMON);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(try(missing, 70, 0), SLOT_ENODAEMON);
	ck_assert_int_eq(try(missing, 100000, 1), SLOT_ENODAEMON);

	close(peer->listener);
	peer->listener = -1;
	ck_assert_int_eq(try(peer->path, 0, 0), SLOT_ENODAEMON);
	ck_assert_int_eq(errno, ECONNREFUSED);

	strcat(strcpy(file, peer->path), "/below");
	ck_assert_int_eq(try(file, 100000, 0), SLOT_ESYSTEM);
	ck_assert_int_eq(errno, ENOTDIR);
	peer_next(peer);
	peer_join(peer);
}
END_TEST

START_TEST(path_too_long)
{
	char path[300];

	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	ck_assert_int_eq(try(path, 100000, 0), SLOT_ESYSTEM);
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

/* Root may always; so a child that is not root tries. */
START_TEST(denied)
{
	struct peer *peer = peer_start(silent);
	int status;
	pid_t pid;

	ck_assert_int_eq(chmod(peer->dir, 0755), 0);
	ck_assert_int_eq(chmod(peer->path, 0), 0);
	pid = fork();
	if (pid == 0) {
		if (getuid() == 0 && setuid(65534) != 0)
			_exit(2);
		_exit(try(peer->path, 100000, 0) == SLOT_ENOACCESS && errno == EACCES ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	peer_next(peer);
	peer_join(peer);
}
END_TEST

static void
refuse_twice(struct peer *peer)
{
	peer_accept(peer);                      /* as a slotd that stops does with its backlog */
	peer_close(peer);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_say(peer, "ERR clients max=1 too many");
	peer_close(peer);
	peer_greet(peer);
	peer_expect_eof(peer);
}

START_TEST(tries_again)
{
	struct peer *peer = peer_start(refuse_twice);

	ck_assert_int_eq(try(peer->path, 100000, 0), 0);
	peer_join(peer);
}
END_TEST

static void
full(struct peer *peer)
{
	peer_accept(peer);
	peer_say(peer, "ERR clients max=1 too many");
	peer_close(peer);
}

START_TEST(says_why)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;
	struct peer *peer = peer_start(full);
	struct slot_conn *conn;

	o.async = 1;
	conn = peer_connect(peer, &o);
	ck_assert_int_eq(process_to_end(conn), SLOT_ECLIENTS);
	ck_assert_int_eq(slot_error_number(conn, "max"), 1);
	ck_assert_str_eq(slot_error_text(conn), "too many");
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
labelled(struct peer *peer)
{
	peer_accept(peer);
	peer_expect(peer, "HELLO label=night%20%C3%BC events=on detail=on page=on");
	peer_answer(peer, "OK protocol=1");
	peer_expect_eof(peer);
}

START_TEST(environment_and_label)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;
	struct peer *peer = peer_start(labelled);
	struct slot_conn *conn;

	setenv("SLOTD_SOCKET", peer->path, 1);
	o.label = "night \xc3\xbc";
	ck_assert_int_eq(slot_connect(&conn, &o), 0);
	slot_close(conn);
	peer_join(peer);

	o.label = "bell\a";
	ck_assert_int_eq(slot_connect(&conn, &o), SLOT_EBADVALUE);
}
END_TEST

/* A struct of another version of the header. */
START_TEST(option_sizes)
{
	struct { struct slot_connect_options o; long more; } later = {SLOT_CONNECT_OPTIONS_INIT, 0};
	struct slot_conn *conn;

	ck_assert_int_eq(slot_connect(NULL, NULL), SLOT_EINVAL);
	later.o.path = "/nonexistent/sock";
	later.o.async = 1;
	later.o.size = sizeof later;
	ck_assert_int_eq(slot_connect(&conn, &later.o), SLOT_ENODAEMON);
	later.more = 1;
	ck_assert_int_eq(slot_connect(&conn, &later.o), SLOT_EINVAL);
	later.o.size = 0;
	ck_assert_int_eq(slot_connect(&conn, &later.o), SLOT_EINVAL);
	later.o.size = (size_t)-1;
	ck_assert_int_eq(slot_connect(&conn, &later.o), SLOT_EINVAL);

	later.o.size = offsetof(struct slot_connect_options, timeout_ms);
	later.o.timeout_ms = 12345678;          /* not looked at: the default, and async is off */
	later.o.path = "/dev/null/sock";
	ck_assert_int_eq(slot_connect(&conn, &later.o), SLOT_ESYSTEM);
}
END_TEST

static const struct { const char *bytes; size_t len; } garbage[] = {
#define G(s) {s, sizeof s - 1}
	G("hello\n"), G("\n"), G("\0\n"), G("OK\n"), G("OK protocol=1\n"), G("#0\n"), G("#1 OK\n"),
	G("#4294967296 OK\n"), G("#x OK\n"), G("#0 OK\n"), G("#0 OK protocol=2\n"),
	G("#0 OK protocol=11111111111111\n"), G("#0 OK protocol=1\0\n"), G("!\n"), G("!LOST\n"),
	G("!LOST g\n"), G("!LOST g 1\n"), G("!LOST g 0,1 1 hold\n"), G("!LOST g 1 x hold\n"),
	G("!LOST %zz 1 1 hold\n"), G("!LOST g 1 1\n"), G("HTTP/1.1 400 Bad Request\r\n\r\n"),
	G("\x80\xff\xfe\x01\n"),
#undef G
};

static void
send_garbage(struct peer *peer)
{
	size_t i;

	for (i = 0; i < COUNT(garbage); i++) {
		peer_accept(peer);
		peer_expect(peer, "HELLO events=on detail=on page=on");
		peer_send(peer, garbage[i].bytes, garbage[i].len);
		peer_expect_eof(peer);
		peer_close(peer);
	}
}

START_TEST(no_slotd)
{
	struct peer *peer = peer_start(send_garbage);

	for (size_t i = 0; i < COUNT(garbage); i++)
		ck_assert_msg(try(peer->path, 100000, 0) == SLOT_EPROTOCOL, "row %zu", i);
	peer_join(peer);
}
END_TEST

static void
send_without_end(struct peer *peer)
{
	char line[1025];

	peer_accept(peer);
	memset(line, 'x', sizeof line);
	peer_send(peer, line, 1024);            /* no end within 1024 bytes */
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_expect_eof(peer);
	peer_close(peer);

	peer_accept(peer);
	for (int i = 0; i < 10000; i++)
		peer_send(peer, line, sizeof line);
	peer_close(peer);

	peer_accept(peer);                      /* one byte too many, all at once */
	peer_expect(peer, "HELLO events=on detail=on page=on");
	memset(line, 'x', sizeof line);
	memcpy(line, "#0 OK protocol=1 ", 17);
	line[1024] = '\n';
	peer_send(peer, line, 1025);
	peer_expect_eof(peer);
	peer_close(peer);

	peer_accept(peer);                      /* the longest line that may be */
	peer_expect(peer, "HELLO events=on detail=on page=on");
	line[1023] = '\n';
	for (int i = 0; i < 1024; i++)
		peer_send(peer, line + i, 1);
	peer_expect_eof(peer);
}

START_TEST(long_lines)
{
	struct peer *peer = peer_start(send_without_end);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(try(peer->path, 100000, 0), SLOT_EPROTOCOL);
	ck_assert_int_eq(try(peer->path, 100000, 0), 0);
	peer_join(peer);
}
END_TEST

static void
refuse_hello(struct peer *peer)
{
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_answer(peer, "ERR badkey key=detail no such key");
	peer_expect_eof(peer);
}

START_TEST(older_slotd)
{
	struct peer *peer = peer_start(refuse_hello);

	ck_assert_int_eq(try(peer->path, 100000, 0), SLOT_EBADKEY);
	peer_join(peer);
}
END_TEST

Suite *
connect_suite(void)
{
	Suite *suite = suite_create("connect");
	TCase *tc = tcase_create("connect");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, never_answers);
	tcase_add_test(tc, never_answers_async);
	tcase_add_test(tc, nobody);
	tcase_add_test(tc, path_too_long);
	tcase_add_test(tc, denied);
	tcase_add_test(tc, tries_again);
	tcase_add_test(tc, says_why);
	tcase_add_test(tc, environment_and_label);
	tcase_add_test(tc, option_sizes);
	tcase_add_test(tc, no_slotd);
	tcase_add_test(tc, long_lines);
	tcase_add_test(tc, older_slotd);
	return suite;
}
