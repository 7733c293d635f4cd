/* Time that Redis spends in the script, by its own statistics: with little there, and with much, and
 * against a script that only makes the same calls.
 *
 * Each row is one exchange as a fleet makes it, at three sizes of the group around it; the time is
 * the smallest mean of ROUNDS, which other load on the machine disturbs least. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/asker.h"
#include "tests/bench/bench.h"

#define ROUNDS 10
#define CYCLES 200      /* of each round */
#define USERS_MAX 1024
#define FIFO_SIZE (1 << 17)
#define SIZES 3

struct crowd {
	struct asked asked;
	struct asker users[USERS_MAX];
	unsigned holder;        /* of the slot that goes round */
	uint16_t fifo[FIFO_SIZE]; /* users with a waiter in the queue, the oldest first */
	unsigned fifo_first, fifo_end;
	time_t started;
};

static const struct xch_reply *
want(struct crowd *c, unsigned user, uint32_t count, uint32_t n, int64_t limit)
{
	return asker_want(&c->asked, &c->users[user], count, n, limit);
}

static void
give_back(struct crowd *c, unsigned user)
{
	asker_give_back(&c->asked, &c->users[user]);
}

static const struct xch_reply *
renew(struct crowd *c, unsigned user)
{
	return asker_ask(&c->asked, &c->users[user], (struct xch_request){0});
}

/* n waiters of many daemons by turns, none with more than a thousand: one asked a second after the
 * other, long ago. */
static void
queue_up(struct crowd *c, unsigned first, unsigned n, int64_t limit)
{
	unsigned users = n > 8000 ? n / 1000 : 8;
	struct xch_want wants[1000];

	for (unsigned i = 0; i < users; i++) {
		uint32_t k = 0;
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		for (unsigned place = i; place < n; place += users)
			wants[k++] = (struct xch_want){.id = ++c->users[first + i].waiter,
			    .n = 1,
			    .limit = limit,
			    .age =
				(ts.tv_sec - c->started + n - place) * SECOND + ts.tv_nsec / 1000};
		asker_ask(&c->asked, &c->users[first + i],
		    (struct xch_request){.n_want = k, .want = wants});
	}
	for (unsigned place = 0; place < n; place++)
		c->fifo[c->fifo_end++ % FIFO_SIZE] = (uint16_t)(first + place % users);
}

/* Groups of the same row are told apart by their size: all are in the same Redis. */
static void
begin(struct crowd *c, const char *name, unsigned size, int64_t limit, unsigned n_users)
{
	static char names[SIZES][32];
	static unsigned n;
	char *group = names[n++ % SIZES];

	snprintf(group, sizeof names[0], "%s-%u", name, size);
	c->asked.group = group;
	c->asked.limit = limit;
	c->holder = c->fifo_first = c->fifo_end = 0;
	c->started = time(NULL);
	for (unsigned i = 0; i < n_users; i++)
		asker_begin(&c->asked, &c->users[i], i + 1);
}

/* ------------------------------------------------------------------ rows */

/* limit n, all but ten held */
static void
begin_held(struct crowd *c, unsigned n)
{
	begin(c, "held", n, n, 10);
	want(c, 1, (n - 10) / 50, 50, XCH_NO_LIMIT);
	want(c, 2, (n - 10) % 50, 1, XCH_NO_LIMIT);
}

static void
take_and_give(struct crowd *c)
{
	want(c, 0, 1, 1, XCH_NO_LIMIT);
	give_back(c, 0);
}

static void
begin_queued(struct crowd *c, unsigned n)
{
	begin(c, "queued", n, 10, 101);
	want(c, 0, 10, 1, XCH_NO_LIMIT);
	queue_up(c, 1, n, XCH_NO_LIMIT);
}

/* A slot is given back; the oldest waiter is granted it, and its daemon hears of that and waits
 * again. */
static void
hand_on(struct crowd *c)
{
	unsigned next = c->fifo[c->fifo_first++ % FIFO_SIZE];

	give_back(c, c->holder);
	if (want(c, next, 1, 1, XCH_NO_LIMIT)->n_granted != 1)
		fail("%s: the oldest waiter has not been granted the slot", c->asked.group);
	c->fifo[c->fifo_end++ % FIFO_SIZE] = (uint16_t)next;
	c->holder = next;
}

/* three held and n waiters of limit 3; two daemons share what limit 5 leaves */
static void
begin_headroom(struct crowd *c, unsigned n)
{
	begin(c, "headroom", n, 5, 102);
	want(c, 0, 3, 1, XCH_NO_LIMIT);
	queue_up(c, 2, n, 3);
	want(c, 0, 1, 1, XCH_NO_LIMIT);
	want(c, 0, 1, 1, XCH_NO_LIMIT);
}

