/* The bytes of a connection: lines out, lines in, never blocking but in conn_poll().
 *
 * A failed write does not end the connection by itself: what slotd said last, such as why it
 * closes, may still wait to be read. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/libslot/connection.h"

/* A peer that sends without end must not keep slot_process() for ever. */
#define READS_AT_ONCE 16

/* What a line says, or its callback, may end all reading. */
static bool
is_open(const struct slot_conn *conn)
{
	return conn->fd >= 0 && !conn->ended;
}

void
conn_flush(struct slot_conn *conn)
{
	while (conn->out_sent < conn->out_len && !conn->is_deaf && is_open(conn)) {
		ssize_t n = send(conn->fd, conn->out + conn->out_sent, conn->out_len - conn->out_sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			conn->out_sent += (size_t)n;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			conn->is_deaf = true;
	}
	conn->out_sent = conn->out_len = 0;
}

/* Copies the line; sends it now if that does not block, else by and by.  What callbacks say goes
 * out together, at the end of slot_process(). */
int
conn_say(struct slot_conn *conn, const char *line, size_t len)
{
	if (conn->out_size - conn->out_len < len) {
		size_t size = (conn->out_len + len) * 2;
		char *out;

		if (conn->out_sent > 0) {
			memmove(conn->out, conn->out + conn->out_sent, conn->out_len - conn->out_sent);
			conn->out_len -= conn->out_sent;
			conn->out_sent = 0;
		}
		if (conn->out_size - conn->out_len < len) {
			out = realloc(conn->out, size);
			if (out == NULL)
				return SLOT_ENOMEM;
			conn->out = out;
			conn->out_size = size;
		}
	}
	memcpy(conn->out + conn->out_len, line, len);
	conn->out_len += len;
	if (!conn->is_processing)
		conn_flush(conn);
	return 0;
}

/* Hands every complete line of the buffer on, and keeps the rest. */
static void
conn_split(struct slot_conn *conn)
{
	char *line = conn->in;
	size_t left = conn->in_len;
	char *end;

	while (is_open(conn) && (end = memchr(line, '\n', left)) != NULL) {
		size_t len = (size_t)(end - line);

		left -= len + 1;
		if (len + 1 > WIRE_LINE_MAX || memchr(line, '\0', len) != NULL) {
			conn_end(conn, SLOT_EPROTOCOL, NULL);
			return;
		}
		if (len > 0 && line[len - 1] == '\r')
			len--;
		line[len] = '\0';
		answer_line(conn, line, len);
		line = end + 1;
	}
	if (is_open(conn) && left >= WIRE_LINE_MAX)
		conn_end(conn, SLOT_EPROTOCOL, NULL);
	if (!is_open(conn))
		return;
	memmove(conn->in, line, left);
	conn->in_len = left;
}

/* One descriptor is expected, with the OK of HELLO; any other is closed, so that no peer can fill
 * the table of this process. */
static void
conn_take_passed(struct slot_conn *conn, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (conn->passed < 0 && !conn->is_greeted)
				conn->passed = fd;
			else
				close(fd);
		}
	}
}

static ssize_t
conn_receive(struct slot_conn *conn, size_t room)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec iov = {conn->in + conn->in_len, room};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	ssize_t n = recvmsg(conn->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n >= 0)
		conn_take_passed(conn, &msg);
	return n;
}

void
conn_exchange(struct slot_conn *conn)
{
	int reads = 0;

	conn_flush(conn);
	do {
		size_t room = sizeof conn->in - conn->in_len;
		ssize_t n;

		if (!is_open(conn))
			return;
		n = conn_receive(conn, room);
		conn->has_more = n == (ssize_t)room || (n < 0 && errno == EINTR);
		if (n > 0) {
			conn->in_len += (size_t)n;
			conn_split(conn);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			conn_break(conn, SLOT_EDISCONNECTED, NULL);
		}
	} while (conn->has_more && ++reads < READS_AT_ONCE);
	if (conn->is_deaf && !conn->has_more)
		conn_break(conn, SLOT_EDISCONNECTED, NULL);
}

/* Without a socket this is only a pause. */
void
conn_poll(struct slot_conn *conn, int64_t deadline)
{
	struct pollfd pfd = {.fd = conn->fd, .events = slot_events(conn)};
	int64_t wake = conn_wake(conn);

	if (!conn->ended && !conn->is_deaf && !conn->has_more)
		poll(&pfd, 1, timeout_until(wake < deadline ? wake : deadline));
}
