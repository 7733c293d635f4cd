/* What goes wrong: one fault at a time, drawn from those that the run has. */
#include "tests/sim/sim.h"

const char *const fault_names[N_FAULTS] = {
    [FAULT_BREAK] = "break", [FAULT_SUBBREAK] = "subbreak", [FAULT_PUSHLOSS] = "pushloss",
    [FAULT_PUSHDOUBLE] = "pushdouble", [FAULT_STALL] = "stall", [FAULT_CRASH] = "crash",
    [FAULT_STOP] = "stop", [FAULT_KICK] = "kick", [FAULT_PAUSE] = "pause",
    [FAULT_PARTITION] = "partition", [FAULT_FREEZE] = "freeze", [FAULT_RESTART] = "restart",
    [FAULT_SAME] = "same", [FAULT_FAILOVER] = "failover", [FAULT_ABA] = "aba",
    [FAULT_SILENT] = "silent", [FAULT_FLUSH] = "flush", [FAULT_SETLIMIT] = "setlimit",
    [FAULT_TWIN] = "twin", [FAULT_STEP] = "step",
    [FAULT_ERROR] = "error", [FAULT_EVICT] = "evict", [FAULT_RELOAD] = "reload",
    [FAULT_DRAIN] = "drain",
};

/* A time that is short, or ends about when a lease does, or lasts. */
static nsec
short_or_long(struct world *w, nsec brief, nsec lengthy)
{
	if (w->profile->apart)
		return rng_between(&w->rng, w->conf.lease, lengthy);
	if (rng_chance(&w->rng, 250))
		return rng_between(&w->rng, w->conf.lease / 2, w->conf.lease);
	return rng_between(&w->rng, 10 * MS, rng_chance(&w->rng, 500) ? brief : lengthy);
}

/* An outage of any length costs a strict client nothing if its daemon can speak before the next. */
static void
outage_ends(struct world *w, nsec at)
{
	if (w->profile->keep && !w->profile->brief)
		w->quiet_until = at == NSEC_NEVER ? at : at + w->conf.lease / 2;
}

/* ------------------------------------------------------------------ servers */

static void
takes_over(struct world *w, struct event *e)
{
	if (w->server->mem != NULL)
		return;
	server_replace(w, e->p, true);
	outage_ends(w, w->now);
}

/* The server is gone; after a while there is another. */
static void
fail_over(struct world *w, struct server *next)
{
	const nsec down[] = {0, 2 * SEC, w->profile->brief ? 2 * SEC : 15 * SEC};
	nsec longest = RNG_PICK(&w->rng, down);

	mem_free(w->former.mem);
	w->former = (struct server){.mem = mem_clone(w->server->mem), .number = w->server->number,
	    .sid = w->server->sid, .clock = w->server->clock};
	server_kill(w->server);
	outage_ends(w, NSEC_NEVER);
	for (int i = 0; i < w->n_hosts; i++)
		if (w->hosts[i].daemon != NULL)
			link_break_all(w->hosts[i].daemon, "the server is gone");
	world_at(w, w->now + rng_between(&w->rng, 0, longest + 1), takes_over)->p = next;
}

static void
restart(struct world *w)
{
	TRACE(w, "the server restarts, empty");
	fail_over(w, server_new(w, NULL));
}

static void
restart_same(struct world *w)
{
	TRACE(w, "the server restarts, with its data");
	fail_over(w, server_replica(w, false));
}

static void
lagging_replica(struct world *w)
{
	TRACE(w, "the server fails over to a replica that may lag");
	fail_over(w, server_replica(w, true));
}

static void
silent_failover(struct world *w)
{
	TRACE(w, "a proxy goes over to a replica, unnoticed");
	server_replace(w, server_replica(w, true), false);
}

/* A host that never spoke with the newer server could not know, nor tell. */
static void
former_server(struct world *w)
{
	struct server *s;

	if (w->former.mem == NULL)
		return;
	for (int i = 0; i < w->n_hosts; i++) {
		const struct daemon *d = w->hosts[i].daemon;

		if (d == NULL || d->era != mem_era(w->server->mem))
			return;
	}
	TRACE(w, "back to server %d, with the data it had then", w->former.number);
	s = server_new(w, mem_clone(w->former.mem));
	s->sid = w->former.sid;
	s->clock = w->former.clock;
	s->lags = true;
	mem_set_identity(s->mem, s->sid);
	fail_over(w, s);
}

static void
server_errs(struct world *w, int group)
{
	nsec length = short_or_long(w, 3 * SEC, 20 * SEC);

	TRACE(w, "the server can do nothing for %s for %.3f s", group_names[group],
	    (double)length / SEC);
	w->error[group] = w->now + length;
}

