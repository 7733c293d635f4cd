/* What the script does about keys that somebody else has put where its own belong. */
#include "tests/diff/types.h"

#include <string.h>

#include "daemon/redis/exchange.h"

#define PREFIX "types:"
#define GROUP "group"

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

static void
check_type(redisContext *link, unsigned k)
{
	struct xch_want want = {.id = 9, .n = 1, .limit = 1};
	struct xch_request q = {.group = GROUP,
	    .from = {1, 1, 1},
	    .host = "host",
	    .incarnation = begin(link),
	    .limit = 3, /* another one, so that it is a matter of `limits` too */
	    .n_want = 1,
	    .want = &want};
	redisReply *before, *after, *reply;
	char key[128];

	exchange_encode(&cmd, sha, PREFIX, &q);
	snprintf(key, sizeof key, "%s", cmd.argv[3 + k]);
	freeReplyObject(server_command(link, "DEL %s", key));
	freeReplyObject(server_command(link, "RPUSH %s mine", key));
	before = dump(link);
	reply = ask(link, &q);
	after = dump(link);
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

void
check_types(redisContext *link)
{
	redisReply *reply = server_command(link, "SCRIPT LOAD %s", exchange_script);

	snprintf(sha, sizeof sha, "%s", reply->str);
	freeReplyObject(reply);
	begin(link);
	for (unsigned k = 0; k < 15; k++)
		check_type(link, k);
	exchange_command_fini(&cmd);
}
