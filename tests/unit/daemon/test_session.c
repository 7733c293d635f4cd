/* Sessions: order of answers, ends of connections, clients that do not read; on socket pairs, with
 * a real arbiter behind them and the loop turned by hand. */
#include "tests/unit/daemon/suites.h"

#include <event2/event.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/page.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"

static struct config *config;
static struct page *page;
static struct loop *loop;
static struct server server;

static struct client *
only_client(void)
{
	ck_assert_uint_eq(server.clients.n, 1);
	return table_first(&server.clients);
}

static void
setup(void)
{
	char directory[] = "/tmp/slotd-session-XXXXXX", path[64];
	const struct arb_conf conf = {
	    .host = "host",
	    .self = {.install = 1, .generation = 1, .nonce = 1},
	    .max_cells = 64,
	    .lease = 10000 * NSEC_MS,
	    .margin = 500 * NSEC_MS,
	    .command_timeout = 10000 * NSEC_MS,
	    .sole = true,
	    .n_links = 1,
	};

	log_set_level(LOG_LEVEL_ERROR);
	config = config_load("/dev/null", NULL, NULL);
	ck_assert_ptr_nonnull(config);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/s", directory);
	page = page_new(path, &conf.self, conf.max_cells);
	snprintf(path, sizeof path, "%s/s.page", directory);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(directory), 0);
	loop = loop_new(&conf, &config->redis, page);
	server_init(&server, loop, config, 100);
}

static void
teardown(void)
{
	server_fini(&server);
	loop_free(loop);
	page_free(page);
	config_free(config);
}

/* -> the client's end */
static int
client_new(void)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	session_open(&server, fds[0]);
	return fds[1];
}

static void
say(int fd, const char *lines)
{
	ck_assert_int_eq(send(fd, lines, strlen(lines), MSG_NOSIGNAL), (ssize_t)strlen(lines));
}

/* Turns the loop until there is something to read, or EOF; Check ends a test that waits in vain. */
static void
turn_until_readable(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	while (poll(&pfd, 1, 0) == 0)
		loop_turn(loop);
}

/* What was received and not looked at yet, by descriptor. */
static struct {
	char bytes[65536];
	size_t start, end;
} inputs[32];

/* One line, without LF, until the next is read; "" at EOF. */
static const char *
read_line(int fd)
{
	char *line, *lf;
	ssize_t n;

	ck_assert_int_lt(fd, 32);
	for (;;) {
		line = inputs[fd].bytes + inputs[fd].start;
		lf = memchr(line, '\n', inputs[fd].end - inputs[fd].start);
		if (lf != NULL)
			break;
		inputs[fd].end -= inputs[fd].start;
		memmove(inputs[fd].bytes, line, inputs[fd].end);
		inputs[fd].start = 0;
		turn_until_readable(fd);
		n = recv(fd, inputs[fd].bytes + inputs[fd].end,
		    sizeof inputs[fd].bytes - inputs[fd].end, 0);
		if (n == 0 && inputs[fd].end == 0)
			return "";
		ck_assert_int_gt(n, 0);
		inputs[fd].end += (size_t)n;
	}
	*lf = '\0';
	inputs[fd].start += (size_t)(lf - line) + 1;
	return line;
}

/* The glob stands for tokens and times. */
static void
expect(int fd, const char *glob)
{
	const char *line = read_line(fd);

	ck_assert_msg(fnmatch(glob, line, FNM_NOESCAPE) == 0, "got \"%s\" for \"%s\"", line, glob);
}

static void
ask(int fd, const char *line, const char *glob)
{
	say(fd, line);
	expect(fd, glob);
}

static struct arb_group_status
status(const char *group)
{
	struct arb_group_status found;

	arb_status(loop_arb(loop), group, &found);
	return found;
}

/* ---------------------------------------------------------------- order */

START_TEST(untagged_answers_keep_their_order)
{
	int fd = client_new();

	ask(fd, "ACQUIRE g limit=1\n", "OK 1 *");
	say(fd, "ACQUIRE g limit=1 wait=forever\nFROB\nLIST g\n#t PING\nRELEASE g 1\nPING\n");
	expect(fd, "#t OK pong");
	expect(fd, "OK 1 *");
	expect(fd, "ERR unknown *");
	expect(fd, "OK 1");
	expect(fd, "group=g * held=1 * waiting=1 *");   /* executed when it was read */
	expect(fd, "OK");
	expect(fd, "OK pong");
	close(fd);
}
END_TEST

