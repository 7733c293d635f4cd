/* A made-up fleet: hosts with daemons and clients, one server, a network with faults, one clock.
 *
 * Everything happens in events of one heap.  The world owns all of it; what is made in its arena
 * (daemons, connections, sessions, clients) lives until the run ends, so nothing that is under way
 * ever points to what is gone. */
#ifndef SIM_H
#define SIM_H

#include <sys/queue.h>

#include "daemon/core/alloc.h"
#include "daemon/core/arbiter.h"
#include "daemon/core/heap.h"
#include "daemon/core/memory/memory.h"
#include "daemon/core/rules.h"
#include "tests/sim/message.h"
#include "tests/sim/random.h"

#define MS NSEC_MS
#define SEC (1000 * MS)
#define N_GROUPS 2
#define N_LINKS 2
#define HOSTS_MAX 4
#define HOST_CLIENTS_MAX 5
#define SLOTS_MAX 16            /* of a group, as the checks count them */
#define N_MAX 6                 /* slots of one hold */
#define PAGE_CELLS 64
#define PAST_MAX 12
#define INSTALLS_MAX 64         /* that are told apart; the later ones are not looked at */
#define DRIFT_PPM 4000          /* how much faster or slower than true time a clock may run */

struct world;
struct server;
struct host;
struct daemon;
struct session;
struct client;

/* ------------------------------------------------------------------ time and events */

/* Does not show true time: it has an offset and runs at a rate of its own. */
struct clock {
	int64_t offset;
	int64_t ppm;
};

struct event {
	struct heap_node node;
	nsec at;
	uint64_t order;
	void (*run)(struct world *, struct event *);
	struct daemon *daemon;  /* in whose process it happens: waits while that is stopped, is void
				   when that is dead; NULL: outside of any */
	uint64_t source;        /* a stopped process finds what came from one source in order */
	void *owned;            /* freed after it has run, unless taken */
	void *p, *q;
	uint64_t a;
	TAILQ_ENTRY(event) pending;
};

TAILQ_HEAD(event_list, event);

/* ------------------------------------------------------------------ what a run is like */

enum fault_id {
	FAULT_BREAK, FAULT_SUBBREAK, FAULT_PUSHLOSS, FAULT_PUSHDOUBLE, FAULT_STALL,
	FAULT_CRASH, FAULT_STOP, FAULT_KICK, FAULT_PAUSE, FAULT_PARTITION, FAULT_TWIN,
	FAULT_FREEZE, FAULT_RESTART, FAULT_SAME, FAULT_FAILOVER, FAULT_ABA, FAULT_SILENT,
	FAULT_FLUSH, FAULT_STEP, FAULT_SETLIMIT, FAULT_ERROR, FAULT_EVICT,
	FAULT_RELOAD, FAULT_DRAIN,
	N_FAULTS
};

#define FAULT(name) (1u << FAULT_##name)

/* Which faults a run may have, and what may be demanded of it. */
struct profile {
	const char *name;
	uint32_t faults;
	unsigned weight;
	bool all;               /* every one of them is in each run */
	bool order;             /* S5: one limit, n = 1, all wait for ever: served in order */
	bool keep;              /* S8: no strict client loses anything */
	bool brief;             /* outages are shorter than a lease */
	bool sole;              /* one host, whose daemon has its slots in its memory */
	bool apart;             /* hosts are away for longer than a lease, with holds that last */
	bool any_token;         /* tokens need not grow: the server's clock is stepped */
	bool live;              /* S11: no live limit is forgotten */
};

struct options {
	const struct profile *profile; /* NULL: each seed picks one */
	uint32_t faults;        /* 0: the profile's */
	unsigned check_every;   /* steps between two looks at the whole */
	bool trace;             /* print everything */
	unsigned tail;          /* lines of trace shown of a run that fails */
};

/* ------------------------------------------------------------------ server and network */

struct server {
	struct mem *mem;        /* NULL: it is dead */
	bool lags;              /* its data are from before something that another one did */
	int number;
	uint64_t sid;
	struct clock clock;     /* offset in usec here */
	struct mem *past[PAST_MAX]; /* what a lagging replica may have: copies, the newest last */
	int n_past;
	uint32_t in_use[N_GROUPS];  /* as of its last exchange */
};

