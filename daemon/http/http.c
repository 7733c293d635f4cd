/* HTTP: the port where metrics and the page are served. */
#include "daemon/http/http.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/http/connection.h"
#include "daemon/http/route.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/serve/server.h"

#define BACKLOG 16
#define ACCEPT_MAX 4            /* in one turn */
#define RETRY_MS 1000           /* until the address, or a descriptor, is tried again */
#define SHARE 10                /* an answer that took so long is followed by a rest, so that it was
				   this part of our time */

static void
start_timer(struct event *timer, nsec after)
{
	const struct timeval timeout = {(time_t)(after / (1000 * NSEC_MS)),
	    (suseconds_t)(after % (1000 * NSEC_MS) / 1000)};

	if (event_add(timer, &timeout) < 0)
		log_warnx("HTTP: no timer");
}

/* ---------------------------------------------------------------- answers */

static struct connection *
first_waiting(const struct http *http)
{
	struct connection *connection;

	TAILQ_FOREACH (connection, &http->connections, link)
		if (connection->state == CONNECTION_WAITING)
			return connection;
	return NULL;
}

/* At most one answer in a turn. */
static void
work(struct http *http)
{
	struct connection *connection = first_waiting(http);
	nsec began = clock_now(), now = began;

	if (connection == NULL)
		return;
	if (began >= http->rest_until) {
		route_answer(http->server, connection);
		now = clock_now();
		http->rest_until = now + (now - began) * (SHARE - 1);
	}
	if (first_waiting(http) != NULL && !event_pending(http->work, EV_TIMEOUT, NULL))
		start_timer(http->work, http->rest_until - now);
}

static void
on_work(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	work(arg);
}

void
http_asked(struct http *http, struct connection *connection)
{
	if (route_is_light(connection))         /* a probe does not wait behind what is heavy */
		route_answer(http->server, connection);
	else
		work(http);
}

/* ---------------------------------------------------------------- connections */

void
http_close(struct http *http, struct connection *connection)
{
	TAILQ_REMOVE(&http->connections, connection, link);
	http->n_connections--;
	connection_free(connection);
	if (http->is_full)
		event_add(http->readable, NULL);
	http->is_full = false;
}

/* Where there is no room, whoever has been here longest makes some, unless he is about to be answered:
 * else those who say nothing, or do not read, could keep out the others.  NULL: nobody can go. */
static struct connection *
first_to_go(const struct http *http)
{
	struct connection *connection;

	TAILQ_FOREACH (connection, &http->connections, link)
		if (connection->state != CONNECTION_WAITING)
			return connection;
	return NULL;
}

static bool
is_full(const struct http *http)
{
	return http->n_connections == HTTP_CONNECTIONS;
}

static void
take(struct http *http, int fd)
{
	struct connection *connection;

	if (is_full(http))
		http_close(http, first_to_go(http));
	connection = connection_new(http, fd);
	if (connection == NULL)
		return;
	TAILQ_INSERT_TAIL(&http->connections, connection, link);
	http->n_connections++;
	connection_start(connection);
}

static void
out_of_descriptors(struct http *http)
{
	if (!http->is_out)
		log_warn("HTTP: accept");
	http->is_out = true;
	event_del(http->readable);
	start_timer(http->retry, RETRY_MS * NSEC_MS);
}

static void
on_readable(evutil_socket_t listen_fd, short what, void *arg)
{
	struct http *http = arg;
	int fd;

	(void)what;
	for (unsigned i = 0; i < ACCEPT_MAX; i++) {
		if (is_full(http) && first_to_go(http) == NULL) {
			http->is_full = true;
			event_del(http->readable);
			return;
		}
		fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN)
				out_of_descriptors(http);
			return;
		}
		http->is_out = false;
		take(http, fd);
	}
}

/* ---------------------------------------------------------------- the socket */

static int
bind_ip(const struct address *address)
{
	const int on = 1;
	int family = address->ip.any.sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &address->ip.any, (socklen_t)address->len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* A port that another program has is no reason to grant no slots. */
static void
open_ip(struct http *http)
{
	http->fd = bind_ip(&http->address);
	if (http->fd >= 0)
		return;
	if (!http->is_out)
		log_error("HTTP: %s: %s; trying again", http->listen, strerror(errno));
	http->is_out = true;
	start_timer(http->retry, RETRY_MS * NSEC_MS);
}

static void
start(struct http *http)
{
	http->readable = event_new(loop_base(http->server->loop), http->fd, EV_READ | EV_PERSIST,
	    on_readable, http);
	if (http->readable == NULL || event_add(http->readable, NULL) < 0)
		fatalx("HTTP: no event");
	http->is_out = false;
	log_info("HTTP is served on %s", http->listen);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct http *http = arg;

	(void)fd;
	(void)what;
	if (http->fd < 0)
		open_ip(http);
	if (http->readable != NULL)
		event_add(http->readable, NULL);
	else if (http->fd >= 0)
		start(http);
}

struct http *
http_new(struct server *server, const struct config *config)
{
	struct event_base *base = loop_base(server->loop);
	struct http *http;
	char why[128];

	if (config->metrics.listen[0] == '\0')
		return NULL;
	http = calloc(1, sizeof *http);
	if (http == NULL || (http->listen = strdup(config->metrics.listen)) == NULL)
		fatal("HTTP");
	http->server = server;
	TAILQ_INIT(&http->connections);
	http->retry = evtimer_new(base, on_retry, http);
	http->work = evtimer_new(base, on_work, http);
	if (http->retry == NULL || http->work == NULL)
		fatalx("HTTP: no timer");
	if (address_parse(http->listen, config->metrics.any_address, &http->address, why,
	    sizeof why) < 0)
		fatalx("HTTP: %s: %s", http->listen, why);      /* it was checked */
	http->is_local = http->address.path == NULL && !config->metrics.any_address;
	if (http->address.path != NULL)
		http->fd = unix_socket_bind(&http->bound, http->address.path, config, BACKLOG);
	else
		open_ip(http);
	if (http->fd >= 0)
		start(http);
	return http;
}

void
http_free(struct http *http)
{
	struct connection *connection;

	if (http == NULL)
		return;
	unix_socket_unlink(&http->bound);
	while ((connection = TAILQ_FIRST(&http->connections)) != NULL) {
		TAILQ_REMOVE(&http->connections, connection, link);
		connection_free(connection);
	}
	event_free(http->retry);
	event_free(http->work);
	if (http->readable != NULL)
		event_free(http->readable);
	if (http->fd >= 0)
		close(http->fd);
	free(http->listen);
	free(http);
}