START_TEST(second_waiter_is_answered_behind_the_first)
{
	int holder = client_new(), fd = client_new();

	ask(holder, "ACQUIRE a limit=1\n", "OK 1 *");
	ask(holder, "ACQUIRE b limit=1\n", "OK 1 *");
	say(fd, "ACQUIRE a limit=1\nACQUIRE b limit=1\n#t PING\n");
	expect(fd, "#t OK pong");
	ask(holder, "RELEASE b 1\n", "OK");
	ask(fd, "#t PING\n", "#t OK pong");     /* b is granted, but that is not said yet */
	ck_assert_uint_eq(status("b").held, 1);
	ask(holder, "RELEASE a 1\n", "OK");
	expect(fd, "OK 1 *");
	expect(fd, "OK 1 *");
	close(holder);
	close(fd);
}
END_TEST

START_TEST(tag_in_use)
{
	int fd = client_new();

	ask(fd, "ACQUIRE g limit=1\n", "OK 1 *");
	ask(fd, "#a ACQUIRE g limit=1 wait=forever\n#a PING\n", "#a ERR tag *");
	ask(fd, "CANCEL #a\n", "#a ERR cancelled *");
	expect(fd, "OK");
	ask(fd, "#a PING\n", "#a OK pong");
	close(fd);
}
END_TEST

/* Each refusal is answered, in order, and they take no memory that grows. */
START_TEST(too_many_behind_one_that_waits)
{
	enum { BEHIND = PENDING_ORDERED_MAX, MORE = 3000 };
	int fd = client_new();
	int i;

	ask(fd, "ACQUIRE g limit=1\n", "OK 1 *");
	say(fd, "ACQUIRE g limit=1 wait=forever\n");
	for (i = 0; i < BEHIND + MORE; i++) {
		say(fd, "PING\n");
		if (i % 100 == 0)       /* the socket holds no more */
			ask(fd, "#t PING\n", "#t OK pong");
	}
	ask(fd, "#t PING\n", "#t OK pong");
	ck_assert_uint_eq(only_client()->pendings.n_ordered, 1 + BEHIND + 1);
	ask(fd, "#t RELEASE g 1\n", "#t OK");
	expect(fd, "OK 1 *");
	for (i = 0; i < BEHIND; i++)
		expect(fd, "OK pong");
	for (i = 0; i < MORE; i++)
		expect(fd, "ERR toomany max=4096 *");
	ask(fd, "PING\n", "OK pong");
	ck_assert(!pending_is_any(&only_client()->pendings));
	close(fd);
}
END_TEST

START_TEST(too_much_behind_one_that_waits)
{
	int fd = client_new();
	size_t i, lists = 0, refused = 0;
	const char *line;

	ask(fd, "ACQUIRE g limit=1\n", "OK 1 *");
	say(fd, "ACQUIRE g limit=1 wait=forever\n");
	for (i = 0; i < 3000; i++) {
		say(fd, "HELP\n");
		if (i % 100 == 0)       /* the socket holds no more */
			ask(fd, "#t PING\n", "#t OK pong");
	}
	ask(fd, "#t PING\n", "#t OK pong");
	ck_assert_uint_lt(only_client()->pendings.held, PENDING_HELD_MAX + 4096);
	say(fd, "#t RELEASE g 1\n");
	expect(fd, "#t OK");
	expect(fd, "OK 1 *");
	while (lists + refused < 3000) {
		line = read_line(fd);
		lists += strncmp(line, "OK ", 3) == 0;
		refused += strncmp(line, "ERR toomany ", 12) == 0;
	}
	ck_assert_uint_gt(lists, 500);
	ck_assert_uint_gt(refused, 500);
	say(fd, "PING\n");
	while (strcmp(read_line(fd), "OK pong") != 0)
		;                               /* the last list's lines */
	close(fd);
}
END_TEST

