/* Watching over the wrapped command: signals to pass on, the loss of its slot, its end. */
#ifndef SLOTCTL_WATCH_H
#define SLOTCTL_WATCH_H

#include "client/slotctl/child.h"
#include "client/slotctl/family.h"
#include "client/slotctl/hold.h"

struct watch {
	const struct ctl *c;            /* these are the caller's, to be filled in */
	struct taken *taken;
	struct signals *signals;
	struct family *family;
	struct child child;
	int64_t kill_after_ms;

	bool has_ended;                 /* the command itself; then status is that of waitpid() */
	int status;
	bool is_lost;                   /* its slot, or --strict has ended the command before that */
	bool is_taken;                  /* its slot: slotd has said so, and nothing more is asked */
	bool is_ending;                 /* the command and its descendants have had SIGTERM */
	int timer;                      /* readable at alarm, ns of CLOCK_BOOTTIME or NEVER: SIGKILL if
					   is_ending, else with --strict SIGTERM */
	int64_t alarm;
	int64_t deadline;               /* of the hold, with --strict */
};

/* 0, or -1 with errno. */
int watch_open(struct watch *w);

/* Until the command has ended, and with it, if its slot was lost, all that it has started. */
void watch_run(struct watch *w);

#endif
