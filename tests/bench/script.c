/* Time that Redis spends in the script, by its own statistics: with little there, and with much, on
 * every redis-server and valkey-server that is installed.
 *
 * Each row is one exchange as a fleet makes it, at two sizes of the group around it; the time is
 * the smallest mean of ROUNDS, which other load on the machine disturbs least. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/redis/exchange.h"
#include "tests/diff/server.h"

#define PREFIX "bench:"
#define ROUNDS 15
#define CYCLES 200 /* of each round */
#define USERS_MAX 1024
#define FIFO_SIZE (1 << 17)
#define SECOND ((usec)1000000)

/* A daemon. */
struct user {
	struct xch_daemon id;
	uint64_t seq, incarnation, waiter;
	struct xch_slot held; /* the last that it was granted */
};

struct bench {
	redisContext *link;
	char sha[41];
	const char *group;
	int64_t limit;
	struct user users[USERS_MAX];
	unsigned holder; /* of the slot that goes round */
	uint16_t fifo[FIFO_SIZE]; /* users with a waiter in the queue, the oldest first */
	unsigned fifo_first, fifo_end;
	time_t started;
	struct exchange_command cmd;
	struct arena arena;
	struct xch_reply reply;
};

static const struct xch_reply *
ask(struct bench *b, struct user *u, struct xch_request q)
{
	redisReply *reply;

	q.group = b->group;
	q.from = u->id;
	q.seq = ++u->seq;
	q.incarnation = u->incarnation;
	q.lease = 600 * SECOND;
	q.limit = b->limit;
	q.host = "host";
	exchange_encode(&b->cmd, b->sha, PREFIX, &q);
	redisAppendCommandArgv(b->link, b->cmd.argc, b->cmd.argv, b->cmd.lens);
	reply = server_reply(b->link);
	arena_reset(&b->arena);
	if (exchange_decode(&b->arena, reply->str, reply->len, &b->reply) == -1 ||
	    b->reply.status != XCH_OK)
		fail("the script says: %s", reply->str);
	freeReplyObject(reply);
	if (b->reply.n_granted > 0)
		u->held =
		    (struct xch_slot){b->reply.granted[0].slots[0], b->reply.granted[0].number};
	return &b->reply;
}

static const struct xch_reply *
renew(struct bench *b, unsigned user)
{
	return ask(b, &b->users[user], (struct xch_request){0});
}

/* So many waiters of the same n and limit, up to 1,000 in one exchange. */
static const struct xch_reply *
want(struct bench *b, unsigned user, uint32_t count, uint32_t n, int64_t limit)
{
	const struct xch_reply *re = NULL;
	struct xch_want wants[1000];

	while (count > 0) {
		uint32_t k = count < 1000 ? count : 1000;

		for (uint32_t i = 0; i < k; i++)
			wants[i] = (struct xch_want){
			    .id = ++b->users[user].waiter, .n = n, .limit = limit};
		re = ask(b, &b->users[user], (struct xch_request){.n_want = k, .want = wants});
		count -= k;
	}
	return re;
}

/* n waiters of many daemons by turns, none with more than a thousand: one asked a second after the
 * other, long ago. */
static void
queue_up(struct bench *b, unsigned first, unsigned n, int64_t limit)
{
	unsigned users = n > 8000 ? n / 1000 : 8;
	struct xch_want wants[1000];

	for (unsigned i = 0; i < users; i++) {
		uint32_t k = 0;
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		for (unsigned place = i; place < n; place += users)
			wants[k++] = (struct xch_want){.id = ++b->users[first + i].waiter,
			    .n = 1,
			    .limit = limit,
			    .age =
				(ts.tv_sec - b->started + n - place) * SECOND + ts.tv_nsec / 1000};
		ask(b, &b->users[first + i], (struct xch_request){.n_want = k, .want = wants});
	}
	for (unsigned place = 0; place < n; place++)
		b->fifo[b->fifo_end++ % FIFO_SIZE] = (uint16_t)(first + place % users);
}

static void
give_back(struct bench *b, unsigned user)
{
	ask(b, &b->users[user],
	    (struct xch_request){.n_release = 1, .release = &b->users[user].held});
}

static void
begin(struct bench *b, const char *group, int64_t limit, unsigned n_users)
{
	b->group = group;
	b->limit = limit;
	b->holder = b->fifo_first = b->fifo_end = 0;
	b->started = time(NULL);
	for (unsigned i = 0; i < n_users; i++) {
		struct user *u = &b->users[i];

		*u = (struct user){.id = {i + 1, 1, 1}};
		ask(b, u, (struct xch_request){.full = true});
		u->incarnation = u->seq;
	}
}

/* ------------------------------------------------------------------ rows */

/* limit n, all but ten held */
static void
begin_held(struct bench *b, unsigned n)
{
	begin(b, n == 10 ? "held" : "held-many", n, 10);
	want(b, 1, (n - 10) / 50, 50, XCH_NO_LIMIT);
	want(b, 2, (n - 10) % 50, 1, XCH_NO_LIMIT);
}

static void
take_and_give(struct bench *b)
{
	want(b, 0, 1, 1, XCH_NO_LIMIT);
	give_back(b, 0);
}

static void
begin_queued(struct bench *b, unsigned n)
{
	begin(b, n == 10 ? "queued" : "queued-many", 10, 101);
	want(b, 0, 10, 1, XCH_NO_LIMIT);
	queue_up(b, 1, n, XCH_NO_LIMIT);
}

