/* The arbiter: who holds which slot and who waits, as a pure state machine.
 *
 * Events in (arb_step), actions out (arb_next_action), and one next deadline (arb_deadline).  It
 * reads no clock, socket or file: the time is an argument.  So it runs unchanged under libevent,
 * in unit tests, and in a simulator with many daemons and a made-up clock.
 *
 * After each arb_step the caller takes all actions before the next step.  Carrying one out never
 * calls arb_step: what it causes (a reply of the backend, a client that is gone) comes as an event
 * of its own, afterwards.  Strings and arrays in an event are copied; those in an action are the
 * arbiter's and live until the next arb_step.
 *
 * Clients and requests are numbers that the caller makes up and never uses again.  Every request
 * event is answered by exactly one ARB_ANSWER with its numbers, unless the client goes first. */
#ifndef ARBITER_H
#define ARBITER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/exchange.h"
#include "proto/wire.h"

typedef int64_t nsec;           /* CLOCK_BOOTTIME, or a duration */

#define NSEC_NEVER INT64_MAX
#define NSEC_MS 1000000LL

struct arb;
struct tallies;
struct tally;

struct arb_conf {
	struct xch_daemon self;
	const char *host;       /* as in struct xch_request; lives as long as the arbiter */
	uint64_t era;           /* the last that this host's daemons have heard of; 0: none */
	nsec lease;             /* the backend forgets us this long after an exchange */
	nsec margin;            /* we believe it this much shorter; and a hold that we end ourselves
				   is not given to the next before this has passed */
	nsec grace;
	nsec idle;              /* how long a released slot is kept for the next local request; 0: not */
	nsec recall;            /* how long a now-or-never want may wait for idle slots elsewhere */
	nsec command_timeout;   /* no reply for this long: ARB_HANG_UP */
	bool sole;              /* nobody else shares the backend: a lease that ends ends nothing */
	uint32_t max_cells;     /* of the lease page; 0: there is none, and every hold is a raw one */
	uint32_t max_groups;    /* known at a time; 0: any number */
	bool draining;          /* as after an ARB_DRAIN */
	unsigned n_links;       /* command connections; a group always uses the same one.  >= 1 */
	struct tallies *tallies; /* where it counts; outlives the arbiter.  NULL: nowhere */
};

enum arb_event_type {
	ARB_TICK,               /* time has passed */
	ARB_CLIENT_OPEN,
	ARB_CLIENT_GONE,        /* its connection is closed: everything of it goes back */
	ARB_CLIENT_KICK,        /* we close it: its holds are lost first, then it is gone as well */
	ARB_CLIENT_STRICT,      /* it reads the lease page from now on, or no more */
	ARB_ACQUIRE,
	ARB_RELEASE,
	ARB_RELEASE_ALL,
	ARB_CANCEL,
	ARB_RESUME,             /* a hold of another connection's, or of our predecessor's */
	ARB_LINK_UP,
	ARB_LINK_DOWN,          /* the outcome of what was in flight is unknown */
	ARB_SUB_UP,             /* pushes arrive */
	ARB_SUB_DOWN,
	ARB_REPLY,              /* the answer to an ARB_EXCHANGE */
	ARB_PUSH,
	ARB_EVICT,              /* an operator ends a hold; all of it, if it has several slots */
	ARB_REAP,               /* exchange, so that the backend forgets daemons whose leases are over;
				   and again when that of the next is, for a while */
	ARB_STOP,               /* give idle slots back, answer every waiter ERR shutdown */
	ARB_DRAIN,              /* likewise with ERR unavailable, and grant nothing more; or no more so */
	ARB_CONFIGURE,          /* the group's configuration has changed; or, without one, max_groups */
};

/* What an ACQUIRE meets while the backend cannot be asked. */
enum arb_on_down {
	ARB_DOWN_WAIT,          /* it waits, and is UNAVAILABLE when its time is over */
	ARB_DOWN_REFUSE,        /* UNAVAILABLE at once */
	ARB_DOWN_OPEN,          /* OK without a slot: slot 0, and a token that no resource takes */
};

/* The default and bounds that apply to a request, from the group's configuration. */
struct arb_acquire {
	const char *group;
	const char *label;      /* "" or NULL: none */
	uint32_t n;
	int64_t limit;          /* the request's own, or XCH_NO_LIMIT */
	int64_t configured;     /* the group's, or XCH_NO_LIMIT */
	nsec wait;              /* 0: now or never; NSEC_NEVER: for ever */
	nsec hold;              /* end it by force after this; NSEC_NEVER: do not */
	uint32_t max_waiters;   /* 0: any number */
	uint32_t max_holds;     /* slots that the client may hold when it asks, of all groups; 0: any
				   number */
	uint32_t max_holds_per_user; /* ... that its user may hold or wait for; likewise */
	bool drop_on_lapse;     /* every hold ends with its lease, strict clients' too */
	enum arb_on_down on_down;
};

