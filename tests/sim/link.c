/* A daemon's connections to the server: for commands, and for pushes. */
#include "tests/sim/sim.h"

#define SOURCE_SUB 1
#define SOURCE_LINK(i) (2 + (i))

static nsec
connect_time(struct world *w)
{
	return w->now + rng_between(&w->rng, 1 * MS, 300 * MS);
}

static nsec
retry_time(struct world *w)
{
	return w->now + rng_between(&w->rng, 50 * MS, 500 * MS);
}

/* A server that is frozen may accept a connection, but answers none of the first commands. */
static bool
is_reachable(const struct world *w, const struct host *h)
{
	return w->now >= h->cut && w->now >= w->frozen && w->server->mem != NULL;
}

/* ------------------------------------------------------------------ commands */

static void
link_try(struct world *w, struct event *e)
{
	struct daemon *d = e->daemon;
	unsigned link = (unsigned)e->a;

	if (d->link[link] != NULL)
		return;
	if (!is_reachable(w, d->host)) {
		world_in(w, d, SOURCE_LINK(link), retry_time(w), link_try)->a = link;
		return;
	}
	d->link[link] = conn_new(w, w->server);
	mem_touch(w->server->mem, server_time(w, w->server), d->era, w->conf.grace / 1000);
	TRACE(w, "%s connects to server %d", d->name, w->server->number);
	live_meet(d);
	daemon_step(d, &(struct arb_event){.type = ARB_LINK_UP, .link = {link}});
}

void
link_open(struct daemon *d, unsigned link)
{
	struct world *w = d->host->w;

	world_in(w, d, SOURCE_LINK(link), connect_time(w), link_try)->a = link;
}

static void
link_notice(struct world *w, struct event *e)
{
	struct daemon *d = e->daemon;
	unsigned link = (unsigned)e->a;

	if (d->link[link] != e->p)
		return;
	TRACE(w, "%s notices that its connection is broken", d->name);
	d->link[link] = NULL;
	link_open(d, link);
	daemon_step(d, &(struct arb_event){.type = ARB_LINK_DOWN, .link = {link}});
}

static void
link_drop(struct daemon *d, unsigned link, nsec noticed)
{
	struct event *e;

	d->link[link]->broken = true;
	e = world_in(d->host->w, d, SOURCE_LINK(link), noticed, link_notice);
	e->a = link;
	e->p = d->link[link];
}

void
link_break(struct daemon *d, unsigned link, const char *why)
{
	struct world *w = d->host->w;

	if (!d->alive || d->link[link] == NULL || d->link[link]->broken)
		return;
	TRACE(w, "%s: connection %u breaks: %s", d->name, link, why);
	link_drop(d, link, w->now + rng_between(&w->rng, 0, 1 * SEC));
}

/* No reply in time: the daemon itself drops it. */
void
link_hang_up(struct daemon *d, unsigned link)
{
	TRACE(d->host->w, "%s gives connection %u up", d->name, link);
	if (d->link[link] != NULL)
		link_drop(d, link, d->host->w->now + 1);
}

void
link_break_all(struct daemon *d, const char *why)
{
	for (unsigned i = 0; i < N_LINKS; i++)
		link_break(d, i, why);
	sub_break(d);
}

/* ------------------------------------------------------------------ pushes */

static void
sub_try(struct world *w, struct event *e)
{
	struct daemon *d = e->daemon;

	if (d->sub != NULL)
		return;
	if (!is_reachable(w, d->host)) {
		world_in(w, d, SOURCE_SUB, retry_time(w), sub_try);
		return;
	}
	d->sub = conn_new(w, w->server);
	live_meet(d);
	daemon_step(d, &(struct arb_event){.type = ARB_SUB_UP});
}

void
sub_open(struct daemon *d)
{
	struct world *w = d->host->w;

	world_in(w, d, SOURCE_SUB, connect_time(w), sub_try);
}

static void
sub_notice(struct world *w, struct event *e)
{
	struct daemon *d = e->daemon;

	if (d->sub != e->p)
		return;
	TRACE(w, "%s notices that its subscription is broken", d->name);
	d->sub = NULL;
	sub_open(d);
	daemon_step(d, &(struct arb_event){.type = ARB_SUB_DOWN});
}

void
sub_break(struct daemon *d)
{
	struct world *w = d->host->w;

	if (!d->alive || d->sub == NULL || d->sub->broken)
		return;
	TRACE(w, "%s: its subscription breaks", d->name);
	d->sub->broken = true;
	world_in(w, d, SOURCE_SUB, w->now + rng_between(&w->rng, 0, 1 * SEC), sub_notice)->p =
	    d->sub;
}

void
sub_deliver(struct world *w, struct daemon *d, const struct xch_push *push)
{
	w->stats.recalls += push->type == XCH_RECALL;
	if (tracing)
		trace_push(w, d, true, push);
	daemon_step(d, &(struct arb_event){.type = ARB_PUSH, .push = push});
}
