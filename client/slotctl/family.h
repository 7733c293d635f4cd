/* The wrapped command and all that it has started, wherever that has gone: other sessions and
 * process groups, and daemons whose parent has ended, which become children of this process. */
#ifndef SLOTCTL_FAMILY_H
#define SLOTCTL_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct processes {
	struct process {
		pid_t pid, parent;
	} *list;
	size_t n, size;
};

struct family {
	bool is_known;          /* the kernel shows who is whose child: else the command alone is */
	struct processes strangers;     /* children that this process had before the command */
};

/* Before the command is started: from here on what its descendants leave is ours. */
void family_open(struct family *f);
void family_close(struct family *f);

/* Takes note of those that have ended.  -> whether `child` is one of them: *status as of
 * waitpid(). */
bool family_reap(struct family *f, pid_t child, int *status);

/* Sends it SIGTERM, and SIGCONT, so that who is stopped hears it; to `child` and each that is there
 * by then.  What they start in answer to it is left alone, so that handlers can clean up. */
void family_term(const struct family *f, pid_t child);

/* SIGKILL, also to those that are started meanwhile. */
void family_kill(const struct family *f, pid_t child);

/* Whether nobody but strangers is left. */
bool family_is_gone(const struct family *f);

#endif
