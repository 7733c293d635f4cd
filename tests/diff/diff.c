/* Drives the memory backend and the script in a real server with the same exchanges, and compares
 * every reply and every push.
 *
 * usage: diff            EXCHANGES=n (100,000) SEED=n (1; "random": another each time)
 *
 * On every redis-server and valkey-server that is installed, as a user with no more rights than the
 * script says that it needs; there it also puts a key of another type in the place of each of the
 * script's.  The script is the one that slotd has, but for the lines that ask the server for its time
 * and identity, which are two more arguments here, and for one that publishes when an exchange is
 * found to be plain, so that those are counted.  Exchanges go to the server in batches; a batch
 * also ends when memory begins a new era, because what the server calls it must be known before a
 * daemon can speak of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/core/memory/memory.h"
#include "daemon/redis/exchange.h"
#include "daemon/redis/live.h"
#include "tests/diff/plan.h"
#include "tests/diff/server.h"
#include "tests/diff/tell.h"
#include "tests/diff/types.h"

#define PREFIX "diff:"
#define BATCH 256
#define REMEMBERED 24 /* exchanges of a group that a mismatch shows */

/* One step on its way to the server: what memory said of it. */
struct pending {
	enum plan_what what;
	struct text request, expected;
	size_t n_told; /* PLAN_LIVE: daemons */
	char group[64];
};

struct diff {
	struct plan *plan;
	struct mem *mem[EXCHANGE_SHARDS];
	uint64_t sid;
	struct eras eras, its_eras; /* memory's and the server's */
	redisContext *link, *sub, *admin; /* the first with no more rights than slotd has */
	char sha[41];
	char *live_script;
	struct exchange_command cmd;
	struct arena arena;
	struct pending batch[BATCH];
	size_t n_batch, n_batches;
	struct {
		char group[64];
		struct text lines[REMEMBERED];
		size_t n;
	} past[16];
	struct {
		struct xch_push push;
		redisReply *reply;
	} *heard; /* of this batch */
	size_t n_heard, cap_heard, next_heard;
	struct text actual;
	uint64_t n_exchanges, n_status[4], n_push[4], n_granted, n_full, n_lost, n_refused;
	uint64_t n_plain[3]; /* that only renew, want, give back */
};

/* ------------------------------------------------------------------ the script */

/* -> behind the only such line of the script */
static const char *
line_end(const char *line)
{
	const char *at = strstr(exchange_script, line);

	if (at == NULL || strstr(at + 1, line) != NULL)
		fail("the script has no line, or several: %s", line);
	return at + strlen(line);
}

static char *
script_for_test(void)
{
	static const char begin[] = "-- {the server's own time and identity\n";
	static const char instead[] =
	    "local identity = 'master_replid:' .. table.remove(ARGV)\n"
	    "local now = tonumber(table.remove(ARGV))\n";
	static const char count[] = "redis.call('PUBLISH', '" PREFIX "1:plain', "
				    "n > 0 and 1 or named ~= '' and 2 or 0)\n";
	const char *from = line_end(begin) - strlen(begin);
	const char *to = line_end("-- }the server's own time and identity\n");
	const char *plain = line_end("from here on the plain exchange writes.\n");
	char *script;

	if (asprintf(&script, "%.*s%s%.*s%s%s", (int)(from - exchange_script), exchange_script,
		instead, (int)(plain - to), to, count, plain) == -1)
		fail("no memory");
	return script;
}

/* Likewise, of the one that sets live limits. */
static char *
live_script_for_test(void)
{
	static const char begin[] = "	-- {the server's own time\n", end[] = "	-- }the server's own time\n";
	const char *from = strstr(live_script, begin), *to = strstr(live_script, end);
	char *script;

	if (from == NULL || to == NULL)
		fail("live.lua has no such line: %s", begin);
	if (asprintf(&script, "%.*s	local _, now = table.remove(ARGV), tonumber(table.remove(ARGV))\n%s",
		(int)(from - live_script), live_script, to) == -1)
		fail("no memory");
	return script;
}

/* A user who may do what the script says that it needs, and two things that the test needs. */
static void
become_limited(struct diff *x)
{
	static const char needs[] = "begin with the prefix:\n--   ";
	const char *at = strstr(exchange_script, needs);
	const char *argv[64] = {"ACL", "SETUSER", "limited", "reset", "on", "nopass",
	    "~" PREFIX "*", "&" PREFIX "*", "+flushall", "+ping"};
	char rules[64][32];
	int argc = 10, len;

	if (at == NULL)
		fail("the script does not say what it needs");
	for (at += strlen(needs); sscanf(at, "%31[+a-z|]%n", rules[argc], &len) == 1 && argc < 63;
	     argc++) {
		argv[argc] = rules[argc];
		at += len;
		at += strspn(at, " \n-");
		if (strncmp(at, "and, ", 5) == 0)
			at = strchr(at, '+');
	}
	redisAppendCommandArgv(x->admin, argc, argv, NULL);
	freeReplyObject(server_reply(x->admin));
	freeReplyObject(server_command(x->link, "AUTH limited x"));
}

