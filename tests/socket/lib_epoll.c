/* One thread, one connection, N acquires pending at once under epoll, against a real slotd.
 *
 * usage: lib_epoll N LIMIT RECONNECT_MS
 * Says "N waiting" when slotd has them all in its queue (somebody else must hold every slot until
 * then), and at the end "N granted, peak P", or "N failed: WORD" if the connection has ended. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "client/slot.h"

static int n, limit;
static int n_granted, n_failed, n_inside, peak, failure;
static struct slot_hold **inside;       /* by slot number */
static int *order;                      /* the number of each acquire, for its callback */

static void
require(int ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: %s\n", __FILE__, line, what);
	exit(1);
}

#define REQUIRE(what) require((what), #what, __LINE__)

/* Everybody stays inside until the group is full, or until nobody else will come. */
static void
leave_if_full(void)
{
	if (n_inside < limit && n_granted < n)
		return;
	for (int slot = 1; slot <= limit; slot++) {
		if (inside[slot] == NULL)
			continue;
		REQUIRE(slot_release_nowait(inside[slot]) == 0);
		inside[slot] = NULL;
		n_inside--;
	}
}

static void
acquired(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	uint32_t slot;

	(void)conn;
	if (code != 0) {
		n_failed++;
		failure = code;
		return;
	}
	slot = slot_hold_slot(hold);
	REQUIRE(*(int *)userdata == n_granted);         /* first come, first served */
	REQUIRE(slot >= 1 && slot <= (uint32_t)limit && inside[slot] == NULL);
	inside[slot] = hold;
	n_granted++;
	if (++n_inside > peak)
		peak = n_inside;
	leave_if_full();
}

static void
start_all(struct slot_conn *conn)
{
	struct slot_acquire_options options = SLOT_ACQUIRE_OPTIONS_INIT;

	options.limit = (uint32_t)limit;
	options.wait_ms = SLOT_WAIT_FOREVER;
	for (int i = 0; i < n; i++) {
		order[i] = i;
		REQUIRE(slot_acquire_start(conn, "epoll", &options, acquired, &order[i], NULL) == 0);
	}
}

/* The descriptor says all that there is to know: what to write, and when time is up, too. */
static void
run(struct slot_conn *conn)
{
	struct epoll_event event = {.events = EPOLLIN}, ready;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	REQUIRE(epoll >= 0);
	REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, slot_fd(conn), &event) == 0);
	while (n_granted + n_failed < n || slot_events(conn) & EPOLLOUT) {
		REQUIRE(epoll_wait(epoll, &ready, 1, -1) == 1);
		if (slot_process(conn) != 0)
			break;
	}
}

int
main(int argc, char **argv)
{
	struct slot_group_status status = {.size = sizeof status};
	struct slot_connect_options options = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_conn *conn;

	REQUIRE(argc == 4);
	n = atoi(argv[1]);
	limit = atoi(argv[2]);
	options.reconnect_ms = atoi(argv[3]);
	inside = calloc((size_t)limit + 1, sizeof(struct slot_hold *));
	order = calloc((size_t)n, sizeof *order);
	REQUIRE(inside != NULL && order != NULL);

	options.timeout_ms = options.answer_ms = -1;
	REQUIRE(slot_connect(&conn, &options) == 0);
	start_all(conn);
	REQUIRE(slot_status(conn, "epoll", &status) == 0);      /* behind them all */
	printf("%u waiting\n", (unsigned)status.waiting);
	fflush(stdout);
	run(conn);
	if (n_failed > 0)
		printf("%d failed: %s\n", n_failed, slot_error_word(failure));
	else
		printf("%d granted, peak %d\n", n_granted, peak);
	slot_close(conn);
	for (int slot = 1; slot <= limit; slot++)
		slot_release(inside[slot]);
	free(inside);
	free(order);
	return 0;
}
