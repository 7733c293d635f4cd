/* Keeping live limits: this daemon remembers those of all groups, puts them back where Redis has lost
 * them, and sets them.
 *
 * Whenever a link comes up, messages begin to arrive, or data have been lost, it puts back what it
 * remembers and reads what there is; between that it hears what is set.  So nothing is forgotten as
 * long as one daemon lives, and before a grace is over all is back. */
#ifndef REDIS_KEEP_H
#define REDIS_KEEP_H

#include <stdbool.h>
#include <sys/queue.h>

#include "daemon/backend.h"
#include "daemon/core/live.h"
#include "daemon/redis/exchange.h"

struct keep_ask;
struct link;

struct keep {
	const struct backend *backend;          /* whose live_done() is told */
	const char *prefix;
	struct lives lives;
	usec ahead;                             /* of Redis's time before our clock */
	LIST_HEAD(, keep_ask) asks;             /* not answered; owned */
	struct exchange_command command;
};

/* Keeps the pointers. */
void keep_init(struct keep *keep, const struct backend *backend, const char *prefix);
void keep_fini(struct keep *keep);

/* Puts back, and reads. */
void keep_meet(struct keep *keep, struct link *link);

/* See struct backend: set_live, history.  The link is up, or NULL: none is. */
void keep_set(struct keep *keep, struct link *link, uint64_t client, uint64_t request,
    const char *group, enum live_kind kind, const struct live_setting *setting, usec length);
void keep_history(struct keep *keep, struct link *link, uint64_t client, uint64_t request,
    const char *group);

/* The link is down: what was asked through it is not answered. */
void keep_gone(struct keep *keep, const struct link *link);

/* Says to all daemons that data have been lost; whether a message to all says so. */
void keep_say_lost(struct keep *keep, struct link *link);
bool keep_is_lost(const char *text, size_t len);

/* A message to all daemons: is it a live limit?  Then it has been taken. */
bool keep_heard(struct keep *keep, const char *text, size_t len);

usec keep_time(const struct keep *keep);        /* Redis's, as far as is known */

#endif
