/* What the script does about keys that somebody else has put where its own belong, and that its own do
 * not expire while they are in use. */
#include "tests/diff/types.h"

#include <string.h>

#include "daemon/redis/exchange.h"

#define PREFIX "types:"
#define GROUP "group"
#define N_KEYS 15

/* Keys that an exchange needs, by their place in the script's list: marker live records leases unaware
 * recalls, and owners slots free */
#define OF_RENEWAL 0x00cfu
#define OF_SLOT 0x07cfu

static struct exchange_command cmd;
static char sha[41];
static uint64_t seq;

static redisReply *
ask(redisContext *link, struct xch_request *q)
{
	redisReply *reply = NULL;

	q->group = GROUP;
	q->seq = ++seq;
	q->lease = 10000000;
	q->host = "host";
	exchange_encode(&cmd, sha, PREFIX, q);
	redisAppendCommandArgv(link, cmd.argc, cmd.argv, cmd.lens);
	if (redisGetReply(link, (void **)&reply) != REDIS_OK)
		fail("the link to the server: %s", link->errstr);
	return reply;
}

static void
ask_ok(redisContext *link, struct xch_request q)
{
	redisReply *reply = ask(link, &q);

	if (reply->type != REDIS_REPLY_STRING || strncmp(reply->str, "OK ", 3) != 0)
		fail("the script says: %s", reply->str);
	freeReplyObject(reply);
}

/* One daemon that holds both slots, and one whose waiters are queued. */
static uint64_t
begin(redisContext *link)
{
	const struct xch_want wants[] = {{.id = 1, .n = 1, .limit = XCH_NO_LIMIT},
	    {.id = 2, .n = 1, .limit = XCH_NO_LIMIT},
	    {.id = 3, .n = 1, .limit = XCH_NO_LIMIT, .now = true}};
	uint64_t incarnation;

	freeReplyObject(server_command(link, "FLUSHALL"));
	ask_ok(link,
	    (struct xch_request){
	        .from = {1, 1, 1}, .full = true, .limit = 2, .n_want = 2, .want = wants});
	incarnation = seq;
	ask_ok(link,
	    (struct xch_request){
	        .from = {2, 1, 1}, .full = true, .limit = 2, .n_want = 3, .want = wants});
	return incarnation;
}

/* One daemon that holds two slots of three, and has given one back; nobody waits. */
static uint64_t
begin_plain(redisContext *link, struct xch_slot *held)
{
	const struct xch_want wants[] = {{.id = 1, .n = 1, .limit = XCH_NO_LIMIT},
	    {.id = 2, .n = 1, .limit = XCH_NO_LIMIT},
	    {.id = 3, .n = 1, .limit = XCH_NO_LIMIT}};
	struct xch_request q = {
	    .from = {1, 1, 1}, .full = true, .limit = 3, .n_want = 3, .want = wants};
	struct arena arena = {0};
	struct xch_reply re;
	redisReply *reply;
	uint64_t incarnation;

	freeReplyObject(server_command(link, "FLUSHALL"));
	reply = ask(link, &q);
	incarnation = seq;
	if (exchange_decode(&arena, reply->str, reply->len, &re) == -1 || re.n_granted != 3)
		fail("the script says: %s", reply->str);
	*held = (struct xch_slot){re.granted[1].slots[0], re.granted[1].number};
	ask_ok(link,
	    (struct xch_request){.from = {1, 1, 1},
	        .incarnation = incarnation,
	        .limit = 3,
	        .n_release = 1,
	        .release = &(struct xch_slot){re.granted[0].slots[0], re.granted[0].number}});
	freeReplyObject(reply);
	arena_fini(&arena);
	return incarnation;
}

/* Every key with what it holds.  DUMP alone will not do: a hash has no order. */
static redisReply *
dump(redisContext *link)
{
	return server_command(link, "EVAL %s 0",
	    "local all = redis.call('KEYS', '*') table.sort(all) "
	    "for i, key in ipairs(all) do local is, v = redis.call('TYPE', key).ok, {} "
	    "local held = is == 'hash' and redis.call('HGETALL', key) or {is, redis.call('DUMP', "
	    "key)} "
	    "for k = 1, #held, 2 do v[#v + 1] = held[k] .. ' ' .. held[k + 1] end "
	    "table.sort(v) all[i] = key .. ' ' .. redis.sha1hex(table.concat(v, '|')) end "
	    "return table.concat(all, '\\n')");
}

