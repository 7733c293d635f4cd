/* What slotd and its service manager say to each other. */
#include "daemon/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"

#define FIRST_FD 3              /* the manager's sockets are numbered from here */
#define NOTIFY_S 1              /* a manager that is busy for longer does not stop us */

static int
option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	if (getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0)
		return -1;
	return value;
}

static void
check_socket(int fd, char **path)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);

	memset(&addr, 0, sizeof(addr));
	if (option(fd, SO_DOMAIN) != AF_UNIX || option(fd, SO_TYPE) != SOCK_STREAM ||
	    option(fd, SO_ACCEPTCONN) != 1)
		fatalx("LISTEN_FDS: descriptor %d is not a listening AF_UNIX stream socket", fd);
	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		fatal("LISTEN_FDS: getsockname");
	if (len <= offsetof(struct sockaddr_un, sun_path) || addr.sun_path[0] == '\0')
		fatalx("LISTEN_FDS: the socket has no path; slotd keeps files beside it");
	/* A path of the greatest length has no NUL. */
	*path = strndup(addr.sun_path, len - offsetof(struct sockaddr_un, sun_path));
	if (*path == NULL)
		fatal("LISTEN_FDS");
}

int
systemd_listen_fd(char **path)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	bool ours = pid != NULL && fds != NULL && strtol(pid, NULL, 10) == getpid();
	long n = ours ? strtol(fds, NULL, 10) : 0;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (n == 0)
		return -1;
	if (n != 1)
		fatalx("LISTEN_FDS: one socket is expected, not %ld", n);
	check_socket(FIRST_FD, path);
	if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0 || fcntl(FIRST_FD, F_SETFL, O_NONBLOCK) < 0)
		fatal("LISTEN_FDS: fcntl");
	return FIRST_FD;
}

/* -> false if the manager has not taken it in that time; errno says why */
static bool
send_state(const char *to, const char *state, time_t wait_s)
{
	const struct timeval most = {.tv_sec = wait_s};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(to));
	int fd, error;
	bool done;

	if (strlen(to) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	strcpy(addr.sun_path, to);
	if (to[0] == '@')
		addr.sun_path[0] = '\0';        /* an abstract socket */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	done = setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) == 0 &&
	    sendto(fd, state, strlen(state), MSG_NOSIGNAL | (wait_s > 0 ? 0 : MSG_DONTWAIT),
		(struct sockaddr *)&addr, len) >= 0;
	error = errno;
	close(fd);
	errno = error;
	return done;
}

static const char *
manager_address(void)
{
	const char *to = getenv("NOTIFY_SOCKET");

	return to != NULL && to[0] != '\0' ? to : NULL;
}

bool
systemd_is_manager(void)
{
	return manager_address() != NULL;
}

void
systemd_notify(const char *state)
{
	const char *to = manager_address();

	if (to != NULL && !send_state(to, state, NOTIFY_S))
		log_warn("telling the service manager at %s", to);
}

/* Without a time of its own the manager would take a READY=1 from before for its end. */
void
systemd_notify_reloading(void)
{
	struct timespec now;
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	systemd_notify(state);
}

bool
systemd_try_notify(const char *state)
{
	const char *to = manager_address();

	return to == NULL || send_state(to, state, 0);
}