/* One waits behind them all, the other gives its slot back, and the first hears of its grant. */
static void
pass_by(struct crowd *c)
{
	unsigned next = 1 - c->holder;

	want(c, next, 1, 1, XCH_NO_LIMIT);
	give_back(c, c->holder);
	if (renew(c, next)->n_granted != 1)
		fail("%s: the waiter of limit 5 has not been granted the slot", c->asked.group);
	c->holder = next;
}

/* n daemons, each with a slot, and one slot that is free */
static void
begin_daemons(struct crowd *c, unsigned n)
{
	begin(c, "daemons", n, n + 1, n);
	for (unsigned i = 1; i < n; i++)
		want(c, i, 1, 1, XCH_NO_LIMIT);
}

/* n daemons, each with a slot, and ten waiters, of whom all know */
static void
begin_contended(struct crowd *c, unsigned n)
{
	begin(c, "contended", n, n, n);
	for (unsigned i = 0; i < n; i++)
		want(c, i, 1, 1, XCH_NO_LIMIT);
	queue_up(c, 1, 10, XCH_NO_LIMIT);
	for (unsigned i = 0; i < n; i++)
		renew(c, i);
}

static const struct row {
	const char *name;
	unsigned sizes[SIZES];
	void (*begin)(struct crowd *c, unsigned n);
	void (*cycle)(struct crowd *c);
} rows[] = {
    {"limit, all but ten of it held", {10, 1000, 100000}, begin_held, take_and_give},
    {"waiters in the queue", {10, 1000, 100000}, begin_queued, hand_on},
    {"waiters of limit 3 before one of limit 5", {10, 1000, 100000}, begin_headroom, pass_by},
    {"daemons on record", {3, 100, 1000}, begin_daemons, take_and_give},
    {"daemons on record, ten waiters", {12, 100, 1000}, begin_contended, hand_on},
};

/* -> microseconds of an exchange */
static double
measure(struct crowd *c, const struct row *row)
{
	asked_reset_time(&c->asked);
	for (int i = 0; i < CYCLES; i++)
		row->cycle(c);
	return asked_time(&c->asked);
}

static void
run_row(const struct server *server, const struct row *row)
{
	static struct crowd crowds[SIZES];
	double least[SIZES];
	char what[120];

	for (unsigned k = 0; k < SIZES; k++) {
		asked_open(&crowds[k].asked, server);
		row->begin(&crowds[k], row->sizes[k]);
		least[k] = 1e9;
	}
	for (int i = 0; i < ROUNDS * SIZES; i++) {
		double t = measure(&crowds[i % SIZES], row);

		if (t < least[i % SIZES])
			least[i % SIZES] = t;
	}
	for (unsigned k = 0; k < SIZES; k++) {
		snprintf(what, sizeof what, "exchange in Redis, %s: %u", row->name, row->sizes[k]);
		table_number(what, "us", least[k]);
	}
	snprintf(what, sizeof what, "exchange time in Redis, %s: %u / %u", row->name,
	    row->sizes[SIZES - 1], row->sizes[0]);
	table_target(what, AT_MOST, 1.5, least[SIZES - 1] / least[0]);
	freeReplyObject(server_command(crowds[0].asked.link, "FLUSHALL"));
	for (unsigned k = 0; k < SIZES; k++)
		asked_close(&crowds[k].asked);
}

/* ------------------------------------------------------------------ against its own calls */

#define CALLS_MAX 100
#define ARGS_MAX 400

/* It makes the calls that its arguments are, each with their number before it. */
static const char bare_script[] =
    "#!lua flags=allow-oom,allow-cross-slot-keys\n"
    "local i = 1\n"
    "while ARGV[i] do\n"
    "  local n = tonumber(ARGV[i])\n"
    "  redis.call(unpack(ARGV, i + 1, i + n))\n"
    "  i = i + n + 1\n"
    "end\n"
    "return 'OK'";

struct calls {
	char sha[41];
	int argc;
	const char *argv[ARGS_MAX];
	size_t lens[ARGS_MAX];
	char text[65536];
	size_t used;
};

static void
add(struct calls *calls, const char *text, size_t len)
{
	if (calls->argc == ARGS_MAX || calls->used + len + 1 > sizeof calls->text)
		fail("the script makes more calls than fit here");
	memcpy(calls->text + calls->used, text, len);
	calls->text[calls->used + len] = '\0';
	calls->argv[calls->argc] = calls->text + calls->used;
	calls->lens[calls->argc++] = len;
	calls->used += len + 1;
}

