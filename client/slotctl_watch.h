/* Watching over the wrapped command: signals to pass on, the loss of its slot, its end. */
#ifndef SLOTCTL_WATCH_H
#define SLOTCTL_WATCH_H

#include "client/slotctl_child.h"
#include "client/slotctl_family.h"
#include "client/slotctl_hold.h"

struct watch {
	const struct ctl *c;
	struct taken *taken;
	struct signals *signals;
	struct family *family;
	struct child child;
	bool has_ended;                 /* the command itself; then status is that of waitpid() */
	int status;
	bool is_lost;                   /* its slot, and the command was told or is being ended */
	int timer;                      /* CLOCK_BOOTTIME; readable at kill_at */
	int64_t kill_at;                /* ns of that clock; NEVER: nobody is being ended */
};

/* The parts that the caller has filled in stay his.  0, or -1 with errno. */
int watch_open(struct watch *w);

/* Until the command has ended, and with it, if its slot was lost, all that it has started. */
void watch_run(struct watch *w);

#endif
