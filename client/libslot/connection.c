/* A connection's beginning and end. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/libslot/connection.h"

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
	struct slot_request *r;
	struct slot_hold *hold;

	conn->list = NULL;
	while ((r = TAILQ_FIRST(&conn->pending)) != NULL)
		request_finish(r, conn->ended, NULL);
	TAILQ_FOREACH(hold, &conn->holds, link)
		hold_lose(hold, reason);
}

void
conn_end(struct slot_conn *conn, int code, const char *detail)
{
	if (conn->ended)
		return;
	conn->ended = conn_error(conn, code, detail);
	socket_close(conn);
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

/* In a forked child the descriptors are closed and nothing else is done to them: what they stand
 * for is the parent's too. */
static void
conn_free(struct slot_conn *conn)
{
	const int fds[] = {conn->fd, conn->passed, conn->timer, conn->epoll};
	struct slot_request *r;

	while ((r = TAILQ_FIRST(&conn->due)) != NULL)
		request_over(r);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	page_free_all(&conn->pages);
	free(conn->tags);
	free(conn->out);
	free(conn);
}

void
slot_close(struct slot_conn *conn)
{
	struct slot_hold *hold;

	if (conn == NULL || conn->is_closing)
		return;
	if (conn_ended(conn) == 0) {
		conn_flush(conn);
		conn->ended = SLOT_EDISCONNECTED;
		conn_drop_all(conn, "closed");
	}
	while ((hold = TAILQ_FIRST(&conn->holds)) != NULL) {
		TAILQ_REMOVE(&conn->holds, hold, link);
		hold->conn = NULL;
		hold->has_news = false;
	}
	TAILQ_INIT(&conn->news);
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

/* *conn is set even on failure, if there was memory for it. */
static int
conn_open(struct slot_conn **conn, const struct slot_connect_options *o, const char *path)
{
	struct slot_conn *c = calloc(1, sizeof *c);
	int code;

	*conn = c;
	if (c == NULL)
		return SLOT_ENOMEM;
	c->fd = c->epoll = c->timer = c->passed = -1;
	c->pid = getpid();
	c->address.sun_family = AF_UNIX;
	strcpy(c->address.sun_path, path);
	strcpy(c->label, o->label != NULL ? o->label : "");
	c->answer_ms = o->answer_ms;
	c->reconnect_ms = o->reconnect_ms;
	c->lost_fn = o->lost;
	c->state_fn = o->state;
	c->userdata = o->userdata;
	c->deadline = c->check_at = c->say_at = c->armed = NEVER;
	TAILQ_INIT(&c->pending);
	TAILQ_INIT(&c->due);
	TAILQ_INIT(&c->holds);
	TAILQ_INIT(&c->news);
	TAILQ_INIT(&c->pages);
	code = loop_open(c);
	if (code == 0)
		code = socket_open(c);
	if (code == 0)
		code = greet_begin(c);
	return code;
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
	if (strlen(path) >= sizeof (*conn)->address.sun_path) {
		errno = ENAMETOOLONG;
		return SLOT_ESYSTEM;
	}

	deadline = deadline_in(o.timeout_ms);
	for (;; pause_ms = pause_ms * 2 < PAUSE_LAST_MS ? pause_ms * 2 : PAUSE_LAST_MS) {
		int64_t next = deadline_in(pause_ms);
		struct slot_conn *c;
		int saved;

		code = conn_open(&c, &o, path);
		if (code == 0) {
			c->greet_deadline = deadline;
			code = o.async ? 0 : conn_await(c, deadline);
		}
		if (code == 0) {
			loop_watch(c);
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
