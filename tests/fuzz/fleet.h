/* A fleet of two arbiters and one memory backend, for input that nobody has thought of.
 *
 * All share one clock, and nothing moves by itself: what is under way between daemon and server
 * waits until it is delivered, or is lost with its link.  Clients are told at once.  Whoever is told
 * a thing that cannot be, and more holders than a limit allows at any moment, end in abort(). */
#ifndef FLEET_H
#define FLEET_H

#include <stdio.h>
#include <stdlib.h>

#include "daemon/core/arbiter.h"
#include "daemon/core/memory/memory.h"

#define FLEET_DAEMONS 2
#define FLEET_LINKS 2
#define FLEET_GROUPS 2
#define FLEET_CLIENTS 8
#define FLEET_BELIEFS 48
#define FLEET_CELLS 7           /* of the lease page: it gets full */
#define FLEET_ASKS 64
#define FLEET_SLOTS 64          /* numbers whose tokens are remembered */
#define FLEET_QUEUE 8           /* of each kind of message, of each link */
#define FLEET_PUSHES 64

#define MUST(condition)                                                                         \
	((condition) ? (void)0 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,     \
	    #condition), abort()))

struct fleet_client {
	uint64_t id;                    /* 0: not connected */
	unsigned daemon;
	uint32_t uid;
	bool strict;
};

/* What somebody has been told that he holds. */
struct fleet_belief {
	bool held;                      /* false: it is over; it may still be named in a RESUME */
	unsigned asks;                  /* RESUMEs of it that are not answered */
	uint64_t client;
	unsigned daemon, group;
	uint32_t uid;
	uint32_t n, slots[XCH_N_MAX], limit;
	uint64_t token;
	uint32_t cells[XCH_N_MAX];      /* of its slots; the first says what holds for all.
					   ARB_NO_CELL: a raw hold */
	bool is_orphan;                 /* its daemon has ended ... */
	nsec until;                     /* ... and this is what the cell says for good */
};

struct fleet_cell {
	uint64_t token;
	nsec deadline;
};

struct fleet_ask {
	uint64_t id;                    /* 0: free */
	uint64_t client;
	enum arb_event_type type;
	uint32_t n;
	struct fleet_belief *belief;    /* of a RESUME */
};

struct fleet_reply {
	struct xch_reply *reply;        /* owned */
	unsigned group;
};

struct fleet_link {
	bool up;
	unsigned n_asked, n_replies;
	const struct xch_request *asked[FLEET_QUEUE];   /* the arbiter's */
	struct fleet_reply replies[FLEET_QUEUE];
};

struct fleet_daemon {
	struct arb *arb;
	struct xch_daemon id;
	uint64_t era;
	struct fleet_link links[FLEET_LINKS];
	unsigned n_pushes;
	struct xch_push *pushes[FLEET_PUSHES];          /* owned */
	struct fleet_cell cells[FLEET_CELLS];
};

struct fleet {
	nsec now;
	struct arb_conf conf;
	struct mem *mem, *past;         /* past: what a replica has; or NULL */
	uint64_t sid;
	uint64_t last_client, last_ask;
	uint64_t leaving;               /* the client whose connection has just closed: it hears nothing */
	struct fleet_daemon daemons[FLEET_DAEMONS];
	struct fleet_client clients[FLEET_CLIENTS];
	struct fleet_belief beliefs[FLEET_BELIEFS];
	struct fleet_ask asks[FLEET_ASKS];
	struct xch_request *strays[FLEET_QUEUE];        /* owned; sent on links that broke */
	uint64_t tokens[FLEET_GROUPS][FLEET_SLOTS + 1]; /* the highest ever told, by slot */
};

extern const char *const fleet_groups[FLEET_GROUPS];
extern const int64_t fleet_configured[FLEET_GROUPS];     /* limits */

/* Ready to grant: the first grace is over. */
void fleet_init(struct fleet *f);
/* All faults end, all holds are given back; whoever still waits then has been forgotten. */
void fleet_drain(struct fleet *f);
void fleet_fini(struct fleet *f);

/* ---- clients; each does nothing if the client is not connected, or there is no room to remember */
void fleet_open(struct fleet *f, unsigned c, unsigned daemon, uint32_t uid, bool strict);
void fleet_close(struct fleet *f, unsigned c, bool is_kick);
void fleet_turn_strict(struct fleet *f, unsigned c, bool strict);
void fleet_acquire(struct fleet *f, unsigned c, unsigned group, const struct arb_acquire *a);
void fleet_release(struct fleet *f, unsigned belief, uint32_t n);       /* the first n of its slots */
/* a slot that is not its own, nor may be */
void fleet_release_any(struct fleet *f, unsigned c, unsigned group, uint32_t slot, uint64_t token);
void fleet_release_all(struct fleet *f, unsigned c);
void fleet_cancel(struct fleet *f, unsigned c, unsigned ask);
void fleet_resume(struct fleet *f, unsigned c, unsigned belief);

/* ---- time; the daemons of the mask sleep through it */
void fleet_advance(struct fleet *f, nsec by, unsigned asleep);

/* ---- messages; each does nothing if there is none */
void fleet_serve(struct fleet *f, unsigned daemon, unsigned link, const char *error);
void fleet_deliver(struct fleet *f, unsigned daemon, unsigned link);
void fleet_push(struct fleet *f, unsigned daemon, bool is_lost, bool again);
void fleet_stray(struct fleet *f, unsigned i);  /* a copy of a request arrives late */
void fleet_settle(struct fleet *f);             /* all arrives */

/* ---- faults */
void fleet_link(struct fleet *f, unsigned daemon, unsigned link, bool up);
void fleet_sub(struct fleet *f, unsigned daemon, bool up);
void fleet_restart(struct fleet *f, unsigned daemon, bool is_stopped);
void fleet_wipe(struct fleet *f);               /* FLUSHALL: nobody's connection breaks */
void fleet_copy(struct fleet *f);               /* a replica that gets no more from here on */
void fleet_fail_over(struct fleet *f, bool is_noticed);
void fleet_evict(struct fleet *f, unsigned daemon, unsigned group, uint32_t slot);
void fleet_live_limit(struct fleet *f, unsigned group, int64_t limit);

/* ---- between the two files */
void fleet_step(struct fleet *f, unsigned daemon, const struct arb_event *e);
void fleet_hear(struct fleet *f, unsigned daemon, const struct arb_action *act); /* a client, a cell */
void fleet_hung_up(struct fleet *f, unsigned daemon);   /* its process has ended, its clients live */
void fleet_judge(const struct fleet *f);
unsigned fleet_group(const char *name);

#endif
