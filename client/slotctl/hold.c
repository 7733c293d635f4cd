/* Taking a slot: connecting and asking again until the time is up, ready for a signal at any
 * moment. */
#include "client/slotctl/hold.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slotctl/field.h"
#include "client/slotctl/stopped.h"
#include "client/slotctl/strict.h"

#define CONNECT_MS      2000    /* connecting is tried for at least this long */
#define FIRST_ANSWER_MS 5000    /* a slotd that is being started answers by then: else again */
#define ANSWER_MS       2000    /* for any later answer, beyond the wait itself */
#define PAUSE_MIN_MS    50
#define PAUSE_MAX_MS    2000
#define QUIET_MS        200     /* a wait shorter than this is not worth a line of -v */
#define PATIENCE_MS     3000    /* a daemon that is away for longer is: a restart takes less */

struct attempt {
	bool done;
	int code;
	struct slot_hold *hold;
};

static void
acquired(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	struct attempt *a = userdata;

	(void)conn;
	a->done = true;
	a->code = code;
	a->hold = hold;
}

/* Waits for the connection (unless NULL), a signal, or the time.  -> the signal, or 0. */
static int
wait_for(const struct slot_conn *conn, struct signals *signals, int timeout_ms)
{
	struct pollfd fds[2] = {
		{.fd = signals->fd, .events = POLLIN},
		{.fd = conn != NULL ? slot_fd(conn) : -1, .events = POLLIN},
	};
	bool from_terminal;
	int signo;

	(void)poll(fds, 2, timeout_ms);
	while ((signo = signals_next(signals, &from_terminal)) == SIGCHLD)
		;
	return signo;
}

