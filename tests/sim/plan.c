/* What a seed is about: the fleet, its clients, its faults; and the run from end to end. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

#define ANY (((1u << N_FAULTS) - 1) & ~FAULT(STEP))

/* Numbers grow through a loss of all data if clocks are not far apart, or if somebody who remembers
 * can say so before the grace is over.  With these, perhaps nobody can. */
#define FORGETFUL (FAULT(CRASH) | FAULT(STOP) | FAULT(TWIN) | FAULT(PARTITION) | FAULT(PAUSE))

const struct profile profiles[] = {
    {.name = "storm", .weight = 5, .faults = ANY},
    {.name = "some", .weight = 5, .faults = ANY},
    {.name = "calm", .weight = 3},
    {.name = "order", .weight = 2, .order = true, .faults = FAULT(PUSHLOSS) | FAULT(PUSHDOUBLE) |
	FAULT(RESTART) | FAULT(FLUSH) | FAULT(FAILOVER)},
    {.name = "keep", .weight = 2, .keep = true, .brief = true, .faults = FAULT(BREAK) |
	FAULT(SUBBREAK) | FAULT(PUSHLOSS) | FAULT(PUSHDOUBLE) | FAULT(RESTART) | FAULT(SAME) |
	FAULT(FAILOVER) | FAULT(FLUSH)},
    {.name = "anew", .weight = 3, .keep = true, .brief = true, .faults = FAULT(CRASH) |
	FAULT(STOP) | FAULT(BREAK) | FAULT(SUBBREAK) | FAULT(RESTART) | FAULT(SAME) |
	FAULT(FAILOVER) | FAULT(FLUSH)},
    {.name = "wait", .weight = 1, .keep = true, .faults = FAULT(FREEZE) | FAULT(SAME)},
    {.name = "limits", .weight = 1, .all = true, .faults = FAULT(SETLIMIT)},
    {.name = "reload", .weight = 1, .all = true, .faults = FAULT(RELOAD) | FAULT(DRAIN)},
    {.name = "lives", .weight = 2, .live = true, .brief = true, .faults = FAULT(SETLIMIT) |
	FAULT(BREAK) | FAULT(SUBBREAK) | FAULT(RESTART) | FAULT(SAME) | FAULT(FAILOVER) |
	FAULT(SILENT) | FAULT(FLUSH)},
    {.name = "apart", .weight = 2, .all = true, .apart = true, .faults = FAULT(PARTITION) |
	FAULT(PAUSE) | FAULT(RESTART) | FAULT(FAILOVER)},
    {.name = "clock", .weight = 1, .all = true, .faults = FAULT(STEP)},
    {.name = "reset", .weight = 1, .all = true, .any_token = true,
	.faults = FAULT(STEP) | FAULT(FLUSH)},
    {.name = "sole", .weight = 1, .sole = true, .faults = FAULT(CRASH) | FAULT(STOP) |
	FAULT(PAUSE) | FAULT(KICK) | FAULT(EVICT) | FAULT(RELOAD) | FAULT(DRAIN)},
    {.name = "solekeep", .weight = 1, .sole = true, .keep = true, .brief = true,
	.faults = FAULT(CRASH) | FAULT(STOP)},
    {.name = NULL},
};

