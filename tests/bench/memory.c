/* What a client, a waiter and a group cost in memory, and what idle ones cost in time. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define MANY 10000
#define MANY_MORE 50000
#define SPARE_FDS 256           /* for everything else that is open here and there */
#define WATCHED_US 5000000

/* So many connections as both ends may have open. */
static unsigned
connections(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max > MANY_MORE + SPARE_FDS)
		return MANY_MORE;
	return limit.rlim_max > MANY + SPARE_FDS ? MANY : (unsigned)limit.rlim_max - SPARE_FDS;
}

static long
grown(const struct slotd *slotd, long *rss)
{
	long before = *rss;

	*rss = process_rss(slotd->pid);
	return *rss - before;
}

static void
of_connections(const struct slotd *slotd)
{
	static int fds[MANY_MORE];
	unsigned n = connections();
	struct peer last;
	long rss;
	double cpu;

	peer_open(&last, slotd->socket);
	peer_ask(&last, "PING\n", "OK pong");
	rss = process_rss(slotd->pid);
	table_number("an idle daemon", "MB", (double)rss / 1e6);
	table_target("idle daemon, MB of memory", AT_MOST, 6, (double)rss / 1e6);
	for (unsigned i = 0; i < n; i++)
		fds[i] = peer_connect(slotd->socket);
	peer_close(&last);
	peer_open(&last, slotd->socket);        /* the last in the line of those to be accepted */
	peer_ask(&last, "PING\n", "OK pong");
	table_target("daemon memory per idle connection, bytes", AT_MOST, 600,
	    (double)grown(slotd, &rss) / n);
	cpu = process_cpu_us(slotd->pid);
	nap_us(WATCHED_US);
	table_target("idle daemon, % of a CPU with so many idle connections", AT_MOST, 0.1,
	    (process_cpu_us(slotd->pid) - cpu) / WATCHED_US * 100);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	peer_close(&last);
}

static void
of_waiters(const struct slotd *slotd, unsigned n)
{
	struct peer peer;
	char line[80];
	long rss;

	peer_open(&peer, slotd->socket);
	peer_ask(&peer, "ACQUIRE memory limit=1\n", "OK 1 ");
	peer_ask(&peer, "#w ACQUIRE memory limit=1 wait=forever\n#p PING\n", "#p OK");
	rss = process_rss(slotd->pid);
	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof line, "#%u ACQUIRE memory limit=1 wait=forever\n", i);
		peer_send(&peer, line);
	}
	peer_ask(&peer, "PING\n", "OK pong");
	snprintf(line, sizeof line, "daemon memory per waiter of %u, bytes", n);
	if (n == MANY)
		table_target("daemon memory per waiter, bytes", AT_MOST, 250,
		    (double)grown(slotd, &rss) / n);
	else
		table_number(line, "bytes", (double)grown(slotd, &rss) / n);
	peer_close(&peer);
}

static void
of_groups(const struct slotd *slotd, unsigned n, bool held)
{
	struct peer peer;
	char line[80];
	long rss;

	peer_open(&peer, slotd->socket);
	peer_ask(&peer, "PING\n", "OK pong");
	rss = process_rss(slotd->pid);
	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof line, "ACQUIRE memory-%u limit=1\n", i);
		peer_ask(&peer, line, "OK 1 ");
		snprintf(line, sizeof line, "RELEASE memory-%u 1\n", i);
		if (!held)
			peer_ask(&peer, line, "OK");
	}
	snprintf(line, sizeof line, "daemon memory per group, %s (of %u)",
	    held ? "with a hold" : "known, nothing held", n);
	table_number(line, "bytes", (double)grown(slotd, &rss) / n);
	peer_close(&peer);
}

/* Each with a daemon of its own: memory that was used once is used again. */
void
bench_memory(void)
{
	struct slotd slotd;

	slotd_start(&slotd, "max_clients = 100000\n");
	of_connections(&slotd);
	slotd_stop(&slotd);
	slotd_start(&slotd, "");
	of_waiters(&slotd, MANY);
	slotd_stop(&slotd);
	slotd_start(&slotd, "");
	of_waiters(&slotd, MANY_MORE);
	slotd_stop(&slotd);
	for (int held = 0; held < 2; held++) {
		slotd_start(&slotd, "");
		of_groups(&slotd, MANY, held);
		slotd_stop(&slotd);
	}
}