struct arb_event {
	enum arb_event_type type;
	uint64_t client;        /* for all of ARB_CLIENT_* and the requests */
	uint64_t request;       /* for the requests */
	union {
		struct {
			int64_t pid;    /* 0: unknown */
			uint32_t uid;
			bool strict;    /* reads the lease page */
		} open;
		bool strict;            /* ARB_CLIENT_STRICT */
		struct arb_acquire acquire;
		struct {
			const char *group;
			uint32_t n_slots;
			const uint32_t *slots;
			uint64_t token; /* 0: any */
		} release;
		struct {
			uint64_t request;       /* that of the ACQUIRE */
		} cancel;
		struct {
			const char *group;
			const char *label;      /* "" or NULL: the hold's own, where that is known */
			uint32_t n_slots;
			const uint32_t *slots;
			uint64_t token;
			int64_t limit;          /* under which it was granted, or XCH_NO_LIMIT */
			nsec hold;              /* forced end of one that does not just move */
			bool drop_on_lapse;
			nsec until;             /* deadline of the inherited cell, which has the
						   client's uid; 0: there is none */
		} resume;
		struct {
			const char *group;
			uint32_t slot;
			uint64_t token;
		} evict;
		struct {
			const char *group;
		} reap;
		struct {
			const char *group;
			int64_t limit;          /* or XCH_NO_LIMIT */
			uint32_t max_waiters;
			bool drop_on_lapse;
			enum arb_on_down on_down;
			uint32_t max_groups;    /* without a group */
		} configure;
		bool drain;
		struct {
			unsigned link;
		} link;
		struct {
			const char *group;
			const struct xch_reply *reply;
		} reply;
		const struct xch_push *push;
	};
};

enum arb_action_type {
	ARB_ANSWER,
	ARB_TELL_LOST,          /* a hold has ended that its client did not release */
	ARB_TELL_UNPROVEN,      /* its lease has ended, and nobody has spoken since (strict only) */
	ARB_TELL_KEPT,          /* an unproven hold is proven again (strict only) */
	ARB_EXCHANGE,           /* send xch to the backend */
	ARB_HANG_UP,            /* drop that link: no reply in time; ARB_LINK_DOWN must follow */
	ARB_CELL_SET,           /* write the cells of these slots: slots[i] has cell + i.  A hold of
				   which a slot was given back may need several of these */
	ARB_CELL_END,           /* token 0 into the cells, before anything else; they may be given to
				   another hold in the same step */
	ARB_DIFFERS,            /* another host is configured otherwise; said of a limit once while the
				   group is known, of a lease once */
	ARB_IS_GONE,            /* another daemon runs with our install id: start afresh with a new one */
};

#define ARB_NO_CELL UINT32_MAX

enum arb_lost { ARB_LOST_HOLD, ARB_LOST_LEASE, ARB_LOST_TAKEN, ARB_LOST_EVICT, ARB_N_LOST };

struct arb_action {
	enum arb_action_type type;
	uint64_t client;        /* ANSWER, TELL_*, CELL_* */
	uint64_t request;       /* ANSWER */
	enum wire_code code;    /* ANSWER; WIRE_OK or an error */
	enum arb_lost reason;   /* TELL_LOST */
	const char *group;      /* ANSWER (NULL to RELEASE * and CANCEL), TELL_*, CELL_* */
	uint32_t n_slots;       /* OK to an ACQUIRE or RESUME; TELL_*, CELL_*; else 0 */
	const uint32_t *slots;
	uint64_t token;
	uint32_t cell;          /* CELL_*: of slots[0]; OK to an ACQUIRE or RESUME: likewise, or
				   ARB_NO_CELL: the hold is a raw one */
	uint32_t uid;           /* CELL_SET, and HOLDS with is_of_user: of the client */
	bool is_of_user;        /* HOLDS: it is the user, in all connections, that has so many */
	uint32_t limit;         /* OK to an ACQUIRE; FULL, TIMEOUT, TOOBIG: effective limit */
	uint32_t n;             /* TOOBIG: n asked for; QUEUEFULL: waiting; OK to RELEASE *: holds */
	uint32_t m;             /* QUEUEFULL: max_waiters; GROUPS: max_groups; HOLDS: max_holds; OK to
				   RELEASE *: waits */
	uint32_t slot;          /* NOTHOLD, LOST: which slot */
	nsec waited;            /* TIMEOUT */
	const char *text;       /* BACKEND: what it said; UNAVAILABLE: why */
	const char *why;        /* UNAVAILABLE: the same as a word that stays: away, grace, hung, drain */
	nsec retry;             /* UNAVAILABLE: ask again after this */
	nsec deadline;          /* CELL_SET; CELL_END: until when the slots are nobody's, or 0 */
	unsigned link;          /* EXCHANGE, HANG_UP */
	const struct xch_peer *peer;    /* DIFFERS: in its limit, or, with group NULL, in its lease */
	int64_t configured;     /* DIFFERS: our limit */
	const struct xch_request *xch;  /* EXCHANGE; lives until its ARB_REPLY or ARB_LINK_DOWN */
};

