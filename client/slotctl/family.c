/* Descendants: found in /proc from this process down, signalled without hitting others.
 *
 * This process is a subreaper (PR_SET_CHILD_SUBREAPER): whoever loses his parent becomes its child,
 * so that nobody leaves the tree below it.  Who is signalled is held by a pidfd before his parent
 * is looked at: a number that has become another's meanwhile is left alone. */
#include "client/slotctl/family.h"

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

/* ------------------------------------------------------------------ lists */

/* Without memory it is left out: a later look finds it again. */
static void
processes_add(struct processes *to, pid_t pid, pid_t parent)
{
	if (to->n == to->size) {
		size_t size = to->size > 0 ? 2 * to->size : 64;
		struct process *grown = realloc(to->list, size * sizeof *grown);

		if (grown == NULL)
			return;
		to->list = grown;
		to->size = size;
	}
	to->list[to->n++] = (struct process){pid, parent};
}

static bool
processes_have(const struct processes *p, pid_t pid)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->list[i].pid == pid)
			return true;
	return false;
}

static void
processes_remove(struct processes *p, pid_t pid)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->list[i].pid == pid)
			p->list[i--] = p->list[--p->n];
}

/* ------------------------------------------------------------------ /proc */

/* Adds the children of all threads of a process.  False: /proc does not tell. */
static bool
children_of(pid_t pid, struct processes *to)
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
			processes_add(to, child, pid);
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

void
family_close(struct family *f)
{
	free(f->strangers.list);
	f->strangers = (struct processes){.n = 0};
}

bool
family_reap(struct family *f, pid_t child, int *status)
{
	bool has_ended = false;
	int any;
	pid_t pid;

	while ((pid = waitpid(-1, &any, WNOHANG)) > 0) {
		processes_remove(&f->strangers, pid);
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

/* Signals a process and adds its children.  They are listed before SIGTERM, since those that it
 * forks afterwards may be its answer, and after SIGKILL, when it forks no more.  A system without
 * pidfds (before Linux 5.3) leaves a moment between the look at the parent and the signal. */
static void
visit(struct process process, int signo, struct processes *to)
{
	int fd = pidfd_open(process.pid, 0);
	pid_t parent;

	if (fd < 0 && errno != ENOSYS)
		return;
	parent = parent_of(process.pid);
	if (parent == process.parent || parent == getpid()) {
		if (signo == SIGTERM)
			children_of(process.pid, to);
		send_signal(fd, process.pid, signo);
		send_signal(fd, process.pid, SIGCONT);
		if (signo == SIGKILL)
			children_of(process.pid, to);
	}
	if (fd >= 0)
		close(fd);
}

/* Visits all that are not in *visited, and adds them there.  -> whether there was one. */
static bool
pass(const struct family *f, int signo, struct processes *visited)
{
	struct processes found = {.n = 0};
	size_t before = visited->n;

	children_of(getpid(), &found);
	for (size_t i = 0; i < found.n; i++) {
		struct process process = found.list[i];

		if (processes_have(&f->strangers, process.pid) ||
		    processes_have(visited, process.pid))
			continue;
		processes_add(visited, process.pid, process.parent);
		visit(process, signo, &found);
	}
	free(found.list);
	return visited->n > before;
}

void
family_term(const struct family *f, pid_t child)
{
	struct processes visited = {.n = 0};

	if (f->is_known) {
		pass(f, SIGTERM, &visited);
	} else {
		kill(child, SIGTERM);
		kill(child, SIGCONT);
	}
	free(visited.list);
}

/* Again, since the children of those that die meanwhile become ours. */
void
family_kill(const struct family *f, pid_t child)
{
	struct processes visited = {.n = 0};
	int n = 0;

	if (f->is_known)
		while (pass(f, SIGKILL, &visited) && ++n < PASSES)
			;
	else
		kill(child, SIGKILL);
	free(visited.list);
}

bool
family_is_gone(const struct family *f)
{
	struct processes children = {.n = 0};
	bool is_gone = true;

	if (!f->is_known)
		return true;
	children_of(getpid(), &children);
	for (size_t i = 0; i < children.n; i++)
		is_gone &= processes_have(&f->strangers, children.list[i].pid);
	free(children.list);
	return is_gone;
}
