/* Tallies: what has happened in each group, counted for as long as slotd runs.
 *
 * A tally outlives its group, which the arbiter forgets when nobody uses it any more, and the
 * arbiter.  Whoever may name groups can make any number of them; so only those that are told to be
 * kept, and the first `max` others, have a tally of their own.  All the rest share one. */
#ifndef TALLY_H
#define TALLY_H

#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/arbiter.h"
#include "daemon/core/histogram.h"
#include "daemon/core/table.h"

#define TALLY_OTHER "_other"    /* the name of the shared one: also of a group that is called so */

/* What became of an ACQUIRE.  Beside these there are the grants. */
enum tally_result {
	TALLY_OPEN,             /* let in without a slot */
	TALLY_FULL,
	TALLY_TIMEOUT,
	TALLY_QUEUEFULL,
	TALLY_UNAVAILABLE,
	TALLY_BACKEND,
	TALLY_CANCELLED,
	TALLY_GONE,             /* its client went while it waited */
	TALLY_REFUSED,          /* for any other reason: as no limit, or an n above it */
	TALLY_N_RESULTS,
};

/* How a slot came to whoever was granted it. */
enum tally_way {
	TALLY_IDLE,             /* it was kept here since its last release */
	TALLY_HANDOVER,         /* from a release here straight to who waited here */
	TALLY_EXCHANGE,         /* by the backend */
	TALLY_N_WAYS,
};

struct tally {
	struct table_node by_name;      /* tallies->by_name */
	STAILQ_ENTRY(tally) next;       /* tallies->all */
	char *name;                     /* owned, but for that of the shared one */
	uint32_t index;                 /* its place in tallies->all, from 0 */
	bool is_kept;
	uint64_t results[TALLY_N_RESULTS], grants[TALLY_N_WAYS], losses[ARB_N_LOST];
	uint64_t unproven, kept;        /* holds that became so, and that were proven again */
	uint64_t exchanges, recalls;
	struct histogram wait;          /* of ACQUIREs that were granted */
	struct histogram hold;          /* of holds that have ended, however */
};

struct tallies {
	struct table by_name;           /* all but the shared one; owned */
	STAILQ_HEAD(, tally) all;       /* the shared one first */
	uint32_t n;
	uint32_t n_others;              /* of those: not kept, and not the shared one */
	uint32_t max;                   /* ... as many may be made */
	struct tally other;             /* the shared one */
	struct histogram exchange;      /* from saying an exchange to its reply, of all groups */
};

void tallies_init(struct tallies *tallies, uint32_t max);
void tallies_fini(struct tallies *tallies);

/* The tally of a group; never NULL, but the shared one where there is no room for its own. */
struct tally *tally_of(struct tallies *tallies, const char *group);

/* The tally of its own that a group has; NULL: none. */
const struct tally *tally_find(const struct tallies *tallies, const char *group);

/* As tally_of() for a group that is to have its own in any case; only without memory it has not. */
struct tally *tally_keep(struct tallies *tallies, const char *group);

void tally_refused(struct tally *tally, enum wire_code code);
void tally_granted(struct tally *tally, enum tally_way way, nsec waited);

#endif
