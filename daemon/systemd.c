/* What slotd and its service manager say to each other. */
#include "daemon/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"

#define FIRST_FD 3              /* the manager's sockets are numbered from here */

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

void
systemd_notify(const char *state)
{
	const char *to = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len;
	int fd;

	if (to == NULL || to[0] == '\0')
		return;
	if (strlen(to) >= sizeof(addr.sun_path)) {
		log_warnx("NOTIFY_SOCKET is too long");
		return;
	}
	strcpy(addr.sun_path, to);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(to));
	if (to[0] == '@')
		addr.sun_path[0] = '\0';        /* an abstract socket */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr, len) < 0)
		log_warn("telling the service manager at %s", to);
	if (fd >= 0)
		close(fd);
}