const struct profile *
profile_find(const char *name)
{
	for (const struct profile *p = profiles; p->name != NULL; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

static const struct profile *
profile_pick(struct rng *r)
{
	const struct profile *p;
	int64_t sum = 0;

	for (p = profiles; p->name != NULL; p++)
		sum += p->weight;
	sum = rng_between(r, 0, sum);
	for (p = profiles; sum >= p->weight; p++)
		sum -= p->weight;
	return p;
}

static uint32_t
faults_pick(struct world *w)
{
	uint32_t all = w->opt->faults != 0 ? w->opt->faults : w->profile->faults, some = 0;
	unsigned share = strcmp(w->profile->name, "some") == 0 ? 150 : 600;

	if (w->opt->faults != 0 || w->profile->all || all == 0)
		return all;
	while (some == 0)
		for (int i = 0; i < N_FAULTS; i++)
			if ((all >> i & 1) != 0 && rng_chance(&w->rng, share))
				some |= 1u << i;
	return some;
}

/* ------------------------------------------------------------------ the fleet */

static void
plan_clients(struct world *w)
{
	struct rng *r = &w->rng;
	bool order = w->profile->order;
	const nsec thinks[] = {5 * MS, 200 * MS, 2 * SEC};
	const nsec holds[] = {20 * MS, 500 * MS, 3 * SEC, 15 * SEC, 60 * SEC};
	const nsec nets[] = {2 * MS, 20 * MS, 60 * MS};
	const unsigned dies[] = {0, 20, 100}, many[] = {0, 0, 300}, nows[] = {0, 100, 500};
	const unsigned sometimes[] = {0, 0, 100}, often[] = {300, 1000};

	w->think = RNG_PICK(r, thinks);
	w->hold_max = holds[rng_between(r, w->profile->apart ? 3 : 0, 5)];
	w->net_max = RNG_PICK(r, nets);
	w->base = rng_chance(r, 333) ? 1 : rng_between(r, 1, 5);
	w->limits[0] = w->base;
	w->limits[1] = w->base + rng_between(r, 1, 3);
	w->n_limits = !order && rng_chance(r, 400) ? 2 : 1;
	w->p_die = w->profile->keep ? 0 : RNG_PICK(r, dies);
	w->p_many = order ? 0 : RNG_PICK(r, many);
	w->p_partial = 500;
	w->p_switch = RNG_PICK(r, sometimes) / 2;
	w->p_now = order ? 0 : RNG_PICK(r, nows);
	w->p_for_ever = order ? 1000 : RNG_PICK(r, often);
	w->p_cancel = order ? 0 : RNG_PICK(r, sometimes);
	w->p_hold = RNG_PICK(r, sometimes);
	w->p_lazy = w->profile->keep ? 0 : 2 * RNG_PICK(r, sometimes);
	w->p_none = order ? 0 : RNG_PICK(r, sometimes);
	if (w->profile->apart)          /* holds last, and somebody always waits */
		w->p_die = w->p_switch = w->p_cancel = w->p_hold = w->p_now = 0;
	w->max_waiters = !order && rng_chance(r, 100) ? (uint32_t)rng_between(r, 1, 4) : 0;
	if (w->faults != 0 && !w->profile->order && !w->profile->keep && !w->profile->live &&
	    strcmp(w->profile->name, "limits") != 0 && rng_chance(r, 330)) {
		bool seldom = rng_chance(r, 500);

		w->p_slow = seldom ? 10 : 200;
		w->slow_max = seldom ? 6 * SEC : 1500 * MS;
	}
}

static void
plan_daemons(struct world *w)
{
	struct rng *r = &w->rng;
	const nsec idle[] = {0, 1 * SEC, 3 * SEC, 3 * SEC};

	w->conf = (struct arb_conf){.host = "host",
	    .lease = 10 * SEC, .margin = 500 * MS, .grace = 10 * SEC,
	    .recall = 250 * MS, .command_timeout = 2 * SEC, .n_links = N_LINKS,
	    .max_cells = PAGE_CELLS};
	if (!RULE(LONG_GRACE))
		w->conf.grace /= 4;
	if (w->profile->sole) {
		w->conf.sole = true;
		w->conf.grace = 0;
		w->conf.command_timeout = w->conf.lease;
	}
	w->conf.idle = RNG_PICK(r, idle);
	if (!w->profile->keep && !w->profile->apart && rng_chance(r, 150)) /* a page that may be full */
		w->conf.max_cells = (uint32_t)rng_between(r, 0, 6);
	if (!w->profile->order && !w->profile->apart && rng_chance(r, 200))
		w->on_down = rng_chance(r, 500) ? ARB_DOWN_OPEN : ARB_DOWN_REFUSE;
	w->drop = !w->profile->keep && !w->profile->apart && rng_chance(r, 150);
}

static void
starts(struct world *w, struct event *e)
{
	(void)w;
	host_start(e->p);
}

static void
plan_hosts(struct world *w)
{
	struct rng *r = &w->rng;
	int64_t top = w->limits[w->n_limits - 1];
	const unsigned raws[] = {0, 0, 300, 1000};
	unsigned raw = w->profile->apart ? 0 : w->profile->keep ? 200 : RNG_PICK(r, raws);
	bool configured = rng_chance(r, w->p_none > 0 ? 900 : 700);
	bool differ = configured && !w->profile->order && rng_chance(r, 100);
	int groups = rng_chance(r, 400) ? N_GROUPS : 1;

	w->n_hosts = w->profile->sole ? 1 : (int)rng_between(r, 2, HOSTS_MAX + 1);
	for (int i = 0; i < w->n_hosts; i++) {
		struct host *h = &w->hosts[i];
		int64_t n = rng_between(r, 1, HOST_CLIENTS_MAX + 1);

		host_init(w, h, i);
		if (configured)
			h->configured = differ ? rng_between(r, w->base, top + 1) : top;
		world_at(w, rng_chance(r, 800) ? 0 : rng_between(r, 0, 20 * SEC), starts)->p = h;
		for (int64_t k = 0; k < n; k++) {
			char name[8];
			struct client *c;

			snprintf(name, sizeof name, "c%d", (int)k);
			c = client_new(h, name, (int)rng_between(r, 0, groups),
			    !rng_chance(r, raw));
			client_connect(c, rng_between(r, 0, 20 * SEC));
		}
	}
}

void
plan_make(struct world *w)
{
	struct rng *r = &w->rng;
	char names[256] = "";

	w->profile = profile_pick(r);
	if (w->opt->profile != NULL)
		w->profile = w->opt->profile;
	w->faults = faults_pick(w);
	w->skew = (w->faults & FORGETFUL) == 0 && rng_chance(r, 300) ? 600 * SEC : 4 * SEC;
	w->clock0 = 1000000000000000 + rng_between(r, 0, 1000000000);
	plan_clients(w);
	plan_daemons(w);
	ALLOC_ROOM(w->asks, w->n_asks, w->cap_asks, 1);
	w->asks[w->n_asks++] = (struct ask){.answered = true}; /* number 0 is nobody's */
	w->server = server_new(w, NULL);
	server_tend(w);
	plan_hosts(w);
	for (int i = 0; i < N_FAULTS; i++)
		if ((w->faults >> i & 1) != 0)
			snprintf(names + strlen(names), sizeof names - strlen(names), " %s",
			    fault_names[i]);
	TRACE(w, "%s:%s; %d hosts, %d clients, limit %lld%s, holds up to %.2f s%s%s%s",
	    w->profile->name, names[0] != '\0' ? names : " no faults", w->n_hosts, w->n_clients,
	    (long long)w->base, w->n_limits > 1 ? " and more" : "", (double)w->hold_max / SEC,
	    w->p_slow > 0 ? ", slow messages" : "",
	    w->drop ? ", holds drop with the lease" : "",
	    w->on_down == ARB_DOWN_OPEN ? ", open while the server is away" :
	    w->on_down == ARB_DOWN_REFUSE ? ", refused while the server is away" : "");
}

/* ------------------------------------------------------------------ the run */

/* L1: nobody asks any more; those who wait are served, those who hold end. */
static void
drain(struct world *w)
{
	nsec bound = w->conf.lease + w->conf.grace + (w->n_clients + 2 + 20) * SEC;

	TRACE(w, "---- nobody asks any more");
	w->p_die = w->p_hold = w->p_partial = w->p_switch = 0;
	if (w->hold_max > SEC)
		w->hold_max = SEC;
	for (int i = 0; i < w->n_clients; i++) {
		w->clients[i]->stop = true;
		if (w->clients[i]->state == CLIENT_HOLD)
			client_end_hold(w->clients[i]);
	}
	world_until(w, w->now + bound);
	for (int i = 0; i < w->n_clients; i++) {
		const struct client *c = w->clients[i];

		if (c->state == CLIENT_WAIT || c->state == CLIENT_RESUME)
			world_fail(w, "L1: %s still waits, %.0f s after the faults stopped",
			    c->name, (double)bound / SEC);
		if (c->holds)
			world_fail(w, "L1: %s still holds", c->name);
	}
}

/* L2: one host asks for all slots of a group, and gets them. */
static void
probe(struct world *w, int group)
{
	struct host *h = &w->hosts[rng_between(&w->rng, 0, w->n_hosts)];
	int first = w->n_clients;

	TRACE(w, "---- a probe asks for all %lld slots of %s", (long long)w->base,
	    group_names[group]);
	w->think = w->hold_max = 1000 * SEC;
	for (int64_t i = 0; i < w->base; i++) {
		struct client *c;
		char name[8];

		snprintf(name, sizeof name, "p%s%d", group_names[group], (int)i);
		c = client_new(h, name, group, true);
		c->stop = true;                 /* asks for nothing of its own */
		client_connect(c, w->now);
	}
	world_until(w, w->now + 10 * MS);
	for (int i = first; i < w->n_clients; i++)
		if (w->clients[i]->state == CLIENT_IDLE)
			call_acquire(w->clients[i], 1, w->base, NSEC_NEVER);
	world_until(w, w->now + 2 * SEC);
	for (int i = first; i < w->n_clients; i++)
		if (!w->clients[i]->got)
			world_fail(w, "L2: a leak: %s gets nothing, %u slots of %s are in use",
			    w->clients[i]->name, w->server->in_use[group], group_names[group]);
}

void
plan_play(struct world *w)
{
	const nsec gaps[] = {SEC / 10, SEC, 3 * SEC, 8 * SEC};
	nsec end;

	world_until(w, 12 * SEC);
	end = w->now + rng_between(&w->rng, 20, 90) * SEC;
	w->faulty = w->faults != 0;
	while (w->now < end && w->faulty && !world_failed(w)) {
		world_until(w, w->now + rng_exponential(&w->rng,
		    w->profile->apart ? w->conf.lease / 2 : RNG_PICK(&w->rng, gaps)));
		if (!world_failed(w))
			fault_happens(w);
	}
	if (!w->faulty)
		world_until(w, end);
	TRACE(w, "---- no more faults");
	w->faulty = false;
	fault_heal(w);
	world_until(w, w->now + 35 * SEC);      /* pauses, restarts and failovers under way end */
	for (int i = 0; i < w->n_hosts && !world_failed(w); i++)
		host_start(&w->hosts[i]);
	for (int i = 0; i < N_GROUPS && !world_failed(w); i++)
		for (enum live_kind kind = 0; kind < N_LIVE_KINDS; kind++)
			live_set(w, NULL, i, kind, XCH_NO_LIMIT, USEC_NEVER);
	world_until(w, w->now + 5 * SEC);
	if (!world_failed(w))
		drain(w);
	w->p_cancel = w->p_lazy = 0;
	w->max_waiters = 0;
	for (int i = 0; i < N_GROUPS && !world_failed(w); i++)
		probe(w, i);
}
