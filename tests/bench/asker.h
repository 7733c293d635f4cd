/* A daemon as Redis sees it, made of nothing but its exchanges. */
#ifndef ASKER_H
#define ASKER_H

#include "daemon/redis/exchange.h"
#include "tests/diff/server.h"

#define ASKER_PREFIX "bench:"
#define SECOND ((usec)1000000)

struct asker {
	struct xch_daemon id;
	uint64_t seq, incarnation, waiter;
	struct xch_slot held;   /* the last that it was granted */
};

/* One connection, which the daemons of one group share. */
struct asked {
	redisContext *link;
	char sha[41];
	const char *group;
	int64_t limit;
	bool by_eval;           /* by EVAL with the whole script, for statistics of their own */
	struct exchange_command cmd;
	struct arena arena;
	struct xch_reply reply;
};

void asked_open(struct asked *a, const struct server *server);
void asked_close(struct asked *a);

/* Its first full sync; id > 0 tells it from the others. */
void asker_begin(struct asked *a, struct asker *u, uint64_t id);
/* One exchange, whose answer must be OK. */
const struct xch_reply *asker_ask(struct asked *a, struct asker *u, struct xch_request request);
/* The same in two halves: when the first returns it has been written. */
void asker_send(struct asked *a, struct asker *u, struct xch_request request);
const struct xch_reply *asker_hear(struct asked *a, struct asker *u);
/* So many waiters of the same n and limit, up to 1,000 in one exchange. */
const struct xch_reply *asker_want(struct asked *a, struct asker *u, uint32_t count, uint32_t n,
    int64_t limit);
void asker_give_back(struct asked *a, struct asker *u);

/* Microseconds of an EVALSHA inside Redis, since the statistics were reset, by its own count. */
void asked_reset_time(struct asked *a);
double asked_time(struct asked *a);

#endif
