/* The command while it runs: whatever happens is waited for in one place, and then looked at in one
 * order.  Times are CLOCK_BOOTTIME, which goes on while the machine is suspended, as leases do. */
#include "client/slotctl/watch.h"

#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "client/slotctl/strict.h"

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

/* Sleeps until a signal, a word of slotd or the alarm. */
static void
wait_for_more(struct watch *w)
{
	const struct slot_conn *conn = w->taken->conn;
	struct itimerspec at = {.it_value = {0}};
	struct pollfd fds[3] = {
		{.fd = w->signals->fd, .events = POLLIN}, {.fd = w->timer, .events = POLLIN},
		{.fd = conn != NULL && !w->is_taken ? slot_fd(conn) : -1, .events = POLLIN},
	};

	if (w->alarm != NEVER) {
		at.it_value.tv_sec = (time_t)(w->alarm / (1000 * MSEC));
		at.it_value.tv_nsec = (long)(w->alarm % (1000 * MSEC));
	}
	timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &at, NULL);
	(void)poll(fds, 3, -1);
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

/* The command and its descendants have until then, or until when they had to end before. */
static void
end_all(struct watch *w, int64_t kill_at)
{
	if (!w->is_ending)
		family_term(w->family, w->child.pid);
	if (!w->is_ending || kill_at < w->alarm)
		w->alarm = kill_at;
	w->is_ending = true;
}

static void
kill_if_due(struct watch *w)
{
	if (now_ns() < w->alarm)
		return;
	family_kill(w->family, w->child.pid);
	w->alarm = now_ns() + AGAIN_MS * MSEC;
}

/* What slotd takes from us it gives to the next a margin later, or when we close the connection: that
 * is left open while the command ends. */
static void
slot_is_lost(struct watch *w, const char *reason)
{
	int64_t kill_after_ms = w->kill_after_ms;

	ctl_say("%s: the slot is lost (%s); %s", w->c->arg, reason,
	    w->c->warn_on_loss ? "the command goes on without it" : "ending the command");
	w->is_lost = w->is_taken = true;
	if (w->c->strict && kill_after_ms > slot_margin_ms(w->taken->conn) / 2)
		kill_after_ms = slot_margin_ms(w->taken->conn) / 2;
	if (w->c->warn_on_loss)
		taken_close(w->taken);
	else
		end_all(w, now_ns() + kill_after_ms * MSEC);
}

/* The clock is read before the page: what we take for the deadline is never behind it.  Where a
 * slotd that was started anew has no room in its page for this hold, the last deadline stands. */
static void
end_in_time(struct watch *w)
{
	int64_t now = now_ns(), left_ms = slot_hold_left_ms(w->taken->hold);

	if (left_ms >= 0)
		w->deadline = now + left_ms * MSEC;
	w->alarm = w->deadline - w->kill_after_ms * MSEC;
	if (now < w->alarm)
		return;
	ctl_say("%s: slotd does not prove the slot any longer; ending the command", w->c->arg);
	w->is_lost = true;
	end_all(w, w->deadline);
}

/* Also while the command is being ended: its slot may be lost meanwhile. */
static void
look_at_slot(struct watch *w)
{
	const char *reason = taken_lost(w->taken);

	if (reason != NULL)
		slot_is_lost(w, reason);
	if (reason != NULL || w->is_ending)
		return;
	taken_say_news(w->taken, w->c);
	if (w->c->strict)
		end_in_time(w);
}

int
watch_open(struct watch *w)
{
	w->alarm = NEVER;
	w->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	return w->timer < 0 ? -1 : 0;
}

void
watch_run(struct watch *w)
{
	for (;;) {
		pass_signals_on(w);
		w->has_ended |= family_reap(w->family, w->child.pid, &w->status);
		if (w->has_ended && (!w->is_ending || family_is_gone(w->family)))
			return;
		if (w->taken->conn != NULL && !w->is_taken)
			look_at_slot(w);
		if (w->is_ending)
			kill_if_due(w);
		wait_for_more(w);
	}
}