/* ---------------------------------------------------------------- lines */

START_TEST(lines_of_any_length)
{
	char line[WIRE_LINE_MAX + 2];
	int fd = client_new();
	const char *p;

	for (p = "ACQUIRE g limit=1\r\n"; *p != '\0'; p++) {
		ck_assert_int_eq(send(fd, p, 1, 0), 1);
		loop_turn(loop);
	}
	expect(fd, "OK 1 *");
	memset(line, ' ', sizeof line);
	memcpy(line, "PING", 4);
	line[WIRE_LINE_MAX - 1] = '\n';
	line[WIRE_LINE_MAX] = '\0';
	ask(fd, line, "OK pong");               /* exactly as long as may be */
	line[WIRE_LINE_MAX - 1] = ' ';
	line[WIRE_LINE_MAX] = '\n';
	line[WIRE_LINE_MAX + 1] = '\0';
	ask(fd, line, "ERR toolong *");
	memcpy(line, "#tag PING", 9);
	line[WIRE_LINE_MAX] = '\0';
	ask(fd, line, "#tag ERR toolong *");    /* said before its end has come */
	say(fd, line);
	ask(fd, " \n\n  \nPING\n", "OK pong");
	close(fd);
}
END_TEST

/* ---------------------------------------------------------------- ends */

static void
on_time_is_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

/* A loop that spins makes thousands of turns in so long. */
static void
assert_rests(void)
{
	const struct timeval soon = {0, 20000};
	bool is_over = false;
	int turns = 0;

	event_base_once(loop_base(loop), -1, EV_TIMEOUT, on_time_is_over, &is_over, &soon);
	while (!is_over) {
		loop_turn(loop);
		turns++;
	}
	ck_assert_int_lt(turns, 10);
}

START_TEST(half_closed_waiter_is_answered_first)
{
	int holder = client_new(), fd = client_new();

	ask(holder, "ACQUIRE g limit=1\n", "OK 1 *");
	say(fd, "#w ACQUIRE g limit=1 wait=forever\nACQUIRE g limit=1 wait=forever\nPING\nPI");
	shutdown(fd, SHUT_WR);
	while (status("g").waiting < 2)
		loop_turn(loop);
	assert_rests();
	ask(holder, "RELEASE g 1\n", "OK");
	expect(fd, "#w OK 1 *");
	assert_rests();                         /* the other waits on */
	ck_assert_uint_eq(server.n_clients, 2);
	close(fd);                      /* and that is noticed, though EOF was read long ago */
	while (server.n_clients > 1)
		loop_turn(loop);
	ck_assert_uint_eq(status("g").held, 0);
	ck_assert_uint_eq(status("g").waiting, 0);
	close(holder);
}
END_TEST

START_TEST(half_closed_is_closed_when_all_is_answered)
{
	int holder = client_new(), fd = client_new();

	ask(holder, "ACQUIRE g limit=1\n", "OK 1 *");
	say(fd, "ACQUIRE g limit=1 wait=forever\n");
	shutdown(fd, SHUT_WR);
	while (status("g").waiting < 1)
		loop_turn(loop);
	ask(holder, "RELEASE g 1\n", "OK");
	expect(fd, "OK 1 *");
	expect(fd, "");
	ck_assert_uint_eq(status("g").held, 0); /* given back with the close */
	close(fd);
	close(holder);
}
END_TEST

