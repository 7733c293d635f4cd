/* What Redis sees of it: commands for each acquire and release, and while nothing happens. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define CLIENTS 64
#define PAIRS 20000
#define COLD_PAIRS 2000
#define SHARED_PAIRS 6000
#define WAITERS 500
#define WATCHED_US 5000000

/* MONITOR, read by a process of its own: commands of clients, not those that scripts make. */
struct monitor {
	pid_t pid;
	int go, counts;
};

struct counts {
	unsigned long commands, scripts;
};

/* MONITOR's lines until one holds the mark. */
static void
count(redisContext *link, const char *mark, struct counts *counts)
{
	*counts = (struct counts){0};
	for (;;) {
		redisReply *reply = server_reply(link);
		bool is_mark = strstr(reply->str, mark) != NULL;

		if (strstr(reply->str, " lua] ") == NULL && !is_mark) {
			counts->commands++;
			counts->scripts += strstr(reply->str, "\"EVALSHA\"") != NULL;
		}
		freeReplyObject(reply);
		if (is_mark)
			return;
	}
}

static void
monitor_start(struct monitor *m, const struct server *server)
{
	int up[2];
	pid_t parent = getpid();
	char byte;

	if (pipe(up) < 0 || (m->pid = fork()) < 0)
		fail("fork: %s", strerror(errno));
	if (m->pid == 0) {
		redisContext *link;
		struct counts counts;

		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
			_exit(1);
		link = server_connect(server);
		freeReplyObject(server_command(link, "MONITOR"));
		if (write(up[1], "", 1) != 1)
			_exit(1);
		for (;;) {
			count(link, "bench-mark", &counts);
			if (write(up[1], &counts, sizeof counts) != sizeof counts)
				_exit(1);
		}
	}
	close(up[1]);
	m->counts = up[0];
	if (read(m->counts, &byte, 1) != 1)
		fail("no monitor");
}

/* What came since the last time. */
static struct counts
monitor_counts(struct monitor *m, redisContext *link)
{
	struct counts counts;

	freeReplyObject(server_command(link, "ECHO bench-mark"));
	if (read(m->counts, &counts, sizeof counts) != sizeof counts)
		fail("the monitor has ended");
	return counts;
}

static void
monitor_stop(struct monitor *m)
{
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
	close(m->counts);
}

static void
alone(const struct slotd *slotd, unsigned pairs)
{
	struct peer peer;

	peer_open(&peer, slotd->socket);
	for (unsigned i = 0; i < pairs; i++) {
		peer_ask(&peer, "ACQUIRE commands limit=8\n", "OK ");
		peer_ask(&peer, "RELEASE commands 1\n", "OK");
	}
	peer_close(&peer);
}

/* Clients on n daemons by turns, each of whom gives back what it gets and asks again, at once. */
static void
contend(const struct slotd *slotds, unsigned n, unsigned pairs)
{
	static struct peer peers[CLIENTS];
	struct pollfd fds[CLIENTS];
	char release[64];
	unsigned done = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		peer_open(&peers[i], slotds[i % n].socket);
		fds[i] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
		peer_send(&peers[i], "#a ACQUIRE commands limit=8 wait=forever\n");
	}
	while (done < pairs) {
		if (poll(fds, CLIENTS, 30000) <= 0)
			fail("nobody gets a slot");
		for (unsigned i = 0; i < CLIENTS; i++) {
			if (fds[i].revents == 0)
				continue;
			do {
				const char *line = peer_line(&peers[i]);

				if (strncmp(line, "#a OK ", 6) != 0)
					continue;       /* of a RELEASE */
				snprintf(release, sizeof release, "RELEASE commands %ld\n",
				    strtol(line + 6, NULL, 10));
				peer_send(&peers[i], release);
				peer_send(&peers[i], "#a ACQUIRE commands limit=8 wait=forever\n");
				done++;
			} while (peers[i].len > 0);
		}
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		peer_close(&peers[i]);
}

static void
wait_in_line(const struct slotd *slotds, unsigned n, struct peer *peers)
{
	for (unsigned i = 0; i < n; i++) {
		peer_open(&peers[i], slotds[i].socket);
		for (unsigned k = 0; k < WAITERS / n + 8; k++) {
			char line[64];

			snprintf(line, sizeof line, "#%u ACQUIRE commands limit=8 wait=forever\n", k);
			peer_send(&peers[i], line);
		}
		peer_send(&peers[i], "PING\n");
		while (strcmp(peer_line(&peers[i]), "OK pong") != 0)
			;
	}
}

void
bench_commands(void)
{
	struct slotd slotds[3], idle_off;
	static struct peer peers[3];
	struct monitor monitor;
	struct server server;
	struct counts counts;
	redisContext *link;

	redis_start(&server);
	link = server_connect(&server);
	slotd_start_redis(&slotds[0], &server, "");
	alone(&slotds[0], 1);
	monitor_start(&monitor, &server);

	monitor_counts(&monitor, link);
	alone(&slotds[0], PAIRS);
	counts = monitor_counts(&monitor, link);
	table_target("Redis commands per acquire + release, hot group on one host", AT_MOST, 0.01,
	    (double)counts.commands / PAIRS);
	contend(slotds, 1, PAIRS);
	counts = monitor_counts(&monitor, link);
	table_target("the same, contended on one host: 64 clients, limit 8", AT_MOST, 0.01,
	    (double)counts.commands / PAIRS);
	slotd_start_redis(&idle_off, &server, "idle_ms = 0\n");
	slotd_stop(&slotds[0]);
	monitor_counts(&monitor, link);
	alone(&idle_off, COLD_PAIRS);
	counts = monitor_counts(&monitor, link);
	table_number("Redis commands per acquire + release, cold (idle_ms = 0)", "",
	    (double)counts.commands / COLD_PAIRS);
	slotd_stop(&idle_off);

	freeReplyObject(server_command(link, "FLUSHALL"));
	for (unsigned i = 0; i < 3; i++)
		slotd_start_redis(&slotds[i], &server, "");
	monitor_counts(&monitor, link);
	contend(slotds, 3, SHARED_PAIRS);
	counts = monitor_counts(&monitor, link);
	table_target("Redis script calls per acquire + release, 64 clients on 3 daemons, limit 8",
	    AT_MOST, 0.75, (double)counts.scripts / SHARED_PAIRS);

	wait_in_line(slotds, 3, peers);
	nap_us(WATCHED_US / 2);
	monitor_counts(&monitor, link);
	nap_us(WATCHED_US);
	counts = monitor_counts(&monitor, link);
	table_target("Redis commands/s with 500 waiters on 3 daemons", AT_MOST, 3,
	    (double)counts.commands / (WATCHED_US / 1e6));

	for (unsigned i = 0; i < 3; i++) {
		peer_close(&peers[i]);
		slotd_stop(&slotds[i]);
	}
	monitor_stop(&monitor);
	redisFree(link);
	server_stop(&server);
}
