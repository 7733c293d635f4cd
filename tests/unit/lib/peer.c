/* The made-up slotd of the tests of libslot. */
#include "tests/unit/lib/peer.h"

#include <check.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void *
peer_run(void *arg)
{
	struct peer *peer = arg;

	peer->script(peer);
	return NULL;
}

struct peer *
peer_start(void (*script)(struct peer *peer))
{
	struct peer *peer = calloc(1, sizeof *peer);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	ck_assert_ptr_nonnull(peer);
	strcpy(peer->dir, "/tmp/slot-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(peer->dir));
	snprintf(peer->path, sizeof peer->path, "%.40s/sock", peer->dir);
	strcpy(addr.sun_path, peer->path);
	peer->script = script;
	peer->fd = peer->page_fd = -1;
	peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(peer->listener, (struct sockaddr *)&addr, sizeof addr), 0);
	ck_assert_int_eq(listen(peer->listener, 16), 0);
	sem_init(&peer->pass, 0, 0);
	sem_init(&peer->next, 0, 0);
	ck_assert_int_eq(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
	return peer;
}

void
peer_join(struct peer *peer)
{
	pthread_join(peer->thread, NULL);
	peer_close(peer);
	peer_page_drop(peer);
	close(peer->listener);
	unlink(peer->path);
	rmdir(peer->dir);
	free(peer);
}

void
peer_accept(struct peer *peer)
{
	peer->fd = accept(peer->listener, NULL, NULL);
	peer->input_len = 0;
	ck_assert_int_ge(peer->fd, 0);
}

void
peer_greet(struct peer *peer)
{
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_answer(peer, "OK version=9.9 protocol=1 features=detail,events,hold,n,tags");
}

const char *
peer_read(struct peer *peer)
{
	char *end, *line = peer->input;
	size_t tag;

	while ((end = memchr(peer->input, '\n', peer->input_len)) == NULL) {
		ssize_t n = read(peer->fd, peer->input + peer->input_len,
		    sizeof peer->input - peer->input_len);

		if (n <= 0)
			return NULL;
		peer->input_len += (size_t)n;
	}
	*end = '\0';
	tag = line[0] == '#' ? strcspn(line, " ") : 0;
	ck_assert_uint_lt(tag, sizeof peer->tag);
	memcpy(peer->tag, line, tag);
	peer->tag[tag] = '\0';
	ck_assert_uint_lt(strlen(line), sizeof peer->line);
	strcpy(peer->line, line + tag + (tag > 0));
	peer->input_len -= (size_t)(end + 1 - peer->input);
	memmove(peer->input, end + 1, peer->input_len);
	return peer->line;
}

void
peer_expect(struct peer *peer, const char *line)
{
	const char *got = peer_read(peer);

	ck_assert_msg(got != NULL, "EOF where <%s> was expected", line);
	ck_assert_str_eq(got, line);
}

void
peer_expect_eof(struct peer *peer)
{
	const char *got = peer_read(peer);

	ck_assert_msg(got == NULL, "<%s> where EOF was expected", got);
}

void
peer_send(struct peer *peer, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(peer->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0)
			return;         /* the library has had enough */
		bytes += n;
		len -= (size_t)n;
	}
}

static void
peer_vsay(struct peer *peer, const char *tag, const char *format, va_list args)
{
	char line[2048];
	int len = snprintf(line, sizeof line, "%s%s", tag, *tag != '\0' ? " " : "");

	len += vsnprintf(line + len, sizeof line - (size_t)len, format, args);
	ck_assert_int_lt(len, (int)sizeof line - 1);
	line[len++] = '\n';
	peer_send(peer, line, (size_t)len);
}

void
peer_say(struct peer *peer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	peer_vsay(peer, "", format, args);
	va_end(args);
}

void
peer_answer(struct peer *peer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	peer_vsay(peer, peer->tag, format, args);
	va_end(args);
}

void
peer_close(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
}

void
peer_pass(struct peer *peer)
{
	sem_wait(&peer->pass);
}

void
peer_next(struct peer *peer)
{
	sem_post(&peer->pass);
}

void
peer_tell(struct peer *peer)
{
	sem_post(&peer->next);
}

void
peer_await(struct peer *peer)
{
	sem_wait(&peer->next);
}

/* ------------------------------------------------------------------ the test's side */

struct slot_conn *
peer_connect(struct peer *peer, const struct slot_connect_options *options)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_conn *conn;
	int code;

	o.reconnect_ms = 0;
	if (options != NULL)
		o = *options;
	o.path = peer->path;
	code = slot_connect(&conn, &o);
	ck_assert_msg(code == 0, "connect: %s", slot_strerror(code));
	return conn;
}

struct slot_hold *
take(struct slot_conn *conn, const char *group)
{
	struct slot_acquire_options options = SLOT_ACQUIRE_OPTIONS_INIT;
	struct slot_hold *hold;
	int code;

	options.limit = 1;
	code = slot_acquire(conn, group, &options, &hold);
	ck_assert_msg(code == 0, "acquire: %s", slot_error_text(conn));
	return hold;
}

int
process_once(struct slot_conn *conn)
{
	struct pollfd pfd = {.fd = slot_fd(conn), .events = slot_events(conn)};

	poll(&pfd, 1, slot_timeout_ms(conn));
	return slot_process(conn);
}

int
process_until(struct slot_conn *conn, const int *counter, int n)
{
	int code = 0;

	while (code == 0 && *counter < n)
		code = process_once(conn);
	return code;
}

int
process_to_end(struct slot_conn *conn)
{
	int code;

	while ((code = process_once(conn)) == 0)
		;
	return code;
}
