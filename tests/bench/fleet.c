/* A large fleet, made up: arbiters and the memory backend in virtual time, where each exchange costs
 * Redis what the script was measured to take a moment ago.  How busy is one Redis? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/arbiter.h"
#include "daemon/core/heap.h"
#include "daemon/core/memory/memory.h"
#include "tests/bench/asker.h"
#include "tests/bench/bench.h"

#define DAEMONS 1000
#define GROUPS 10000
#define CONTENDED 100           /* groups, each of ten daemons */
#define LIMIT 8
#define CLIENTS 6               /* of each of the ten */
#define SECONDS(n) ((n) * 1000 * NSEC_MS)
#define WARM_UP SECONDS(15)
#define WATCHED SECONDS(20)
#define LATENCY (NSEC_MS / 4)   /* from a daemon to Redis, and from there */
#define CALIBRATION 2000

enum load { RENEWALS, HOT, CONTENTION };

enum kind { EV_TICK, EV_ASK, EV_REPLY, EV_PUSH, EV_CLIENT };

/* Something that happens to a daemon. */
struct event {
	struct heap_node node;
	nsec at;
	uint64_t order;         /* of two at the same time the earlier made is first */
	enum kind kind;
	unsigned daemon;
	uint64_t client;        /* EV_CLIENT */
	const struct xch_request *request;      /* EV_ASK */
	struct arena arena;     /* EV_REPLY, EV_PUSH: what these point to */
	struct xch_reply reply;
	struct xch_push push;
};

/* A client that asks, works, gives back, rests, and again. */
struct client {
	char group[24];
	bool holds;
	uint32_t slot;
};

struct fleet {
	enum load load;
	nsec now, work, rest;
	uint64_t order;
	struct heap events;
	struct arb *arbs[DAEMONS];
	nsec ticks[DAEMONS];    /* when its EV_TICK is due */
	struct client *clients[DAEMONS];
	unsigned n_clients;     /* of each */
	struct mem *mem;
	bool is_watched;
	unsigned long exchanges, deltas, grants;
};

static bool
event_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct event *x = HEAP_OF(a, struct event, node), *y = HEAP_OF(b, struct event, node);

	return x->at != y->at ? x->at < y->at : x->order < y->order;
}

static struct event *
later(struct fleet *f, nsec delay, enum kind kind, unsigned daemon)
{
	struct event *e = calloc(1, sizeof *e);

	if (e == NULL)
		fail("no memory");
	e->at = f->now + delay;
	e->order = f->order++;
	e->kind = kind;
	e->daemon = daemon;
	heap_add(&f->events, &e->node);
	return e;
}

static void *
copied(struct arena *arena, const void *from, size_t size)
{
	void *to = arena_take(arena, size ? size : 1);

	if (size > 0)
		memcpy(to, from, size);
	return to;
}

/* ------------------------------------------------------------------ Redis */

static void
copy_reply(struct event *e, const struct xch_reply *re)
{
	struct xch_grant *granted;

	e->reply = *re;
	granted = copied(&e->arena, re->granted, re->n_granted * sizeof *granted);
	for (uint32_t i = 0; i < re->n_granted; i++)
		granted[i].slots = copied(&e->arena, re->granted[i].slots,
		    re->granted[i].n * sizeof(uint32_t));
	e->reply.granted = granted;
	e->reply.lost = copied(&e->arena, re->lost, re->n_lost * sizeof *re->lost);
	e->reply.full = copied(&e->arena, re->full, re->n_full * sizeof *re->full);
	e->reply.refused = copied(&e->arena, re->refused, re->n_refused * sizeof *re->refused);
	e->reply.peers = copied(&e->arena, re->peers, re->n_peers * sizeof *re->peers);
}

static void
serve(struct fleet *f, struct event *ask)
{
	const struct xch_request *q = ask->request;
	const struct xch_push *pushes;
	uint32_t n_pushes;
	const struct xch_reply *re = mem_exchange(f->mem, f->now / 1000, q, &pushes, &n_pushes);
	struct event *e = later(f, LATENCY, EV_REPLY, ask->daemon);

	if (f->is_watched) {
		f->exchanges++;
		f->deltas += q->n_want + q->n_release + q->n_cancel > 0;
	}
	copy_reply(e, re);
	e->push.group = copied(&e->arena, q->group, strlen(q->group) + 1);
	for (uint32_t i = 0; i < n_pushes; i++) {
		struct event *p = later(f, LATENCY, EV_PUSH, (unsigned)pushes[i].to.install - 1);

		p->push = pushes[i];
		p->push.group = copied(&p->arena, pushes[i].group, strlen(pushes[i].group) + 1);
		p->push.grant.slots = copied(&p->arena, pushes[i].grant.slots,
		    pushes[i].grant.n * sizeof(uint32_t));
	}
}

