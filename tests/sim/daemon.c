/* A daemon: one arbiter, its lease page, and what carries its actions out. */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SOURCE_TIMER 0

/* ------------------------------------------------------------------ a daemon's life */

struct daemon *
daemon_new(struct host *h)
{
	struct world *w = h->w;
	struct daemon *d = world_alloc(w, sizeof *d);
	struct arb_conf conf = w->conf;

	d->host = h;
	d->id = (struct xch_daemon){h->install, h->generation, rng_next(&w->rng)};
	snprintf(d->name, sizeof d->name, "%s.%llu", h->name, (unsigned long long)h->generation);
	d->alive = true;
	TAILQ_INIT(&d->pending);
	lives_init(&d->lives);
	LIST_INIT(&d->sessions);
	d->page = page_new(w, h->daemon != NULL ? h->daemon->page : NULL, host_now(h));
	if (h->daemon != NULL) {
		d->era = h->daemon->era;
		if (w->conf.sole)
			server_sole(w, &h->daemon->id, d->page, host_now(h));
		daemon_fini(h->daemon);
	}
	conf.self = d->id;
	conf.era = d->era;
	d->arb = arb_new(&conf);
	return d;
}

static void
breaks_at_once(struct world *w, struct event *e)
{
	(void)w;
	link_break_all(e->daemon, "just when it has come back");
}

/* Its clients resume what they had, and the answers may be lost. */
static void
host_comes_back(struct world *w, struct event *e)
{
	struct host *h = e->p;

	host_start(h);
	if (w->faulty && (w->faults & FAULT(BREAK)) && rng_chance(&w->rng, 300))
		world_in(w, h->daemon, SOURCE_TIMER, w->now + rng_between(&w->rng, 0, 700 * MS),
		    breaks_at_once);
}

void
daemon_kill(struct daemon *d)
{
	struct world *w = d->host->w;
	const nsec down[] = {2 * SEC, 2 * SEC, w->profile->brief ? 2 * SEC : 20 * SEC};
	struct session *s;
	struct event *e;

	if (!d->alive)
		return;
	TRACE(w, "%s is killed", d->name);
	d->alive = false;
	while ((s = LIST_FIRST(&d->sessions)) != NULL) {
		LIST_REMOVE(s, link);
		s->open = false;
		client_eof(s, w->now + rng_between(&w->rng, MS / 100, MS / 2));
	}
	for (unsigned i = 0; i < N_LINKS; i++)
		if (d->link[i] != NULL)
			d->link[i]->broken = true;
	if (d->sub != NULL)
		d->sub->broken = true;
	while ((e = TAILQ_FIRST(&d->pending)) != NULL) {
		TAILQ_REMOVE(&d->pending, e, pending);
		world_dispatch(w, e);
	}
	world_at(w, w->now + rng_between(&w->rng, 20 * MS, RNG_PICK(&w->rng, down)),
	    host_comes_back)->p = d->host;
}

void
daemon_fini(struct daemon *d)
{
	struct event *e;

	while ((e = TAILQ_FIRST(&d->pending)) != NULL) {
		TAILQ_REMOVE(&d->pending, e, pending);
		free(e->owned);
	}
	arb_free(d->arb);
	d->arb = NULL;
	lives_fini(&d->lives);
}

/* ------------------------------------------------------------------ stopped, and continued */

static void
nothing_new(struct daemon *d)
{
	daemon_step(d, &(struct arb_event){.type = ARB_TICK});
}

/* What has come from one source is found in order; of the sources, any may be looked at first. */
static struct event *
pending_pick(struct daemon *d)
{
	struct world *w = d->host->w;
	struct event *e, *first;
	int64_t n = 0;

	TAILQ_FOREACH (e, &d->pending, pending)
		n++;
	n = rng_between(&w->rng, 0, n);
	e = TAILQ_FIRST(&d->pending);
	while (n-- > 0)
		e = TAILQ_NEXT(e, pending);
	TAILQ_FOREACH (first, &d->pending, pending)
		if (first->source == e->source)
			break;
	return first;
}

