/* A client's end of a connection: blocking, a line at a time. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define PATIENCE_MS 30000       /* for any single answer; then something is broken */

int
peer_connect(const char *socket_path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", socket_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		fail("%s: %s", socket_path, strerror(errno));
	return fd;
}

void
peer_open(struct peer *peer, const char *socket_path)
{
	peer->fd = peer_connect(socket_path);
	peer->len = 0;
	peer->buf[0] = '\0';
}

void
peer_close(struct peer *peer)
{
	close(peer->fd);
}

void
peer_send(struct peer *peer, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(peer->fd, text, len, MSG_NOSIGNAL);

		if (n < 0)
			fail("send: %s", strerror(errno));
		text += n;
		len -= (size_t)n;
	}
}

/* The line that was taken last is dropped at the next call: it stands before the buffer's text. */
const char *
peer_line(struct peer *peer)
{
	static char line[1100];
	char *end;

	while ((end = memchr(peer->buf, '\n', peer->len)) == NULL) {
		struct pollfd pfd = {.fd = peer->fd, .events = POLLIN};
		ssize_t n = recv(peer->fd, peer->buf + peer->len, sizeof peer->buf - peer->len,
		    MSG_DONTWAIT);

		if (n > 0)
			peer->len += (size_t)n;
		else if (n == 0 || errno != EAGAIN || poll(&pfd, 1, PATIENCE_MS) != 1)
			fail("no answer");
	}
	snprintf(line, sizeof line, "%.*s", (int)(end - peer->buf), peer->buf);
	peer->len -= (size_t)(end + 1 - peer->buf);
	memmove(peer->buf, end + 1, peer->len);
	return line;
}

const char *
peer_ask(struct peer *peer, const char *request, const char *start)
{
	const char *line;

	peer_send(peer, request);
	line = peer_line(peer);
	if (strncmp(line, start, strlen(start)) != 0)
		fail("to %s the answer is %s", request, line);
	return line;
}