/* A slot is given back; the oldest waiter is granted it, and its daemon hears of that and waits
 * again. */
static void
hand_on(struct bench *b)
{
	unsigned next = b->fifo[b->fifo_first++ % FIFO_SIZE];

	give_back(b, b->holder);
	if (want(b, next, 1, 1, XCH_NO_LIMIT)->n_granted != 1)
		fail("%s: the oldest waiter has not been granted the slot", b->group);
	b->fifo[b->fifo_end++ % FIFO_SIZE] = (uint16_t)next;
	b->holder = next;
}

/* three held and n waiters of limit 3; two daemons share what limit 5 leaves */
static void
begin_headroom(struct bench *b, unsigned n)
{
	begin(b, n == 10 ? "headroom" : "headroom-many", 5, 102);
	want(b, 0, 3, 1, XCH_NO_LIMIT);
	queue_up(b, 2, n, 3);
	want(b, 0, 1, 1, XCH_NO_LIMIT);
	want(b, 0, 1, 1, XCH_NO_LIMIT);
}

/* One waits behind them all, the other gives its slot back, and the first hears of its grant. */
static void
pass_by(struct bench *b)
{
	unsigned next = 1 - b->holder;

	want(b, next, 1, 1, XCH_NO_LIMIT);
	give_back(b, b->holder);
	if (renew(b, next)->n_granted != 1)
		fail("%s: the waiter of limit 5 has not been granted the slot", b->group);
	b->holder = next;
}

/* n daemons, each with a slot, and one slot that is free */
static void
begin_daemons(struct bench *b, unsigned n)
{
	begin(b, n == 10 ? "daemons" : "daemons-many", n + 1, n);
	for (unsigned i = 1; i < n; i++)
		want(b, i, 1, 1, XCH_NO_LIMIT);
}

/* n daemons, each with a slot, and ten waiters, of whom all know */
static void
begin_contended(struct bench *b, unsigned n)
{
	begin(b, n == 10 ? "contended" : "contended-many", n, n);
	for (unsigned i = 0; i < n; i++)
		want(b, i, 1, 1, XCH_NO_LIMIT);
	queue_up(b, 1, 10, XCH_NO_LIMIT);
	for (unsigned i = 0; i < n; i++)
		renew(b, i);
}

static const struct row {
	const char *name;
	unsigned small, large;
	void (*begin)(struct bench *b, unsigned n);
	void (*cycle)(struct bench *b);
} rows[] = {
    {"limit, all but ten of it held", 10, 100000, begin_held, take_and_give},
    {"waiters in the queue", 10, 100000, begin_queued, hand_on},
    {"waiters of limit 3 before one of limit 5", 10, 100000, begin_headroom, pass_by},
    {"daemons on record", 10, 1000, begin_daemons, take_and_give},
    {"daemons on record, ten waiters", 10, 1000, begin_contended, hand_on},
};

/* -> microseconds of an exchange */
static double
measure(struct bench *b, const struct row *row)
{
	unsigned long long calls, spent;
	redisReply *reply;
	const char *line;

	freeReplyObject(server_command(b->link, "CONFIG RESETSTAT"));
	for (int i = 0; i < CYCLES; i++)
		row->cycle(b);
	reply = server_command(b->link, "INFO commandstats");
	line = strstr(reply->str, "cmdstat_evalsha:");
	if (line == NULL ||
	    sscanf(line, "cmdstat_evalsha:calls=%llu,usec=%llu", &calls, &spent) != 2)
		fail("no statistics: %s", reply->str);
	freeReplyObject(reply);
	return (double)spent / (double)calls;
}

static void
connect_bench(struct bench *b, const struct server *server)
{
	redisReply *reply;

	memset(b, 0, sizeof *b);
	b->link = server_connect(server);
	reply = server_command(b->link, "SCRIPT LOAD %s", exchange_script);
	snprintf(b->sha, sizeof b->sha, "%s", reply->str);
	freeReplyObject(reply);
}

static void
run(const char *program)
{
	static struct bench small, large;
	struct server server;

	server_start(&server, program);
	connect_bench(&small, &server);
	connect_bench(&large, &server);
	printf("%s: the script's time in Redis, us an exchange\n", program);
	for (const struct row *row = rows; row < rows + sizeof rows / sizeof rows[0]; row++) {
		double least[2] = {1e9, 1e9};

		row->begin(&small, row->small);
		row->begin(&large, row->large);
		for (int i = 0; i < ROUNDS * 2; i++) {
			double t = measure(i % 2 ? &large : &small, row);

			least[i % 2] = t < least[i % 2] ? t : least[i % 2];
		}
		printf("  %-42s %6u: %5.1f   %6u: %5.1f   ratio %.2f\n", row->name, row->small,
		    least[0], row->large, least[1], least[1] / least[0]);
		freeReplyObject(server_command(small.link, "FLUSHALL"));
	}
	redisFree(small.link);
	redisFree(large.link);
	exchange_command_fini(&small.cmd);
	exchange_command_fini(&large.cmd);
	arena_fini(&small.arena);
	arena_fini(&large.arena);
	server_stop(&server);
}

int
main(void)
{
	static const char *const names[] = {"redis-server", "valkey-server"};
	int n = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *program = server_find(names[i]);

		if (program != NULL)
			run(program);
		n += program != NULL;
		free(program);
	}
	if (n == 0)
		fail("neither redis-server nor valkey-server is installed");
	return EXIT_SUCCESS;
}
