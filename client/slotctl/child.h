/* The wrapped command of slotctl run, and the signals that reach its wrapper. */
#ifndef SLOTCTL_CHILD_H
#define SLOTCTL_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct signals {
	int fd;                         /* readable when signals_next() has something */
	sigset_t old_mask;              /* what we were started with, for the child */
	struct sigaction old_chld, old_pipe;
};

/* Blocks SIGCHLD and the signals that are passed on, but for those that we were started to ignore.
 * 0, or -1 with errno. */
int signals_open(struct signals *s);

/* The next signal that has come, or 0.  *from_terminal: the kernel sent it (^C, ^\, hang-up). */
int signals_next(struct signals *s, bool *from_terminal);

struct child {
	pid_t pid;
	bool failed_exec;       /* it was forked, but the command could not be executed */
};

/* Runs argv with the signals as we found them, and with a copy of keep_fd unless that is -1.
 * -> 0 once the command itself is running, else errno (nothing is left running). */
int child_start(struct child *c, char *const *argv, int keep_fd, struct signals *s);

void child_signal(const struct child *c, int signo, bool from_terminal);

#endif
