/* A daemon as Redis sees it, made of nothing but its exchanges. */
#include "tests/bench/asker.h"

#include <stdio.h>
#include <string.h>

void
asked_open(struct asked *a, const struct server *server)
{
	redisReply *reply;

	*a = (struct asked){.link = server_connect(server)};
	reply = server_command(a->link, "SCRIPT LOAD %s", exchange_script);
	snprintf(a->sha, sizeof a->sha, "%s", reply->str);
	freeReplyObject(reply);
}

void
asked_close(struct asked *a)
{
	redisFree(a->link);
	exchange_command_fini(&a->cmd);
	arena_fini(&a->arena);
}

void
asker_send(struct asked *a, struct asker *u, struct xch_request q)
{
	int done = 0;

	q.group = a->group;
	q.from = u->id;
	q.seq = ++u->seq;
	q.incarnation = u->incarnation;
	q.lease = 600 * SECOND;
	q.limit = a->limit;
	q.host = "host";
	exchange_encode(&a->cmd, a->sha, ASKER_PREFIX, &q);
	if (a->by_eval) {
		a->cmd.argv[0] = "EVAL";
		a->cmd.lens[0] = 4;
		a->cmd.argv[1] = exchange_script;
		a->cmd.lens[1] = strlen(exchange_script);
	}
	redisAppendCommandArgv(a->link, a->cmd.argc, a->cmd.argv, a->cmd.lens);
	while (!done)
		if (redisBufferWrite(a->link, &done) != REDIS_OK)
			fail("the link to the server: %s", a->link->errstr);
}

const struct xch_reply *
asker_hear(struct asked *a, struct asker *u)
{
	redisReply *reply = server_reply(a->link);

	arena_reset(&a->arena);
	if (exchange_decode(&a->arena, reply->str, reply->len, &a->reply) == -1 ||
	    a->reply.status != XCH_OK)
		fail("the script says: %s", reply->str);
	freeReplyObject(reply);
	if (a->reply.n_granted > 0)
		u->held =
		    (struct xch_slot){a->reply.granted[0].slots[0], a->reply.granted[0].number};
	return &a->reply;
}

const struct xch_reply *
asker_ask(struct asked *a, struct asker *u, struct xch_request request)
{
	asker_send(a, u, request);
	return asker_hear(a, u);
}

void
asker_begin(struct asked *a, struct asker *u, uint64_t id)
{
	*u = (struct asker){.id = {id, 1, 1}};
	asker_ask(a, u, (struct xch_request){.full = true});
	u->incarnation = u->seq;
}

const struct xch_reply *
asker_want(struct asked *a, struct asker *u, uint32_t count, uint32_t n, int64_t limit)
{
	const struct xch_reply *re = NULL;
	struct xch_want wants[1000];

	while (count > 0) {
		uint32_t k = count < 1000 ? count : 1000;

		for (uint32_t i = 0; i < k; i++)
			wants[i] = (struct xch_want){.id = ++u->waiter, .n = n, .limit = limit};
		re = asker_ask(a, u, (struct xch_request){.n_want = k, .want = wants});
		count -= k;
	}
	return re;
}

void
asker_give_back(struct asked *a, struct asker *u)
{
	asker_ask(a, u, (struct xch_request){.n_release = 1, .release = &u->held});
}

void
asked_reset_time(struct asked *a)
{
	freeReplyObject(server_command(a->link, "CONFIG RESETSTAT"));
}

double
asked_time(struct asked *a)
{
	unsigned long long calls, spent;
	redisReply *reply = server_command(a->link, "INFO commandstats");
	const char *line = strstr(reply->str, "cmdstat_evalsha:");

	if (line == NULL ||
	    sscanf(line, "cmdstat_evalsha:calls=%llu,usec=%llu", &calls, &spent) != 2)
		fail("no statistics: %s", reply->str);
	freeReplyObject(reply);
	return (double)spent / (double)calls;
}
