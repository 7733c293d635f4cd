/* What slotd is measured against: servers that do nothing but answer each line with one. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

/* as long as a usual answer of slotd, and one that a client of slotd understands */
static const char answer[] = "OK 7 3670432112640001\n";

struct conn {
	struct event *event;
	size_t len;             /* of an incomplete line */
	char in[65536], out[262144];
};

/* Answers every complete line of what it has read by one write. */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t n = read(fd, c->in + c->len, sizeof c->in - c->len);
	size_t out = 0;
	char *line = c->in, *end;

	(void)what;
	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		event_free(c->event);
		close(fd);
		free(c);
		return;
	}
	c->len += (size_t)n;
	while ((end = memchr(line, '\n', c->len)) != NULL) {
		c->len -= (size_t)(end + 1 - line);
		line = end + 1;
		memcpy(c->out + out, answer, sizeof answer - 1);
		out += sizeof answer - 1;
	}
	memmove(c->in, line, c->len);
	if (out > 0 && write(fd, c->out, out) != (ssize_t)out)
		_exit(1);
}

static void
on_connection(evutil_socket_t listener, short what, void *arg)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c = calloc(1, sizeof *c);

	(void)what;
	if (fd < 0 || c == NULL)
		_exit(1);
	c->event = event_new(arg, fd, EV_READ | EV_PERSIST, on_readable, c);
	event_add(c->event, NULL);
}

static _Noreturn void
serve_events(int listener)
{
	struct event_base *base = event_base_new();
	struct event *event = event_new(base, listener, EV_READ | EV_PERSIST, on_connection, base);

	event_add(event, NULL);
	event_base_dispatch(base);
	_exit(1);
}

/* One connection after the other. */
static _Noreturn void
serve_blocking(int listener)
{
	char buf[4096];
	ssize_t n;

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		while ((n = read(fd, buf, sizeof buf)) > 0)
			if (write(fd, answer, sizeof answer - 1) < 0)
				break;
		close(fd);
	}
}

_Noreturn void
echo_serve(int listener, enum echo_kind kind)
{
	if (kind == ECHO_PING)
		serve_blocking(listener);
	serve_events(listener);
}
