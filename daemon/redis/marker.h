/* The markers: what this daemon has heard of each shard of the Redis it speaks to.
 *
 * An era is "these data on this server, nothing lost since"; it begins with a grace in which
 * nothing is granted.  The markers are touched at each connect, and then until no grace is left
 * anywhere: so it is over before the first group is asked for. */
#ifndef REDIS_MARKER_H
#define REDIS_MARKER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/arbiter.h"
#include "daemon/redis/exchange.h"

struct link;

struct shard {
	struct markers *markers;
	uint64_t *era;          /* the last one heard of, by the daemon before us too; 0: none */
	nsec grace_end;         /* 0: none is left */
	bool is_bad;            /* its marker cannot be read, and that has been said */
};

/* Another number of the keys' format, whose daemons keep apart from those of ours. */
struct other_format {
	unsigned number;
	bool has_warned;        /* that somebody speaks it here */
};

struct markers {
	const char *prefix;             /* of the keys */
	struct xch_daemon self;
	usec lease;                     /* ours */
	usec grace;                     /* never shorter than the longest lease heard of */
	bool has_warned;                /* of other leases */
	struct shard shards[EXCHANGE_SHARDS];
	struct other_format others[10]; /* as far as one digit goes */
	struct exchange_command command;
};

/* Keeps the pointers to prefix and eras.  A grace of 0 stays 0. */
void markers_init(struct markers *markers, const char *prefix, const struct xch_daemon *self,
    uint64_t *eras, usec lease, usec grace);
void markers_fini(struct markers *markers);

/* Sends a touch of each, pipelined.  A reply that is an error ends the link, unless it concerns one
 * shard alone. */
void markers_touch(struct markers *markers, struct link *link);

/* Asks whether daemons of another format use the same keys' prefix, and warns of them once: they and
 * we do not see each other's slots. */
void markers_look_around(struct markers *markers, struct link *link);

/* An answer said so of the shard, now. */
void shard_heard(struct shard *shard, nsec now, uint64_t era, usec grace, usec longest_lease);

/* What is left of the grace that ends last; 0: none. */
nsec markers_left(const struct markers *markers, nsec now);

#endif