static void
set_limit(struct world *w)
{
	const int64_t limits[] = {XCH_NO_LIMIT, 0, 1, 2, w->base, w->base + 1, w->base + 3};
	const int64_t pauses[] = {XCH_NO_LIMIT, 0};
	bool is_pause = rng_chance(&w->rng, 250), is_forever = rng_chance(&w->rng, 500);
	struct daemon *connected[HOSTS_MAX];
	int n = 0;

	for (int i = 0; i < w->n_hosts; i++)
		if (server_is_connected(w, w->hosts[i].daemon))
			connected[n++] = w->hosts[i].daemon;
	if (n == 0)
		return;
	live_set(w, connected[rng_between(&w->rng, 0, n)], (int)rng_between(&w->rng, 0, N_GROUPS),
	    is_pause ? LIVE_PAUSE : LIVE_LIMIT,
	    is_pause ? RNG_PICK(&w->rng, pauses) : RNG_PICK(&w->rng, limits),
	    is_forever ? USEC_NEVER : rng_between(&w->rng, 1000, 12000000));
}

static void
clock_step(struct world *w)
{
	nsec size = rng_between(&w->rng, 0, rng_chance(&w->rng, 500) ? 4 * SEC : 3600 * SEC);

	if (w->now - w->stepped < w->conf.lease / 2)
		return;
	w->stepped = w->now;
	if (rng_chance(&w->rng, 500))
		size = -size;
	TRACE(w, "the server's clock is stepped by %.3f s", (double)size / SEC);
	w->server->clock.offset += size / 1000;
}

/* ------------------------------------------------------------------ daemons */

static struct daemon *
some_daemon(struct world *w)
{
	struct daemon *living[HOSTS_MAX];
	int n = 0;

	for (int i = 0; i < w->n_hosts; i++)
		if (w->hosts[i].daemon != NULL && w->hosts[i].daemon->alive)
			living[n++] = w->hosts[i].daemon;
	return n > 0 ? living[rng_between(&w->rng, 0, n)] : NULL;
}

static void
cut_off(struct world *w, struct daemon *d)
{
	nsec length = short_or_long(w, 4 * SEC, 25 * SEC);

	TRACE(w, "%s is cut off for %.3f s", d->name, (double)length / SEC);
	d->host->cut = w->now + length;
	link_break_all(d, "cut off");
}

static void
kick_somebody(struct world *w, struct daemon *d)
{
	struct session *s, *open[HOST_CLIENTS_MAX + SLOTS_MAX];
	int n = 0;

	LIST_FOREACH (s, &d->sessions, link)
		if (s->open)
			open[n++] = s;
	if (n > 0 && !d->paused)
		daemon_kick(d, open[rng_between(&w->rng, 0, n)]);
}

/* An operator ends a hold, or has the dead of a group forgotten. */
static void
evict_or_reap(struct world *w, struct daemon *d)
{
	const char *group = group_names[rng_between(&w->rng, 0, N_GROUPS)];
	uint32_t slot = (uint32_t)rng_between(&w->rng, 1, 1 + w->base);
	uint64_t token = arb_token(d->arb, group, slot);

	if (d->paused)
		return;
	if (token != 0) {
		TRACE(w, "%s takes slot %u of %s back", d->name, slot, group);
		daemon_step(d, &(struct arb_event){.type = ARB_EVICT,
		    .evict = {.group = group, .slot = slot, .token = token}});
	} else {
		TRACE(w, "%s looks for the dead of %s", d->name, group);
		daemon_step(d, &(struct arb_event){.type = ARB_REAP, .reap.group = group});
	}
}

/* The host's configuration changes: its daemon reads it, and those after it. */
static void
reload(struct world *w, struct daemon *d)
{
	if (d->paused || d->host->configured == XCH_NO_LIMIT)
		return;
	d->host->configured = rng_between(&w->rng, w->base, w->base + 4);
	TRACE(w, "%s is configured anew: limit %lld", d->name, (long long)d->host->configured);
	for (int i = 0; i < N_GROUPS; i++)
		daemon_step(d, &(struct arb_event){.type = ARB_CONFIGURE, .configure = {
		    .group = group_names[i], .limit = d->host->configured,
		    .drop_on_lapse = w->drop, .on_down = w->on_down}});
}

static void
set_drained(struct world *w, struct daemon *d, bool on)
{
	TRACE(w, "%s is drained%s", d->name, on ? "" : " no more");
	d->drained = on;
	daemon_step(d, &(struct arb_event){.type = ARB_DRAIN, .drain = on});
}

static void
drain_ends(struct world *w, struct event *e)
{
	struct daemon *d = e->p;

	if (d->alive && d->paused)
		world_at(w, w->now + 1 * SEC, drain_ends)->p = d;
	else if (d->alive)
		set_drained(w, d, false);
}

static void
drain(struct world *w, struct daemon *d)
{
	if (d->paused || d->drained)
		return;
	set_drained(w, d, true);
	world_at(w, w->now + short_or_long(w, 3 * SEC, 20 * SEC), drain_ends)->p = d;
}

static void
ends(struct world *w, struct event *e)
{
	(void)w;
	daemon_kill(e->p);
}

static void
stop_in_order(struct world *w, struct daemon *d)
{
	const nsec lingers[] = {500 * MS, 500 * MS, w->profile->brief ? 1 * SEC : 15 * SEC};

	if (d->paused || d->stopping)
		return;
	TRACE(w, "%s is told to stop", d->name);
	d->stopping = true;
	daemon_step(d, &(struct arb_event){.type = ARB_STOP});
	if (d->alive)
		world_in(w, d, 0, w->now + rng_between(&w->rng, 0, RNG_PICK(&w->rng, lingers)),
		    ends)->p = d;
}