static void
continues(struct world *w, struct event *e)
{
	struct daemon *d = e->p;

	if (!d->alive)
		return;
	TRACE(w, "%s continues", d->name);
	d->paused = false;
	if (rng_chance(&w->rng, 500))
		nothing_new(d);
	while (d->alive && !d->paused && !TAILQ_EMPTY(&d->pending)) {
		struct event *next = pending_pick(d);

		TAILQ_REMOVE(&d->pending, next, pending);
		world_dispatch(w, next);
	}
	if (d->alive)
		nothing_new(d);
}

void
daemon_pause(struct daemon *d, nsec length)
{
	struct world *w = d->host->w;

	if (!d->alive || d->paused)
		return;
	TRACE(w, "%s is stopped for %.3f s", d->name, (double)length / SEC);
	d->paused = true;
	world_at(w, w->now + length, continues)->p = d;
}

/* ------------------------------------------------------------------ carrying actions out */

static void
carry_word(struct daemon *d, const struct arb_action *act)
{
	struct session *s;

	LIST_FOREACH (s, &d->sessions, link)
		if (s->id == act->client)
			break;
	if (s != NULL)
		client_hears(s, act);
}

static void
carry_out(struct daemon *d, const struct arb_event *e, const struct arb_action *act)
{
	struct world *w = d->host->w;

	switch (act->type) {
	case ARB_ANSWER:
		check_answer(d, e, act);
		carry_word(d, act);
		break;
	case ARB_TELL_LOST:
	case ARB_TELL_UNPROVEN:
	case ARB_TELL_KEPT:
		carry_word(d, act);
		break;
	case ARB_EXCHANGE:
		if (tracing)
			trace_request(w, d, act->xch);
		server_send(w, d, act->link, act->xch);
		break;
	case ARB_HANG_UP:
		link_hang_up(d, act->link);
		break;
	case ARB_CELL_SET:
		page_set(d, act);
		break;
	case ARB_CELL_END:
		page_end(d, act);
		break;
	case ARB_DIFFERS:
		TRACE(w, "%s hears that %s has another %s", d->name, act->peer->host,
		    act->group != NULL ? "limit" : "lease");
		break;
	case ARB_IS_GONE:
		TRACE(w, "%s hears that somebody else runs with its install", d->name);
		d->gone = true;
		break;
	}
}

static void
timer_fires(struct world *w, struct event *e)
{
	(void)w;
	e->daemon->tick = NULL;
	nothing_new(e->daemon);
}

static void
arm_timer(struct daemon *d)
{
	struct world *w = d->host->w;
	nsec at = arb_deadline(d->arb);

	if (at == NSEC_NEVER) {
		if (d->tick != NULL && heap_has(&d->tick->node)) {
			world_cancel(w, d->tick);
			d->tick = NULL;
		}
		return;
	}
	at = at > host_now(d->host) ? clock_when(&d->host->clock, at) : w->now + 1;
	if (d->tick == NULL) {
		d->tick = world_in(w, d, SOURCE_TIMER, at, timer_fires);
	} else if (heap_has(&d->tick->node) && d->tick->at != at) {
		d->tick->at = at;
		heap_moved(&w->events, &d->tick->node);
	}
}

void
daemon_step(struct daemon *d, const struct arb_event *e)
{
	struct arb_action act;

	assert(d->alive && !d->paused);
	arb_step(d->arb, host_now(d->host), e);
	while (arb_next_action(d->arb, &act))
		carry_out(d, e, &act);
	check_step(d);
	if (d->gone) {
		host_rename(d->host);
		return;
	}
	arm_timer(d);
}

/* The daemon closes a client's connection. */
void
daemon_kick(struct daemon *d, struct session *s)
{
	struct world *w = d->host->w;

	TRACE(w, "%s closes the connection of %s", d->name, s->client->name);
	daemon_step(d, &(struct arb_event){.type = ARB_CLIENT_KICK, .client = s->id});
	if (!s->open)
		return;
	s->open = false;
	LIST_REMOVE(s, link);
	client_eof(s, w->now + 1);
}