static void
diff_load(struct diff *x)
{
	char *script = script_for_test();
	redisReply *reply = server_command(x->link, "SCRIPT LOAD %s", script);

	snprintf(x->sha, sizeof x->sha, "%s", reply->str);
	freeReplyObject(reply);
	free(script);
	x->live_script = live_script_for_test();
}

/* ------------------------------------------------------------------ what was said before */

static void
remember(struct diff *x, const struct pending *p)
{
	struct text *line;
	size_t i;

	for (i = 0; x->past[i].n > 0 && strcmp(x->past[i].group, p->group) != 0; i++)
		;
	strcpy(x->past[i].group, p->group);
	line = &x->past[i].lines[x->past[i].n++ % REMEMBERED];
	text_clear(line);
	tell(line, "%s\n    -> %s", p->request.s, p->expected.s);
}

static void
mismatch(struct diff *x, const struct pending *p, const char *actual)
{
	size_t i, first;

	for (i = 0; x->past[i].n > 0 && strcmp(x->past[i].group, p->group) != 0; i++)
		;
	first = x->past[i].n > REMEMBERED ? x->past[i].n - REMEMBERED : 0;
	for (size_t k = first; k < x->past[i].n; k++)
		printf("%s\n", x->past[i].lines[k % REMEMBERED].s);
	printf("%s\nmemory -> %s\nscript -> %s\n", p->request.s, p->expected.s, actual);
	fail("exchange %" PRIu64 ": memory and script do not agree", x->n_exchanges);
}

/* ------------------------------------------------------------------ the server's side */

/* Reads what was published until the batch's own mark. */
static void
batch_listen(struct diff *x)
{
	x->n_heard = x->next_heard = 0;
	for (;;) {
		redisReply *reply = server_reply(x->sub);
		const char *channel = reply->element[2]->str;
		struct xch_push *push;
		struct xch_daemon *to;

		if (strcmp(channel, PREFIX "1:mark") == 0) {
			freeReplyObject(reply);
			return;
		}
		if (strcmp(channel, PREFIX "1:plain") == 0) {
			x->n_plain[*reply->element[3]->str - '0']++;
			freeReplyObject(reply);
			continue;
		}
		if (strcmp(channel, PREFIX "1:fleet") == 0) {   /* the reply says the same */
			freeReplyObject(reply);
			continue;
		}
		ALLOC_ROOM(x->heard, x->n_heard, x->cap_heard, 1);
		push = &x->heard[x->n_heard].push;
		x->heard[x->n_heard++].reply = reply;
		if (exchange_decode_push(
			&x->arena, reply->element[3]->str, reply->element[3]->len, push) == -1)
			fail("not a push: %s", reply->element[3]->str);
		to = &push->to;
		if (sscanf(channel, PREFIX "1:d:%16" SCNx64 ".%16" SCNx64 ".%16" SCNx64,
			&to->install, &to->generation, &to->nonce) != 3)
			fail("not a channel: %s", channel);
	}
}

static void
tell_script(struct diff *x, const struct pending *p, const redisReply *reply)
{
	struct xch_push pushes[4096];
	struct exchange_touched touched;
	struct live_news news;
	struct xch_reply re;
	size_t n = 0, max;

	text_clear(&x->actual);
	if (p->what == PLAN_TOUCH || p->what == PLAN_END) {
		if (exchange_decode_touch(reply->str, reply->len, &touched) == -1)
			fail("not a reply: %s", reply->str);
		tell_touched(
		    &x->actual, &x->its_eras, touched.era, touched.grace, touched.began);
		return;
	}
	if (p->what == PLAN_LIVE) {
		if (strncmp(reply->str, "OK ", 3) != 0 ||
		    live_decode(reply->str + 3, reply->len - 3, &news) == -1)
			fail("not a setting: %s", reply->str);
		re = (struct xch_reply){.status = XCH_OK};
	} else if (exchange_decode(&x->arena, reply->str, reply->len, &re) == -1) {
		fail("not a reply: %s", reply->str);
	}
	/* one setting behind the other: their pushes look the same */
	max = p->what == PLAN_LIVE ? p->n_told : 4096;
	for (; x->next_heard < x->n_heard && n < max; x->next_heard++) {
		const struct xch_push *push = &x->heard[x->next_heard].push;

		if (strcmp(push->group, p->group) != 0 || re.status != XCH_OK ||
		    push->version != re.version)
			break;
		pushes[n++] = *push;
	}
	if (p->what == PLAN_LIVE)
		tell_live(&x->actual, &news.said, pushes, n);
	else
		tell_answer(&x->actual, &x->its_eras, &re, pushes, n);
}