struct arb *arb_new(const struct arb_conf *conf);       /* copies conf; NULL: no memory */
void arb_free(struct arb *arb);

void arb_step(struct arb *arb, nsec now, const struct arb_event *event);
bool arb_next_action(struct arb *arb, struct arb_action *action);       /* false: none left */
nsec arb_deadline(const struct arb *arb);       /* when the next ARB_TICK is due, or NSEC_NEVER */

/* Asserts every invariant of the arbiter's data; tests call it after each step.  Slow. */
void arb_check(const struct arb *arb);

/* ------------------------------------------------------------------ reading (between steps) */

struct arb_group_status {
	const char *name;
	const struct tally *tally; /* NULL if the group is not known */
	int64_t configured;     /* as last heard with a request, or XCH_NO_LIMIT */
	int64_t asked;          /* own limit of the last request that named one, or XCH_NO_LIMIT */
	int64_t live;           /* the group's live limit, or XCH_NO_LIMIT */
	uint32_t held, idle, ending, waiting;
	uint32_t unproven;      /* slots of those held */
	uint32_t open;          /* let in without a slot, beside those held */
	uint32_t in_use;        /* in all daemons, as last heard */
	nsec oldest;            /* when the oldest waiter asked; NSEC_NEVER: none */
	nsec down_since;        /* since when the backend cannot be asked; NSEC_NEVER: it can */
	nsec asked_at;          /* when it was asked what it has not answered; NSEC_NEVER: nothing */
	nsec retry_at;          /* it has refused to serve the group: asked again then, or since */
	nsec deadline;          /* until when the lease may be believed; NSEC_NEVER: no end; 0: not */
	bool synced;
	/* Others as last heard of whose limit or lease differs from ours: what does not differ is
	 * XCH_NO_LIMIT or 0. */
	uint32_t n_differs;
	const struct xch_peer *differs;
};

struct arb_holder {
	uint64_t client;
	int64_t pid;            /* 0: unknown */
	uint32_t uid;
	const char *label;      /* "": none */
	uint32_t slot;          /* 0: let in without one, while the backend was away */
	uint64_t token;
	uint32_t cell;          /* or ARB_NO_CELL */
	bool proven;
	nsec since;
};

struct arb_waiter {
	uint64_t client;
	int64_t pid;
	uint32_t uid;
	const char *label;
	uint32_t place, n;
	int64_t limit;          /* effective, or XCH_NO_LIMIT: not known yet */
	nsec since, until;
};

struct arb_stats {
	uint64_t acquires, grants, grants_idle, handovers, releases, timeouts, fulls, cancels, losts;
	uint64_t exchanges, pushes, resyncs;
	uint64_t lapses;        /* leases of groups with holds that ended */
	uint64_t unproven, kept; /* holds that became so, and those of them that were proven again */
	uint64_t adoptions;     /* holds taken over from a former daemon */
	uint64_t evictions;     /* slots that an operator took back */
	uint64_t opens;         /* let in without a slot */
	uint64_t no_cells;      /* holds of strict clients that got no cell */
	uint32_t clients, groups, holds, waiters;
	uint32_t open, cells;   /* now */
};

/* False if the group is not known: *status then says 0 everywhere. */
bool arb_status(const struct arb *arb, const char *group, struct arb_group_status *status);

/* Each calls fn once per entry; fn must not call arb_step.  Groups come in no order, holders by
 * slot, waiters the oldest first.  arb_holders gives one entry per slot. */
void arb_groups(const struct arb *arb, void (*fn)(void *arg, const struct arb_group_status *), void *arg);
void arb_holders(const struct arb *arb, const char *group, void (*fn)(void *arg, const struct arb_holder *),
    void *arg);
void arb_waiters(const struct arb *arb, const char *group, void (*fn)(void *arg, const struct arb_waiter *),
    void *arg);
/* The token of the hold that has the slot; 0: nobody holds it. */
uint64_t arb_token(const struct arb *arb, const char *group, uint32_t slot);
void arb_stats(const struct arb *arb, struct arb_stats *stats);

/* What a user holds or waits for, in all of its connections. */
uint32_t arb_user_slots(const struct arb *arb, uint32_t uid);

#endif
