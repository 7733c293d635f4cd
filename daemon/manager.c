/* The service manager, and what it is told while slotd runs: how it is (STATUS=), and that its loop
 * turns (WATCHDOG=1). */
#include "daemon/manager.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/serve/server.h"
#include "daemon/systemd.h"

#define STATUS_MS 2000
#define STATUS_MAX 256

/* A timerfd, and none of libevent's own timers: one that is pending costs every turn of the loop two
 * readings of the clock, and this one nothing until it fires. */
struct timer {
	int fd;
	struct event *event;            /* NULL: there is no such timer */
	bool is_set;
};

struct manager {
	const struct server *server;
	struct timer status_timer;      /* set: there have been turns since it was told */
	bool is_due;                    /* the timer has fired in this turn */
	char status[STATUS_MAX];        /* as it was told last */

	struct timer watchdog_timer;    /* none: nobody waits for that */
	int64_t watchdog_us;            /* from one sign of life to the next */
};

static void
timer_init(struct timer *timer, struct event_base *base, event_callback_fn callback, void *arg)
{
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer->fd < 0)
		fatal("timerfd_create");
	timer->event = event_new(base, timer->fd, EV_READ | EV_PERSIST, callback, arg);
	if (timer->event == NULL || event_add(timer->event, NULL) < 0)
		fatalx("no timer");
}

static void
timer_fini(struct timer *timer)
{
	if (timer->event == NULL)
		return;
	event_free(timer->event);
	close(timer->fd);
}

/* After us microseconds, whatever the timer was set to. */
static void
timer_set(struct timer *timer, int64_t us)
{
	const struct itimerspec after = {
	    .it_value = {(time_t)(us / 1000000), (long)(us % 1000000 * 1000)}};

	if (timerfd_settime(timer->fd, 0, &after, NULL) < 0)
		fatal("timerfd_settime");
	timer->is_set = true;
}

/* -> whether it has fired */
static bool
timer_take(struct timer *timer)
{
	uint64_t expirations;

	if (read(timer->fd, &expirations, sizeof expirations) < 0)
		return false;
	timer->is_set = false;
	return true;
}

/* ---------------------------------------------------------------- the status */

static const char *
of_redis(const struct server *server)
{
	const char *reason, *text;

	if (server->config->redis.url[0] == '\0')
		return "this host alone";
	if (loop_is_down(server->loop, &reason, &text))
		return text;
	return loop_grace(server->loop, NULL) > 0 ? "Redis is up, in its grace" : "Redis is up";
}

/* Why nothing is granted, if that is somebody's will. */
static const char *
of_end(const struct server *server)
{
	if (server->is_stopping)
		return "stopping: ";
	return loop_is_drained(server->loop) ? "draining: " : "";
}

static void
compose(const struct server *server, char *status)
{
	struct arb_stats stats;

	arb_stats(loop_arb(server->loop), &stats);
	snprintf(status, STATUS_MAX, "STATUS=%sgroups %u, holds %u, waiters %u; %s", of_end(server),
	    stats.groups, stats.holds + stats.open, stats.waiters, of_redis(server));
}

static void
on_status(evutil_socket_t fd, short what, void *arg)
{
	struct manager *manager = arg;

	(void)fd;
	(void)what;
	if (timer_take(&manager->status_timer))
		manager->is_due = true;
}

/* Told when the turn is over, so that it has what came after the timer too. */
void
manager_turn(struct manager *manager)
{
	char status[STATUS_MAX];

	if (manager == NULL)
		return;
	if (!manager->is_due) {
		if (!manager->status_timer.is_set)
			timer_set(&manager->status_timer, STATUS_MS * 1000);
		return;
	}
	manager->is_due = false;
	compose(manager->server, status);
	if (strcmp(status, manager->status) == 0)
		return;
	if (systemd_try_notify(status))
		strcpy(manager->status, status);
	else
		timer_set(&manager->status_timer, STATUS_MS * 1000);
}

/* ---------------------------------------------------------------- the watchdog */

/* -> how often the manager wants a sign of life, in microseconds; 0: not, or not from us. */
static int64_t
watchdog_us(void)
{
	const char *pid = getenv("WATCHDOG_PID"), *text = getenv("WATCHDOG_USEC");
	char *end;
	intmax_t us;

	if (text == NULL || (pid != NULL && strtol(pid, NULL, 10) != getpid()))
		return 0;
	errno = 0;
	us = strtoimax(text, &end, 10);
	if (errno != 0 || *end != '\0' || us <= 0) {
		log_warnx("WATCHDOG_USEC is %s: no number of microseconds", text);
		return 0;
	}
	return us;
}

/* By an event like any other, so a loop that hangs in one does not get here.  A sign that the manager
 * did not take is given again soon. */
static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct manager *manager = arg;
	bool told;

	(void)fd;
	(void)what;
	if (!timer_take(&manager->watchdog_timer))
		return;
	told = systemd_try_notify("WATCHDOG=1");
	timer_set(&manager->watchdog_timer, told ? manager->watchdog_us : manager->watchdog_us / 8 + 1);
}

/* ---------------------------------------------------------------- both */

struct manager *
manager_new(const struct server *server)
{
	struct event_base *base = loop_base(server->loop);
	struct manager *manager;

	if (!systemd_is_manager())
		return NULL;
	manager = calloc(1, sizeof *manager);
	if (manager == NULL)
		fatal("manager");
	manager->server = server;
	timer_init(&manager->status_timer, base, on_status, manager);
	timer_set(&manager->status_timer, STATUS_MS * 1000);    /* though no turn may come */
	manager->watchdog_us = watchdog_us() / 2;
	if (manager->watchdog_us > 0) {
		timer_init(&manager->watchdog_timer, base, on_watchdog, manager);
		timer_set(&manager->watchdog_timer, manager->watchdog_us);
	}
	return manager;
}

void
manager_free(struct manager *manager)
{
	if (manager == NULL)
		return;
	timer_fini(&manager->status_timer);
	timer_fini(&manager->watchdog_timer);
	free(manager);
}
