/* A connection to the HTTP port: one request, one answer, and closed; all of that in a bounded time
 * and space. */
#include "daemon/http/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/http/http.h"
#include "daemon/loop.h"
#include "daemon/serve/server.h"

#define LIFE (10000 * NSEC_MS)  /* of a connection, from the first byte to the last */

static void on_ready(evutil_socket_t fd, short what, void *arg);

/* Waits for `what`, for as long as the connection may live. */
static void
wait_for(struct connection *connection, short what)
{
	struct event_base *base = loop_base(connection->http->server->loop);
	nsec left = connection->until - clock_now();
	struct timeval timeout = {0, 1};

	if (left > NSEC_MS)
		timeout = (struct timeval){(time_t)(left / (1000 * NSEC_MS)),
		    (suseconds_t)(left % (1000 * NSEC_MS) / 1000)};
	event_assign(&connection->event, base, connection->fd, what, on_ready, connection);
	if (event_add(&connection->event, &timeout) < 0)
		http_close(connection->http, connection);
}

static const char *
reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 421:
		return "Misdirected Request";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	default:
		return "HTTP Version Not Supported";
	}
}

/* Writes what can be written now. */
static void
write_on(struct connection *connection)
{
	struct output *out = &connection->out;
	ssize_t n = 0;

	while (output_len(out) > 0 && n >= 0) {
		n = send(connection->fd, out->bytes + out->start, output_len(out), MSG_NOSIGNAL);
		if (n > 0)
			output_drop(out, (size_t)n);
	}
	if (output_len(out) > 0 && errno == EAGAIN) {
		wait_for(connection, EV_WRITE);
	} else if (output_len(out) > 0 || shutdown(connection->fd, SHUT_WR) < 0) {
		http_close(connection->http, connection);
	} else {
		/* Closed with something unread, it would be reset, and the answer lost on its way. */
		connection->state = CONNECTION_CLOSING;
		wait_for(connection, EV_READ);
	}
}

void
connection_answer(struct connection *connection, int status, const char *type,
    const char *headers, struct output *body)
{
	struct output *out = &connection->out;
	bool done = output_printf(out,
	    "HTTP/1.1 %d %s\r\n"
	    "Content-Type: %s\r\n"
	    "Content-Length: %zu\r\n"
	    "Connection: close\r\n"
	    "Cache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Referrer-Policy: no-referrer\r\n"
	    "%s\r\n", status, reason(status), type, output_len(body), headers);

	if (!connection->request.is_head && output_len(body) > 0)
		done = done && output_add(out, body->bytes + body->start, output_len(body));
	output_clear(body);
	if (!done) {
		http_close(connection->http, connection);
		return;
	}
	connection->state = CONNECTION_WRITING;
	write_on(connection);
}

static void
read_on(struct connection *connection)
{
	size_t room = sizeof connection->bytes - connection->n_read;
	ssize_t n = recv(connection->fd, connection->bytes + connection->n_read, room, 0);
	int status;

	if (n <= 0 && !(n < 0 && errno == EAGAIN)) {
		http_close(connection->http, connection);
		return;
	}
	connection->n_read += n > 0 ? (size_t)n : 0;
	status = http_request_parse(connection->bytes, connection->n_read, &connection->request);
	if (status == 200 && connection->request.is_by_name && connection->http->is_local)
		status = 421;
	if (status == 0) {
		wait_for(connection, EV_READ);
	} else {
		connection->state = CONNECTION_WAITING;
		connection->status = status;
		http_asked(connection->http, connection);
	}
}

/* The other end has nothing to say any more; what it says all the same is dropped. */
static void
drain(struct connection *connection)
{
	ssize_t n = recv(connection->fd, connection->bytes, sizeof connection->bytes, 0);

	if (n > 0 || (n < 0 && errno == EAGAIN))
		wait_for(connection, EV_READ);
	else
		http_close(connection->http, connection);
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;

	(void)fd;
	if ((what & EV_TIMEOUT) != 0)
		http_close(connection->http, connection);
	else if (connection->state == CONNECTION_READING)
		read_on(connection);
	else if (connection->state == CONNECTION_WRITING)
		write_on(connection);
	else
		drain(connection);
}

struct connection *
connection_new(struct http *http, int fd)
{
	struct connection *connection = calloc(1, sizeof *connection);

	if (connection == NULL) {
		close(fd);
		return NULL;
	}
	connection->http = http;
	connection->fd = fd;
	connection->until = clock_now() + LIFE;
	return connection;
}

void
connection_start(struct connection *connection)
{
	wait_for(connection, EV_READ);
}

void
connection_free(struct connection *connection)
{
	if (event_initialized(&connection->event))
		event_del(&connection->event);  /* before close: the number may be another's at once */
	close(connection->fd);
	output_clear(&connection->out);
	free(connection);
}
