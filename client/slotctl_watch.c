/* The command while it runs: whatever happens is waited for in one place, and then looked at in one
 * order.  Times are CLOCK_BOOTTIME, which goes on while the machine is suspended, as leases do. */
#include "client/slotctl_watch.h"

#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NEVER    INT64_MAX
#define MSEC     1000000LL
#define AGAIN_MS 100            /* between looks for those who are still there after SIGKILL */

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 * MSEC + now.tv_nsec;
}

/* Sleeps until a signal, a word of slotd or the timer. */
static void
wait_for_more(struct watch *w)
{
	struct slot_conn *conn = w->taken->conn;
	struct itimerspec at = {.it_value = {0}};
	struct pollfd fds[3] = {
		{.fd = w->signals->fd, .events = POLLIN}, {.fd = w->timer, .events = POLLIN},
		{.fd = -1},
	};
	int timeout_ms = -1;

	if (w->kill_at != NEVER) {
		at.it_value.tv_sec = (time_t)(w->kill_at / (1000 * MSEC));
		at.it_value.tv_nsec = (long)(w->kill_at % (1000 * MSEC));
	}
	timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &at, NULL);
	if (conn != NULL) {
		fds[2] = (struct pollfd){.fd = slot_fd(conn), .events = slot_events(conn)};
		timeout_ms = slot_timeout_ms(conn);
	}
	(void)poll(fds, 3, timeout_ms);
}

static void
pass_signals_on(struct watch *w)
{
	bool from_terminal;
	int signo;

	while ((signo = signals_next(w->signals, &from_terminal)) != 0)
		if (signo != SIGCHLD && !w->has_ended)
			child_signal(&w->child, signo, from_terminal);
}

static void
look_at_slot(struct watch *w)
{
	const char *reason = taken_lost(w->taken);

	if (reason == NULL)
		return;
	ctl_say("%s: the slot is lost (%s); %s", w->c->arg, reason,
	    w->c->warn_on_loss ? "the command goes on without it" : "ending the command");
	w->is_lost = true;
	taken_close(w->taken);
	if (w->c->warn_on_loss)
		return;
	family_signal(w->family, w->child.pid, SIGTERM);
	w->kill_at = now_ns() + w->c->kill_after_ms * MSEC;
}

static void
kill_if_due(struct watch *w)
{
	if (now_ns() < w->kill_at)
		return;
	family_signal(w->family, w->child.pid, SIGKILL);
	w->kill_at = now_ns() + AGAIN_MS * MSEC;
}

int
watch_open(struct watch *w)
{
	w->kill_at = NEVER;
	w->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	return w->timer < 0 ? -1 : 0;
}

void
watch_run(struct watch *w)
{
	for (;;) {
		pass_signals_on(w);
		w->has_ended |= family_reap(w->family, w->child.pid, &w->status);
		if (w->has_ended && (w->kill_at == NEVER || family_is_gone(w->family)))
			return;
		if (w->kill_at != NEVER)
			kill_if_due(w);
		else if (w->taken->conn != NULL)
			look_at_slot(w);
		wait_for_more(w);
	}
}
