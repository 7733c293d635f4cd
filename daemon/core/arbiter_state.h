/* What the arbiter knows: clients, groups, slots, holds, waiters.  Private to the arbiter's files.
 *
 * Ownership: the arbiter owns clients and groups.  A group owns its slots and waiters; a hold
 * belongs to the slots it covers, or, once it is lost, to its client, until that has heard of it.
 *
 *   slot:  HELD <--> IDLE          a hold's; kept for the next local request
 *           |  \____   |
 *           v       v  v
 *         ENDING -> (given back)   ended by us: nobody's until the margin has passed */
#ifndef ARBITER_STATE_H
#define ARBITER_STATE_H

#include <sys/queue.h>

#include "daemon/core/alloc.h"
#include "daemon/core/arbiter.h"
#include "daemon/core/cells.h"
#include "daemon/core/heap.h"
#include "daemon/core/rules.h"
#include "daemon/core/table.h"
#include "daemon/core/tally.h"

/* token = number << TOKEN_BITS | count of local holds of that grant; below 2^63 until 2112 */
#define TOKEN_BITS XCH_TOKEN_BITS
#define TOKEN_COUNT_MAX ((1u << TOKEN_BITS) - 1)
#define LOST_MAX 64             /* lost holds that a client has not released, remembered for it */
#define CLASSES_MAX 256         /* different limits of those who wait for a group: they are walked */
#define RETRY (1000 * NSEC_MS)  /* after an error of the backend */
#define LOOK_SLACK (20 * NSEC_MS) /* behind the moment when something will have changed */

enum timer_kind { TIMER_GROUP, TIMER_HOLD, TIMER_ADOPT };

struct timer {
	struct heap_node node;  /* in arb->timers while at < NSEC_NEVER */
	enum timer_kind kind;
	nsec at;
};

enum slot_state { SLOT_HELD, SLOT_IDLE, SLOT_ENDING, SLOT_NSTATES };

struct slot {
	uint32_t num;
	uint32_t limit;         /* effective limit it was granted under */
	uint64_t number;        /* of the backend's grant */
	uint64_t token;         /* of its last hold */
	uint32_t uid;           /* of that one's client */
	enum slot_state state;
	struct hold *hold;      /* HELD, ENDING */
	nsec idle_since;
	struct heap_node lowest; /* in group->idle while IDLE */
	TAILQ_ENTRY(slot) oldest; /* in group->idle_by_age while IDLE */
	struct table_node by_num; /* group->slots */
};

enum hold_state { HOLD_ASKED, HOLD_WAITING, HOLD_HELD, HOLD_ENDING, HOLD_LOST, HOLD_OPEN };

/* What one request gets: n slots under one token.  Made with the request, so that a grant needs no
 * memory; while it is WAITING it is called a waiter.
 * OPEN: let in while the backend was away; it has slot 0 only, and nobody but its client knows it. */
struct hold {
	enum hold_state state;
	uint16_t n;
	uint16_t cap;           /* n of the request */
	bool now;               /* WAITING: wait=0 */
	bool sent;              /* WAITING: queued in the backend */
	bool is_many;           /* was granted n > 1 */
	bool rests;             /* ENDING: of a client that may be back for it */
	bool is_page;           /* HELD: it has cells, and its client reads them */
	struct client *client;  /* NULL: gone while ENDING */
	struct group *group;    /* not once LOST: then `name` */
	char *label;            /* owned; NULL: none */
	nsec since;             /* it waits, or is held */
	nsec length;            /* hold=, or NSEC_NEVER */
	struct timer timer;     /* WAITING: its time is over; HELD, OPEN: its forced end; ENDING: when
				   its slots go on */
	TAILQ_ENTRY(hold) of_client; /* client->waiters, ->holds, ->opens, or ->lost */
	TAILQ_ENTRY(hold) of_group;  /* group->waiters; ->holds: HELD, ENDING; ->opens */
	union {
		struct {                /* WAITING */
			struct table_node by_id; /* arb->waiters; key: the request's number */
			struct wclass *cls;
			TAILQ_ENTRY(hold) of_class; /* while not sent */
		};
		struct {                /* else */
			uint64_t token;
			char *name;     /* of the group, LOST only; owned */
			uint32_t limit;
		};
	};
	uint32_t slots[];       /* cap of them; behind them as many cells: see hold_cells() */
};

_Static_assert(XCH_N_MAX <= UINT16_MAX, "n of a hold");

/* Waiters with the same limit of their own. */
struct wclass {
	int64_t own;
	uint32_t n_sent;        /* queued in the backend */
	uint32_t n;
	TAILQ_HEAD(, hold) unsent; /* the oldest first */
	LIST_ENTRY(wclass) link;
};

