/* libslot's blocking calls against a real slotd, step by step with tests/socket/test_libslot.py,
 * which reads the lines on standard output and answers each "?" with a line on standard input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slot.h"

static struct slot_conn *conn;

static void
require(int ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, line, what, slot_error_text(conn));
	exit(1);
}

#define REQUIRE(what) require((what), #what, __LINE__)

/* Tells the test where we are, and waits for it. */
static void
step(const char *name)
{
	char line[16];

	printf("%s?\n", name);
	fflush(stdout);
	REQUIRE(fgets(line, sizeof line, stdin) != NULL);
}

static int
acquire(const char *group, uint32_t limit, uint32_t n, int64_t wait_ms, int64_t hold_ms,
    struct slot_hold **hold)
{
	struct slot_acquire_options options = SLOT_ACQUIRE_OPTIONS_INIT;

	options.limit = limit;
	options.n = n;
	options.wait_ms = wait_ms;
	options.hold_ms = hold_ms;
	return slot_acquire(conn, group, &options, hold);
}

static void
print_line(const char *line, void *userdata)
{
	(void)userdata;
	printf("%s\n", line);
}

static void
take_and_give(void)
{
	struct slot_group_status status = {.size = sizeof status};
	struct slot_hold *one, *two, *none;
	char group[16];

	REQUIRE(acquire("g", 3, 1, SLOT_WAIT_NOW, 0, &one) == 0);
	REQUIRE(acquire("g", 3, 2, SLOT_WAIT_DEFAULT, 0, &two) == 0);
	REQUIRE(slot_hold_slot(one) == 1 && slot_hold_n(two) == 2);
	REQUIRE(slot_hold_slots(two)[0] == 2 && slot_hold_slots(two)[1] == 3);
	REQUIRE(slot_hold_limit(one) == 3);
	REQUIRE(acquire("g", 3, 1, SLOT_WAIT_NOW, 0, &none) == SLOT_EFULL);
	REQUIRE(slot_error_number(conn, "limit") == 3);
	REQUIRE(acquire("g", 3, 1, 20, 0, &none) == SLOT_ETIMEOUT);
	REQUIRE(slot_error_number(conn, "waited") >= 20);
	REQUIRE(acquire("g", 3, 4, 20, 0, &none) == SLOT_ETOOBIG);
	REQUIRE(acquire("nolimit", 0, 1, 20, 0, &none) == SLOT_ENOLIMIT);
	REQUIRE(acquire("confic", 0, 1, 20, 0, &none) == SLOT_ENOGROUP);
	REQUIRE(slot_error_value(conn, "closest", group, sizeof group) > 0);
	REQUIRE(strcmp(group, "config") == 0);

	REQUIRE(slot_status(conn, "g", &status) == 0);
	REQUIRE(status.limit == 3 && status.held == 3 && status.waiting == 0);
	REQUIRE(status.oldest_wait_ms == -1);
	REQUIRE(slot_query(conn, "HOLDERS", "g", print_line, NULL) == 0);
	REQUIRE(slot_release(two) == 0);
	REQUIRE(slot_release_nowait(one) == 0);
	REQUIRE(slot_status(conn, "g", &status) == 0 && status.held == 0);
}

static void
lose(void)
{
	struct slot_hold *hold;

	REQUIRE(acquire("g", 1, 1, SLOT_WAIT_NOW, 1, &hold) == 0);
	step("hold that ends");                 /* answered when it has */
	REQUIRE(slot_hold_lost(hold) != NULL && strcmp(slot_hold_lost(hold), "hold") == 0);
	REQUIRE(slot_release(hold) == SLOT_ELOST);
}

static void
outlive_a_hung_slotd(void)
{
	struct slot_connect_options options = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_conn *patient = conn;
	struct slot_hold *hold, *late;

	options.answer_ms = 100;
	options.timeout_ms = -1;
	REQUIRE(slot_connect(&conn, &options) == 0);
	step("stop slotd");
	REQUIRE(acquire("hung", 2, 1, SLOT_WAIT_NOW, 0, &late) == SLOT_EUNANSWERED);
	step("continue slotd");
	REQUIRE(acquire("hung", 2, 1, SLOT_WAIT_FOREVER, 0, &hold) == 0);
	REQUIRE(slot_hold_lost(hold) == NULL);
	REQUIRE(slot_release_nowait(hold) == 0);
	/* the one that came too late has been given back as well */
	REQUIRE(acquire("hung", 2, 2, SLOT_WAIT_FOREVER, 0, &hold) == 0);
	slot_close(conn);
	REQUIRE(slot_release(hold) == SLOT_EDISCONNECTED);
	conn = patient;
}

/* Of the two connections one was told not to connect again. */
static void
outlive_a_restart(void)
{
	struct slot_connect_options options = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_conn *steady = conn;
	struct slot_hold *hold, *lost, *next;

	REQUIRE(acquire("restart", 2, 1, SLOT_WAIT_NOW, 0, &hold) == 0);
	options.reconnect_ms = 0;
	REQUIRE(slot_connect(&conn, &options) == 0);
	REQUIRE(acquire("restart", 2, 1, SLOT_WAIT_NOW, 0, &lost) == 0);
	step("kill slotd");
	REQUIRE(slot_hold_lost(hold) == NULL && slot_valid(hold));
	REQUIRE(strcmp(slot_hold_lost(lost), "disconnected") == 0 && !slot_valid(lost));
	REQUIRE(slot_release(lost) == SLOT_EDISCONNECTED);
	slot_close(conn);
	conn = steady;
	printf("working\n");
	fflush(stdout);
	REQUIRE(acquire("restart", 3, 1, SLOT_WAIT_NOW, 0, &next) == 0);
	REQUIRE(slot_hold_slot(next) == 3);     /* the second is held until its lease ends */
	REQUIRE(slot_hold_state(hold) == SLOT_STATE_PROVEN && slot_valid(hold));
	REQUIRE(slot_hold_left_ms(hold) > 0 && slot_hold_left_ms(hold) <= slot_lease_ms(conn));
	REQUIRE(slot_release(hold) == 0);
	REQUIRE(slot_release(next) == 0);
}

int
main(void)
{
	struct slot_connect_options options = SLOT_CONNECT_OPTIONS_INIT;

	options.label = "blocking test";
	options.timeout_ms = -1;
	REQUIRE(slot_connect(&conn, &options) == 0);
	take_and_give();
	lose();
	outlive_a_hung_slotd();
	outlive_a_restart();
	slot_close(conn);
	printf("done\n");
	return 0;
}
