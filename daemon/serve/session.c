/* A session: one client's connection, bytes to request lines and answers to bytes. */
#include "daemon/serve/session.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/core/alloc.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/page.h"
#include "daemon/serve/answer.h"
#include "daemon/serve/request.h"
#include "daemon/serve/server.h"
#include "daemon/serve/users.h"

#define READ_MAX ((size_t)1024)         /* from one client in one turn: some dozen requests */

#define LOG(level, client, fmt, ...)                                                            \
	log_##level("client=%llu pid=%d uid=%u: " fmt, (unsigned long long)client_id(client), \
	    (int)(client)->pid, (unsigned)(client)->uid, __VA_ARGS__)

/* The one buffer that all input goes through: nothing stays in it between two callbacks.  What is
 * left of a line is put in front of the next bytes. */
static char input[READ_MAX + WIRE_LINE_MAX];

static void read_on(struct client *client);
static void on_writable(evutil_socket_t fd, short what, void *arg);

static void
make_dirty(struct client *client)
{
	if (client->is_dirty)
		return;
	client->is_dirty = true;
	STAILQ_INSERT_TAIL(&client->server->dirty, client, next_dirty);
}

void
session_break(struct client *client, const char *why)
{
	client->broken = why;
	make_dirty(client);
}

static void
step(struct client *client, enum arb_event_type type)
{
	struct arb_event event = {.type = type, .client = client_id(client)};

	if (type == ARB_CLIENT_OPEN) {
		event.open.pid = client->pid;
		event.open.uid = client->uid;
	}
	loop_step(client->server->loop, &event);
}

/* ---------------------------------------------------------------- the end */

/* Both ends are closed, not only the other's writing side: at EOF only poll() tells them apart. */
static bool
peer_is_gone(int fd)
{
	struct pollfd pfd = {.fd = fd};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/* As many bytes as may be sent at once: not those behind the mark, and of what begins with it none. */
static size_t
until_mark(const struct client *client)
{
	const char *bytes = client->out.bytes + client->out.start, *mark = NULL;

	if (client->is_marked)
		mark = memchr(bytes, SESSION_MARK, output_len(&client->out));
	return mark != NULL ? (size_t)(mark - bytes) : output_len(&client->out);
}

static void
drop_writer(struct client *client)
{
	if (client->writer == NULL)
		return;
	event_del(client->writer);
	free(client->writer);
	client->writer = NULL;
	client->is_full = false;
}

/* What is left of it is freed when the turn is over. */
static void
shut(struct client *client)
{
	struct server *server = client->server;

	assert(client->state != SESSION_CLOSED);
	client->state = SESSION_CLOSED;
	event_del(&client->reader);     /* before close: the number may be another's at once */
	drop_writer(client);
	close(client->fd);
	table_remove(&server->clients, client);
	server->n_clients--;
	users_leave(&server->users, client->uid);
	pending_drop_all(client);
	output_clear(&client->out);
	free(client->rest);
	free(client->label);
	STAILQ_INSERT_TAIL(&server->closed, client, next_closed);
}

void
session_close(struct client *client, const char *why)
{
	LOG(debug, client, "closed: %s", why);
	shut(client);
	step(client, ARB_CLIENT_GONE);
}

/* The arbiter goes on as if it were there. */
void
session_leave(struct client *client)
{
	assert(client->is_left);
	LOG(debug, client, "closed: %s", "left to its lease");
	shut(client);
}

void
session_kick(struct client *client, const char *why)
{
	LOG(warnx, client, "closing the connection: %s (%zu bytes of answers unread)", why,
	    output_len(&client->out));
	step(client, ARB_CLIENT_KICK);
	if (client->broken == NULL && output_len(&client->out) > 0) /* !LOST, if there is room */
		(void)send(client->fd, client->out.bytes + client->out.start,
		    until_mark(client), MSG_NOSIGNAL);
	shut(client);
}

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	if (peer_is_gone(fd))
		session_close(arg, "gone");
}

/* From here on input would only say EOF, again and again.  Edge-triggered, it says so once more
 * when the other side closes too: that is how we notice that nobody reads the answers any more. */
static void
watch(struct client *client)
{
	struct event_base *base = event_get_base(&client->reader);

	event_del(&client->reader);
	drop_writer(client);            /* libevent wants all events of a descriptor alike */
	event_assign(&client->reader, base, client->fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST,
	    on_watch, client);
	if (event_add(&client->reader, NULL) < 0)
		session_break(client, "no memory for its events");
}