/* Reads what the server says of all that was sent, and compares. */
static void
batch_end(struct diff *x)
{
	redisReply *replies[BATCH];

	redisAppendCommand(x->link, "PUBLISH " PREFIX "1:mark -");
	for (size_t i = 0; i < x->n_batch; i++)
		replies[i] = server_reply(x->link);
	freeReplyObject(server_reply(x->link));
	arena_reset(&x->arena);
	batch_listen(x);
	for (size_t i = 0; i < x->n_batch; i++) {
		struct pending *p = &x->batch[i];

		if (p->what != PLAN_SERVER && p->what != PLAN_FLUSH) {
			tell_script(x, p, replies[i]);
			if (strcmp(x->actual.s, p->expected.s) != 0)
				mismatch(x, p, x->actual.s);
			remember(x, p);
			x->n_exchanges += p->what == PLAN_EXCHANGE;
		}
		freeReplyObject(replies[i]);
	}
	if (x->next_heard < x->n_heard)
		fail("a push too many: %s", x->heard[x->next_heard].reply->element[3]->str);
	for (size_t i = 0; i < x->n_heard; i++)
		freeReplyObject(x->heard[i].reply);
	x->n_batch = 0;
}

/* The marker and what operators have set never expire, all other keys of a group do together. */
static void
check_expiry(struct diff *x)
{
	redisReply *keys = server_command(x->admin, "KEYS " PREFIX "*");
	struct {
		char group[64];
		long long at;
	} known[16] = {{"", 0}};

	for (size_t i = 0; i < keys->elements; i++) {
		const char *key = keys->element[i]->str, *name = strrchr(key, ':') + 1;
		redisReply *expires = server_command(x->admin, "EXPIRETIME %s", key);
		long long at = expires->integer;
		size_t k;

		freeReplyObject(expires);
		if (strcmp(name, "marker") == 0 || strcmp(name, "live") == 0 ||
		    strcmp(name, "history") == 0) {
			if (at != -1)
				fail("%s expires", key);
			continue;
		}
		for (k = 0; known[k].at != 0 &&
		     (strncmp(known[k].group, key, (size_t)(name - key)) != 0 ||
			 known[k].group[name - key] != '\0');
		     k++)
			;
		snprintf(known[k].group, sizeof known[k].group, "%.*s", (int)(name - key), key);
		if (at <= 0 || (known[k].at != 0 && known[k].at != at))
			fail("%s expires at %lld, others of its group at %lld", key, at,
			    known[k].at);
		known[k].at = at;
	}
	freeReplyObject(keys);
}

/* ------------------------------------------------------------------ both sides */

static struct mem *
mem_of(struct diff *x, unsigned shard)
{
	if (x->mem[shard] == NULL) {
		x->mem[shard] = mem_new();
		if (x->mem[shard] == NULL)
			fail("no memory");
		mem_keep_all(x->mem[shard]);
		mem_set_identity(x->mem[shard], x->sid ^ shard);
	}
	return x->mem[shard];
}

/* What the server calls an era that memory has told of; others have the same name everywhere. */
static uint64_t
its_era(const struct diff *x, uint64_t era)
{
	for (size_t i = x->eras.n; i > 0; i--)
		if (x->eras.v[i - 1] == era)
			return x->its_eras.v[i - 1];
	return era;
}

static void
count(struct diff *x, const struct xch_reply *re, const struct xch_push *pushes, uint32_t n_pushes)
{
	x->n_status[re->status]++;
	x->n_granted += re->n_granted;
	x->n_lost += re->n_lost;
	x->n_full += re->n_full;
	x->n_refused += re->n_refused;
	for (uint32_t i = 0; i < n_pushes; i++)
		x->n_push[pushes[i].type]++;
}

