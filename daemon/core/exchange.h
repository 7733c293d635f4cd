/* The exchange: what an arbiter and its backend say to each other.  Structs only.
 *
 * A daemon and its backend speak through one operation per group.  A request carries all that the
 * daemon wants to say about the group, the reply all that it must know.  Times are microseconds:
 * a backend counts in its own clock, never in a client's.  Whoever builds a struct owns what its
 * pointers show; the other side copies what it keeps. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t usec;

#define USEC_NEVER INT64_MAX
#define XCH_NO_LIMIT (-1)
#define XCH_N_MAX 64            /* slots of one want */
#define XCH_TOKEN_BITS 16       /* token = number of the grant << this | count of local holds of it */
#define XCH_WANTS_MAX 1024      /* wants of one group, class and daemon that are queued at a time */
#define XCH_HOST_MAX 64         /* bytes of a host's name */
#define XCH_PEERS_MAX 4
#define XCH_HOT ((usec)1000000) /* a now-or-never want makes a group contended for this long */

/* One running slotd.  The install stays with the host's socket across restarts, the generation is
 * one more at each start, the nonce tells two apart that believe to be the same. */
struct xch_daemon {
	uint64_t install;
	uint64_t generation;
	uint64_t nonce;
};

/* How a daemon on record is configured. */
struct xch_peer {
	uint64_t install;
	int64_t limit;          /* for the group, or XCH_NO_LIMIT */
	usec lease;
	char host[XCH_HOST_MAX + 1];
};

struct xch_slot {
	uint32_t slot;
	uint64_t number;        /* of its grant; per group it only grows, and is below 2^47 */
};

struct xch_want {
	uint64_t id;            /* the waiter's, unique in its daemon */
	uint32_t n;             /* slots at once, all or nothing */
	bool now;               /* now or never: wait=0 */
	int64_t limit;          /* the waiter's own, or XCH_NO_LIMIT */
	usec age;               /* since it asked */
};

struct xch_adopt {
	uint64_t id;
	uint32_t n;
	const uint32_t *slots;
	uint64_t number;
	int64_t limit;          /* under which it was granted: only carried back */
};

/* How an era began, as far as the backend can tell. */
enum xch_began {
	XCH_BEGAN_FIRST,        /* there was nothing, and nobody knew of anything */
	XCH_BEGAN_WIPED,        /* there was nothing, and there had been something */
	XCH_BEGAN_OLD,          /* the data lack what had been there */
	XCH_BEGAN_OTHER,        /* it is another server process that has the data */
	XCH_N_BEGAN
};

struct xch_request {
	const char *group;
	struct xch_daemon from;
	uint64_t seq;           /* one more with each request of this daemon */
	bool full;              /* a full sync: claims, and every want */
	bool lapsed;            /* the lease ended: the claims are of unproven holds */
	bool keep;              /* idle slots are kept back in spite of what was heard */
	uint64_t incarnation;   /* seq of the full sync that the daemon's picture stands on; 0: none */
	usec lease, grace;
	uint64_t era;           /* the last heard of; 0: none.  A backend whose groups have not all the
				   same eras puts in the right one */
	uint64_t high;          /* highest number ever heard of in this group */
	int64_t limit;          /* configured for the group here, or XCH_NO_LIMIT */
	const char *host;       /* for people: 1 to XCH_HOST_MAX printable bytes, no blank */

	uint32_t n_claim, n_release, n_cancel, n_want, n_adopt;
	const struct xch_slot *claim;     /* full only: what this daemon believes it holds */
	const struct xch_slot *release;   /* not full only */
	const uint64_t *cancel;           /* not full only: waiter ids */
	const struct xch_want *want;
	const struct xch_adopt *adopt;    /* holds of this host's former daemon whose clients came back */
};

struct xch_grant {
	uint64_t id;            /* of the waiter, or of the adopt */
	uint32_t n;
	const uint32_t *slots;
	uint64_t number;
	uint32_t limit;         /* effective limit it was granted under */
};

enum xch_status {
	XCH_OK,
	XCH_STALE,              /* a later request of this daemon was there first; nothing done */
	XCH_RESYNC,             /* the record is not the one the daemon means; nothing done */
	XCH_GONE,               /* a later daemon of this install has been there; nothing done */
	XCH_ERROR,              /* the backend cannot do it for this group: see error; nothing done */
};

struct xch_reply {
	enum xch_status status;
	uint64_t seq;           /* of the request; the rest is there only with XCH_OK */
	const char *error;      /* XCH_ERROR: for people, such as the name of a key of the wrong type */

	uint32_t n_granted, n_lost, n_full, n_refused;
	const struct xch_grant *granted;
	const struct xch_slot *lost;
	const uint64_t *full;     /* now-or-never wants that are answered */
	const uint64_t *refused;  /* adopts */

	int64_t live_limit;     /* the group's live limit, or XCH_NO_LIMIT; a pause is one of 0 */
	usec live_left;         /* how long that stays so; or USEC_NEVER */
	uint32_t in_use;        /* slots, of all daemons */
	uint32_t others;        /* waiters of other daemons in the queue */
	uint64_t version;       /* the group's clock: what was said later is greater */
	usec hot;               /* the group stays contended at least this long */
	usec look;              /* exchange again after this long, if anybody waits; or USEC_NEVER */
	uint64_t last;          /* highest number */
	uint64_t era;
	usec grace;             /* left: until then claims are accepted and nothing is granted */
	usec longest_lease;     /* of all daemons ever heard of by this backend */
	/* Of the daemons on record, this one too: if their leases differ, one with the shortest and
	 * one with the longest; if their limits do, one with the lowest and one with the highest. */
	uint32_t n_peers;
	const struct xch_peer *peers;
};

enum xch_push_type {
	XCH_RECALL,             /* somebody elsewhere waits: give idle slots back */
	XCH_GRANT,
	XCH_FULL,               /* a now-or-never want is answered: id */
	XCH_LOST,               /* a slot went to another daemon's claim: slot */
};

/* A shortcut, never the truth: what it says is brought by the next exchange anyway. */
struct xch_push {
	struct xch_daemon to;
	enum xch_push_type type;
	const char *group;
	uint64_t incarnation;   /* of the record it is meant for */
	uint64_t version;
	bool others;            /* waiters of other daemons are queued */
	struct xch_grant grant;
	struct xch_slot slot;
	uint64_t id;
};

#endif
