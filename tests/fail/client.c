/* A program with libslot whose calls can be made to fail (see fail.c): two connections compete for
 * the one slot of a group.
 *
 * usage: fail_client SOCKET
 * Exit status 0: whatever failed, the library said so with a code, and never did both believe. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/slot.h"

#define PATIENCE_MS 20000
#define TRIES 3         /* what fails once goes well the second time */

static struct slot_hold *first;
static bool is_answered;

static _Noreturn void
die(const char *what, int code)
{
	fprintf(stderr, "%s: %s\n", what, slot_strerror(code));
	exit(1);
}

/* That the library finds itself, or slotd for lack of memory. */
static void
check_code(const char *what, int code)
{
	if (code != 0 && code != SLOT_ENOMEM && code != SLOT_ESYSTEM && code != SLOT_ENODAEMON &&
	    code != SLOT_EDISCONNECTED && code != SLOT_EUNANSWERED && code != SLOT_EUNPROVEN &&
	    code != SLOT_ELOST)
		die(what, code);
}

static struct slot_conn *
open_connection(const char *path)
{
	struct slot_connect_options options = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_conn *conn = NULL;
	int code = SLOT_EDISCONNECTED;

	options.path = path;
	options.label = "fail";
	for (int i = 0; i < TRIES && conn == NULL; i++) {
		code = slot_connect(&conn, &options);
		check_code("connect", code);
	}
	if (conn == NULL)
		die("connect, again and again", code);
	return conn;
}

static struct slot_hold *
acquire(struct slot_conn *conn, const struct slot_acquire_options *options)
{
	struct slot_hold *hold = NULL;
	int code = 0;

	for (int i = 0; i < TRIES && hold == NULL; i++) {
		code = slot_acquire(conn, "fail", options, &hold);
		check_code("acquire", code);
	}
	if (hold == NULL)
		die("acquire, again and again", code);
	return hold;
}

static void
on_acquired(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	(void)conn, (void)userdata;
	is_answered = true;
	check_code("the second acquire", code);
	if (code != 0)
		return;
	if (first != NULL && slot_valid(first))
		die("two hold one slot", 0);
	check_code("the second release", slot_release_nowait(hold));
}

/* False: the connection has ended. */
static bool
process(struct slot_conn *conn, int timeout_ms)
{
	struct pollfd pfd = {.fd = slot_fd(conn), .events = POLLIN};
	int code;

	if (poll(&pfd, 1, timeout_ms) == 0 && timeout_ms > 0)
		die("nothing comes", 0);
	code = slot_process(conn);
	check_code("process", code);
	return code == 0;
}

int
main(int argc, char **argv)
{
	struct slot_acquire_options options = SLOT_ACQUIRE_OPTIONS_INIT;
	struct slot_conn *a, *b;
	bool goes_on = true;
	int code;

	if (argc != 2)
		return 64;
	a = open_connection(argv[1]);
	b = open_connection(argv[1]);
	options.limit = 1;
	options.wait_ms = SLOT_WAIT_FOREVER;
	first = acquire(a, &options);
	code = slot_acquire_start(b, "fail", &options, on_acquired, NULL, NULL);
	check_code("acquire_start", code);
	is_answered = code != 0;
	goes_on = process(b, 0);
	check_code("query", slot_query(a, "PING", NULL, NULL, NULL));
	goes_on = goes_on && process(b, 0);
	code = slot_release(first);
	first = NULL;
	check_code("release", code);
	while (goes_on && !is_answered)
		goes_on = process(b, PATIENCE_MS);
	slot_close(b);
	slot_close(a);
	return 0;
}
