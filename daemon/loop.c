/* The loop: libevent around the arbiter. */
#include "daemon/loop.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/backend.h"
#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/core/alloc.h"
#include "daemon/core/tally.h"
#include "daemon/log.h"
#include "daemon/page.h"
#include "daemon/redis/redis.h"

#define FINISH_MS 1000

struct loop {
	struct event_base *base;
	struct arb *arb;
	struct backend *backend;
	struct gathers *gathers;
	struct loop_hooks hooks;
	struct xch_daemon (*gone)(void *arg);
	void *gone_arg;
	struct event *timer;
	int timer_fd;
	nsec armed;             /* what timer_fd is set to; NSEC_NEVER: to nothing */
	struct tallies tallies;
	struct histogram lag;   /* from a deadline to its handling */
	bool is_stepping;
	bool is_gone;           /* another daemon has our identity: see start_afresh() */

	struct arb_conf conf;
	const struct config_redis *redis;
	struct page *page;
};

static void on_wake(void *arg);

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
	nsec now = clock_now();
	uint64_t expirations;

	(void)what;
	if (read(fd, &expirations, sizeof expirations) < 0)
		return;
	if (now >= loop->armed)
		histogram_add(&loop->lag, now - loop->armed);
	loop->armed = NSEC_NEVER;
	if (arb_deadline(loop->arb) <= now)
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

/* The answer to what the arbiter has no part in. */
static void
answer_end(struct loop *loop, uint64_t client, uint64_t request, enum backend_end how,
    const char *part)
{
	struct arb_action action = {
	    .type = ARB_ANSWER, .client = client, .request = request, .retry = 1000 * NSEC_MS};

	if (how == BACKEND_END_PART) {
		action.code = WIRE_ERR_BACKEND;
		action.text = part;
	} else if (how == BACKEND_END_UNKNOWN) {
		action.code = WIRE_ERR_UNAVAILABLE;
		loop->backend->why_down(loop->backend, &action.why, &action.text);
	}
	loop->hooks.action(loop->hooks.arg, &action);
}

static void
on_ended(void *arg, uint64_t client, uint64_t request, enum backend_end how)
{
	answer_end(arg, client, request, how,
	    "the marker of a shard cannot be used: the log of slotd says why");
}

static void
on_live_done(void *arg, const struct live_done *done, enum backend_end how)
{
	struct loop *loop = arg;

	if (how == BACKEND_END_DONE)
		loop->hooks.live(loop->hooks.arg, done);
	else
		answer_end(loop, done->client, done->request, how,
		    "the backend cannot do it: the log of slotd says why");
}

/* The arbiter and its backend, for the identity that conf says. */
static void
make_arbiter(struct loop *loop)
{
	loop->arb = arb_new(&loop->conf);
	if (loop->redis->url[0] != '\0')
		loop->backend = backend_redis_new(loop->base, loop->redis, &loop->conf,
		    page_eras(loop->page), on_wake, loop);
	else
		loop->backend = backend_memory_new(loop->page, loop->conf.margin);
	if (loop->arb == NULL || loop->backend == NULL)
		fatal("loop");
	loop->backend->ended = on_ended;
	loop->backend->live_done = on_live_done;
	loop->backend->loop_arg = loop;
	gathers_set_backend(loop->gathers, loop->backend);
}

static void
free_arbiter(struct loop *loop)
{
	gathers_set_backend(loop->gathers, NULL);
	arb_free(loop->arb);
	loop->backend->free(loop->backend);
}

