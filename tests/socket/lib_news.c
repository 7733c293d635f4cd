/* A program that waits for a slot, holds it, and says all that it hears of it, against a real slotd.
 *
 * usage: lib_news GROUP LIMIT
 * Says "got SLOT", "unproven", "proven", "lost REASON", "away" and "back" (of slotd).  Reads lines:
 * "valid?" is answered "valid" or "not valid", by the page; "go" gives the slot back, which says "0" or
 * the word of an error, and ends the program. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slot.h"

static struct slot_hold *hold;

static void
require(int ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: %s\n", __FILE__, line, what);
	exit(1);
}

#define REQUIRE(what) require((what), #what, __LINE__)

static void
acquired(struct slot_conn *conn, int code, struct slot_hold *granted, void *userdata)
{
	(void)conn, (void)userdata;
	REQUIRE(code == 0);
	hold = granted;
	printf("got %u\n", (unsigned)slot_hold_slot(hold));
}

static void
changed(struct slot_conn *conn, struct slot_hold *of, enum slot_state state, void *userdata)
{
	(void)conn, (void)userdata;
	REQUIRE(of == hold && slot_hold_state(of) == state);
	printf("%s\n", state == SLOT_STATE_PROVEN ? "proven" : "unproven");
}

static void
lost(struct slot_conn *conn, struct slot_hold *of, const char *reason, void *userdata)
{
	(void)conn, (void)userdata;
	REQUIRE(of == hold && !slot_valid(of));
	printf("lost %s\n", reason);
}

/* -> false: it was the last. */
static int
obey(void)
{
	char line[16];

	REQUIRE(fgets(line, sizeof line, stdin) != NULL);
	if (strcmp(line, "valid?\n") == 0) {
		printf("%s\n", slot_valid(hold) ? "valid" : "not valid");
		return 1;
	}
	REQUIRE(strcmp(line, "go\n") == 0);
	printf("%s\n", slot_error_word(slot_release(hold)));
	return 0;
}

int
main(int argc, char **argv)
{
	struct slot_connect_options options = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_acquire_options what = SLOT_ACQUIRE_OPTIONS_INIT;
	struct pollfd fds[2] = {{.fd = 0, .events = POLLIN}, {.events = POLLIN}};
	struct slot_conn *conn;
	int connected = 1, go_on = 1;

	REQUIRE(argc == 3);
	setvbuf(stdout, NULL, _IOLBF, 0);
	options.timeout_ms = options.answer_ms = -1;
	options.lost = lost;
	options.state = changed;
	REQUIRE(slot_connect(&conn, &options) == 0);
	what.limit = (uint32_t)atoi(argv[2]);
	what.wait_ms = SLOT_WAIT_FOREVER;
	REQUIRE(slot_acquire_start(conn, argv[1], &what, acquired, NULL, NULL) == 0);
	fds[1].fd = slot_fd(conn);
	while (go_on) {
		REQUIRE(poll(fds, 2, -1) > 0);
		if (fds[1].revents != 0)
			REQUIRE(slot_process(conn) == 0);
		if (slot_connected(conn) != connected) {
			connected = slot_connected(conn);
			printf("%s\n", connected ? "back" : "away");
		}
		if (fds[0].revents != 0)
			go_on = obey();
	}
	slot_close(conn);
	return 0;
}