void
session_finish(struct client *client)
{
	assert(client->state != SESSION_CLOSED);
	if (client->state != SESSION_ENDING) {
		client->state = SESSION_ENDING;
		free(client->rest);
		client->rest = NULL;
		client->rest_len = 0;
		watch(client);
	}
	make_dirty(client);
}

/* ---------------------------------------------------------------- output */

void
session_write(struct client *client, const char *lines, size_t len)
{
	if (client->broken == NULL && !output_add(&client->out, lines, len))
		client->broken = "no memory for its answers";
	make_dirty(client);
}

/* The output begins with the mark: sends what is behind it, with the descriptor. */
static ssize_t
send_with_page(struct client *client)
{
	int fd = page_fd(loop_page(client->server->loop));
	struct iovec bytes = {
	    client->out.bytes + client->out.start + 1, output_len(&client->out) - 1};
	union {
		char space[CMSG_SPACE(sizeof fd)];
		struct cmsghdr align;
	} control = {{0}};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control,
	    .msg_controllen = sizeof control};
	struct cmsghdr *passed = CMSG_FIRSTHDR(&message);
	ssize_t n;

	passed->cmsg_level = SOL_SOCKET;
	passed->cmsg_type = SCM_RIGHTS;
	passed->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(passed), &fd, sizeof fd);
	n = sendmsg(client->fd, &message, MSG_NOSIGNAL);
	if (n < 0 && errno == ETOOMANYREFS)
		LOG(warnx, client, "the lease page cannot be passed: %s", strerror(errno));
	if (n < 0)
		return n;
	client->is_marked = false;
	return n + 1;           /* the mark is done with, too */
}

/* One send: up to the mark, or from it on.  -> how much of the output is done with, or -1. */
static ssize_t
send_once(struct client *client)
{
	size_t len = until_mark(client);
	ssize_t n;

	if (len == 0)
		n = send_with_page(client);
	else
		n = send(client->fd, client->out.bytes + client->out.start, len, MSG_NOSIGNAL);
	if (n > 0)
		output_drop(&client->out, (size_t)n);
	return n;
}

/* From now on, or from now on anew: the client has so long to read something. */
static void
await_room(struct client *client)
{
	long long timeout_ms = client->server->config->send_timeout_ms;
	const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	short edge = client->state == SESSION_ENDING ? EV_ET : 0;       /* as watch() has it */

	if (client->writer == NULL) {
		client->writer = alloc_try(NULL, sizeof *client->writer);
		if (client->writer != NULL)
			event_assign(client->writer, event_get_base(&client->reader), client->fd,
			    EV_WRITE | EV_PERSIST | edge, on_writable, client);
	}
	client->is_full = client->writer != NULL && event_add(client->writer, &timeout) == 0;
	if (!client->is_full)
		session_break(client, "no memory for its events");
}

/* Writes what the socket takes at once; what is left waits for it.  false: the connection is gone. */
static bool
send_output(struct client *client)
{
	bool was_marked = client->is_marked, progress;
	ssize_t n = send_once(client);

	progress = n > 0;
	if (n > 0 && was_marked && output_len(&client->out) > 0)
		n = send_once(client);
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ENOMEM)
		return false;
	if (output_len(&client->out) > 0) {
		if (progress || !client->is_full)
			await_room(client);
	} else if (client->is_full) {
		event_del(client->writer);
		client->is_full = false;
	}
	return true;
}

