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
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/serve/server.h"
#include "daemon/systemd.h"

#define STATUS_MS 2000
#define STATUS_MAX 256

struct manager {
	const struct server *server;
	struct event *status_timer;     /* pending: there have been turns since it was told */
	bool is_due;                    /* the timer has fired in this turn */
	char status[STATUS_MAX];        /* as it was told last */

	struct event *watchdog_timer;   /* NULL: nobody waits for that */
	int64_t watchdog_us;            /* from one sign of life to the next */
};

/* After us microseconds, whatever the timer was set to. */
static void
set_timer(struct event *timer, int64_t us)
{
	const struct timeval timeout = {us / 1000000, us % 1000000};

	if (event_add(timer, &timeout) < 0)
		fatalx("no timer");
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
		if (!evtimer_pending(manager->status_timer, NULL))
			set_timer(manager->status_timer, STATUS_MS * 1000);
		return;
	}
	manager->is_due = false;
	compose(manager->server, status);
	if (strcmp(status, manager->status) == 0)
		return;
	if (systemd_try_notify(status))
		strcpy(manager->status, status);
	else
		set_timer(manager->status_timer, STATUS_MS * 1000);
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
	bool told = systemd_try_notify("WATCHDOG=1");

	(void)fd;
	(void)what;
	set_timer(manager->watchdog_timer, told ? manager->watchdog_us : manager->watchdog_us / 8);
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
	manager->status_timer = evtimer_new(base, on_status, manager);
	manager->watchdog_us = watchdog_us() / 2;
	if (manager->watchdog_us > 0)
		manager->watchdog_timer = evtimer_new(base, on_watchdog, manager);
	if (manager->status_timer == NULL ||
	    (manager->watchdog_us > 0 && manager->watchdog_timer == NULL))
		fatalx("no timer");
	if (manager->watchdog_timer != NULL)
		set_timer(manager->watchdog_timer, manager->watchdog_us);
	set_timer(manager->status_timer, STATUS_MS * 1000);     /* though no turn may come */
	return manager;
}

void
manager_free(struct manager *manager)
{
	if (manager == NULL)
		return;
	event_free(manager->status_timer);
	if (manager->watchdog_timer != NULL)
		event_free(manager->watchdog_timer);
	free(manager);
}