/* ------------------------------------------------------------------ daemons and their clients */

static void
take_actions(struct fleet *f, unsigned daemon)
{
	struct arb_action a;

	while (arb_next_action(f->arbs[daemon], &a)) {
		if (a.type == ARB_EXCHANGE) {
			later(f, LATENCY, EV_ASK, daemon)->request = a.xch;
		} else if (a.type == ARB_ANSWER && a.n_slots > 0) {
			struct client *c = &f->clients[daemon][a.client - 1];

			c->holds = true;
			c->slot = a.slots[0];
			f->grants += f->is_watched;
			if (f->work < NSEC_NEVER)
				later(f, f->work, EV_CLIENT, daemon)->client = a.client;
		} else if (a.type == ARB_ANSWER && a.code != WIRE_OK) {
			fail("a client is told %d", (int)a.code);
		} else if (a.type == ARB_HANG_UP) {
			fail("no answer in time");
		}
	}
}

static void
step(struct fleet *f, unsigned daemon, const struct arb_event *event)
{
	nsec due;

	arb_step(f->arbs[daemon], f->now, event);
	take_actions(f, daemon);
	due = arb_deadline(f->arbs[daemon]);
	if (due < f->ticks[daemon]) {
		f->ticks[daemon] = due;
		later(f, due > f->now ? due - f->now : 0, EV_TICK, daemon);
	}
}

static void
client_goes_on(struct fleet *f, unsigned daemon, uint64_t id)
{
	struct client *c = &f->clients[daemon][id - 1];
	struct arb_event e = {.client = id, .request = f->order++};

	if (c->holds) {
		e.type = ARB_RELEASE;
		e.release.group = c->group;
		e.release.n_slots = 1;
		e.release.slots = &c->slot;
		c->holds = false;
		later(f, f->rest, EV_CLIENT, daemon)->client = id;
	} else {
		e.type = ARB_ACQUIRE;
		e.acquire = (struct arb_acquire){.group = c->group, .n = 1, .limit = LIMIT,
		    .configured = XCH_NO_LIMIT, .wait = NSEC_NEVER, .hold = NSEC_NEVER};
	}
	step(f, daemon, &e);
}

static void
happen(struct fleet *f, struct event *e)
{
	struct arb_event event = {.type = ARB_TICK};

	switch (e->kind) {
	case EV_TICK:
		if (e->at != f->ticks[e->daemon])
			return;         /* another came before it */
		f->ticks[e->daemon] = NSEC_NEVER;
		step(f, e->daemon, &event);
		break;
	case EV_ASK:
		serve(f, e);
		break;
	case EV_REPLY:
		event.type = ARB_REPLY;
		event.reply.group = e->push.group;
		event.reply.reply = &e->reply;
		step(f, e->daemon, &event);
		break;
	case EV_PUSH:
		event.type = ARB_PUSH;
		event.push = &e->push;
		step(f, e->daemon, &event);
		break;
	case EV_CLIENT:
		client_goes_on(f, e->daemon, e->client);
		break;
	}
}

static void
run_until(struct fleet *f, nsec end)
{
	struct heap_node *first;

	while ((first = heap_first(&f->events)) != NULL) {
		struct event *e = HEAP_OF(first, struct event, node);

		if (e->at > end)
			break;
		f->now = e->at;
		heap_remove(&f->events, first);
		happen(f, e);
		arena_fini(&e->arena);
		free(e);
	}
	f->now = end;
}

/* Each client's group: its own, or one that ten daemons share. */
static void
add_clients(struct fleet *f, unsigned daemon)
{
	f->n_clients = f->load == CONTENTION ? CLIENTS : GROUPS / DAEMONS;
	if ((f->clients[daemon] = calloc(f->n_clients, sizeof *f->clients[0])) == NULL)
		fail("no memory");
	for (unsigned i = 0; i < f->n_clients; i++) {
		struct arb_event e = {.type = ARB_CLIENT_OPEN, .client = i + 1};

		snprintf(f->clients[daemon][i].group, sizeof f->clients[0][0].group, "g%u",
		    f->load == CONTENTION ? daemon % CONTENDED : daemon * f->n_clients + i);
		step(f, daemon, &e);
		/* not all at the same moment */
		later(f, SECONDS(2) * (nsec)((daemon * 7919 + i * 104729) % 10007) / 10007,
		    EV_CLIENT, daemon)->client = i + 1;
	}
}

