/* The loop: libevent around the arbiter. */
#include "daemon/loop.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/backend.h"
#include "daemon/clock.h"
#include "daemon/log.h"

struct loop {
	struct event_base *base;
	struct arb *arb;
	struct backend *backend;
	struct loop_hooks hooks;
	struct event *timer;
	int timer_fd;
	nsec armed;             /* what timer_fd is set to; NSEC_NEVER: to nothing */
	bool is_stepping;
};

/* The timer is a timerfd on CLOCK_BOOTTIME, not libevent's own: that one stands still in suspend,
 * and counts from a time of the last wake-up.  It is armed with the absolute time, and only when
 * the deadline has come nearer: one that has moved away is found out when the timer fires.  So a
 * busy group, whose idle slots push their deadline on and on, costs no system call. */
static void
loop_arm(struct loop *loop)
{
	nsec deadline = arb_deadline(loop->arb);
	struct itimerspec at = {{0, 0}, {0, 0}};

	if (deadline >= loop->armed)
		return;
	if (deadline < 1)
		deadline = 1;   /* 0 would disarm it */
	at.it_value.tv_sec = (time_t)(deadline / (1000 * NSEC_MS));
	at.it_value.tv_nsec = (long)(deadline % (1000 * NSEC_MS));
	if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		log_warn("timerfd_settime");
	else
		loop->armed = deadline;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct arb_event tick = {.type = ARB_TICK};
	uint64_t expirations;

	(void)what;
	if (read(fd, &expirations, sizeof expirations) < 0)
		return;
	loop->armed = NSEC_NEVER;
	if (arb_deadline(loop->arb) <= clock_now())
		loop_step(loop, &tick);
}

static void
on_libevent_log(int severity, const char *message)
{
	if (severity >= EVENT_LOG_WARN)
		log_warnx("libevent: %s", message);
	else
		log_debug("libevent: %s", message);
}

struct loop *
loop_new(const struct arb_conf *conf)
{
	struct loop *loop = calloc(1, sizeof *loop);
	struct event_config *config;

	event_set_log_callback(on_libevent_log);
	config = event_config_new();
	if (loop == NULL || config == NULL)
		fatal("loop");
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	loop->arb = arb_new(conf);
	loop->backend = backend_new();
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->base == NULL || loop->arb == NULL || loop->backend == NULL || loop->timer_fd < 0)
		fatal("loop");
	loop->armed = NSEC_NEVER;
	loop->timer = event_new(loop->base, loop->timer_fd, EV_READ | EV_PERSIST, on_timer, loop);
	if (loop->timer == NULL || event_add(loop->timer, NULL) < 0)
		fatalx("loop: no timer");
	loop_step(loop, &(struct arb_event){.type = ARB_LINK_UP});
	loop_step(loop, &(struct arb_event){.type = ARB_SUB_UP});
	return loop;
}

void
loop_free(struct loop *loop)
{
	event_free(loop->timer);
	close(loop->timer_fd);
	arb_free(loop->arb);
	backend_free(loop->backend);
	event_base_free(loop->base);
	free(loop);
	libevent_global_shutdown();
}

void
loop_set_hooks(struct loop *loop, const struct loop_hooks *hooks)
{
	loop->hooks = *hooks;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

const struct arb *
loop_arb(const struct loop *loop)
{
	return loop->arb;
}

/* Takes every action of the last step. */
static void
loop_drain(struct loop *loop)
{
	struct arb_action action;

	while (arb_next_action(loop->arb, &action)) {
		switch (action.type) {
		case ARB_ANSWER:
		case ARB_TELL_LOST:
			loop->hooks.action(loop->hooks.arg, &action);
			break;
		case ARB_EXCHANGE:
			backend_ask(loop->backend, action.xch);
			break;
		case ARB_TELL_KEPT:
		case ARB_CELL_SET:
		case ARB_CELL_END:
			assert(!"an action for a strict client, and there is none");
			break;
		case ARB_HANG_UP:
		case ARB_IS_GONE:
			assert(!"the memory backend answers at once, and to us only");
			break;
		}
	}
}

void
loop_step(struct loop *loop, const struct arb_event *event)
{
	struct arb_event reply;

	assert(!loop->is_stepping);
	loop->is_stepping = true;
	arb_step(loop->arb, clock_now(), event);
	loop_drain(loop);
	while (backend_next(loop->backend, &reply)) {
		arb_step(loop->arb, clock_now(), &reply);
		loop_drain(loop);
	}
	loop->is_stepping = false;
}

void
loop_turn(struct loop *loop)
{
	loop_arm(loop);
	if (event_base_loop(loop->base, EVLOOP_ONCE) < 0)
		fatal("event_base_loop");
	loop->hooks.turn(loop->hooks.arg);
}