/* One word of a MONITOR line, unescaped.  -> behind it, or NULL: there is none */
static const char *
take_word(const char *line, char *word, size_t *len)
{
	*len = 0;
	if ((line = strchr(line, '"')) == NULL)
		return NULL;
	for (line++; *line != '"'; line++) {
		unsigned byte = (unsigned char)*line;

		if (byte == '\\') {
			line++;
			byte = (unsigned char)*line;
			if (*line == 'x') {
				sscanf(line + 1, "%2x", &byte);
				line += 2;
			} else if (strchr("nrtab", *line) != NULL) {
				byte = (unsigned char)"\n\r\t\a\b"[strchr("nrtab", *line) - "nrtab"];
			}
		}
		word[(*len)++] = (char)byte;
	}
	return line + 1;
}

static void
add_call(struct calls *calls, const char *line)
{
	static char word[8192];
	const char *at = line;
	char number[16];
	size_t len;
	int n = 0;

	while ((at = take_word(at, word, &len)) != NULL)
		n++;
	snprintf(number, sizeof number, "%d", n);
	add(calls, number, strlen(number));
	at = line;
	while ((at = take_word(at, word, &len)) != NULL)
		add(calls, word, len);
}

/* What the script calls in one exchange in which a want is granted, by MONITOR. */
static void
record(struct calls *calls, struct crowd *c, const struct server *server)
{
	redisContext *monitor = server_connect(server);
	redisReply *reply;
	bool done = false;

	freeReplyObject(server_command(monitor, "MONITOR"));
	if (want(c, 0, 1, 1, XCH_NO_LIMIT)->n_granted != 1)
		fail("not granted");
	freeReplyObject(server_command(c->asked.link, "ECHO recorded"));
	*calls = (struct calls){0};
	add(calls, "EVALSHA", 7);
	reply = server_command(c->asked.link, "SCRIPT LOAD %s", bare_script);
	snprintf(calls->sha, sizeof calls->sha, "%s", reply->str);
	freeReplyObject(reply);
	add(calls, calls->sha, strlen(calls->sha));
	add(calls, "0", 1);
	while (!done) {
		reply = server_reply(monitor);
		done = strstr(reply->str, "recorded") != NULL;
		if (strstr(reply->str, " lua] ") != NULL)
			add_call(calls, strstr(reply->str, " lua] "));
		freeReplyObject(reply);
	}
	redisFree(monitor);
}

static void
give_back_by_eval(struct crowd *c)
{
	c->asked.by_eval = true;
	give_back(c, 0);
	c->asked.by_eval = false;
}

/* The slot is given back by EVAL, so that EVALSHA's statistics are of the other exchange alone.  That
 * is so after the calls alone too: they find and leave what the exchange does, and the processor's
 * caches are as cold. */
static void
against_calls(const struct server *server)
{
	static struct crowd c;
	static struct calls calls;
	double least[2] = {1e9, 1e9};

	asked_open(&c.asked, server);
	begin(&c, "calls", 10, 10, 2);
	want(&c, 1, 3, 1, XCH_NO_LIMIT);
	want(&c, 0, 1, 1, XCH_NO_LIMIT);
	give_back_by_eval(&c);
	for (int i = 0; i < ROUNDS * 2; i++) {
		bool is_calls = i % 2 == 1;
		double t;

		if (is_calls) {
			record(&calls, &c, server);
			give_back_by_eval(&c);
		}
		asked_reset_time(&c.asked);
		for (int k = 0; k < CYCLES; k++) {
			if (is_calls) {
				redisAppendCommandArgv(c.asked.link, calls.argc, calls.argv, calls.lens);
				freeReplyObject(server_reply(c.asked.link));
			} else {
				want(&c, 0, 1, 1, XCH_NO_LIMIT);
			}
			give_back_by_eval(&c);
		}
		t = asked_time(&c.asked);
		if (t < least[is_calls])
			least[is_calls] = t;
	}
	table_number("exchange in Redis, one want granted", "us", least[0]);
	table_number("a script that makes the same calls and nothing else", "us", least[1]);
	table_target("the exchange script, one want granted / its redis.calls alone", AT_MOST, 1.5,
	    least[0] / least[1]);
	freeReplyObject(server_command(c.asked.link, "FLUSHALL"));
	asked_close(&c.asked);
}

void
bench_script(void)
{
	struct server server;

	redis_start(&server);
	against_calls(&server);
	for (const struct row *row = rows; row < rows + sizeof rows / sizeof rows[0]; row++)
		run_row(&server, row);
	server_stop(&server);
}