/* A host is cloned with all that is on its disk: two daemons say that they are the same. */
static void
clone_host(struct world *w, struct daemon *d)
{
	struct host *twin = &w->hosts[rng_between(&w->rng, 0, w->n_hosts)];

	if (twin->install == d->id.install || twin->daemon == NULL)
		return;
	TRACE(w, "%s becomes a twin of %s", twin->name, d->host->name);
	daemon_kill(twin->daemon);
	twin->twin = d->host->twin = true;
	twin->install = d->id.install;
	twin->generation = d->id.generation - 1 + (uint64_t)rng_between(&w->rng, 0, 2);
}

static void
daemon_fault(struct world *w, enum fault_id fault, struct daemon *d)
{
	switch (fault) {
	case FAULT_BREAK:
		link_break(d, (unsigned)rng_between(&w->rng, 0, N_LINKS), "no reason");
		break;
	case FAULT_SUBBREAK:
		sub_break(d);
		break;
	case FAULT_STALL:
		if (d->sub != NULL) {
			nsec length = short_or_long(w, 3 * SEC, 30 * SEC);

			TRACE(w, "%s: pushes stall for %.3f s", d->name, (double)length / SEC);
			if (d->sub->s2c < w->now + length)
				d->sub->s2c = w->now + length;
		}
		break;
	case FAULT_CRASH:
		daemon_kill(d);
		break;
	case FAULT_STOP:
		stop_in_order(w, d);
		break;
	case FAULT_KICK:
		kick_somebody(w, d);
		break;
	case FAULT_EVICT:
		evict_or_reap(w, d);
		break;
	case FAULT_RELOAD:
		reload(w, d);
		break;
	case FAULT_DRAIN:
		drain(w, d);
		break;
	case FAULT_PAUSE:
		daemon_pause(d, short_or_long(w, 3 * SEC, 30 * SEC));
		break;
	case FAULT_PARTITION:
		cut_off(w, d);
		break;
	case FAULT_TWIN:
		clone_host(w, d);
		break;
	default:
		break;
	}
}

/* ------------------------------------------------------------------ door */

static void
server_fault(struct world *w, enum fault_id fault)
{
	switch (fault) {
	case FAULT_RESTART:
		restart(w);
		break;
	case FAULT_SAME:
		restart_same(w);
		break;
	case FAULT_FAILOVER:
		lagging_replica(w);
		break;
	case FAULT_ABA:
		former_server(w);
		break;
	case FAULT_SILENT:
		silent_failover(w);
		break;
	case FAULT_FLUSH:
		TRACE(w, "FLUSHALL");
		server_flush(w);
		break;
	case FAULT_SETLIMIT:
		set_limit(w);
		break;
	case FAULT_STEP:
		clock_step(w);
		break;
	case FAULT_ERROR:
		server_errs(w, (int)rng_between(&w->rng, 0, N_GROUPS));
		break;
	default:
		break;
	}
}

void
fault_happens(struct world *w)
{
	const unsigned loss[] = {200, 1000};
	struct daemon *d = some_daemon(w);
	enum fault_id fault;

	if (w->now < w->quiet_until)
		return;
	do
		fault = (enum fault_id)rng_between(&w->rng, 0, N_FAULTS);
	while ((w->faults >> fault & 1) == 0);
	if (fault == FAULT_PUSHLOSS) {
		w->p_push_lost = w->p_push_lost > 0 ? 0 : RNG_PICK(&w->rng, loss);
		TRACE(w, "pushes are %s", w->p_push_lost > 0 ? "lost" : "lost no more");
	} else if (fault == FAULT_PUSHDOUBLE) {
		w->p_push_twice = w->p_push_twice > 0 ? 0 : RNG_PICK(&w->rng, loss);
		TRACE(w, "pushes come %s", w->p_push_twice > 0 ? "twice" : "once");
	} else if (fault == FAULT_FREEZE) {
		w->frozen = w->now + short_or_long(w, 3 * SEC, 20 * SEC);
		outage_ends(w, w->frozen);
		TRACE(w, "the server answers nothing for %.3f s",
		    (double)(w->frozen - w->now) / SEC);
	} else if (w->server->mem != NULL) {
		server_fault(w, fault);
	}
	if (d != NULL)
		daemon_fault(w, fault, d);
}

void
fault_heal(struct world *w)
{
	w->p_push_lost = w->p_push_twice = 0;
	w->p_slow = 0;
	if (w->frozen > w->now)
		w->frozen = w->now;
	for (int i = 0; i < N_GROUPS; i++)
		if (w->error[i] > w->now)
			w->error[i] = w->now;
	for (int i = 0; i < w->n_hosts; i++) {
		if (w->hosts[i].cut > w->now)
			w->hosts[i].cut = w->now;
		if (w->hosts[i].twin)
			host_rename(&w->hosts[i]);
	}
}