struct conn {
	struct server *server;
	bool broken;
	nsec c2s, s2c;          /* when the last that was sent arrives: it keeps its order */
};

/* ------------------------------------------------------------------ host, daemon */

struct host {
	struct world *w;
	char name[8];
	struct clock clock;     /* CLOCK_BOOTTIME */
	uint64_t install, generation;
	bool twin;              /* another has, or had, the same install */
	struct daemon *daemon;  /* the latest; NULL: none yet */
	nsec cut;               /* nothing reaches the server until then */
	int64_t configured;     /* limit of every group here, or XCH_NO_LIMIT */
};

/* One slot of a hold in the lease page. */
struct cell {
	uint64_t token;         /* 0: the hold has ended */
	nsec deadline;
	int group;
	uint32_t slot, uid;
};

/* A client that knows a page keeps reading it after the death of the daemon that wrote it. */
struct page {
	struct cell cells[PAGE_CELLS];
	struct cell *inherited; /* of the daemon's predecessors */
	uint32_t n_inherited;
};

struct daemon {
	struct host *host;
	struct arb *arb;        /* NULL: it is dead */
	struct xch_daemon id;
	char name[16];
	bool alive, paused, gone;
	bool stopping;          /* takes no connection any more */
	bool drained;           /* grants nothing for now */
	bool deaf;              /* the next push to it is lost */
	struct conn *link[N_LINKS], *sub;
	struct page *page;
	uint64_t era;           /* last heard of; kept in the page over a restart */
	struct lives lives;     /* that it remembers */
	struct event *tick;     /* the one timer */
	struct event_list pending; /* while paused */
	LIST_HEAD(, session) sessions;
	unsigned steps;
	nsec idle_since[N_GROUPS][SLOTS_MAX]; /* [k]: more than k slots are idle since */
	uint32_t idle[N_GROUPS];
};

/* A connection of a client to its daemon. */
struct session {
	uint64_t id;            /* the arbiter's number of it */
	struct client *client;
	struct daemon *daemon;
	bool open;              /* as the daemon sees it */
	nsec c2d, d2c;
	LIST_ENTRY(session) link;
};

/* ------------------------------------------------------------------ clients */

enum client_state { CLIENT_OFF, CLIENT_IDLE, CLIENT_WAIT, CLIENT_HOLD, CLIENT_RESUME };

/* What a client believes to hold. */
struct belief {
	struct client *client;
	int group;
	uint32_t n, slots[N_MAX];
	uint64_t token;
	uint32_t limit;
	const struct page *page; /* NULL: it got no cell */
	uint32_t cells[N_MAX];  /* of each slot: strict clients believe while the first says so */
	bool ended;             /* raw ones until they can have heard of the end */
	LIST_ENTRY(belief) link;
};

struct client {
	struct world *w;
	struct host *host;
	char name[12];
	int group;
	uint32_t uid;
	bool strict;
	unsigned lazy;          /* permille: reads late that it has lost something */
	enum client_state state;
	struct session *session; /* NULL: not connected */
	uint64_t request;       /* the ACQUIRE or RESUME that is not answered */
	uint64_t given_up;      /* its RELEASE * is on the way: a grant of this comes to nothing */
	bool holds;
	struct belief belief;   /* while `holds` */
	uint64_t open;          /* token of one without a slot; 0: none */
	uint64_t ended;         /* token of the last hold that its daemon has called lost */
	bool switches;          /* has changed its connection with a hold that may be gone */
	bool stop;              /* asks for nothing more */
	bool got;               /* has been granted something, ever */
};

enum ask_kind { ASK_ACQUIRE, ASK_RELEASE, ASK_CANCEL, ASK_RESUME };

/* Every request that was ever made; its number is its index. */
struct ask {
	enum ask_kind kind;
	struct session *session;
	int group;
	uint32_t n;
	int64_t own;
	nsec since;             /* when its daemon heard of it; 0: not yet */
	nsec queued;            /* when it was queued in the backend; 0: it is not there */
	bool told;              /* granted, or told `full`, by the backend since it was queued */
	bool answered;
	bool wrong;             /* a RELEASE of what is not its own */
};

/* ------------------------------------------------------------------ world */

/* The latest daemon of an install that the server has done something for. */
struct heard {
	uint64_t generation;
	nsec at;
};

