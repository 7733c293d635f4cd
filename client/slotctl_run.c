/* slotctl run and acquire: what is done with a slot while it is held.
 *
 * The command inherits the connection (unless --close), and so do its children: the kernel keeps
 * it, and with it the slot, until the last of them has ended, whatever becomes of this process.
 * PR_SET_PDEATHSIG alone would not do: the kernel closes the files of a dying process before it
 * signals its children, so another's job could begin while this one still runs. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/slotctl_hold.h"

#define NEVER INT64_MAX

static int
set_environment(const struct taken *t)
{
	char slots[TAKEN_SLOTS_SIZE], token[24], limit[16];

	taken_slots(t, slots);
	snprintf(token, sizeof token, "%" PRIu64, slot_hold_token(t->hold));
	snprintf(limit, sizeof limit, "%" PRIu32, slot_hold_limit(t->hold));
	return setenv("SLOT_GROUP", slot_hold_group(t->hold), 1) | setenv("SLOT_NUMBER", slots, 1) |
	    setenv("SLOT_TOKEN", token, 1) | setenv("SLOT_LIMIT", limit, 1);
}

static int
say_not_started(const struct child *child, const char *command, int error)
{
	if (!child->failed_exec) {
		ctl_say("cannot start %s: %s", command, strerror(error));
		return CTL_SYSTEM;
	}
	ctl_say("%s: %s", command, strerror(error));
	return error == ENOENT || error == ENOTDIR ? CTL_NOT_FOUND : CTL_CANNOT_RUN;
}

static void
say_lost(const struct ctl *c, const char *reason)
{
	ctl_say("%s: the slot is lost (%s); %s", c->arg, reason,
	    c->warn_on_loss ? "the command goes on without it" : "ending the command");
}

/* Waits for the child, the connection (while we have it) or a signal, not beyond `until`. */
static void
wait_for(const struct signals *signals, const struct taken *t, int64_t until)
{
	struct pollfd fds[2] = {{.fd = signals->fd, .events = POLLIN}, {.fd = -1}};
	int timeout_ms = -1;

	if (t->conn != NULL) {
		fds[1] = (struct pollfd){.fd = slot_fd(t->conn), .events = slot_events(t->conn)};
		timeout_ms = slot_timeout_ms(t->conn);
	} else if (until != NEVER) {
		int64_t left = until - ctl_now_ms();

		timeout_ms = left < 0 ? 0 : left < INT32_MAX ? (int)left : INT32_MAX;
	}
	(void)poll(fds, 2, timeout_ms);
}

/* Until the child has ended: *status.  -> true if the slot was lost before. */
static bool
watch(const struct ctl *c, struct taken *t, struct child *child, struct signals *signals,
    int *status)
{
	int64_t kill_at = NEVER;
	const char *reason;
	bool from_terminal;
	int signo;

	for (;;) {
		while ((signo = signals_next(signals, &from_terminal)) != 0)
			if (signo != SIGCHLD)
				child_signal(child, signo, from_terminal);
		if (child_ended(child, status))
			return t->conn == NULL;
		if (t->conn != NULL && (reason = taken_lost(t)) != NULL) {
			say_lost(c, reason);
			taken_close(t);
			if (!c->warn_on_loss) {
				child_signal(child, SIGTERM, false);
				child_signal(child, SIGCONT, false);    /* if it is stopped */
				kill_at = ctl_now_ms() + c->kill_after_ms;
			}
		}
		if (ctl_now_ms() >= kill_at) {
			child_signal(child, SIGKILL, false);
			kill_at = NEVER;
		}
		wait_for(signals, t, kill_at);
	}
}

/* After the child's end.  One that exited has finished its work: the slot is given back, even if
 * something that it left behind has the connection.  One that was killed may have left processes
 * that still work: the slot is theirs until they have closed it too.
 * -> false if the slot had been lost meanwhile. */
static bool
settle(struct taken *t, int status)
{
	if (taken_lost(t) != NULL) {
		taken_close(t);
		return false;
	}
	if (WIFEXITED(status))
		return taken_give_back(t);
	taken_close(t);
	return true;
}

int
ctl_run(const struct ctl *c)
{
	struct signals signals;
	struct taken t;
	struct child child;
	int status, error;
	bool lost;

	if (signals_open(&signals) < 0) {
		ctl_say("signalfd: %s", strerror(errno));
		return CTL_SYSTEM;
	}
	if (!taken_wait(&t, c, &signals, &status))
		return status;
	if (set_environment(&t) != 0)
		error = ENOMEM, child.failed_exec = false;
	else
		error = child_start(&child, c->rest, c->close ? -1 : slot_socket_fd(t.conn), &signals);
	if (error != 0) {
		taken_give_back(&t);
		return say_not_started(&child, c->rest[0], error);
	}

	lost = watch(c, &t, &child, &signals, &status);
	if (!lost && !settle(&t, status)) {
		ctl_say("%s: the slot was lost before the command ended", c->arg);
		lost = true;
	}
	if (lost && !c->warn_on_loss)
		return CTL_LOST;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CTL_SIGNAL + WTERMSIG(status);
}

/* Holds the slot until stdin ends (0), a signal (it), or a loss (-1). */
static int
hold_while_open(struct taken *t, struct signals *signals)
{
	struct pollfd fds[3] = {
		{.fd = signals->fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN},
	};
	char ignored[4096];
	bool from_terminal;
	ssize_t n;
	int signo;

	for (;;) {
		if (taken_lost(t) != NULL)
			return -1;
		fds[2] = (struct pollfd){.fd = slot_fd(t->conn), .events = slot_events(t->conn)};
		if (poll(fds, 3, slot_timeout_ms(t->conn)) < 0)
			continue;
		while ((signo = signals_next(signals, &from_terminal)) != 0)
			if (signo != SIGCHLD)
				return signo;
		if (fds[1].revents == 0)
			continue;
		n = read(STDIN_FILENO, ignored, sizeof ignored);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
	}
}

int
ctl_acquire(const struct ctl *c)
{
	char slots[TAKEN_SLOTS_SIZE];
	struct signals signals;
	struct taken t;
	int status;

	if (signals_open(&signals) < 0) {
		ctl_say("signalfd: %s", strerror(errno));
		return CTL_SYSTEM;
	}
	if (!taken_wait(&t, c, &signals, &status))
		return status;
	taken_slots(&t, slots);
	printf("%s %" PRIu64 "\n", slots, slot_hold_token(t.hold));
	if ((status = ctl_printed()) != 0) {
		taken_give_back(&t);
		return status;
	}

	status = hold_while_open(&t, &signals);
	if (status < 0) {
		ctl_say("%s: the slot is lost (%s)", c->arg, taken_lost(&t));
		taken_close(&t);
		return CTL_LOST;
	}
	if (!taken_give_back(&t)) {
		ctl_say("%s: the slot was lost before it was given back", c->arg);
		return CTL_LOST;
	}
	return status > 0 ? CTL_SIGNAL + status : EXIT_SUCCESS;
}
