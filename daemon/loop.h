/* The loop: libevent around the arbiter.
 *
 * The one door to arb_step: it reads the clock, steps, carries every action out, and lets the
 * backend answer what was asked of it.  One timer stands for all deadlines of the arbiter. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>

#include "daemon/core/arbiter.h"
#include "daemon/gather.h"
#include "daemon/core/live.h"

struct backend_redis;
struct config_redis;
struct event_base;
struct histogram;
struct loop;
struct page;

struct loop_hooks {
	/* An action that concerns a client.  Must not call loop_step. */
	void (*action)(void *arg, const struct arb_action *action);
	/* All events of one wake-up have been handled: write what they made. */
	void (*turn)(void *arg);
	/* loop_set_live() has set it, or loop_history() has found what there was.
	 * If it could not be done, action() is called instead. */
	void (*live)(void *arg, const struct live_done *done);
	void *arg;
};

/* The backend is memory if redis has no URL.  Keeps the pointers to redis and page.  Fatal if it
 * cannot be had. */
struct loop *loop_new(const struct arb_conf *conf, const struct config_redis *redis,
    struct page *page);
void loop_free(struct loop *loop);
void loop_set_hooks(struct loop *loop, const struct loop_hooks *hooks);

void loop_set_gather_hooks(struct loop *loop, const struct gather_hooks *hooks);

/* gone() is called when another daemon runs with our identity: it closes every client, and tells a
 * new identity. */
void loop_set_gone(struct loop *loop, struct xch_daemon (*gone)(void *arg), void *arg);

struct event_base *loop_base(struct loop *loop);
const struct arb *loop_arb(const struct loop *loop);    /* for the functions that only read */
const char *loop_host(const struct loop *loop);          /* this host's name, for people */
const struct page *loop_page(const struct loop *loop);
struct tallies *loop_tallies(struct loop *loop);        /* of all arbiters that it has had */
const struct histogram *loop_lag(const struct loop *loop); /* how late it was at its deadlines */
/* What is left of the group's, or, with NULL, of any, as last heard; 0: none. */
nsec loop_grace(const struct loop *loop, const char *group);
/* Ends the grace of every group; the request is answered with the action hook. */
void loop_end_grace(struct loop *loop, uint64_t client, uint64_t request);
/* False: every link of the backend is up; else why not, in a stable word and for people. */
bool loop_is_down(const struct loop *loop, const char **reason, const char **text);
/* Asks all daemons; the gather hooks bring what comes of it.  See gather.h. */
bool loop_gather(struct loop *loop, uint64_t client, uint64_t request, const char *question,
    enum gather_records records, const char *glob);
/* What operators have set for the group, as far as is known, or NULL; and the time by which that ends.
 * They count for all hosts. */
const struct live *loop_live(const struct loop *loop, const char *group, usec *now);
const struct lives *loop_lives(const struct loop *loop);
/* Sets a live limit or a pause, as lives_set() says; tells what was set, the last 20.  The requests
 * are answered with the live hook. */
void loop_set_live(struct loop *loop, uint64_t client, uint64_t request, const char *group,
    enum live_kind kind, const struct live_setting *setting, usec length);
void loop_history(struct loop *loop, uint64_t client, uint64_t request, const char *group);
void loop_stats(const struct loop *loop,         /* the backend's counters */
    void (*fn)(void *arg, const char *name, uint64_t value), void *arg);

bool loop_redis(const struct loop *loop, struct backend_redis *redis);  /* false: there is none */

/* Nothing more is granted here, or it is again; and how many groups may be known.  Either holds for an
 * arbiter that takes the place of this one, too. */
void loop_drain(struct loop *loop, bool on);
bool loop_is_drained(const struct loop *loop);
void loop_set_max_groups(struct loop *loop, uint32_t max);

/* One event, and all that follows from it. */
void loop_step(struct loop *loop, const struct arb_event *event);

/* Waits until something happens, and handles all that has. */
void loop_turn(struct loop *loop);

/* All clients are gone: waits for a moment, so that the backend hears what they gave back. */
void loop_finish(struct loop *loop);

#endif