struct stats {
	uint64_t events, exchanges, grants, local, kept, lost, resumed, recalls, syncs, false_full, opens, refused;
};

struct world {
	const struct options *opt;
	const struct profile *profile;
	uint64_t seed;
	struct rng rng;
	uint32_t faults;        /* those of this run */
	bool faulty;            /* they happen now */

	nsec now;               /* true time */
	nsec mark;
	uint64_t order;
	struct heap events;
	struct event_list spare;
	struct arena arena;
	struct stats stats;
	char failure[400];      /* the first violation, or "" */
	nsec failed_at;

	/* how the clients are */
	nsec think, hold_max;
	unsigned p_die, p_many, p_now, p_for_ever, p_cancel, p_hold, p_partial, p_none, p_lazy;
	unsigned p_switch;
	int64_t base;           /* the least limit */
	int64_t limits[2];
	int n_limits;
	uint32_t max_waiters;
	nsec net_max;           /* one way */
	unsigned p_slow;        /* permille of the messages that take ... */
	nsec slow_max;          /* ... up to this long */
	struct arb_conf conf;
	bool drop;              /* holds end with the lease */
	enum arb_on_down on_down;
	unsigned p_push_lost, p_push_twice;
	nsec frozen;            /* the server is, until then */
	nsec error[N_GROUPS];   /* it can do nothing for that group until then */
	nsec stepped;
	nsec quiet_until;       /* no fault before */
	usec clock0;
	nsec skew;              /* so much a new server's clock may be off */

	struct server *server;
	int n_servers;
	struct server former;   /* what the one before was, when it ended; mem NULL: none */
	struct host hosts[HOSTS_MAX];
	int n_hosts;
	uint64_t n_installs;
	struct heard heard[INSTALLS_MAX][N_GROUPS]; /* by install */
	struct lives live;      /* what was set last */
	nsec live_set[N_GROUPS]; /* when */
	struct client *clients[HOSTS_MAX * HOST_CLIENTS_MAX + 2 * SLOTS_MAX];
	int n_clients;
	struct ask *asks;
	uint64_t n_asks;
	size_t cap_asks;
	uint64_t n_sessions;

	LIST_HEAD(, belief) beliefs[N_GROUPS];
	uint64_t tokens[N_GROUPS][SLOTS_MAX + 1]; /* the highest ever believed, by slot */
};

extern const char *const group_names[N_GROUPS];
int group_index(const char *name);

/* world.c */
nsec clock_at(const struct clock *c, nsec t);   /* what it shows at the true time t */
nsec clock_when(const struct clock *c, nsec shown); /* the first true time at which it shows that */
struct event *world_at(struct world *w, nsec at, void (*run)(struct world *, struct event *));
struct event *world_in(struct world *w, struct daemon *d, uint64_t source, nsec at,
    void (*run)(struct world *, struct event *));