/* A hold of our predecessor's that is being taken over.  Its hold's client is NULL when that has gone
 * while the backend may have given us the slots: see adopt_leave(). */
struct adopt {
	struct table_node by_id; /* arb->adopts; key: the request's number */
	struct hold *hold;      /* with its slots, token and limit */
	struct group *group;
	struct timer timer;     /* the deadline of the inherited cell */
	uint32_t uid;
	bool sent;
	TAILQ_ENTRY(adopt) of_group;
	TAILQ_ENTRY(adopt) of_client;
};

/* There while it has a connection. */
struct user {
	struct table_node by_uid; /* arb->users */
	uint32_t n_clients;
	uint32_t n_slots;       /* of holds, opens, and waiters */
};

struct client {
	struct table_node by_id; /* arb->clients */
	struct user *user;
	int64_t pid;
	uint32_t uid;
	bool strict;
	nsec believes;          /* 0, or until when it may in what it has resumed, unless it reads */
	uint32_t n_lost;
	uint32_t n_slots;       /* of holds and opens */
	TAILQ_HEAD(, hold) holds;
	TAILQ_HEAD(, hold) opens;
	TAILQ_HEAD(, hold) lost;
	TAILQ_HEAD(, hold) waiters;
	TAILQ_HEAD(, adopt) adopts;
};

struct group {
	char *name;
	struct tally *tally;    /* its own, or the one that many groups share */
	unsigned link;

	struct table slots;     /* by number */
	uint32_t n_state[SLOT_NSTATES];
	struct heap idle;       /* by number */
	TAILQ_HEAD(, slot) idle_by_age;
	TAILQ_HEAD(, hold) holds;
	TAILQ_HEAD(, hold) opens;
	uint32_t n_opens;

	TAILQ_HEAD(waiter_list, hold) waiters; /* the oldest first */
	uint32_t n_waiters;
	uint32_t n_nows;        /* of those: now or never */
	LIST_HEAD(, wclass) classes;  /* only those with waiters */
	uint32_t n_classes;
	TAILQ_HEAD(, adopt) adopts;

	int64_t configured, asked;
	int64_t live;           /* as last heard, and ... */
	nsec live_until;        /* ... how long it is known to stay so; NSEC_NEVER: until we are told */
	uint32_t max_waiters;   /* 0: any number */
	bool drop_on_lapse;
	enum arb_on_down on_down;
	uint32_t in_use;        /* as last heard */
	struct xch_peer *differs; /* likewise: see struct arb_group_status; NULL: none so far; owned */
	uint32_t n_differs;

	bool synced;            /* the backend's record is what we know */
	bool doubt;             /* it said that it is not: no idle slot is granted */
	bool lapsed;            /* the lease ended: what is held is unproven */
	bool dirty;             /* the backend may record what we have dropped */
	bool poke;              /* exchange, though there is nothing to say */
	bool adopt_dropped;     /* the reply that is awaited may grant a hold of old that nobody wants */
	bool others;            /* other daemons' waiters are queued, as last heard */
	uint64_t incarnation;
	uint64_t version;       /* of the last word on `others` */
	uint64_t high;          /* highest number heard */
	uint64_t granted;       /* highest number of a grant to us */
	nsec deadline;          /* until then the lease may be believed */
	uint32_t n_page;        /* holds with cells */
	nsec cells_until;       /* deadline that each of those has, or a later one */
	nsec hot_until;
	nsec renew_at, look_at;
	nsec reap_until;        /* so long it is looked at though nobody waits */
	nsec grace_until;       /* the backend grants nothing before */
	nsec retry_at;          /* the backend has refused: no exchange before */
	nsec quiet_since;       /* NSEC_NEVER: it is not */

	struct xch_request *request; /* in flight; owned */
	nsec sent_at;
	nsec hang_at;           /* when its link is given up */
	bool is_stale;          /* the lease has lapsed since it was sent: its reply says nothing */

	struct xch_slot *releases; /* to be said with the next exchange */
	uint64_t *cancels;
	uint32_t n_releases, n_cancels;
	size_t cap_releases, cap_cancels;

	struct timer timer;
	bool touched;
	TAILQ_ENTRY(group) touch;
	struct table_node by_name; /* arb->groups */
};

/* A lease of another daemon that is not ours, and has been said. */
struct other_lease {
	struct table_node by_install; /* arb->other_leases */
	usec lease;
};

