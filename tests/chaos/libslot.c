/* A client by libslot: takes slots, works, looks at the lease page all the while, gives them back.
 *
 * usage: chaos_libslot LOG SOCKET HOST SEED      until SIGTERM; then what it has begun is ended
 *
 * What it asks for is chosen as in choice.py. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/slot.h"
#include "tests/chaos/record.h"

#define LOOK_MS  5              /* between two looks */
#define LEASE_MS 2000

struct turn {
	uint32_t group, limit, n;
	int64_t wait_ms, work_ms, pause_ms;
};

static volatile sig_atomic_t is_ending;
static int log_fd;
static struct record r;

static void
on_term(int signo)
{
	(void)signo;
	is_ending = 1;
}

static int64_t
between(double low, double high)
{
	return (int64_t)(low + drand48() * (high - low));
}

static struct turn
choose(void)
{
	static const uint32_t groups[] = {1, 3, 3, 5, 5, 5, 9, 9, 9, 9};
	struct turn t;
	double wait = drand48(), work = drand48();

	t.group = groups[between(0, sizeof groups / sizeof groups[0])];
	t.limit = drand48() < 0.75 ? t.group : (2 * t.group + 2) / 3;
	t.n = t.limit > 2 && drand48() < 0.1 ? 2 : 1;
	t.wait_ms = wait < 0.1 ? SLOT_WAIT_NOW : wait < 0.4 ? between(100, 3000) : SLOT_WAIT_FOREVER;
	t.work_ms = work < 0.5 ? between(0, 20) : work < 0.88 ? between(50, 500)
	    : between(LEASE_MS, 4 * LEASE_MS);
	t.pause_ms = between(0, 100);
	return t;
}

static _Noreturn void
fail(const char *what, int code, struct slot_conn *conn)
{
	fprintf(stderr, "chaos_libslot: %s: %s (%s)\n", what, slot_strerror(code),
	    conn != NULL ? slot_error_text(conn) : "no connection");
	exit(1);
}

/* Looks at a hold until the work is done or it is lost.  -> false: the connection has ended */
static bool
work(struct slot_conn *conn, struct slot_hold *hold, int64_t work_ms)
{
	bool entered = false, in_gap = false;
	int64_t now, end;

	r.token = slot_hold_token(hold);
	r.is_strict = slot_hold_left_ms(hold) >= 0;
	for (uint32_t i = 0; i < slot_hold_n(hold); i++)
		r.slots |= UINT64_C(1) << (slot_hold_slots(hold)[i] - 1);
	for (end = record_now() + work_ms * 1000000;;) {
		struct pollfd fd = {.fd = slot_fd(conn), .events = slot_events(conn)};

		now = record_now();
		if (slot_valid(hold) || (!r.is_strict && slot_hold_lost(hold) == NULL)) {
			record_say(log_fd, &r, entered ? RECORD_STILL : RECORD_ENTER, now);
			entered = true;
			in_gap = false;
		} else if (!in_gap) {
			record_say(log_fd, &r, entered ? RECORD_GAP : RECORD_STALE, now);
			in_gap = true;
		}
		if (now >= end || is_ending || slot_hold_lost(hold) != NULL)
			return true;
		poll(&fd, 1, LOOK_MS);
		if (slot_process(conn) != 0)
			return false;
	}
}

static bool
turn(struct slot_conn *conn)
{
	struct slot_acquire_options options = SLOT_ACQUIRE_OPTIONS_INIT;
	struct turn t = choose();
	struct slot_hold *hold;
	bool is_connected;
	char group[8];
	int code;

	r = (struct record){.pid = r.pid, .turn = r.turn + 1, .client = RECORD_LIBSLOT, .host = r.host,
	    .group = (uint8_t)t.group, .limit = (uint8_t)t.limit};
	record_say(log_fd, &r, RECORD_ASK, record_now());
	snprintf(group, sizeof group, "g%u", (unsigned)t.group);
	options.limit = t.limit;
	options.n = t.n;
	options.wait_ms = t.wait_ms;
	code = slot_acquire(conn, group, &options, &hold);
	if (code != 0) {
		record_say(log_fd, &r, RECORD_REFUSED, record_now());
		poll(NULL, 0, 50);
		if (code == SLOT_EFULL || code == SLOT_ETIMEOUT || code == SLOT_EUNAVAILABLE ||
		    code == SLOT_EUNANSWERED)
			return true;
		if (code == SLOT_EDISCONNECTED || code == SLOT_ESHUTDOWN)
			return false;
		fail("acquire", code, conn);
	}

	is_connected = work(conn, hold, t.work_ms);
	code = slot_release(hold);
	if (code != 0 && code != SLOT_ELOST && code != SLOT_EDISCONNECTED && code != SLOT_EUNANSWERED &&
	    code != SLOT_EUNPROVEN)
		fail("release", code, conn);
	record_say(log_fd, &r, code == SLOT_ELOST ? RECORD_LOST :
	    code == SLOT_EDISCONNECTED ? RECORD_GONE : RECORD_LEAVE, record_now());
	poll(NULL, 0, (int)t.pause_ms);
	return is_connected && code != SLOT_EDISCONNECTED;
}

int
main(int argc, char **argv)
{
	struct slot_connect_options options = SLOT_CONNECT_OPTIONS_INIT;
	struct sigaction term = {.sa_handler = on_term, .sa_flags = SA_RESTART};
	struct slot_conn *conn;
	int code;

	if (argc != 5) {
		fprintf(stderr, "usage: chaos_libslot LOG SOCKET HOST SEED\n");
		return 1;
	}
	sigaction(SIGTERM, &term, NULL);
	log_fd = record_open(argv[1]);
	options.path = argv[2];
	r.host = (uint8_t)atoi(argv[3]);
	r.pid = (uint32_t)getpid();
	srand48(strtol(argv[4], NULL, 10));
	while (!is_ending) {
		code = slot_connect(&conn, &options);
		if (code == SLOT_ENODAEMON || code == SLOT_EUNANSWERED || code == SLOT_EDISCONNECTED ||
		    code == SLOT_ESHUTDOWN)
			continue;
		if (code != 0)
			fail("connect", code, NULL);
		while (!is_ending && turn(conn))
			;
		slot_close(conn);
	}
	return 0;
}
