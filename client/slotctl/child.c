/* The wrapped command: signals read through a descriptor, fork and exec.
 *
 * Signals are blocked from before the fork on and read by signalfd: there is no handler, and no
 * moment at which one could get lost between fork, exec and the end of the child. */
#include "client/slotctl/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the command finds its copy of the connection: low numbers are what scripts take for their
 * own redirections, which would close it. */
#define KEPT_FD_MIN 64

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

#define N_PASSED_ON (sizeof passed_on / sizeof passed_on[0])

static bool
is_ignored(int signo)
{
	struct sigaction now;

	return sigaction(signo, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

int
signals_open(struct signals *s)
{
	struct sigaction chld = {.sa_handler = SIG_DFL}, pipe = {.sa_handler = SIG_IGN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	/* What we were told to ignore (nohup) we do not even block: Linux would queue it. */
	for (size_t i = 0; i < N_PASSED_ON; i++)
		if (!is_ignored(passed_on[i]))
			sigaddset(&set, passed_on[i]);

	/* With SIGCHLD ignored, as some parents leave it, there would be no status to wait for; and
	 * a closed stderr must not end the wrapper before its child. */
	if (sigaction(SIGCHLD, &chld, &s->old_chld) < 0 ||
	    sigaction(SIGPIPE, &pipe, &s->old_pipe) < 0 ||
	    sigprocmask(SIG_BLOCK, &set, &s->old_mask) < 0)
		return -1;
	s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->fd < 0 ? -1 : 0;
}

static void
signals_restore(const struct signals *s)
{
	sigaction(SIGCHLD, &s->old_chld, NULL);
	sigaction(SIGPIPE, &s->old_pipe, NULL);
	sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
}

int
signals_next(struct signals *s, bool *from_terminal)
{
	struct signalfd_siginfo info;

	if (read(s->fd, &info, sizeof info) != sizeof info)
		return 0;
	*from_terminal = info.ssi_code == SI_KERNEL;
	return (int)info.ssi_signo;
}

/* The child's side of the fork.  Only async-signal-safe calls. */
static _Noreturn void
become(char *const *argv, int keep_fd, const struct signals *s, pid_t parent, int report)
{
	int error;

	/* Should the wrapper die, the command is told.  If it has died already, nobody sends the
	 * signal; then we are another's child by now. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	if (keep_fd >= 0 && fcntl(keep_fd, F_DUPFD, KEPT_FD_MIN) < 0)
		fcntl(keep_fd, F_SETFD, 0);
	signals_restore(s);
	execvp(argv[0], argv);
	error = errno;
	while (write(report, &error, sizeof error) < 0 && errno == EINTR)
		;
	_exit(127);
}

int
child_start(struct child *c, char *const *argv, int keep_fd, struct signals *s)
{
	pid_t parent = getpid();
	int report[2], error = 0, signo;
	bool from_terminal;
	ssize_t n;

	c->failed_exec = false;
	if (pipe2(report, O_CLOEXEC) < 0)
		return errno;
	c->pid = fork();
	if (c->pid < 0) {
		error = errno;
		close(report[0]);
		close(report[1]);
		return error;
	}
	if (c->pid == 0)
		become(argv, keep_fd, s, parent, report[1]);

	/* What came before the fork the child has not had, the terminal's signals included. */
	while ((signo = signals_next(s, &from_terminal)) != 0)
		if (signo != SIGCHLD)
			kill(c->pid, signo);

	/* exec closes the pipe: end of file means that the command runs. */
	close(report[1]);
	while ((n = read(report[0], &error, sizeof error)) < 0 && errno == EINTR)
		;
	close(report[0]);
	if (n != sizeof error)
		return 0;
	c->failed_exec = true;
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return error;
}

void
child_signal(const struct child *c, int signo, bool from_terminal)
{
	/* The terminal signals the whole foreground process group: the child has had it, unless
	 * it has moved to a group of its own. */
	if (!from_terminal || getpgid(c->pid) != getpgrp())
		kill(c->pid, signo);
}
