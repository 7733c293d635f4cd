/* One client: the time of ACQUIRE and RELEASE where the slot is at hand, and where Redis is asked. */
#include <stdio.h>

#include "tests/bench/asker.h"
#include "tests/bench/bench.h"

#define ROUNDS 15
#define PAIRS 2000      /* of each round */
#define COLD_ROUNDS 15
#define COLD 60         /* of each round */
#define SETTLE_US 700   /* in which what a RELEASE has set going is over */

/* -> time of both */
static double
pair(struct peer *peer)
{
	double began = now_us();

	peer_ask(peer, "ACQUIRE pair limit=100\n", "OK ");
	peer_ask(peer, "RELEASE pair 1\n", "OK");
	return now_us() - began;
}

static void
pairs(struct samples *s, struct peer *peer)
{
	for (int i = 0; i < PAIRS; i++)
		sample(s, pair(peer));
}

static void
hot(struct peer *memory, struct peer *redis, struct peer *echo, struct peer *ping)
{
	struct samples of_memory = {0}, of_redis = {0}, of_echo = {0}, of_ping = {0};

	for (int i = 0; i < ROUNDS; i++) {
		pairs(&of_memory, memory);
		pairs(&of_echo, echo);
		pairs(&of_redis, redis);
		pairs(&of_ping, ping);
	}
	table_time("two round trips between two processes (blocking)", &of_ping);
	table_time("two round trips of the libevent echo server", &of_echo);
	table_time("hot acquire + release, memory", &of_memory);
	table_time("hot acquire + release, Redis", &of_redis);
	table_target("hot acquire + release / two round trips of the echo server (memory)", AT_MOST,
	    1.25, median(&of_memory) / median(&of_echo));
	table_target("hot acquire + release / two round trips of the echo server (Redis)", AT_MOST,
	    1.25, median(&of_redis) / median(&of_echo));
	samples_free(&of_memory);
	samples_free(&of_redis);
	samples_free(&of_echo);
	samples_free(&of_ping);
}

/* Nothing is kept idle, so that each acquire is one exchange.  It is held against the same exchange
 * from here. */
static void
cold(struct peer *slotd, struct peer *echo, struct asked *asked)
{
	struct samples of_slotd = {0}, of_echo = {0}, of_redis = {0};
	struct asker u;

	asked->group = "cold";
	asked->limit = 100;
	asker_begin(asked, &u, 1);
	for (int i = 0; i < COLD_ROUNDS * COLD; i++) {
		double began = now_us();

		peer_ask(slotd, "ACQUIRE cold limit=100\n", "OK ");
		sample(&of_slotd, now_us() - began);
		peer_ask(slotd, "RELEASE cold 1\n", "OK");
		nap_us(SETTLE_US);

		began = now_us();
		if (asker_want(asked, &u, 1, 1, 100)->n_granted != 1)
			fail("not granted");
		sample(&of_redis, now_us() - began);
		asker_give_back(asked, &u);
		nap_us(SETTLE_US);

		began = now_us();
		peer_ask(echo, "ACQUIRE cold limit=100\n", "OK ");
		sample(&of_echo, now_us() - began);
		nap_us(SETTLE_US);
	}
	table_time("EVALSHA of the exchange, one want granted, from hiredis", &of_redis);
	table_time("round trip of the libevent echo server, after a pause", &of_echo);
	table_time("cold acquire (idle_ms = 0), Redis", &of_slotd);
	table_target("cold acquire / (echo round trip + EVALSHA round trip of the exchange)", AT_MOST,
	    1.3, median(&of_slotd) / (median(&of_echo) + median(&of_redis)));
	samples_free(&of_slotd);
	samples_free(&of_echo);
	samples_free(&of_redis);
}

void
bench_pair(void)
{
	struct slotd memory, redis, idle_off;
	struct peer peers[5];
	struct server server;
	struct asked asked;
	struct echo echo, ping;

	redis_start(&server);
	slotd_start(&memory, "");
	slotd_start_redis(&redis, &server, "");
	slotd_start_redis(&idle_off, &server, "idle_ms = 0\n");
	echo_start(&echo, ECHO_LIBEVENT);
	echo_start(&ping, ECHO_PING);
	peer_open(&peers[0], memory.socket);
	peer_open(&peers[1], redis.socket);
	peer_open(&peers[2], echo.socket);
	peer_open(&peers[3], ping.socket);
	peer_open(&peers[4], idle_off.socket);
	asked_open(&asked, &server);

	hot(&peers[0], &peers[1], &peers[2], &peers[3]);
	slotd_stop(&redis);             /* else it is the other's contender */
	peer_ask(&peers[4], "ACQUIRE cold limit=100\n", "OK 1 ");
	peer_ask(&peers[4], "RELEASE cold 1\n", "OK");
	nap_us(SETTLE_US);
	cold(&peers[4], &peers[2], &asked);

	asked_close(&asked);
	for (unsigned i = 0; i < 5; i++)
		peer_close(&peers[i]);
	slotd_stop(&memory);
	slotd_stop(&idle_off);
	echo_stop(&echo);
	echo_stop(&ping);
	server_stop(&server);
}