void world_cancel(struct world *w, struct event *e);
void world_dispatch(struct world *w, struct event *e);  /* runs it, or keeps it for later */
void *world_alloc(struct world *w, size_t size);        /* zeroed, until the run ends */
void world_until(struct world *w, nsec t);
bool world_run(struct world *w, const struct options *opt, uint64_t seed); /* true: no violation */
void world_fini(struct world *w);
#define world_failed(w) ((w)->failure[0] != '\0')
void world_fail(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* plan.c: what a seed is about */
extern const struct profile profiles[];
const struct profile *profile_find(const char *name);
void plan_make(struct world *w);
void plan_play(struct world *w);

/* fault.c */
extern const char *const fault_names[N_FAULTS];
void fault_happens(struct world *w);
void fault_heal(struct world *w);

/* server.c */
struct server *server_new(struct world *w, struct mem *mem);    /* takes mem; NULL: empty */
usec server_time(const struct world *w, const struct server *s);
void server_sole(struct world *w, const struct xch_daemon *from, const struct page *page, nsec now);
struct server *server_replica(struct world *w, bool may_lag);   /* of the one there is */
void server_kill(struct server *s);
void server_replace(struct world *w, struct server *s, bool noticed);
void server_flush(struct world *w);
void server_tend(struct world *w);                              /* daemons touch its marker */
void server_send(struct world *w, struct daemon *d, unsigned link, const struct xch_request *q);
struct conn *conn_new(struct world *w, struct server *s);
bool server_is_connected(const struct world *w, const struct daemon *d);
nsec conn_arrival(struct world *w, nsec *last); /* of what is sent now: in order */
void server_publish(struct world *w, const struct xch_push *push);

/* live.c: live limits.  Of what is set, d knows at once (NULL: nobody) */
void live_set(struct world *w, struct daemon *d, int group, enum live_kind kind, int64_t limit,
    usec length);
void live_meet(struct daemon *d);       /* it puts back what it remembers, and learns what there is */
void live_era_begins(struct world *w);
void check_live_grant(struct world *w, int group, const struct xch_grant *grant);
void check_live_local(struct world *w, const struct daemon *d, int group, const struct arb_action *act);

/* host.c */
void host_init(struct world *w, struct host *h, int number);
void host_start(struct host *h);
void host_rename(struct host *h);       /* a life of its own: a new install */
nsec host_now(const struct host *h);

/* daemon.c */
struct daemon *daemon_new(struct host *h);
void daemon_step(struct daemon *d, const struct arb_event *e);
void daemon_kill(struct daemon *d);
void daemon_pause(struct daemon *d, nsec length);
void daemon_kick(struct daemon *d, struct session *s);
void daemon_fini(struct daemon *d);

/* page.c */
struct page *page_new(struct world *w, const struct page *old, nsec now);       /* old NULL: none */
nsec page_inherited(const struct page *p, int group, uint32_t n, const uint32_t *slots,
    uint64_t token, uint32_t uid);
void page_set(struct daemon *d, const struct arb_action *act);
void page_end(struct daemon *d, const struct arb_action *act);

/* link.c: the daemon's connections to the server */
void link_open(struct daemon *d, unsigned link);
void sub_open(struct daemon *d);
void link_break(struct daemon *d, unsigned link, const char *why);
void link_break_all(struct daemon *d, const char *why);
void link_hang_up(struct daemon *d, unsigned link);
void sub_break(struct daemon *d);
void sub_deliver(struct world *w, struct daemon *d, const struct xch_push *push);

/* client.c */
struct client *client_new(struct host *h, const char *name, int group, bool strict);
void client_connect(struct client *c, nsec at);
void client_end_hold(struct client *c);         /* soon */
void client_hears(struct session *s, const struct arb_action *act);
void client_eof(struct session *s, nsec at);
bool belief_is_valid(const struct belief *b);
nsec hold_time(struct world *w);

/* call.c: what it says */
void call_open(struct client *c);
void call_gone(struct client *c);
void call_acquire(struct client *c, int64_t n, int64_t own, nsec wait);
void call_give_up(struct client *c, bool all);
void call_release(struct client *c, uint32_t n);
void call_release_open(struct client *c);
void call_wrong_release(struct client *c);
void call_wrong_resume(struct client *c);
void call_resume(struct client *c);

/* check.c: the invariants */
enum again { BELIEF_NEW, BELIEF_RESUMED, BELIEF_PROVEN };
void check_belief(struct world *w, const struct belief *b, enum again again);
void check_beliefs(struct world *w);
void check_exchange(struct world *w, const struct xch_request *q, const struct xch_reply *r,
    const struct xch_push *pushes, uint32_t n_pushes);
void check_answer(struct daemon *d, const struct arb_event *e, const struct arb_action *act);
void check_step(struct daemon *d);
void check_lost(struct client *c, const char *how);

/* trace.c */
void trace_start(bool print, unsigned tail);
void trace_show(void);
void trace_line(const struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *show_token(const struct world *w, uint64_t token);
const char *show_slots(uint32_t n, const uint32_t *slots);
void trace_request(const struct world *w, const struct daemon *d, const struct xch_request *q);
void trace_reply(const struct world *w, const struct daemon *d, const struct xch_request *q,
    const struct xch_reply *r, bool late);
void trace_push(const struct world *w, const struct daemon *d, bool heard,
    const struct xch_push *p);
void trace_word(const struct world *w, const struct client *c, const struct arb_action *act);
extern bool tracing;
#define TRACE(...)                                                                              \
	do {                                                                                    \
		if (tracing)                                                                    \
			trace_line(__VA_ARGS__);                                                \
	} while (0)

#endif
