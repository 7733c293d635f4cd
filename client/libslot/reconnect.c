/* A socket that breaks, and the way back: connect, HELLO, RESUME what is held, ask again for what
 * was waited for. */
#include "client/libslot/connection.h"

/* An activated socket accepts connections while nobody is there to answer, and one that is left
 * over from a slotd that hangs does so for ever. */
#define GREET_MS 5000

/* After slotd could not do something just now, or there was no memory here. */
#define SAY_AGAIN_MS 100

/* ------------------------------------------------------------------ away */

/* How long a pause may become.  While there is a hold to resume, only a small part of the lease:
 * a slotd that is back before its end is not to be noticed after it. */
static int64_t
pause_last(const struct slot_conn *conn)
{
	const struct slot_hold *hold;
	int64_t part = conn->lease_ms / PAUSES_IN_A_LEASE;

	TAILQ_FOREACH(hold, &conn->holds, link) {
		if (hold_can_resume(hold) && part < PAUSE_LAST_MS)
			return part > PAUSE_FIRST_MS ? part : PAUSE_FIRST_MS;
	}
	return PAUSE_LAST_MS;
}

/* Until the next attempt. */
static void
conn_rest(struct slot_conn *conn)
{
	int64_t last = pause_last(conn);

	socket_close(conn);
	conn->retry_at = deadline_in(conn->pause_ms);
	conn->pause_ms = conn->pause_ms * 2 < last ? conn->pause_ms * 2 : last;
}

/* Can it be said to the next slotd as it was to this one?  Of a query's lines some may have been
 * told already; a RELEASE of what cannot be resumed is as good as done by the end of the socket. */
static bool
outlives_socket(const struct slot_request *r)
{
	return (r->verb == WIRE_ACQUIRE && !r->is_abandoned) ||
	    (r->verb == WIRE_RELEASE && hold_can_resume(r->hold));
}

void
conn_break(struct slot_conn *conn, int code, const char *detail)
{
	struct slot_request *r, *next;
	struct slot_hold *hold;

	if (conn->ended)
		return;
	if (!conn->was_greeted || conn->reconnect_ms == 0) {
		conn_end(conn, code, detail);
		return;
	}
	if (conn->is_greeted) {
		conn->why = code;
		conn->away_until = deadline_in(conn->reconnect_ms);
	}
	conn_rest(conn);
	for (r = TAILQ_FIRST(&conn->pending); r != NULL; r = next) {
		next = TAILQ_NEXT(r, order);
		r->is_said = false;
		if (r->verb == WIRE_RELEASE)
			r->hold->is_ours = false;
		if (!outlives_socket(r))
			request_finish(r, SLOT_EDISCONNECTED, NULL);
		else if (r->verb == WIRE_ACQUIRE)
			acquire_bound(r);
	}
	TAILQ_FOREACH(hold, &conn->holds, link) {
		hold->is_ours = false;
		if (!hold_can_resume(hold))
			hold_lose(hold, "disconnected");
	}
	proof_check_all(conn);
}

static void
conn_retry(struct slot_conn *conn)
{
	if (socket_open(conn) == 0 && greet_begin(conn) == 0)
		conn->greet_deadline = deadline_in(GREET_MS);
	else
		conn_rest(conn);
}

/* ------------------------------------------------------------------ back */

void
conn_say_later(struct slot_conn *conn)
{
	conn->say_at = deadline_in(SAY_AGAIN_MS);
}

static int
resume(struct slot_conn *conn, struct slot_hold *hold)
{
	if (hold->is_ours || hold->claim != NULL || !hold_can_resume(hold))
		return 0;
	return hold_resume(conn, hold);
}

/* Holds first: their time runs. */
void
conn_say_all(struct slot_conn *conn)
{
	struct slot_request *r;
	struct slot_hold *hold;
	int failed = 0;

	conn->say_at = NEVER;
	TAILQ_FOREACH(hold, &conn->holds, link)
		failed |= resume(conn, hold);
	TAILQ_FOREACH(r, &conn->pending, order) {
		if (r->is_said)
			continue;
		if (r->verb == WIRE_ACQUIRE)
			failed |= acquire_say(r);
		else if (r->verb == WIRE_RELEASE)
			failed |= r->hold->is_ours ? hold_say_release(r) : resume(conn, r->hold);
	}
	if (failed != 0)
		conn_say_later(conn);
}

/* ------------------------------------------------------------------ at any time */

/* Never blocks. */
void
conn_work(struct slot_conn *conn)
{
	int64_t now = now_ns();

	if (conn->ended)
		return;
	if (conn->was_greeted && !conn->is_greeted && now >= conn->away_until) {
		conn_end(conn, conn->why, NULL);
		return;
	}
	if (conn->fd < 0 && now >= conn->retry_at)
		conn_retry(conn);
	conn_exchange(conn);
	if (conn->fd >= 0 && !conn->is_greeted && now >= conn->greet_deadline)
		conn_break(conn, SLOT_EUNANSWERED, NULL);
	if (conn->is_greeted && now >= conn->say_at)
		conn_say_all(conn);
	if (!conn->ended && now >= conn->check_at)
		proof_check_all(conn);
}

int
conn_await(struct slot_conn *conn, int64_t deadline)
{
	while (!conn->ended && !conn->is_greeted) {
		conn_work(conn);
		if (conn->ended || conn->is_greeted)
			break;
		if (now_ns() >= deadline)
			return SLOT_EUNANSWERED;
		conn_poll(conn, deadline);
	}
	return conn->ended;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
conn_wake(const struct slot_conn *conn)
{
	int64_t at = conn->check_at;

	if (conn->is_greeted)
		return earlier(at, conn->say_at);
	if (conn->was_greeted)
		at = earlier(at, conn->away_until);
	return earlier(at, conn->fd < 0 ? conn->retry_at : conn->greet_deadline);
}