static int64_t
within(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* The answer to STATUS. */
static void
say_that_we_wait(const char *line, void *userdata)
{
	const struct ctl *c = *(const struct ctl **)userdata;
	struct field waiting, held, in_use, limit, grace;
	bool is_shared;
	char left[CTL_AGE_SIZE], stopped[STOPPED_SIZE];

	if (!field_find(line, "waiting", &waiting) || strcmp(waiting.value, "0") == 0 ||
	    !field_find(line, "held", &held) || !field_find(line, "limit", &limit))
		return;
	is_shared = field_find(line, "in_use", &in_use);
	if (!stopped_find(line, stopped))
		snprintf(stopped, sizeof stopped, "limit %s", limit.value);
	ctl_say("%s: waiting; %s %s, %s waiting (%s)", c->arg,
	    is_shared ? in_use.value : held.value, is_shared ? "in use on all hosts" : "held",
	    waiting.value, stopped);
	if (field_find(line, "grace_left", &grace) && strtoll(grace.value, NULL, 10) > 0) {
		ctl_age(strtoll(grace.value, NULL, 10), left);
		ctl_say("%s: nothing is granted for another %s: Redis is new, or may have forgotten who "
		    "holds", c->arg, left);
	}
}

/* Connects once and asks once; if slotd goes away later, the library connects and asks again.
 * -> 0, a code of libslot (explained by *conn, if that is not NULL, and errno), or an exit status,
 * which is positive. */
static int
try_once(struct taken *t, const struct ctl *c, struct signals *signals, int64_t wait_ms,
    int64_t first_answer_ms)
{
	struct slot_connect_options how = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_acquire_options what = SLOT_ACQUIRE_OPTIONS_INIT;
	struct attempt a = {.done = false};
	bool told = !c->verbose;
	int code, signo, status = 0;

	how.path = c->socket;
	how.label = c->label;
	how.timeout_ms = first_answer_ms;
	how.answer_ms = ANSWER_MS;
	how.async = 1;
	what.limit = c->limit;
	what.n = c->count;
	what.wait_ms = wait_ms;
	what.hold_ms = c->hold_ms;

	code = slot_connect(&t->conn, &how);
	if (code == 0)
		code = slot_acquire_start(t->conn, c->arg, &what, acquired, &a, NULL);
	while (code == 0 && !a.done) {
		int64_t before = ctl_now_ms();

		signo = wait_for(t->conn, signals, told ? -1 : QUIET_MS);
		if (signo != 0)
			return CTL_SIGNAL + signo;
		code = slot_process(t->conn);
		if (code != 0 || a.done)
			break;
		if ((status = strict_check_conn(c, t->conn)) != 0)
			return status;
		taken_say_news(t, c);
		if (!told && slot_connected(t->conn) && ctl_now_ms() - before >= QUIET_MS) {
			(void)slot_query(t->conn, "STATUS", c->arg, say_that_we_wait, &c);
			told = true;
		}
	}
	t->hold = a.hold;
	if (t->hold != NULL && (status = strict_check_conn(c, t->conn)) == 0)
		status = strict_check_hold(c, t->hold);
	return status != 0 ? status : a.done ? a.code : code;
}

/* slotd is not there, or not just now: not an answer to what we asked. */
static bool
is_away(int code)
{
	return code == SLOT_ENODAEMON || code == SLOT_EUNANSWERED || code == SLOT_EDISCONNECTED ||
	    code == SLOT_ESHUTDOWN || code == SLOT_ECLIENTS || code == SLOT_ENOMEM;
}

bool
taken_wait(struct taken *t, const struct ctl *c, struct signals *signals, int *status)
{
	const bool forever = c->wait_ms == SLOT_WAIT_FOREVER;
	const int64_t window = c->wait_ms > CONNECT_MS ? c->wait_ms : CONNECT_MS;
	int64_t start = ctl_now_ms(), now = start;
	int64_t wait_ms = c->wait_ms, first_answer_ms = FIRST_ANSWER_MS;
	int pause = PAUSE_MIN_MS, code, error;
	bool complained = false;
	char age[CTL_AGE_SIZE], slots[TAKEN_SLOTS_SIZE];

	for (;;) {
		if (!forever) {
			wait_ms = now - start < c->wait_ms ? c->wait_ms - (now - start) : 0;
			first_answer_ms = within(window - (now - start), 1, FIRST_ANSWER_MS);
		}
		*t = (struct taken){.conn = NULL};
		code = try_once(t, c, signals, wait_ms, first_answer_ms);
		error = errno;
		if (code == 0)
			break;
		if (code > 0) {
			taken_close(t);
			*status = code;
			return false;
		}
		now = ctl_now_ms();
		if (!is_away(code) || (!forever && now - start + pause >= window)) {
			*status = stopped_explain(c, code, t->conn) ? c->no_slot_exit :
			    ctl_explain(c, code, t->conn, error);
			taken_close(t);
			return false;
		}
		if (!complained && (c->verbose || now - start >= PATIENCE_MS)) {
			ctl_explain(c, code, t->conn, error);
			ctl_say("trying again");
			complained = true;
		}
		taken_close(t);
		code = wait_for(NULL, signals, pause);
		if (code != 0) {
			*status = CTL_SIGNAL + code;
			return false;
		}
		pause = (int)within(2 * pause, 0, PAUSE_MAX_MS);
		now = ctl_now_ms();
	}
	if (slot_hold_slot(t->hold) == 0) {
		ctl_say("%s: let in without a slot, as Redis is away: the limit may be exceeded", c->arg);
	} else if (c->verbose) {
		taken_slots(t, slots);
		ctl_age(ctl_now_ms() - start, age);
		ctl_say("%s: got slot %s after %s", c->arg, slots, age);
	}
	return true;
}

const char *
taken_lost(struct taken *t)
{
	/* Its failure is the end of the connection, and that is a reason of the hold. */
	if (slot_process(t->conn) < 0 && slot_hold_lost(t->hold) == NULL)
		return "disconnected";
	return slot_hold_lost(t->hold);
}

static void
say_whether_away(struct taken *t, const struct ctl *c)
{
	bool is_there = slot_connected(t->conn);

	t->was_there |= is_there;
	if (is_there && t->away_was_said)
		ctl_say("%s: slotd is back", c->socket);
	if (is_there || !t->was_there) {
		t->is_away = t->away_was_said = false;
		return;
	}
	if (!t->is_away)
		t->away_since = ctl_now_ms();
	t->is_away = true;
	if (!t->away_was_said && (c->verbose || ctl_now_ms() - t->away_since >= PATIENCE_MS)) {
		ctl_say("%s: slotd is away; trying again", c->socket);
		t->away_was_said = true;
	}
}

void
taken_say_news(struct taken *t, const struct ctl *c)
{
	bool is_unproven = t->hold != NULL && slot_hold_slot(t->hold) != 0 &&
	    slot_hold_state(t->hold) == SLOT_STATE_UNPROVEN;

	say_whether_away(t, c);
	if (is_unproven != t->is_unproven && !c->strict)
		ctl_say("%s: the slot is %s", c->arg, is_unproven ?
		    "unproven: slotd has not confirmed it for a lease" : "proven again");
	t->is_unproven = is_unproven;
}

void
taken_slots(const struct taken *t, char buf[TAKEN_SLOTS_SIZE])
{
	const uint32_t *slots = slot_hold_slots(t->hold);
	size_t length = 0;

	for (uint32_t i = 0; i < slot_hold_n(t->hold); i++)
		length += (size_t)snprintf(buf + length, TAKEN_SLOTS_SIZE - length, "%s%" PRIu32,
		    i > 0 ? "," : "", slots[i]);
}

bool
taken_give_back(struct taken *t)
{
	int code = slot_release(t->hold);

	t->hold = NULL;
	taken_close(t);
	return code != SLOT_ELOST;
}

void
taken_close(struct taken *t)
{
	slot_close(t->conn);
	(void)slot_release_nowait(t->hold);     /* frees the handle; its connection is gone */
	*t = (struct taken){.conn = NULL};
}