struct loop *
loop_new(const struct arb_conf *conf, const struct config_redis *redis, struct page *page)
{
	struct loop *loop = calloc(1, sizeof *loop);
	struct event_config *config;

	event_set_mem_functions(alloc_new, alloc_resize, free);
	event_set_log_callback(on_libevent_log);
	config = event_config_new();
	if (loop == NULL || config == NULL)
		fatal("loop");
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->base == NULL || loop->timer_fd < 0)
		fatal("loop");
	loop->armed = NSEC_NEVER;
	loop->lag.bounds = histogram_short;
	loop->timer = event_new(loop->base, loop->timer_fd, EV_READ | EV_PERSIST, on_timer, loop);
	if (loop->timer == NULL || event_add(loop->timer, NULL) < 0)
		fatalx("loop: no timer");
	loop->conf = *conf;
	tallies_init(&loop->tallies, 0);
	loop->conf.tallies = &loop->tallies;
	loop->redis = redis;
	loop->page = page;
	if (page_fd(page) < 0)
		loop->conf.max_cells = 0;
	loop->gathers = gathers_new(loop->base, &loop->conf.self, loop->conf.host);
	make_arbiter(loop);
	on_wake(loop);
	return loop;
}

void
loop_free(struct loop *loop)
{
	event_free(loop->timer);
	close(loop->timer_fd);
	free_arbiter(loop);
	tallies_fini(&loop->tallies);
	gathers_free(loop->gathers);
	event_base_free(loop->base);
	free(loop);
	libevent_global_shutdown();
}

void
loop_set_hooks(struct loop *loop, const struct loop_hooks *hooks)
{
	loop->hooks = *hooks;
}

void
loop_set_gather_hooks(struct loop *loop, const struct gather_hooks *hooks)
{
	gathers_set_hooks(loop->gathers, hooks);
}

