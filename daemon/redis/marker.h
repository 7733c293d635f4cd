/* The markers: what this daemon has heard of each shard of the Redis it speaks to.
 *
 * An era is "these data on this server, nothing lost since"; it begins with a grace in which
 * nothing is granted.  The markers are touched at each connect, and then until no grace is left
 * anywhere: so it is over before the first group is asked for.  When a grace begins, why, and when
 * it is over is logged. */
#ifndef REDIS_MARKER_H
#define REDIS_MARKER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/backend.h"
#include "daemon/core/arbiter.h"
#include "daemon/redis/exchange.h"

struct link;

struct shard {
	struct markers *markers;
	uint64_t *era;          /* the last one heard of, by the daemon before us too; 0: none */
	uint64_t noted;         /* the last one whose beginning was asked for */
	nsec grace_end;         /* 0: none is left */
	bool is_bad;            /* its marker cannot be read, and that has been said */
};

/* Another number of the keys' format, whose daemons keep apart from those of ours. */
struct other_format {
	unsigned number;
	bool has_warned;        /* that somebody speaks it here */
};

struct markers {
	const char *name;               /* of the server, in the log */
	const char *prefix;             /* of the keys */
	struct xch_daemon self;
	usec lease;                     /* ours */
	usec grace;                     /* never shorter than the longest lease heard of */
	bool has_warned;                /* of other leases */

	bool is_graceful;               /* a grace has begun, and its end was not heard of */
	unsigned n_begun;               /* shards where one has begun, which is not said yet */
	enum xch_began began;           /* the last of them */
	uint64_t n_graces;

	void (*judged)(void *arg);              /* all have been heard of */
	void (*ended)(void *arg, enum backend_end how); /* answers markers_end_grace */
	void *arg;
	struct link *ending;            /* on which that is under way; or NULL */
	bool is_end_partial;            /* one has answered it with an error */

	struct shard shards[EXCHANGE_SHARDS];
	struct other_format others[10]; /* as far as one digit goes */
	struct exchange_command command;
};

/* Keeps the pointers to name, prefix and eras.  A grace of 0 stays 0. */
void markers_init(struct markers *markers, const char *name, const char *prefix,
    const struct xch_daemon *self, uint64_t *eras, usec lease, usec grace);
void markers_fini(struct markers *markers);

/* Sends a touch of each, pipelined.  A reply that is an error ends the link, unless it concerns one
 * shard alone. */
void markers_touch(struct markers *markers, struct link *link);

/* Asks whether daemons of another format use the same keys' prefix, and warns of them once: they and
 * we do not see each other's slots. */
void markers_look_around(struct markers *markers, struct link *link);

/* An answer to an exchange said so of the shard, now.  -> the markers should be touched: an era has
 * begun, and it has not been heard why. */
bool shard_heard(struct shard *shard, nsec now, uint64_t era, usec grace, usec longest_lease);

/* Ends the grace that there is, of every shard; not while that is under way.  ended() follows, also
 * when markers_gone() says that the link is down. */
void markers_end_grace(struct markers *markers, struct link *link);
void markers_gone(struct markers *markers, const struct link *link);

/* What is left of the grace that ends last; 0: none. */
nsec markers_left(const struct markers *markers, nsec now);

#endif
