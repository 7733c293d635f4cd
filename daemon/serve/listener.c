/* The listener: the socket that clients connect to. */
#include "daemon/serve/listener.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/serve/answer.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"
#include "daemon/unix_socket.h"

#define BACKLOG 4096            /* a crowd that connects at once; net.core.somaxconn bounds it */
#define ACCEPT_MAX 4            /* in one turn: those whom we have come next */
#define REFUSE_MAX 64           /* likewise, before a pause */
#define PAUSE_MS 100            /* without descriptors or memory: until we try again */

struct listener {
	struct server *server;
	int fd;
	int spare_fd;           /* given up for a moment, to accept and refuse when there is no
				   other; or -1 */
	struct unix_socket bound;       /* that of fd, if we have bound it ourselves */
	struct event *readable, *pause;
	bool is_full;           /* as last logged */
	bool is_out;            /* out of descriptors or memory; as last logged */
};

static void
warn_of_overridden(const struct config *config)
{
	static const char *const keys[] = {"socket", "socket_mode", "socket_group"};
	size_t n = sizeof keys / sizeof keys[0];

	if (config->metrics.listen[0] == '/')
		n = 1;          /* the others are for the socket of HTTP, too */
	for (size_t i = 0; i < n; i++)
		if (config_is_given(config, keys[i]))
			log_warnx("%s has no effect: the socket was handed over by the service "
			    "manager", keys[i]);
}

/* ---------------------------------------------------------------- accepting */

static void
refuse(struct listener *listener, int fd, const char *why)
{
	char line[ANSWER_MAX];
	size_t len = answer_clients(listener->server->max_clients, why, line);

	(void)send(fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static int
accept_one(struct listener *listener)
{
	int fd;

	do
		fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	return fd;
}

static void
take(struct listener *listener, int fd)
{
	struct server *server = listener->server;

	if (server->n_clients < server->max_clients) {
		/* At the brink it would be said again with each that comes and goes. */
		if (server->n_clients < server->max_clients - server->max_clients / 10)
			listener->is_full = false;
		session_open(server, fd);
		return;
	}
	if (!listener->is_full)
		log_warnx("max_clients: %u are connected; more are refused", server->n_clients);
	listener->is_full = true;
	server->dropped.max_clients++;
	refuse(listener, fd, "slotd has as many connections as it may have");
}

static int
spare_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Without a descriptor nobody can even be refused, and the event would come again at once: so one
 * is kept in reserve for that, and there is a pause. */
static void
out_of_descriptors(struct listener *listener, int error)
{
	const struct timeval timeout = {0, PAUSE_MS * 1000};
	int i, fd;

	if (!listener->is_out) {
		errno = error;
		log_warn("accept; refusing connections");
	}
	listener->is_out = true;
	for (i = 0; i < REFUSE_MAX && listener->spare_fd >= 0; i++) {
		close(listener->spare_fd);
		fd = accept_one(listener);
		if (fd >= 0) {
			listener->server->dropped.no_fds++;
			refuse(listener, fd, "slotd has no file descriptor for it");
		}
		listener->spare_fd = spare_open();
		if (fd < 0)
			break;
	}
	event_del(listener->readable);
	event_add(listener->pause, &timeout);
}

static void
on_readable(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listener *listener = arg;
	int i, fd;

	(void)listen_fd;
	(void)what;
	for (i = 0; i < ACCEPT_MAX; i++) {
		fd = accept_one(listener);
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0) {
			out_of_descriptors(listener, errno);
			return;
		}
		if (listener->is_out)
			log_info("accepting connections again");
		listener->is_out = false;
		take(listener, fd);
	}
}

static void
on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	if (listener->spare_fd < 0)
		listener->spare_fd = spare_open();
	event_add(listener->readable, NULL);
}

struct listener *
listener_new(struct server *server, const struct config *config, int fd)
{
	struct listener *listener = calloc(1, sizeof *listener);
	struct event_base *base = loop_base(server->loop);

	if (listener == NULL)
		fatal("listener");
	listener->server = server;
	listener->fd = fd;
	if (fd < 0)
		listener->fd = unix_socket_bind(&listener->bound, config->socket, config, BACKLOG);
	else
		warn_of_overridden(config);
	listener->spare_fd = spare_open();
	listener->readable = event_new(base, listener->fd, EV_READ | EV_PERSIST, on_readable,
	    listener);
	listener->pause = evtimer_new(base, on_pause_over, listener);
	if (listener->spare_fd < 0 || listener->readable == NULL || listener->pause == NULL ||
	    event_add(listener->readable, NULL) < 0)
		fatal("listener");
	return listener;
}

void
listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	unix_socket_unlink(&listener->bound);
	event_free(listener->readable);
	event_free(listener->pause);
	close(listener->fd);
	if (listener->spare_fd >= 0)
		close(listener->spare_fd);
	free(listener);
}
