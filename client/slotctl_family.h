/* The wrapped command and all that it has started, wherever that has gone: other sessions and
 * process groups, and daemons whose parent has ended, which become children of this process. */
#ifndef SLOTCTL_FAMILY_H
#define SLOTCTL_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pids {
	pid_t *pid;
	size_t n, size;
};

struct family {
	bool is_known;          /* the kernel shows who is whose child: else the command alone is */
	struct pids strangers;  /* children that this process had before the command */
};

/* Before the command is started: from here on what its descendants leave is ours. */
void family_open(struct family *f);

/* Takes note of those that have ended.  -> whether `child` is one of them: *status as of
 * waitpid(). */
bool family_reap(struct family *f, pid_t child, int *status);

/* Sends signo (and SIGCONT, so that who is stopped hears it) once to each, `child` among them.
 * What they start in answer to it does not get it. */
void family_signal(const struct family *f, pid_t child, int signo);

/* Whether nobody but strangers is left. */
bool family_is_gone(const struct family *f);

#endif