struct arb {
	struct arb_conf conf;
	bool stopping, gone, sub_up;
	bool busy;
	uint64_t link_up;       /* bit per link */
	nsec link_down_at[64];  /* since when it is not up */
	nsec now;               /* of the step */
	uint64_t seq;
	uint64_t era;
	uint64_t high_forgotten;
	nsec longest_lease;
	struct table other_leases, clients, users, groups, waiters, adopts;
	struct cells cells;
	struct heap timers;
	struct hold *spare;     /* of one slot, or NULL: a hot group needs no memory */
	TAILQ_HEAD(, group) touched;
	struct arb_action *actions;
	size_t n_actions, next_action, cap_actions;
	struct arena arena;     /* what actions point to */
	struct arb_stats stats;
	struct tallies uncounted; /* in the place of conf.tallies, if that is NULL */
	uint32_t n_holds;
	uint64_t open_token;    /* the last that was given without a slot */
};

/* ---- action.c: what a step leaves to be done, and the deadlines of what is to come */
struct arb_action *arb_act(struct arb *arb, enum arb_action_type type);
struct arb_action *arb_answer(struct arb *arb, uint64_t client, uint64_t request, enum wire_code code);
const char *arb_copy_string(struct arb *arb, const char *s);
const uint32_t *arb_copy_slots(struct arb *arb, const uint32_t *slots, uint32_t n);
void timer_set(struct arb *arb, struct timer *t, nsec at);
bool timer_before(const struct heap_node *a, const struct heap_node *b);

/* ---- client.c: what each client holds and waits for, and how it gives that back */
struct client *client_find(const struct arb *arb, uint64_t id);

static inline uint64_t
client_id(const struct client *c)
{
	return c->by_id.key;
}

void client_open(struct arb *arb, const struct arb_event *e);
void client_gone(struct arb *arb, struct client *c);
void client_kick(struct arb *arb, struct client *c);
void client_release(struct arb *arb, struct client *c, const struct arb_event *e);
void client_release_all(struct arb *arb, struct client *c, uint64_t request);
void client_cancel(struct arb *arb, struct client *c, const struct arb_event *e);

/* ---- user.c: what a user has in all of its connections */
struct user *user_enter(struct arb *arb, uint32_t uid); /* with a client more, */
void user_leave(struct arb *arb, struct user *user);    /* with one less: may free it */

/* ---- group.c: a group's life, its lease and its clock */
struct group *group_find(const struct arb *arb, const char *name);
/* Makes it if need be.  NULL: *why says so */
struct group *group_get(struct arb *arb, const char *name, enum wire_code *why);
void group_free(struct arb *arb, struct group *g);
unsigned group_link(const struct arb *arb, const char *name);   /* that it uses, known or not */
void group_touch(struct arb *arb, struct group *g);
void group_configure(struct arb *arb, struct group *g, const struct arb_event *e);
void group_idle_back(struct group *g);                          /* all of them */
bool group_is_valid(const struct arb *arb, const struct group *g);
bool group_is_contended(const struct arb *arb, const struct group *g);
bool group_is_alone(const struct arb *arb, const struct group *g);
nsec group_away_at(const struct arb *arb, const struct group *g);
bool group_knows_live(const struct arb *arb, const struct group *g);
void group_check_live(const struct arb *arb, struct group *g);
bool group_drains(const struct group *g);
int64_t group_limit(const struct group *g, int64_t own);        /* effective, or XCH_NO_LIMIT */
void group_unsync(struct group *g);
void group_reap(struct arb *arb, const char *name);
void group_due(struct arb *arb, struct group *g);
void group_tick(struct arb *arb, struct group *g);
void group_rearm(struct arb *arb, struct group *g);
void group_lose_all(struct arb *arb, struct group *g);
uint32_t group_n_slots(const struct group *g);

/* ---- hold.c: slots and those who hold them */
struct slot *slot_find(const struct group *g, uint32_t num);
struct slot *slot_new(struct group *g, uint32_t num, uint64_t number, uint32_t limit, uint64_t token);
void slot_forget(struct group *g, struct slot *s);              /* without telling the backend */
void slot_give_back(struct group *g, struct slot *s);           /* and tell it */
bool slot_fits(const struct group *g, const struct slot *s, int64_t limit);
struct slot *slot_idle_for(const struct group *g, int64_t limit); /* one that the rules allow, or NULL */
struct hold *hold_new(struct arb *arb, struct client *c, struct group *g, uint32_t n,
    const char *label);                                         /* NULL: no memory */
void hold_free(struct arb *arb, struct hold *h);
void hold_attach(struct hold *h, struct client *c);
void hold_detach(struct hold *h);                               /* its client goes, or has heard */
/* h gets its slots, which are idle; the request is answered OK. */
void hold_give(struct arb *arb, struct hold *h, uint64_t request, uint64_t token, uint32_t limit);
/* h moves to the connection that names it; the request is answered OK.  It must be possible: an
 * unproven hold only goes to a client that can see that it is. */
