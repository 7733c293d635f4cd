/* Fuzzes a whole slotd without its main: bytes arrive on the connections of some clients, in pieces,
 * and the connections end.  Whatever comes, each answer is a line that PROTOCOL.txt allows, and in
 * the end nothing is held.
 *
 * The byte 1, which no request may have, is followed by what happens next: see happen(). */
#include <event2/event.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/page.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"
#include "tests/fuzz/fleet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_CLIENTS 3

/* One client's end. */
struct end {
	int fd;                 /* -1: closed */
	bool reads;
	char line[WIRE_LINE_MAX + 64];
	size_t len;             /* of what has come of a line */
};

static struct config *config;
static struct page *page;
static struct loop *loop;
static struct server server;
static struct end ends[N_CLIENTS];

static void
on_nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

/* One turn that does not wait. */
static void
turn(void)
{
	const struct timeval at_once = {0, 0};

	MUST(event_base_once(loop_base(loop), -1, EV_TIMEOUT, on_nothing, NULL, &at_once) == 0);
	loop_turn(loop);
	arb_check(loop_arb(loop));
}

static void
end_open(struct end *end)
{
	int fds[2];

	if (end->fd >= 0)
		close(end->fd);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	*end = (struct end){.fd = fds[1], .reads = true};
	session_open(&server, fds[0]);
}

/* An answer, an event, or a line of a list. */
static void
check_line(const char *line, size_t len)
{
	MUST(len > 0);
	for (size_t i = 0; i < len; i++)
		MUST((unsigned char)line[i] >= ' ' && line[i] != 0x7f);
}

static void
end_read(struct end *end)
{
	char bytes[4096];
	ssize_t n;

	while ((n = recv(end->fd, bytes, sizeof bytes, 0)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (bytes[i] == '\n') {
				check_line(end->line, end->len);
				end->len = 0;
				continue;
			}
			MUST(end->len < sizeof end->line);
			end->line[end->len++] = bytes[i];
		}
	}
}

static void
read_all(void)
{
	for (int i = 0; i < N_CLIENTS; i++)
		if (ends[i].fd >= 0 && ends[i].reads)
			end_read(&ends[i]);
}

/* -> the client that speaks next */
static int
happen(uint8_t what, int current)
{
	struct end *end = &ends[current];

	switch (what & 7) {
	case 0:
	case 1:
	case 2:
		return what & 7;
	case 3:
		end_open(end);
		break;
	case 4:
		if (end->fd >= 0)
			shutdown(end->fd, SHUT_WR);
		break;
	case 5:
		end->reads = !end->reads;
		break;
	case 6:
		if (end->fd >= 0)
			close(end->fd);
		end->fd = -1;
		break;
	default:
		break;
	}
	turn();
	read_all();
	return current;
}

static void
play(const uint8_t *data, size_t size)
{
	int current = 0;

	for (size_t i = 0; i < size; i++) {
		size_t n = 0;

		while (i + n < size && data[i + n] != 1)
			n++;
		if (n > 0 && ends[current].fd >= 0) {
			(void)send(ends[current].fd, data + i, n, MSG_NOSIGNAL);
			turn();
			read_all();
		}
		i += n;
		if (i + 1 < size)
			current = happen(data[++i], current);
	}
}

static void
drain(void)
{
	struct arb_stats stats;

	for (int i = 0; i < N_CLIENTS; i++) {
		if (ends[i].fd >= 0)
			close(ends[i].fd);
		ends[i].fd = -1;
	}
	for (int i = 0; i < 10 && server.n_clients > 0; i++)
		turn();
	arb_stats(loop_arb(loop), &stats);
	MUST(server.n_clients == 0);
	MUST(stats.clients == 0 && stats.holds == 0 && stats.waiters == 0);
}

/* One for all runs: what each leaves in it is nothing.  Its file is not needed. */
static struct page *
make_page(const struct arb_conf *conf)
{
	char directory[] = "/tmp/slotd-fuzz-XXXXXX", path[64];
	struct page *made;

	MUST(mkdtemp(directory) != NULL);
	snprintf(path, sizeof path, "%s/s", directory);
	made = page_new(path, &conf->self, conf->max_cells);
	snprintf(path, sizeof path, "%s/s.page", directory);
	MUST(unlink(path) == 0 && rmdir(directory) == 0);
	return made;
}

/* RELOAD: now a good file, now one with a mistake. */
static struct config *
read_config(void *arg, config_complain *complain, void *complain_arg)
{
	static bool is_good;
	struct config *fresh = NULL;

	(void)arg;
	is_good = !is_good;
	if (is_good) {
		MUST((fresh = config_load("/dev/null", complain, complain_arg)) != NULL);
		fresh->log_level = LOG_LEVEL_ERROR;
		return fresh;
	}
	complain(complain_arg, "slotd.conf:1: a mistake");
	return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct arb_conf conf = {
	    .host = "host",
	    .self = {.install = 1, .generation = 1, .nonce = 1},
	    .lease = 10000 * NSEC_MS,
	    .margin = 1 * NSEC_MS,
	    .idle = 1000 * NSEC_MS,
	    .command_timeout = 10000 * NSEC_MS,
	    .sole = true,
	    .max_cells = 64,
	    .n_links = 1,
	};

	if (config == NULL) {
		log_set_level(LOG_LEVEL_ERROR);
		page = make_page(&conf);
		MUST((config = config_load("/dev/null", NULL, NULL)) != NULL);
	}
	loop = loop_new(&conf, &config->redis, page);
	server_init(&server, loop, config, N_CLIENTS + 2);
	server.read_config = read_config;
	for (int i = 0; i < N_CLIENTS; i++) {
		ends[i].fd = -1;
		end_open(&ends[i]);
	}
	play(data, size);
	drain();
	server_fini(&server);
	loop_free(loop);
	return 0;
}