/* The server's time and identity, for the lines that do not ask the server. */
static void
send_script(struct diff *x, const struct plan_step *s)
{
	const char *argv[8192];
	size_t lens[8192];
	char now[32], sid[48];
	int n = x->cmd.argc;

	if (n + 2 > 8192)
		fail("%d arguments", n);
	memcpy(argv, x->cmd.argv, (size_t)n * sizeof *argv);
	memcpy(lens, x->cmd.lens, (size_t)n * sizeof *lens);
	argv[n] = now;
	lens[n++] = (size_t)snprintf(now, sizeof now, "%" PRId64, s->now);
	argv[n] = sid;
	lens[n++] = (size_t)snprintf(sid, sizeof sid, "%040" PRIx64, s->sid);
	redisAppendCommandArgv(x->link, n, argv, lens);
}

static void
step_exchange(struct diff *x, const struct plan_step *s, struct pending *p)
{
	struct xch_request q = s->request;
	const struct xch_push *pushes;
	uint32_t n_pushes;
	const struct xch_reply *re;

	re = mem_exchange(mem_of(x, exchange_shard(q.group)), s->now, &q, &pushes, &n_pushes);
	q.era = its_era(x, q.era);
	exchange_encode(&x->cmd, x->sha, PREFIX, &q);
	send_script(x, s);
	tell_request(&p->request, s->now, &s->request);
	/* it sorts what memory made for this reply alone */
	tell_answer(&p->expected, &x->eras, re, (struct xch_push *)pushes, n_pushes);
	count(x, re, pushes, n_pushes);
	plan_heard(x->plan, re, pushes, n_pushes);
}

static void
step_touch(struct diff *x, const struct plan_step *s, struct pending *p)
{
	const struct xch_request *q = &s->request;
	unsigned shard = exchange_shard(q->group);
	struct mem *mem = mem_of(x, shard);
	bool end = s->what == PLAN_END;
	usec grace = 0;

	if (end)
		mem_end_grace(mem, s->now, q->era, q->grace);
	else
		grace = mem_touch(mem, s->now, q->era, q->grace);
	exchange_encode_touch(
	    &x->cmd, x->sha, PREFIX, shard, &q->from, its_era(x, q->era), q->grace, end);
	send_script(x, s);
	tell(&p->request, "at %" PRId64 " %s era=%" PRIx64 " grace=%" PRId64, s->now,
	    end ? "end" : "touch", q->era, q->grace);
	tell_touched(&p->expected, &x->eras, mem_era(mem), grace, mem_began(mem));
}

static void
step_live(struct diff *x, const struct plan_step *s, struct pending *p)
{
	const struct xch_request *q = &s->request;
	const struct xch_push *pushes;
	uint32_t n_pushes;

	struct live_said said = {s->kind, {.limit = q->limit, .uid = 7, .by = "tests", .why = "-"}};

	live_encode_set(&x->cmd, PREFIX, q->group, said.kind, &said.setting, s->length);
	x->cmd.argv[1] = x->live_script;
	x->cmd.lens[1] = strlen(x->live_script);
	send_script(x, s);
	mem_set_live(mem_of(x, exchange_shard(q->group)), s->now, q->group, said.kind, &said.setting,
	    s->length, &pushes, &n_pushes);
	tell(&p->request, "at %" PRId64 " group=%s live %d %" PRId64 " for %" PRId64, s->now,
	    q->group, (int)s->kind, q->limit, s->length);
	tell_live(&p->expected, &said, (struct xch_push *)pushes, n_pushes);
	p->n_told = n_pushes;
}

static void
forget_all(struct diff *x)
{
	for (unsigned i = 0; i < EXCHANGE_SHARDS; i++) {
		mem_free(x->mem[i]);
		x->mem[i] = NULL;
	}
}

static void
step(struct diff *x)
{
	const struct plan_step *s = plan_next(x->plan);
	struct pending *p = &x->batch[x->n_batch++];

	p->what = s->what;
	snprintf(p->group, sizeof p->group, "%s", s->request.group);
	text_clear(&p->request);
	text_clear(&p->expected);
	x->sid = s->sid;
	switch (s->what) {
	case PLAN_EXCHANGE:
		step_exchange(x, s, p);
		break;
	case PLAN_TOUCH:
	case PLAN_END:
		step_touch(x, s, p);
		break;
	case PLAN_LIVE:
		step_live(x, s, p);
		break;
	case PLAN_FLUSH:
		forget_all(x);
		redisAppendCommand(x->link, "FLUSHALL");
		break;
	case PLAN_SERVER:
		for (unsigned i = 0; i < EXCHANGE_SHARDS; i++)
			if (x->mem[i] != NULL)
				mem_set_identity(x->mem[i], s->sid ^ i);
		redisAppendCommand(x->link, "PING");
		break;
	}
	if (x->n_batch == BATCH || x->eras.n > x->its_eras.n) {
		batch_end(x);
		if (++x->n_batches % 16 == 0)
			check_expiry(x);
	}
}