static void
fleet_open(struct fleet *f, enum load load, nsec work, nsec rest)
{
	*f = (struct fleet){.load = load, .work = work, .rest = rest, .now = SECONDS(1000)};
	heap_init(&f->events, event_before);
	if ((f->mem = mem_new()) == NULL)
		fail("no memory");
	mem_set_identity(f->mem, 1);
	mem_touch(f->mem, f->now / 1000, 0, 0);
	for (unsigned i = 0; i < DAEMONS; i++) {
		struct arb_conf conf = {
		    .self = {i + 1, 1, 1}, .host = "host", .lease = SECONDS(10),
		    .margin = 500 * NSEC_MS, .grace = 0, .idle = SECONDS(1),
		    .recall = 250 * NSEC_MS, .command_timeout = SECONDS(2), .n_links = 1,
		};
		struct arb_event up = {.type = ARB_LINK_UP}, sub = {.type = ARB_SUB_UP};

		if ((f->arbs[i] = arb_new(&conf)) == NULL)
			fail("no memory");
		f->ticks[i] = NSEC_NEVER;
		step(f, i, &up);
		step(f, i, &sub);
		add_clients(f, i);
	}
}

static void
fleet_close(struct fleet *f)
{
	struct heap_node *first;

	while ((first = heap_first(&f->events)) != NULL) {
		struct event *e = HEAP_OF(first, struct event, node);

		heap_remove(&f->events, first);
		arena_fini(&e->arena);
		free(e);
	}
	for (unsigned i = 0; i < DAEMONS; i++) {
		arb_free(f->arbs[i]);
		free(f->clients[i]);
	}
	heap_fini(&f->events);
	mem_free(f->mem);
}

/* ------------------------------------------------------------------ what an exchange costs */

struct cost {
	double renewal, delta;  /* us in Redis */
};

static struct cost
measure_cost(void)
{
	static struct asked asked;
	struct asker u;
	struct server server;
	struct cost cost;

	redis_start(&server);
	asked_open(&asked, &server);
	asked.group = "fleet";
	asked.limit = LIMIT;
	asker_begin(&asked, &u, 1);
	asker_want(&asked, &u, 1, 1, LIMIT);
	asked_reset_time(&asked);
	for (int i = 0; i < CALIBRATION; i++)
		asker_ask(&asked, &u, (struct xch_request){0});
	cost.renewal = asked_time(&asked);
	asked_reset_time(&asked);
	for (int i = 0; i < CALIBRATION; i++) {
		asker_give_back(&asked, &u);
		asker_want(&asked, &u, 1, 1, LIMIT);
	}
	cost.delta = asked_time(&asked);
	asked_close(&asked);
	server_stop(&server);
	return cost;
}

static void
run(const char *what, enum load load, nsec work, nsec rest, const struct cost *cost)
{
	static struct fleet f;
	char text[120];
	double busy;

	fleet_open(&f, load, work, rest);
	run_until(&f, f.now + WARM_UP);
	f.is_watched = true;
	run_until(&f, f.now + WATCHED);
	busy = (double)(f.exchanges - f.deltas) * cost->renewal + (double)f.deltas * cost->delta;
	snprintf(text, sizeof text, "%s: Redis busy", what);
	table_number(text, "%", busy / (WATCHED / 1000) * 100);
	snprintf(text, sizeof text, "%s: grants", what);
	table_number(text, "/s", (double)f.grants / (WATCHED / SECONDS(1)));
	snprintf(text, sizeof text, "%s: exchanges", what);
	table_number(text, "/s", (double)f.exchanges / (WATCHED / SECONDS(1)));
	fleet_close(&f);
}

void
bench_fleet(void)
{
	struct cost cost = measure_cost();

	table_number("an exchange that renews a lease, in Redis", "us", cost.renewal);
	table_number("an exchange that gives back or takes, in Redis", "us", cost.delta);
	run("1,000 daemons hold a slot of 10 groups each", RENEWALS, NSEC_NEVER, 0, &cost);
	run("1,000 daemons take and give back in 10 groups each, hot", HOT, 50 * NSEC_MS,
	    50 * NSEC_MS, &cost);
	run("100 groups of limit 8 with 60 clients each on 10 daemons", CONTENTION, 100 * NSEC_MS, 0,
	    &cost);
}
