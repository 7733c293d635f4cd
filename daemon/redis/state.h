/* What the backend in Redis knows.  Private to redis.c and asked.c. */
#ifndef REDIS_STATE_H
#define REDIS_STATE_H

#include "daemon/backend.h"
#include "daemon/core/alloc.h"
#include "daemon/redis/exchange.h"
#include "daemon/redis/health.h"
#include "daemon/redis/keep.h"
#include "daemon/redis/link.h"
#include "daemon/redis/marker.h"
#include "daemon/redis/others.h"
#include "daemon/redis/subscribe.h"

struct asker {
	uint64_t client, request;
};

struct redis {
	struct backend backend;
	struct link_env env;
	struct link_owner as_owner;             /* of the links */
	struct subscriber_owner as_subscribed;
	struct markers markers;
	struct keep keep;
	uint64_t n_graces_said;                 /* to the others */
	struct subscriber subscriber;
	struct exchange_command command;
	nsec interval;                          /* a quarter of the lease */
	struct others others;
	struct event *touch_timer, *check_timer;
	struct asker *askers;                   /* of the end of the grace; not answered yet */
	size_t n_askers, cap_askers;
	void (*wake)(void *arg);
	void *arg;

	/* What next() will say: first how links and subscription changed, then the one reply or
	 * message that is being handled. */
	struct arb_event *changes;
	size_t n_changes, size, n_told;
	struct arb_event news;
	bool has_news;
	struct xch_reply reply;
	struct xch_push push;
	struct arena arena;                     /* what news points to */

	struct health health;
	unsigned beats;                         /* heartbeats go over each link in turn */
	unsigned n_links;
	struct link links[];
};

/* ---- redis.c */
struct link *redis_any_link(void *redis);       /* one that is up, each in turn; NULL: none is */

/* ---- asked.c: what the daemon asks of it besides exchanges */
void redis_asked_init(struct backend *backend);
void redis_grace_ended(void *redis, enum backend_end how);

#endif