void
loop_set_gone(struct loop *loop, struct xch_daemon (*gone)(void *arg), void *arg)
{
	loop->gone = gone;
	loop->gone_arg = arg;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

const struct page *
loop_page(const struct loop *loop)
{
	return loop->page;
}

struct tallies *
loop_tallies(struct loop *loop)
{
	return &loop->tallies;
}

const struct histogram *
loop_lag(const struct loop *loop)
{
	return &loop->lag;
}

const char *
loop_host(const struct loop *loop)
{
	return loop->conf.host;
}

const struct arb *
loop_arb(const struct loop *loop)
{
	return loop->arb;
}

static void
log_differs(const struct loop *loop, const struct arb_action *action)
{
	const struct xch_peer *peer = action->peer;

	if (action->group != NULL)
		log_warnx("group %s: the limit is %lld here, and %lld on %s: give all the same",
		    action->group, (long long)action->configured, (long long)peer->limit,
		    peer->host);
	else
		log_warnx("lease_ms is %lld here, and %lld on %s: give all the same",
		    (long long)(loop->conf.lease / NSEC_MS), (long long)(peer->lease / 1000),
		    peer->host);
}

/* The arbiter knows that a link is down, the backend why. */
static void
answer(struct loop *loop, struct arb_action *action)
{
	if (action->code == WIRE_ERR_UNAVAILABLE && strcmp(action->why, "away") == 0)
		loop->backend->why_down(loop->backend, &action->why, &action->text);
	loop->hooks.action(loop->hooks.arg, action);
}

/* Takes every action of the last step. */
static void
carry_out(struct loop *loop)
{
	struct arb_action action;

	while (arb_next_action(loop->arb, &action)) {
		switch (action.type) {
		case ARB_ANSWER:
			answer(loop, &action);
			break;
		case ARB_TELL_LOST:
		case ARB_TELL_UNPROVEN:
		case ARB_TELL_KEPT:
			loop->hooks.action(loop->hooks.arg, &action);
			break;
		case ARB_EXCHANGE:
			loop->backend->ask(loop->backend, action.link, action.xch);
			break;
		case ARB_CELL_SET:
			page_set(loop->page, action.cell, action.group, action.n_slots,
			    action.slots, action.token, action.uid, action.deadline);
			break;
		case ARB_CELL_END:
			page_end(loop->page, action.cell, action.n_slots, action.deadline);
			break;
		case ARB_HANG_UP:
			loop->backend->hang_up(loop->backend, action.link);
			break;
		case ARB_DIFFERS:
			log_differs(loop, &action);
			break;
		case ARB_IS_GONE:
			loop->is_gone = true;
			break;
		}
	}
}

/* What the backend has to say, until it has no more. */
static void
loop_settle(struct loop *loop)
{
	struct arb_event event;

	while (loop->backend->next(loop->backend, &event)) {
		arb_step(loop->arb, clock_now(), &event);
		carry_out(loop);
	}
}

/* During a step it is asked anyway. */
static void
on_wake(void *arg)
{
	struct loop *loop = arg;

	if (loop->is_stepping)
		return;
	loop->is_stepping = true;
	loop_settle(loop);
	loop->is_stepping = false;
}

void
loop_step(struct loop *loop, const struct arb_event *event)
{
	assert(!loop->is_stepping);
	loop->is_stepping = true;
	arb_step(loop->arb, clock_now(), event);
	carry_out(loop);
	loop_settle(loop);
	loop->is_stepping = false;
}

/* Another daemon runs with our install id, and the backend listens to it: what we held is its.  All
 * clients are closed, which leaves the arbiter empty; a new one begins under a new identity. */
static void
start_afresh(struct loop *loop)
{
	loop->is_gone = false;
	loop->conf.self = loop->gone(loop->gone_arg);
	free_arbiter(loop);
	page_renew(loop->page, &loop->conf.self);
	loop->armed = NSEC_NEVER;
	make_arbiter(loop);
	on_wake(loop);
}

void
loop_drain(struct loop *loop, bool on)
{
	const struct arb_event event = {.type = ARB_DRAIN, .drain = on};

	loop->conf.draining = on;
	loop_step(loop, &event);
}

bool
loop_is_drained(const struct loop *loop)
{
	return loop->conf.draining;
}

void
loop_set_max_groups(struct loop *loop, uint32_t max)
{
	const struct arb_event event = {.type = ARB_CONFIGURE, .configure.max_groups = max};

	loop->conf.max_groups = max;
	loop_step(loop, &event);
}

void
loop_turn(struct loop *loop)
{
	loop_arm(loop);
	if (event_base_loop(loop->base, EVLOOP_ONCE) < 0)
		fatal("event_base_loop");
	loop->hooks.turn(loop->hooks.arg);
	if (loop->is_gone)
		start_afresh(loop);
}

void
loop_finish(struct loop *loop)
{
	const struct timeval most = {FINISH_MS / 1000, FINISH_MS % 1000 * 1000};

	if (event_base_loopexit(loop->base, &most) < 0)
		return;
	while (loop->backend->is_busy(loop->backend) && !event_base_got_exit(loop->base)) {
		loop_arm(loop);
		if (event_base_loop(loop->base, EVLOOP_ONCE) < 0)
			return;
	}
}

nsec
loop_grace(const struct loop *loop, const char *group)
{
	return loop->backend->grace(loop->backend, group, clock_now());
}

void
loop_end_grace(struct loop *loop, uint64_t client, uint64_t request)
{
	loop->backend->end_grace(loop->backend, client, request);
}

const struct live *
loop_live(const struct loop *loop, const char *group, usec *now)
{
	return lives_find(loop->backend->lives(loop->backend, now), group);
}

const struct lives *
loop_lives(const struct loop *loop)
{
	usec now;

	return loop->backend->lives(loop->backend, &now);
}

void
loop_set_live(struct loop *loop, uint64_t client, uint64_t request, const char *group,
    enum live_kind kind, const struct live_setting *setting, usec length)
{
	loop->backend->set_live(loop->backend, client, request, group, kind, setting, length);
	on_wake(loop);
}

void
loop_history(struct loop *loop, uint64_t client, uint64_t request, const char *group)
{
	loop->backend->history(loop->backend, client, request, group);
}

bool
loop_is_down(const struct loop *loop, const char **reason, const char **text)
{
	return loop->backend->why_down(loop->backend, reason, text);
}

bool
loop_gather(struct loop *loop, uint64_t client, uint64_t request, const char *question,
    enum gather_records records, const char *glob)
{
	return gathers_ask(loop->gathers, client, request, question, records, glob);
}

void
loop_stats(const struct loop *loop, void (*fn)(void *arg, const char *name, uint64_t value),
    void *arg)
{
	loop->backend->stats(loop->backend, fn, arg);
}

bool
loop_redis(const struct loop *loop, struct backend_redis *redis)
{
	return loop->backend->redis(loop->backend, redis);
}