bool hold_can_move(struct arb *arb, const struct hold *h, const struct client *c);
void hold_move(struct arb *arb, struct hold *h, struct client *c, uint64_t request);
void hold_let_go(struct arb *arb, struct hold *h);              /* frees h */
void hold_drop_slot(struct arb *arb, struct hold *h, struct slot *s); /* may free h */
void hold_lost(struct arb *arb, struct hold *h, enum arb_lost reason); /* its slots must be gone */
void hold_end(struct arb *arb, struct hold *h, enum arb_lost reason);  /* ENDING for the margin */
void hold_rest(struct arb *arb, struct hold *h, uint32_t uid, nsec until); /* ENDING, of nobody here */
void hold_unrest(struct arb *arb, struct hold *h);              /* its slots are idle; frees h */
void hold_slot_lost(struct arb *arb, struct group *g, uint32_t num, uint64_t number);

/* The cell of each slot. */
static inline uint32_t *
hold_cells(const struct hold *h)
{
	return (uint32_t *)h->slots + h->cap;
}

/* ---- open.c: holds without a slot, while the backend is away */
void open_begin(struct arb *arb, struct hold *h, uint64_t request);
struct hold *open_find(const struct client *c, const char *group, uint64_t token);

/* ---- proof.c: what strict clients read in the cells of their holds, and are told of it */
nsec proof_deadline(const struct arb *arb, const struct group *g);
void proof_begin(struct arb *arb, struct hold *h);      /* takes cells for it, if its client reads them */
bool proof_is_possible(struct arb *arb, const struct client *c, uint32_t n);
bool proof_can_move(struct arb *arb, const struct hold *h, const struct client *c);
void proof_write(struct arb *arb, const struct hold *h);
/* Before anything else of it ends.  rest: until when its slots are nobody's, or 0. */
void proof_end(struct arb *arb, struct hold *h, nsec rest);
void proof_end_one(struct arb *arb, struct hold *h, uint32_t i);
void proof_tell_unproven(struct arb *arb, const struct hold *h);
void proof_move(struct arb *arb, struct hold *h, struct client *c);
void proof_renew(struct arb *arb, struct group *g, bool kept);
nsec proof_due(const struct arb *arb, const struct group *g);
void proof_tick(struct arb *arb, struct group *g);
void proof_lapse(struct arb *arb, struct group *g);

/* ---- waiter.c: those who wait, and their order */
void waiter_acquire(struct arb *arb, struct client *c, uint64_t request, const struct arb_acquire *a);
void waiter_leave(struct arb *arb, struct hold *w);             /* it is ASKED again */
void waiter_refuse(struct arb *arb, struct hold *w, enum wire_code code); /* answers and frees */
void waiter_out_of_time(struct arb *arb, struct hold *w);
void waiter_answered(struct hold *w);                         /* the backend has it no more */
bool waiter_hand_over(struct arb *arb, struct group *g, struct slot *s); /* s to the oldest */
bool waiter_class_deferred(const struct arb *arb, const struct group *g, const struct wclass *cls);
void waiter_check_limits(struct arb *arb, struct group *g);     /* after the live limit changed */
void waiter_check_queue(struct arb *arb, struct group *g);      /* after a reply */
void waiter_check_away(struct arb *arb, struct group *g);
void waiter_drain_all(struct arb *arb, struct group *g);        /* ERR unavailable */
void waiter_refuse_all(struct arb *arb, struct group *g, const char *text); /* the backend errs */

/* ---- adopt.c: holds whose clients have come back */
void adopt_resume(struct arb *arb, struct client *c, const struct arb_event *e);
struct adopt *adopt_of(const struct arb *arb, const struct group *g, const struct xch_grant *grant);
void adopt_again(struct arb *arb, struct adopt *a);
void adopt_free(struct arb *arb, struct adopt *a, bool keep_hold);
void adopt_refuse(struct arb *arb, struct adopt *a, enum wire_code code); /* answers and frees */
void adopt_leave(struct arb *arb, struct adopt *a);             /* its client has gone */
void adopt_stop(struct arb *arb, struct adopt *a);              /* we stop */
void adopt_granted(struct arb *arb, struct adopt *a, uint32_t limit); /* its slots are idle now */

/* ---- sync.c: exchanges, replies, pushes */
void sync_compose(struct arb *arb, struct group *g);
void sync_reply(struct arb *arb, struct group *g, const struct xch_reply *re);
void sync_push(struct arb *arb, struct group *g, const struct xch_push *push);
void sync_drop_request(struct group *g);

#endif
