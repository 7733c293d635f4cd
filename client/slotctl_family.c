/* Descendants: found in /proc from this process down, signalled without hitting others.
 *
 * This process is a subreaper (PR_SET_CHILD_SUBREAPER): whoever loses his parent becomes its child,
 * so that nobody leaves the tree below it.  Who is found is held by a pidfd before his parent is
 * looked at: a number that has become another's meanwhile is not signalled. */
#include "client/slotctl_family.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSES 8        /* more would be a race with somebody who forks faster than we look */

/* ------------------------------------------------------------------ numbers of processes */

/* Without memory it is left out: a later look finds it again. */
static void
pids_add(struct pids *pids, pid_t pid)
{
	if (pids->n == pids->size) {
		size_t size = pids->size > 0 ? 2 * pids->size : 64;
		pid_t *grown = realloc(pids->pid, size * sizeof *grown);

		if (grown == NULL)
			return;
		pids->pid = grown;
		pids->size = size;
	}
	pids->pid[pids->n++] = pid;
}

static bool
pids_have(const struct pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->n; i++)
		if (pids->pid[i] == pid)
			return true;
	return false;
}

static void
pids_remove(struct pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->n; i++)
		if (pids->pid[i] == pid)
			pids->pid[i--] = pids->pid[--pids->n];
}

/* ------------------------------------------------------------------ /proc */

/* Adds the children of all threads of a process.  False: /proc does not tell. */
static bool
children_of(pid_t pid, struct pids *to)
{
	char path[64];
	DIR *threads;
	struct dirent *thread;
	bool is_told = false;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	threads = opendir(path);
	if (threads == NULL)
		return false;
	while ((thread = readdir(threads)) != NULL) {
		FILE *children;
		int child;

		snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", (int)pid,
		    thread->d_name);
		if (thread->d_name[0] == '.' || (children = fopen(path, "re")) == NULL)
			continue;
		is_told = true;
		while (fscanf(children, "%d", &child) == 1)
			pids_add(to, child);
		fclose(children);
	}
	closedir(threads);
	return is_told;
}

/* -> 0: there is no such process. */
static pid_t
parent_of(pid_t pid)
{
	char path[64], stat[512], *behind_name;
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	stat[fread(stat, 1, sizeof stat - 1, file)] = '\0';
	fclose(file);
	behind_name = strrchr(stat, ')');       /* which may be anything, with blanks in it */
	if (behind_name == NULL || sscanf(behind_name, ") %*c %d", &parent) != 1)
		return 0;
	return parent;
}

/* ------------------------------------------------------------------ the family */

void
family_open(struct family *f)
{
	char self[16] = "";

	*f = (struct family){.is_known = false};
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return;
	/* In /proc of another pid namespace our numbers are other processes'. */
	if (readlink("/proc/self", self, sizeof self - 1) < 0 || atoi(self) != getpid())
		return;
	f->is_known = children_of(getpid(), &f->strangers);
}

bool
family_reap(struct family *f, pid_t child, int *status)
{
	bool has_ended = false;
	int any;
	pid_t pid;

	while ((pid = waitpid(-1, &any, WNOHANG)) > 0) {
		pids_remove(&f->strangers, pid);
		if (pid == child) {
			*status = any;
			has_ended = true;
		}
	}
	return has_ended;
}

static void
send_signal(int fd, pid_t pid, int signo)
{
	if (fd < 0)
		kill(pid, signo);
	else
		pidfd_send_signal(fd, signo, NULL, 0);
}

/* False: it is not, or no longer, that parent's child.  A system without pidfds (before Linux 5.3)
 * leaves a moment between the look at the parent and the signal. */
static bool
signal_child(pid_t pid, pid_t parent, int signo)
{
	int fd = pidfd_open(pid, 0);
	bool is_child;

	if (fd < 0 && errno != ENOSYS)
		return false;
	is_child = parent_of(pid) == parent;
	if (is_child) {
		send_signal(fd, pid, signo);
		send_signal(fd, pid, SIGCONT);
	}
	if (fd >= 0)
		close(fd);
	return is_child;
}

/* Signals the children of a process that have not been, and adds them.  A process is signalled
 * before its children are looked for: what it forks when it has heard the signal is its answer. */
static void
signal_children(const struct family *f, pid_t parent, int signo, struct pids *signalled)
{
	struct pids children = {.n = 0};

	children_of(parent, &children);
	for (size_t i = 0; i < children.n; i++) {
		pid_t pid = children.pid[i];

		if (!pids_have(&f->strangers, pid) && !pids_have(signalled, pid) &&
		    signal_child(pid, parent, signo))
			pids_add(signalled, pid);
	}
	free(children.pid);
}

void
family_signal(const struct family *f, pid_t child, int signo)
{
	struct pids signalled = {.n = 0};
	size_t before, looked_at = 0;
	int pass = 0;

	if (!f->is_known) {
		kill(child, signo);
		kill(child, SIGCONT);
		return;
	}
	/* Again, since the children of those that have died meanwhile are ours now. */
	do {
		before = signalled.n;
		signal_children(f, getpid(), signo, &signalled);
		for (; looked_at < signalled.n; looked_at++)
			signal_children(f, signalled.pid[looked_at], signo, &signalled);
	} while (signalled.n > before && ++pass < PASSES);
	free(signalled.pid);
}

bool
family_is_gone(const struct family *f)
{
	struct pids children = {.n = 0};
	bool is_gone = true;

	if (!f->is_known)
		return true;
	children_of(getpid(), &children);
	for (size_t i = 0; i < children.n; i++)
		is_gone &= pids_have(&f->strangers, children.pid[i]);
	free(children.pid);
	return is_gone;
}
