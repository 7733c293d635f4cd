/* The subscriber: the link on which messages for this daemon arrive.
 *
 * A connection that only listens does not notice when nobody speaks to it any more.  So we publish
 * a heartbeat for ourselves, through a link for commands: if it arrives, then the two are connected
 * to the same server, and messages pass. */
#ifndef REDIS_SUBSCRIBE_H
#define REDIS_SUBSCRIBE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/redis/exchange.h"
#include "daemon/redis/link.h"

struct subscriber_owner {
	struct link *(*commands)(void *arg);    /* a link for commands that is up, or NULL */
	void (*change)(void *arg, bool up);     /* messages (do not) arrive */
	void (*message)(void *arg, const char *text, size_t len);       /* for us alone */
	void (*call)(void *arg, const char *text, size_t len);          /* for every daemon */
	void *arg;
};

struct subscriber {
	struct link link;
	struct link_owner as_owner;     /* of the link */
	const struct subscriber_owner *owner;
	char channel[EXCHANGE_CHANNEL_MAX];     /* our own */
	char fleet[EXCHANGE_CHANNEL_MAX];       /* every daemon's */
	nsec interval;                  /* of heartbeats */
	struct event *timer;
	unsigned long long beat;        /* the last one that was sent */
	bool is_listening;              /* the server has confirmed the subscription */
	bool is_awaited;                /* the last heartbeat has not arrived */
	bool is_up;
	nsec sent;
};

/* Copies the channels, neither env nor owner. */
void subscriber_init(struct subscriber *subscriber, const struct link_env *env,
    const struct subscriber_owner *owner, const char *channel, const char *fleet,
    nsec interval);
void subscriber_fini(struct subscriber *subscriber);

/* Sends a heartbeat now, if it can: a link for commands has come up. */
void subscriber_beat(struct subscriber *subscriber);

#endif