/* With more to write than the socket holds when EOF is read. */
START_TEST(half_closed_is_written_to_the_end)
{
	enum { LISTS = 80 };
	const int small = 4096;
	int fd = client_new(), lists = 0;
	const char *line;

	setsockopt(only_client()->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	for (int i = 0; i < LISTS; i++)
		say(fd, "HELP\n");
	shutdown(fd, SHUT_WR);
	while (only_client()->state != SESSION_ENDING)
		loop_turn(loop);
	ck_assert_uint_gt(output_len(&only_client()->out), 10000);
	while ((line = read_line(fd))[0] != '\0')
		lists += strncmp(line, "OK ", 3) == 0;
	ck_assert_int_eq(lists, LISTS);
	ck_assert_uint_eq(server.n_clients, 0);
	close(fd);
}
END_TEST

START_TEST(dead_waiter_leaves_at_once)
{
	int holder = client_new(), fd = client_new();

	ask(holder, "ACQUIRE g limit=1\n", "OK 1 *");
	say(fd, "ACQUIRE g limit=1 wait=forever\nPING\n");
	close(fd);                              /* with its request unread yet */
	while (server.n_clients > 1)
		loop_turn(loop);
	ck_assert_uint_eq(status("g").waiting, 0);
	close(holder);
}
END_TEST

/* The time has ended its wait too, when slotd hears that it has gone. */
START_TEST(wait_ends_with_its_connection)
{
	int holder = client_new(), fd = client_new();
	nsec due;

	ask(holder, "ACQUIRE g limit=1\n", "OK 1 *");
	say(fd, "#w ACQUIRE g limit=1 wait=20ms\n");
	ask(fd, "PING\n", "OK pong");
	due = clock_now() + 20 * NSEC_MS;
	close(fd);
	while (clock_now() < due)
		;
	ask(holder, "PING\n", "OK pong");
	ck_assert_uint_eq(status("g").waiting, 0);
	close(holder);
}
END_TEST

START_TEST(quit_gives_everything_back_first)
{
	int fd = client_new();
	char byte;

	ask(fd, "ACQUIRE g limit=1\n", "OK 1 *");
	say(fd, "ACQUIRE g limit=1 wait=forever\n#w ACQUIRE g limit=1 wait=forever\nQUIT\nPING\n");
	expect(fd, "ERR cancelled *");
	expect(fd, "#w ERR cancelled *");
	expect(fd, "OK");
	turn_until_readable(fd);
	ck_assert_int_le(recv(fd, &byte, 1, 0), 0);     /* a reset, for the PING was not read */
	ck_assert_uint_eq(server.n_clients, 0);
	ck_assert_uint_eq(status("g").held, 0);
	close(fd);
}
END_TEST

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	server_stop(arg);
}

START_TEST(stop_answers_who_waits)
{
	int fd = client_new(), idle = client_new();

	ask(fd, "ACQUIRE g limit=1\n", "OK 1 *");
	ask(fd, "ACQUIRE g limit=1\nPING\n#w ACQUIRE g limit=1\n#t PING\n", "#t OK pong");
	event_base_once(loop_base(loop), -1, EV_TIMEOUT, on_stop, &server, NULL);
	while (server.is_running)
		loop_turn(loop);
	expect(fd, "ERR shutdown *");
	expect(fd, "OK pong");
	expect(fd, "#w ERR shutdown *");
	expect(fd, "");
	expect(idle, "");
	close(fd);
	close(idle);
}
END_TEST

/* ---------------------------------------------------------------- clients that do not read */

/* Sends PINGs, and lets them be handled, until no more are taken. -> how many */
static size_t
send_until_blocked(int fd)
{
	static const char pings[] = "PING\nPING\nPING\nPING\n";
	size_t bytes = 0;
	ssize_t n;

	for (;;) {
		size_t at = bytes % (sizeof pings - 1);

		n = send(fd, pings + at, sizeof pings - 1 - at, MSG_NOSIGNAL);
		if (n > 0) {
			bytes += (size_t)n;
			continue;
		}
		assert_rests();         /* it reads what it will */
		if (send(fd, pings + bytes % (sizeof pings - 1), 1, MSG_NOSIGNAL) != 1)
			return bytes;
		bytes++;
	}
}

/* One with a hundred thousand requests at once waits for nobody, and nobody for him. */
START_TEST(many_requests_keep_nobody_waiting)
{
	int greedy = client_new(), fd = client_new();
	ssize_t n_sent = 0, n_done = 0, n;
	char pings[5000], bytes[8];

	for (size_t i = 0; i < sizeof pings; i += 5)
		memcpy(pings + i, "PING\n", 5);
	while ((n = send(greedy, pings, sizeof pings, MSG_NOSIGNAL)) > 0)
		n_sent += n / 5;
	say(fd, "PING\n");
	turn_until_readable(fd);
	expect(fd, "OK pong");
	while (recv(greedy, bytes, sizeof bytes, 0) == sizeof bytes)
		n_done++;
	ck_assert_int_lt(n_done, 2000);
	ck_assert_int_gt(n_sent, 20000);
	close(greedy);
	close(fd);
}
END_TEST