/* Puts a list in the place of the script's k-th key, and asks: that is refused with the name of the
 * key, or, where this exchange has no need of the key, done without touching it. */
static void
check_type(redisContext *link, unsigned k, struct xch_request q, bool is_needed)
{
	redisReply *before, *after, *reply;
	char key[128];

	q.group = GROUP;
	q.host = "host";
	exchange_encode(&cmd, sha, PREFIX, &q);
	snprintf(key, sizeof key, "%s", cmd.argv[3 + k]);
	freeReplyObject(server_command(link, "DEL %s", key));
	freeReplyObject(server_command(link, "RPUSH %s mine", key));
	before = dump(link);
	reply = ask(link, &q);
	after = dump(link);
	if (!is_needed) {
		freeReplyObject(before);
		freeReplyObject(after);
		after = server_command(link, "LRANGE %s 0 -1", key);
		if (reply->type != REDIS_REPLY_STRING || after->elements != 1 ||
		    strcmp(after->element[0]->str, "mine") != 0)
			fail("%s is a list without need of it, and the script says: %s", key, reply->str);
		freeReplyObject(after);
		freeReplyObject(reply);
		return;
	}
	if (reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "WRONGTYPE ", 10) != 0 ||
	    strstr(reply->str, key) == NULL)
		fail("%s is a list, and the script says: %s", key, reply->str);
	if (strcmp(before->str, after->str) != 0)
		fail("%s is a list, and the script has written:\n%s\n%s", key, before->str,
		    after->str);
	freeReplyObject(before);
	freeReplyObject(after);
	freeReplyObject(reply);
}

/* The keys of a group that has no other exchanges than plain ones, once they expire in less than a week
 * and its own numbers say so. */
static void
check_expiry(redisContext *link)
{
	struct xch_slot held;
	struct xch_request q = {
	    .from = {1, 1, 1}, .incarnation = begin_plain(link, &held), .limit = 3};
	redisReply *reply;

	freeReplyObject(server_command(link, "EVAL %s 0",
	    "for _, key in ipairs(redis.call('KEYS', '*')) do "
	    "if redis.call('TTL', key) > 0 then redis.call('EXPIRE', key, 1000) end "
	    "if string.find(key, ':records$') then local g = redis.call('HGET', key, 'group') "
	    "redis.call('HSET', key, 'group', string.sub(g, 1, 96) .. struct.pack('>L', "
	    "struct.unpack('>L', g, 97) - 3700) .. string.sub(g, 105)) end end"));
	ask_ok(link, q);
	reply = server_command(link, "EVAL %s 0",
	    "local least = 1e9 for _, key in ipairs(redis.call('KEYS', '*')) do "
	    "local ttl = redis.call('TTL', key) if ttl ~= -1 then least = math.min(least, ttl) end "
	    "end return least");
	if (reply->integer < 7 * 24 * 3600 - 60 || reply->integer == 1000000000)
		fail("a group that is in use expires in %lld s", reply->integer);
	freeReplyObject(reply);
}

void
check_types(redisContext *link)
{
	redisReply *reply = server_command(link, "SCRIPT LOAD %s", exchange_script);

	snprintf(sha, sizeof sha, "%s", reply->str);
	freeReplyObject(reply);
	for (unsigned k = 0; k < N_KEYS; k++) {
		struct xch_slot held;
		struct xch_want want = {.id = 9, .n = 1, .limit = XCH_NO_LIMIT};
		struct xch_request q = {.from = {1, 1, 1}, .limit = 3};

		q.incarnation = begin_plain(link, &held);
		check_type(link, k, q, OF_RENEWAL >> k & 1);
		q.incarnation = begin_plain(link, &held);
		q.n_release = 1;
		q.release = &held;
		check_type(link, k, q, OF_SLOT >> k & 1);
		q.incarnation = begin_plain(link, &held);
		q.n_release = 0;
		q.n_want = 1;
		q.want = &want;
		check_type(link, k, q, OF_SLOT >> k & 1);
		want.limit = 1;
		q.incarnation = begin(link); /* where the limit was another: so it is a matter of all keys */
		check_type(link, k, q, true);
	}
	check_expiry(link);
	exchange_command_fini(&cmd);
}