/* ------------------------------------------------------------------ door */

static void
report(const struct diff *x, const char *program)
{
	printf("%s: %" PRIu64 " exchanges alike: %" PRIu64 " ok, %" PRIu64 " stale, %" PRIu64
	       " resync, %" PRIu64 " gone; %" PRIu64 " granted, %" PRIu64 " lost, %" PRIu64
	       " full, %" PRIu64 " refused; pushes: %" PRIu64 " recall, %" PRIu64 " grant, %" PRIu64
	       " full, %" PRIu64 " lost; %zu eras; plain: %" PRIu64 " renew, %" PRIu64 " want, %" PRIu64
	       " give back\n",
	    program, x->n_exchanges, x->n_status[XCH_OK], x->n_status[XCH_STALE],
	    x->n_status[XCH_RESYNC], x->n_status[XCH_GONE], x->n_granted, x->n_lost, x->n_full,
	    x->n_refused, x->n_push[XCH_RECALL], x->n_push[XCH_GRANT], x->n_push[XCH_FULL],
	    x->n_push[XCH_LOST], x->eras.n, x->n_plain[0], x->n_plain[1], x->n_plain[2]);
	/* a plan that never comes to something compares nothing there */
	if (x->n_exchanges >= 100000 &&
	    (x->n_status[XCH_STALE] == 0 || x->n_status[XCH_RESYNC] == 0 ||
		x->n_status[XCH_GONE] == 0 || x->n_lost == 0 || x->n_full == 0 ||
		x->n_refused == 0 || x->n_push[XCH_RECALL] == 0 || x->n_push[XCH_GRANT] == 0 ||
		x->n_push[XCH_FULL] == 0 || x->n_push[XCH_LOST] == 0 || x->eras.n < 3 ||
		x->n_plain[0] < x->n_exchanges / 1000 || x->n_plain[1] < x->n_exchanges / 1000 ||
		x->n_plain[2] < x->n_exchanges / 1000))
		fail("the plan has left something out");
}

static void
run(const char *program, uint64_t seed, uint64_t exchanges)
{
	struct diff *x = calloc(1, sizeof *x);
	struct server server;

	if (x == NULL)
		fail("no memory");
	server_start(&server, program);
	x->link = server_connect(&server);
	x->sub = server_connect(&server);
	x->admin = server_connect(&server);
	become_limited(x);
	x->plan = plan_new(seed);
	freeReplyObject(server_command(x->sub, "PSUBSCRIBE " PREFIX "1:*"));
	diff_load(x);
	while (x->n_exchanges < exchanges)
		step(x);
	report(x, program);
	check_types(x->admin);

	redisFree(x->link);
	redisFree(x->sub);
	redisFree(x->admin);
	server_stop(&server);
	plan_free(x->plan);
	forget_all(x);
	exchange_command_fini(&x->cmd);
	arena_fini(&x->arena);
	for (size_t i = 0; i < BATCH; i++) {
		text_fini(&x->batch[i].request);
		text_fini(&x->batch[i].expected);
	}
	for (size_t i = 0; i < sizeof x->past / sizeof x->past[0]; i++)
		for (size_t k = 0; k < REMEMBERED; k++)
			text_fini(&x->past[i].lines[k]);
	text_fini(&x->actual);
	free(x->live_script);
	free(x->eras.v);
	free(x->its_eras.v);
	free(x->heard);
	free(x);
}

static uint64_t
number(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);
	uint64_t n = otherwise;

	if (value != NULL && strcmp(value, "random") == 0) {
		if (getrandom(&n, sizeof n, 0) != sizeof n)
			fail("no random number");
	} else if (value != NULL && *value != '\0') {
		n = strtoull(value, NULL, 0);
	}
	return n;
}

int
main(void)
{
	static const char *const names[] = {"redis-server", "valkey-server"};
	uint64_t seed = number("SEED", 1), exchanges = number("EXCHANGES", 100000);
	int n = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("diff: SEED=%" PRIu64 " EXCHANGES=%" PRIu64 "\n", seed, exchanges);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *program = server_find(names[i]);

		if (program != NULL) {
			run(program, seed, exchanges);
			n += 2;
		}
		free(program);
	}
	if (n == 0) /* as tests/run.py reads it */
		printf("diff ... skipped 'neither redis-server nor valkey-server is installed'\n"
		       "Ran 1 test in 0s\n\nOK (skipped=1)\n");
	else
		printf("100%%: Checks: %d, Failures: 0, Errors: 0\n", n);
	return EXIT_SUCCESS;
}