void
session_flush(struct client *client)
{
	client->is_dirty = false;
	if (client->state == SESSION_CLOSED)
		return;
	pending_advance(client);
	if (client->broken != NULL) {
		client->server->dropped.no_memory++;
		session_kick(client, client->broken);
		return;
	}
	if (output_len(&client->out) > 0 && !send_output(client)) {
		session_close(client, "gone");
		return;
	}
	if (output_len(&client->out) > 0)
		return;                 /* on_writable will be back */
	pending_advance(client);        /* what these two write makes the client dirty again */
	read_on(client);
	if (client->state == SESSION_ENDING && output_len(&client->out) == 0 &&
	    !pending_is_any(&client->pendings)) {
		if (client->is_left)
			session_leave(client);
		else
			session_close(client, "ended");
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;

	(void)fd;
	if ((what & EV_TIMEOUT) != 0) {
		client->server->dropped.slow++;
		session_kick(client, "it does not read");
	} else {
		make_dirty(client);
	}
}

/* ---------------------------------------------------------------- input */

static void
keep_rest(struct client *client, const char *bytes, size_t len)
{
	client->rest = NULL;
	client->rest_len = (uint32_t)len;
	if (len == 0)
		return;
	client->rest = alloc_try(NULL, len);
	if (client->rest == NULL) {
		client->rest_len = 0;
		session_break(client, "no memory for its input");
		return;
	}
	memcpy(client->rest, bytes, len);
}

/* Executes the lines of bytes.  -> how many bytes are done with; the rest is a line that is not
 * whole, or was not executed because the client does not read its answers (is_blocked). */
static size_t
execute_lines(struct client *client, const char *bytes, size_t len)
{
	const char *p = bytes, *end = bytes + len, *lf;

	while (p < end && client->state != SESSION_ENDING && client->broken == NULL) {
		if (output_len(&client->out) > SESSION_OUTPUT_MAX) {
			client->is_blocked = true;
			break;
		}
		lf = memchr(p, '\n', (size_t)(end - p));
		if (client->state == SESSION_SKIPPING) {
			if (lf == NULL)
				return len;
			client->state = SESSION_LINES;
		} else if (lf == NULL && end - p < WIRE_LINE_MAX) {
			break;
		} else if (lf == NULL) {
			request_too_long(client, p, (size_t)(end - p));
			client->state = SESSION_SKIPPING;
			return len;
		} else if (lf - p >= WIRE_LINE_MAX) {
			request_too_long(client, p, (size_t)(lf - p));
		} else {
			request_execute(client, p, (size_t)(lf - p));
		}
		p = lf + 1;
	}
	return (size_t)(p - bytes);
}

static void
handle_input(struct client *client, size_t len)
{
	size_t done = execute_lines(client, input, len);

	if (client->state != SESSION_ENDING)
		keep_rest(client, input + done, len - done);
}

/* rest -> the front of the input buffer; -> its length. */
static size_t
take_rest(struct client *client)
{
	size_t len = client->rest_len;

	assert(len <= sizeof input);
	if (len > 0)
		memcpy(input, client->rest, len);
	free(client->rest);
	client->rest = NULL;
	client->rest_len = 0;
	return len;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	size_t kept = client->rest_len;
	ssize_t n;

	(void)what;
	assert(kept < WIRE_LINE_MAX);
	n = recv(fd, input + kept, READ_MAX, 0);
	if (n > 0) {
		take_rest(client);
		handle_input(client, kept + (size_t)n);
		if (client->is_blocked)
			event_del(&client->reader);
	} else if (n == 0 && !peer_is_gone(fd)) {
		session_finish(client);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		session_close(client, "gone");
	}
}

/* The client has read its answers: on with what it asked meanwhile. */
static void
read_on(struct client *client)
{
	if (!client->is_blocked || client->state == SESSION_ENDING)
		return;
	client->is_blocked = false;
	handle_input(client, take_rest(client));
	if (!client->is_blocked && client->state != SESSION_ENDING &&
	    event_add(&client->reader, NULL) < 0)
		session_break(client, "no memory for its events");
}

/* Is there room for one more connection of that user?  If not, line says so.  -> its length, or 0 */
static size_t
refusal(struct server *server, uint32_t uid, char *line)
{
	uint32_t max = (uint32_t)server->config->max_clients_per_uid;
	bool is_news;

	if (alloc_is_short()) {
		log_warnx("no memory for more clients; refusing connections");
		server->dropped.no_memory++;
		return answer_error(WIRE_ERR_NOMEM, line);
	}
	if (users_enter(&server->users, uid, max, &is_news))
		return 0;
	if (is_news)
		log_warnx("max_clients_per_uid: uid=%u has %u connections; more are refused", uid, max);
	server->dropped.per_uid++;
	return answer_clients_of(uid, max, line);
}

void
session_open(struct server *server, int fd)
{
	struct ucred peer = {0};
	socklen_t len = sizeof peer;
	struct event_base *base = loop_base(server->loop);
	struct client *client;
	char line[ANSWER_MAX];
	size_t refused;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		fatal("getsockopt: SO_PEERCRED");
	refused = refusal(server, peer.uid, line);
	if (refused > 0) {
		(void)send(fd, line, refused, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	client = alloc_new(sizeof *client);
	*client = (struct client){0};
	client->server = server;
	client->fd = fd;
	client->pid = peer.pid;
	client->uid = peer.uid;
	client->gid = peer.gid;
	pending_init(&client->pendings);
	event_assign(&client->reader, base, fd, EV_READ | EV_PERSIST, on_readable, client);
	table_add(&server->clients, client, ++server->last_client);
	server->n_clients++;
	LOG(debug, client, "connected, one of %u", server->n_clients);
	step(client, ARB_CLIENT_OPEN);
	if (event_add(&client->reader, NULL) < 0)
		session_break(client, "no memory for its events");
}
