/* The listener without descriptors: it refuses as long as it can, and waits without spinning. */
#include "tests/unit/daemon/suites.h"

#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/page.h"
#include "daemon/serve/listener.h"
#include "daemon/serve/server.h"

#define N_CROWD 20

static char dir[] = "/tmp/slotd-test-XXXXXX";
static struct sockaddr_un addr;
static struct config *config;
static struct page *page;
static struct loop *loop;
static struct server server;
static struct listener *listener;
static struct rlimit fds;

static void
setup(void)
{
	const struct arb_conf conf = {
	    .host = "host",
	    .self = {.install = 1, .generation = 1, .nonce = 1},
	    .lease = 10000 * NSEC_MS,
	    .margin = 500 * NSEC_MS,
	    .command_timeout = 10000 * NSEC_MS,
	    .sole = true,
	    .max_cells = 64,
	    .n_links = 1,
	};

	log_set_level(LOG_LEVEL_ERROR);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	addr.sun_family = AF_UNIX;
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/socket", dir);
	config = config_load("/dev/null", NULL, NULL);
	ck_assert_ptr_nonnull(config);
	ck_assert_int_eq(config_set_socket(config, addr.sun_path), 0);
	page = page_new(addr.sun_path, &conf.self, conf.max_cells);
	loop = loop_new(&conf, &config->redis, page);
	server_init(&server, loop, config, 100);
	listener = listener_new(&server, config, -1);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &fds), 0);
}

static void
teardown(void)
{
	setrlimit(RLIMIT_NOFILE, &fds);
	listener_free(listener);
	server_fini(&server);
	loop_free(loop);
	page_free(page);
	config_free(config);
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/socket.page", dir);
	unlink(addr.sun_path);
	rmdir(dir);
}

/* No descriptor from this number on may be opened. */
static void
allow_below(int fd)
{
	const struct rlimit few = {(rlim_t)fd, fds.rlim_max};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void
connect_crowd(int crowd[N_CROWD])
{
	for (int i = 0; i < N_CROWD; i++) {
		crowd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert_int_ge(crowd[i], 0);
		ck_assert_int_eq(connect(crowd[i], (struct sockaddr *)&addr, sizeof addr), 0);
	}
}

/* The lowest number that is free; what is opened next has it. */
static int
next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY);

	close(fd);
	return fd;
}

static void
on_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	*(bool *)arg = true;
}

/* Turns of the loop until that time has passed: a loop that spins makes thousands of them. */
static unsigned
turns_within(long ms)
{
	const struct timeval time = {0, ms * 1000};
	unsigned turns = 0;
	bool over = false;

	event_base_once(loop_base(loop), -1, EV_TIMEOUT, on_over, &over, &time);
	while (!over) {
		loop_turn(loop);
		turns++;
	}
	return turns;
}

static void
expect_word(int fd, const char *word)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	char line[256];
	ssize_t n;

	while (poll(&pfd, 1, 0) == 0)
		loop_turn(loop);
	n = recv(fd, line, sizeof line - 1, 0);
	ck_assert_int_gt(n, 0);
	line[n] = '\0';
	ck_assert_msg(strncmp(line, word, strlen(word)) == 0, "got %s", line);
}

START_TEST(refuses_with_the_spare_descriptor)
{
	int crowd[N_CROWD];

	connect_crowd(crowd);
	allow_below(next_fd());
	ck_assert_uint_lt(turns_within(450), 20);
	for (int i = 0; i < N_CROWD; i++) {
		expect_word(crowd[i], "ERR clients max=");
		close(crowd[i]);
	}
	ck_assert_uint_eq(server.dropped.no_fds, N_CROWD);
	ck_assert_uint_eq(server.n_clients, 0);
}
END_TEST

/* Not even the spare one can be had again, since its number is not allowed any more. */
START_TEST(waits_with_none_at_all)
{
	int crowd[N_CROWD];

	connect_crowd(crowd);
	allow_below(3);
	ck_assert_uint_lt(turns_within(450), 20);
	ck_assert_uint_eq(server.n_clients, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &fds), 0);
	for (int i = 0; i < N_CROWD; i++)
		ck_assert_int_eq(send(crowd[i], "PING\n", 5, MSG_NOSIGNAL), 5);
	for (int i = 0; i < N_CROWD; i++) {
		expect_word(crowd[i], "OK pong");
		close(crowd[i]);
	}
	ck_assert_uint_eq(server.dropped.no_fds, 0);
}
END_TEST

Suite *
listener_suite(void)
{
	Suite *suite = suite_create("listener");
	TCase *tcase = tcase_create("listener");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, refuses_with_the_spare_descriptor);
	tcase_add_test(tcase, waits_with_none_at_all);
	return suite;
}
