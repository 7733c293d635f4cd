/* A connection's beginning and end. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/connection.h"

/* Between attempts: often enough to be there soon after a restart, seldom enough for ten thousand
 * clients that all wait for one. */
#define PAUSE_FIRST_MS 50
#define PAUSE_LAST_MS 2000

const char *
slot_version(void)
{
	return SLOTD_VERSION;
}

/* ------------------------------------------------------------------ the end */

int
conn_error(struct slot_conn *conn, int code, const char *detail)
{
	if (conn != NULL) {
		conn->error = code;
		conn->detail[0] = '\0';
		if (detail != NULL)
			strncat(conn->detail, detail, sizeof conn->detail - 1);
	}
	return code;
}

/* conn->ended is set: nothing here is said to slotd any more. */
static void
conn_drop_all(struct slot_conn *conn, const char *reason)
{
	struct slot_hold *hold, *next;

	conn->list = NULL;
	for (uint32_t i = 0; i < conn->n_tags; i++)
		if (conn->tags[i].request != NULL)
			request_finish(conn->tags[i].request, conn->ended, NULL);
	for (hold = TAILQ_FIRST(&conn->holds); hold != NULL; hold = next) {
		next = TAILQ_NEXT(hold, link);
		hold_lose(hold, reason);
	}
}

/* The socket is shut down, not closed: the program may still watch its number, and a process that
 * has inherited it must not keep slots that count as lost here. */
void
conn_end(struct slot_conn *conn, int code, const char *detail)
{
	if (conn->ended)
		return;
	conn->ended = conn_error(conn, code, detail);
	shutdown(conn->fd, SHUT_RDWR);
	conn_drop_all(conn, "disconnected");
}

int
conn_ended(struct slot_conn *conn)
{
	if (!conn->ended && conn->pid != getpid()) {
		conn->ended = SLOT_EFORK;
		conn_drop_all(conn, "fork");
	}
	return conn->ended;
}

int
conn_check(struct slot_conn *conn)
{
	if (conn == NULL)
		return SLOT_EINVAL;
	if (conn_ended(conn))
		return conn->ended;
	return conn->is_in_line ? SLOT_EBUSY : 0;
}

static void
conn_free(struct slot_conn *conn)
{
	struct slot_request *r;

	while ((r = TAILQ_FIRST(&conn->due)) != NULL)
		request_over(r);
	close(conn->fd);
	free(conn->tags);
	free(conn->out);
	free(conn);
}

static void
holds_detach(struct hold_list *list)
{
	struct slot_hold *hold;

	while ((hold = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, hold, link);
		hold->conn = NULL;
	}
}

void
slot_close(struct slot_conn *conn)
{
	if (conn == NULL || conn->is_closing)
		return;
	if (conn_ended(conn) == 0) {
		conn_flush(conn);
		conn->ended = SLOT_EDISCONNECTED;
		conn_drop_all(conn, "closed");
	}
	holds_detach(&conn->holds);
	holds_detach(&conn->lost);
	conn->is_closing = true;
	if (conn->depth == 0)
		conn_free(conn);
}

void
conn_enter(struct slot_conn *conn)
{
	conn->depth++;
}

int
conn_leave(struct slot_conn *conn, int code)
{
	conn->depth--;
	if (!conn->is_closing)
		return code;
	if (conn->depth == 0)
		conn_free(conn);
	return SLOT_EDISCONNECTED;
}

/* ------------------------------------------------------------------ the beginning */

/* The socket is non-blocking from the start: a blocking connect() would wait without end for a
 * daemon whose backlog is full. */
static int
socket_connect(const char *path, int *fd)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof addr.sun_path) {
		errno = ENAMETOOLONG;
		return SLOT_ESYSTEM;
	}
	strcpy(addr.sun_path, path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd == -1)
		return SLOT_ESYSTEM;
	if (connect(*fd, (struct sockaddr *)&addr, sizeof addr) == 0)
		return 0;
	if (errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN || errno == EINTR)
		return SLOT_ENODAEMON;
	return errno == EACCES || errno == EPERM ? SLOT_ENOACCESS : SLOT_ESYSTEM;
}

/* *conn is set even on failure, if there was memory for it. */
static int
conn_open(struct slot_conn **conn, const struct slot_connect_options *o, const char *path)
{
	struct slot_conn *c = calloc(1, sizeof *c);
	struct slot_request *hello;
	struct wire_request wire;
	int code;

	*conn = c;
	if (c == NULL)
		return SLOT_ENOMEM;
	c->fd = -1;
	c->pid = getpid();
	c->answer_ms = o->answer_ms;
	c->lost_fn = o->lost;
	c->userdata = o->userdata;
	c->deadline = NEVER;
	TAILQ_INIT(&c->due);
	TAILQ_INIT(&c->holds);
	TAILQ_INIT(&c->lost);
	code = socket_connect(path, &c->fd);
	if (code != 0)
		return code;

	request_init(&wire, WIRE_HELLO);
	strcpy(wire.label, o->label != NULL ? o->label : "");
	wire.has_events = wire.events = true;
	wire.has_detail = wire.detail = true;
	code = request_start(c, &wire, NEVER, &hello);
	if (code == 0)
		request_over(hello);    /* its answer sets is_greeted, or ends the connection */
	return code;
}

static int
conn_greet(struct slot_conn *conn, int64_t deadline)
{
	while (!conn->is_greeted && !conn->ended) {
		conn_exchange(conn);
		if (conn->is_greeted || conn->ended)
			break;
		if (now_ns() >= deadline)
			return SLOT_EUNANSWERED;
		conn_poll(conn, deadline);
	}
	return conn->ended;
}

/* A daemon that stops or has just stopped closes what is in its backlog: as good as none. */
static bool
connect_again(int code)
{
	return code == SLOT_ENODAEMON || code == SLOT_EDISCONNECTED || code == SLOT_ESHUTDOWN ||
	    code == SLOT_ECLIENTS;
}

static void
sleep_until(int64_t deadline)
{
	while (now_ns() < deadline)
		poll(NULL, 0, timeout_until(deadline));
}

int
slot_connect(struct slot_conn **conn, const struct slot_connect_options *options)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;
	int64_t deadline, pause_ms = PAUSE_FIRST_MS;
	const char *path;
	int code;

	if (conn == NULL)
		return SLOT_EINVAL;
	*conn = NULL;
	if (options != NULL && options_copy(&o, sizeof o, options) != 0)
		return SLOT_EINVAL;
	if (o.label != NULL && !wire_name_ok(o.label, strlen(o.label), WIRE_LABEL_MAX, true))
		return SLOT_EBADVALUE;
	path = o.path != NULL ? o.path : secure_getenv("SLOTD_SOCKET");
	if (path == NULL || *path == '\0')
		path = SLOT_SOCKET;

	deadline = deadline_in(o.timeout_ms);
	for (;; pause_ms = pause_ms * 2 < PAUSE_LAST_MS ? pause_ms * 2 : PAUSE_LAST_MS) {
		int64_t next = deadline_in(pause_ms);
		struct slot_conn *c;
		int saved;

		code = conn_open(&c, &o, path);
		if (code == 0) {
			c->greet_deadline = deadline;
			code = o.async ? 0 : conn_greet(c, deadline);
		}
		if (code == 0) {
			*conn = c;
			return 0;
		}
		saved = errno;
		slot_close(c);
		errno = saved;
		if (o.async || !connect_again(code) || next >= deadline)
			return code;
		sleep_until(next);
		errno = saved;
	}
}
