/* The loop: libevent around the arbiter.
 *
 * The one door to arb_step: it reads the clock, steps, carries every action out, and lets the
 * backend answer what was asked of it.  One timer stands for all deadlines of the arbiter. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>

#include "daemon/core/arbiter.h"

struct event_base;
struct loop;

struct loop_hooks {
	/* An action that concerns a client.  Must not call loop_step. */
	void (*action)(void *arg, const struct arb_action *action);
	/* All events of one wake-up have been handled: write what they made. */
	void (*turn)(void *arg);
	void *arg;
};

struct loop *loop_new(const struct arb_conf *conf);     /* fatal if it cannot be had */
void loop_free(struct loop *loop);
void loop_set_hooks(struct loop *loop, const struct loop_hooks *hooks);

struct event_base *loop_base(struct loop *loop);
const struct arb *loop_arb(const struct loop *loop);    /* for the functions that only read */

/* One event, and all that follows from it. */
void loop_step(struct loop *loop, const struct arb_event *event);

/* Waits until something happens, and handles all that has. */
void loop_turn(struct loop *loop);

#endif