START_TEST(nothing_is_read_from_who_does_not_read)
{
	int fd = client_new();
	size_t sent = send_until_blocked(fd), i;

	ck_assert_uint_gt(output_len(&only_client()->out), SESSION_OUTPUT_MAX / 2);
	ck_assert_uint_lt(output_len(&only_client()->out), SESSION_OUTPUT_MAX + 4096);
	ck_assert_uint_le(only_client()->rest_len, 64 * 1024);
	ck_assert(only_client()->is_blocked);
	for (i = 0; i < sent / 5; i++)          /* and when it does, nothing is missing */
		expect(fd, "OK pong");
	ck_assert_ptr_null(only_client()->out.bytes);
	close(fd);
}
END_TEST

START_TEST(who_never_reads_is_closed)
{
	int fd = client_new(), next = client_new();

	config->send_timeout_ms = 100;
	ask(fd, "ACQUIRE g limit=1\n", "OK 1 *");
	send_until_blocked(fd);
	say(next, "ACQUIRE g limit=1 wait=forever\n");
	while (server.n_clients > 1)
		loop_turn(loop);
	ck_assert_uint_eq(server.dropped.slow, 1);
	ck_assert_uint_eq(status("g").ending, 1);       /* it shall hear of it first */
	expect(next, "OK 1 *");
	close(fd);
	close(next);
}
END_TEST

START_TEST(blocked_client_that_dies_is_noticed)
{
	int fd = client_new();

	ask(fd, "ACQUIRE g limit=1\n", "OK 1 *");
	send_until_blocked(fd);
	close(fd);
	while (server.n_clients > 0)
		loop_turn(loop);
	ck_assert_uint_eq(status("g").held, 0);
}
END_TEST

/* ---------------------------------------------------------------- events */

START_TEST(events_are_for_who_asked)
{
	int fd = client_new(), deaf = client_new();

	ask(deaf, "ACQUIRE g limit=2 hold=1\n", "OK 1 *");
	ask(fd, "HELLO events=on detail=on\n", "OK version=* protocol=1 *");
	ask(fd, "ACQUIRE g%25%C3%BC limit=2 n=2 hold=1\n", "OK 1,2 * limit=2");
	expect(fd, "!LOST g%25%C3%BC 1,2 * hold");
	ask(fd, "RELEASE g%25%C3%BC 2\n", "ERR lost *");
	ask(deaf, "RELEASE g 1\n", "ERR lost *");
	close(fd);
	close(deaf);
}
END_TEST

Suite *
session_suite(void)
{
	Suite *suite = suite_create("session");
	TCase *tcase = tcase_create("session");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, untagged_answers_keep_their_order);
	tcase_add_test(tcase, second_waiter_is_answered_behind_the_first);
	tcase_add_test(tcase, tag_in_use);
	tcase_add_test(tcase, too_many_behind_one_that_waits);
	tcase_add_test(tcase, too_much_behind_one_that_waits);
	tcase_add_test(tcase, lines_of_any_length);
	tcase_add_test(tcase, half_closed_waiter_is_answered_first);
	tcase_add_test(tcase, half_closed_is_closed_when_all_is_answered);
	tcase_add_test(tcase, half_closed_is_written_to_the_end);
	tcase_add_test(tcase, dead_waiter_leaves_at_once);
	tcase_add_test(tcase, wait_ends_with_its_connection);
	tcase_add_test(tcase, quit_gives_everything_back_first);
	tcase_add_test(tcase, stop_answers_who_waits);
	tcase_add_test(tcase, many_requests_keep_nobody_waiting);
	tcase_add_test(tcase, nothing_is_read_from_who_does_not_read);
	tcase_add_test(tcase, who_never_reads_is_closed);
	tcase_add_test(tcase, blocked_client_that_dies_is_noticed);
	tcase_add_test(tcase, events_are_for_who_asked);
	suite_add_tcase(suite, tcase);
	return suite;
}
