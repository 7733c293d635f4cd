/* The socket of a connection: one after another, if slotd goes and comes back. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/libslot/connection.h"

/* The socket is non-blocking from the start: a blocking connect() would wait without end for a
 * daemon whose backlog is full. */
int
socket_open(struct slot_conn *conn)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd == -1)
		return SLOT_ESYSTEM;
	if (connect(fd, (struct sockaddr *)&conn->address, sizeof conn->address) != 0 ||
	    epoll_ctl(conn->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		error = errno;
		close(fd);
		errno = error;
		if (error == ENOENT || error == ECONNREFUSED || error == EAGAIN || error == EINTR)
			return SLOT_ENODAEMON;
		return error == EACCES || error == EPERM ? SLOT_ENOACCESS : SLOT_ESYSTEM;
	}
	conn->fd = fd;
	conn->watched = event.events;
	return 0;
}

/* It is shut down first: a process that has inherited it must not keep slots that count as lost
 * here, or are resumed.  And it is taken out of the epoll descriptor, which does not forget it by
 * itself if another process has it too. */
void
socket_close(struct slot_conn *conn)
{
	if (conn->fd >= 0) {
		shutdown(conn->fd, SHUT_RDWR);
		(void)epoll_ctl(conn->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
		close(conn->fd);
	}
	if (conn->passed >= 0)
		close(conn->passed);
	conn->fd = conn->passed = -1;
	conn->is_greeted = conn->is_deaf = conn->has_more = false;
	conn->in_len = conn->out_len = conn->out_sent = 0;
	conn->list = NULL;
}
