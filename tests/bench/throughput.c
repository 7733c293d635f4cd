/* Sixty-four connections: requests a second, one outstanding on each and in batches. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define CONNECTIONS 64
#define BATCH_MAX 16
#define ROUNDS 7

/* A connection that asks for `batch` slots, waits for all, gives them back, waits, and again. */
struct worker {
	int fd;
	unsigned batch, answers;        /* answers that have come of the batch */
	bool holds;                     /* the batch under way gives back */
	unsigned slots[BATCH_MAX];
	size_t len;
	char buf[4096];
};

struct load {
	const char *socket, *acquire;   /* a line */
	unsigned batch;
	int epoll;
	unsigned long sent, answered, wanted;
	struct worker workers[CONNECTIONS];
};

static void
say(struct load *load, struct worker *w)
{
	char text[4096];
	size_t len = 0;

	for (unsigned i = 0; i < w->batch; i++)
		len += (size_t)(w->holds ? snprintf(text + len, sizeof text - len,
		    "RELEASE load %u\n", w->slots[i]) : snprintf(text + len, sizeof text - len, "%s",
		    load->acquire));
	if (send(w->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail("send: %s", strerror(errno));
	load->sent += w->batch;
	w->answers = 0;
}

static void
hear(struct load *load, struct worker *w)
{
	ssize_t n = recv(w->fd, w->buf + w->len, sizeof w->buf - w->len, MSG_DONTWAIT);
	char *line = w->buf, *end;

	if (n <= 0)
		fail("no answer");
	w->len += (size_t)n;
	while ((end = memchr(line, '\n', w->len)) != NULL) {
		if (strncmp(line, "OK", 2) != 0)
			fail("the answer is %.*s", (int)(end - line), line);
		if (!w->holds)
			w->slots[w->answers] = (unsigned)strtoul(line + 2, NULL, 10);
		w->answers++;
		load->answered++;
		w->len -= (size_t)(end + 1 - line);
		line = end + 1;
	}
	memmove(w->buf, line, w->len);
	if (w->answers == w->batch) {
		w->holds = !w->holds;
		if (load->sent < load->wanted || w->holds)
			say(load, w);
	}
}

static void
load_open(struct load *load, const char *socket, const char *acquire, unsigned batch)
{
	*load = (struct load){.socket = socket, .acquire = acquire, .batch = batch};
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

		load->workers[i].fd = peer_connect(socket);
		load->workers[i].batch = batch;
		epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->workers[i].fd, &event);
	}
}

static void
load_close(struct load *load)
{
	for (unsigned i = 0; i < CONNECTIONS; i++)
		close(load->workers[i].fd);
	close(load->epoll);
}

/* -> requests a second */
static double
load_run(struct load *load, unsigned long requests)
{
	struct epoll_event events[CONNECTIONS];
	double began = now_us();

	load->sent = load->answered = 0;
	load->wanted = requests;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		say(load, &load->workers[i]);
	while (load->answered < load->sent) {
		int n = epoll_wait(load->epoll, events, CONNECTIONS, 30000);

		if (n <= 0)
			fail("no answer");
		for (int i = 0; i < n; i++)
			hear(load, &load->workers[events[i].data.u32]);
	}
	return (double)load->answered / (now_us() - began) * 1e6;
}

/* The two by turns.  -> ratio of the medians */
static double
against_echo(const char *slotd, const char *echo, const char *acquire, unsigned batch,
    unsigned long requests, double per_second[2])
{
	static struct load of_slotd, of_echo;
	struct samples s = {0}, e = {0};

	load_open(&of_slotd, slotd, acquire, batch);
	load_open(&of_echo, echo, acquire, batch);
	for (int i = 0; i < ROUNDS; i++) {
		sample(&s, load_run(&of_slotd, requests));
		sample(&e, load_run(&of_echo, requests));
	}
	load_close(&of_slotd);
	load_close(&of_echo);
	per_second[0] = median(&s);
	per_second[1] = median(&e);
	samples_free(&s);
	samples_free(&e);
	return per_second[0] / per_second[1];
}

void
bench_throughput(void)
{
	struct slotd memory, redis;
	struct server server;
	struct echo echo;
	double per_second[2], ratio;

	redis_start(&server);
	slotd_start(&memory, "");
	slotd_start_redis(&redis, &server, "");
	echo_start(&echo, ECHO_LIBEVENT);

	against_echo(memory.socket, echo.socket, "ACQUIRE load limit=1024\n", 1, 40000, per_second);
	table_number("64 connections, one outstanding each: the echo server", "requests/s",
	    per_second[1]);
	table_number("64 connections, one outstanding each: hot, memory", "requests/s",
	    per_second[0]);
	ratio = against_echo(memory.socket, echo.socket, "ACQUIRE load limit=1024\n", BATCH_MAX,
	    200000, per_second);
	table_number("64 connections in batches of 16: the echo server", "requests/s", per_second[1]);
	table_number("64 connections in batches of 16: hot, memory", "requests/s", per_second[0]);
	table_target("requests/s, 64 connections in batches of 16, hot / the echo server's", AT_LEAST,
	    0.35, ratio);
	against_echo(redis.socket, echo.socket, "ACQUIRE load limit=1024\n", BATCH_MAX, 200000,
	    per_second);
	table_number("64 connections in batches of 16: hot, Redis", "requests/s", per_second[0]);
	against_echo(memory.socket, echo.socket, "ACQUIRE load limit=8 wait=forever\n", 1, 40000,
	    per_second);
	table_number("64 connections contend for 8 slots, memory", "requests/s", per_second[0]);
	against_echo(redis.socket, echo.socket, "ACQUIRE load limit=8 wait=forever\n", 1, 40000,
	    per_second);
	table_number("64 connections contend for 8 slots, Redis", "requests/s", per_second[0]);

	slotd_stop(&memory);
	slotd_stop(&redis);
	echo_stop(&echo);
	server_stop(&server);
}
