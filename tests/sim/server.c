/* The server: its data (the memory backend), its clock, its replicas; and the network to it. */
#include "tests/sim/sim.h"

#include <assert.h>
#include <string.h>

#include "proto/page.h"

#define LATE_MAX (8 * SEC)      /* an exchange may be done so long after its connection broke */
#define PAST_KEPT 250           /* permille of the exchanges whose outcome a replica may stop at */

/* ------------------------------------------------------------------ a server's life */

usec
server_time(const struct world *w, const struct server *s)
{
	return clock_at(&(struct clock){s->clock.offset * 1000, s->clock.ppm}, w->now) / 1000;
}

struct server *
server_new(struct world *w, struct mem *mem)
{
	struct server *s = world_alloc(w, sizeof *s);

	s->number = w->n_servers++;
	s->sid = 1000 + (uint64_t)s->number;
	s->mem = mem != NULL ? mem : mem_new();
	s->clock.offset = w->clock0;
	if (rng_chance(&w->rng, 750))
		s->clock.offset += rng_between(&w->rng, -w->skew, w->skew) / 1000;
	s->clock.ppm = rng_between(&w->rng, -DRIFT_PPM, DRIFT_PPM + 1);
	mem_set_identity(s->mem, s->sid);
	return s;
}

/* That of a daemon which has its slots in its memory, and knows of those before it what their page
 * says.  The clock is the host's, not the backend's own. */
void
server_sole(struct world *w, const struct xch_daemon *from, const struct page *page, nsec now)
{
	struct server *s = server_new(w, NULL);

	s->clock = w->server->clock;
	for (uint32_t i = 0; i < page->n_inherited; i++) {
		const struct cell *c = &page->inherited[i];

		mem_inherit(s->mem, from, page_group_hash(group_names[c->group]),
		    (struct xch_slot){c->slot, c->token >> XCH_TOKEN_BITS},
		    server_time(w, s) + (c->deadline + w->conf.margin - now) / 1000);
	}
	server_replace(w, s, true);
}

static void
forget_past(struct server *s)
{
	while (s->n_past > 0)
		mem_free(s->past[--s->n_past]);
}

void
server_kill(struct server *s)
{
	forget_past(s);
	mem_free(s->mem);
	s->mem = NULL;
}

/* It has all, or what there was some exchanges ago. */
struct server *
server_replica(struct world *w, bool may_lag)
{
	const struct server *from = w->server;
	int64_t k = may_lag ? rng_between(&w->rng, 0, from->n_past + 1) : from->n_past;
	struct server *s = server_new(w, mem_clone(k == from->n_past ? from->mem : from->past[k]));

	s->lags = from->lags || k < from->n_past;
	return s;
}

static void
remember(struct world *w, struct server *s)
{
	if (!(w->faults & (FAULT(FAILOVER) | FAULT(SILENT))) || !rng_chance(&w->rng, PAST_KEPT))
		return;
	if (s->n_past == PAST_MAX) {
		mem_free(s->past[0]);
		for (int i = 1; i < PAST_MAX; i++)
			s->past[i - 1] = s->past[i];
		s->n_past--;
	}
	s->past[s->n_past++] = mem_clone(s->mem);
}

/* As far as the checks know nobody is queued, and nobody has been heard, until that is so again. */
static void
forget_what_was_heard(struct world *w)
{
	memset(w->heard, 0, sizeof w->heard);
	for (int i = 0; i < w->n_clients; i++)
		w->asks[w->clients[i]->request].queued = 0;
}

/* Connections follow to the new one if the change is not noticed: a proxy stands between. */
void
server_replace(struct world *w, struct server *s, bool noticed)
{
	struct server *old = w->server;

	TRACE(w, "server %d takes over, its clock %+.3f s", s->number,
	    (double)(server_time(w, s) - server_time(w, old)) / 1e6);
	if (old->mem != NULL) {
		mem_free(w->former.mem);
		w->former = (struct server){.mem = mem_clone(old->mem), .number = old->number,
		    .sid = old->sid, .clock = old->clock};
	}
	for (int i = 0; i < w->n_hosts; i++) {
		struct daemon *d = w->hosts[i].daemon;

		if (d == NULL)
			continue;
		if (noticed) {
			link_break_all(d, "its server is gone");
			continue;
		}
		for (unsigned k = 0; k < N_LINKS; k++)
			if (d->link[k] != NULL && d->link[k]->server == old)
				d->link[k]->server = s;
		if (d->sub != NULL && d->sub->server == old)
			d->sub->server = s;
	}
	server_kill(old);
	w->server = s;
	for (int i = 0; i < N_GROUPS; i++)
		s->in_use[i] = 0;
	forget_what_was_heard(w);
}

void
server_flush(struct world *w)
{
	struct server *s = w->server;

	forget_past(s);
	mem_free(s->mem);
	s->mem = mem_new();
	s->lags = false;
	mem_set_identity(s->mem, s->sid);
	forget_what_was_heard(w);
}

/* ------------------------------------------------------------------ network */

struct conn *
conn_new(struct world *w, struct server *s)
{
	struct conn *c = world_alloc(w, sizeof *c);

	c->server = s;
	return c;
}

static nsec
delay(struct world *w)
{
	if (rng_chance(&w->rng, w->p_slow))
		return rng_between(&w->rng, 0, w->slow_max);
	return rng_between(&w->rng, MS / 20, w->net_max);
}

/* What is sent on a connection arrives in order. */
nsec
conn_arrival(struct world *w, nsec *last)
{
	nsec at = w->now + delay(w);

	*last = at > *last ? at : *last + 1;
	return *last;
}

static struct daemon *
find_daemon(const struct world *w, const struct xch_daemon *id)
{
	for (int i = 0; i < w->n_hosts; i++) {
		struct daemon *d = w->hosts[i].daemon;

		if (d != NULL && d->id.nonce == id->nonce && d->id.install == id->install &&
		    d->id.generation == id->generation)
			return d;
	}
	return NULL;
}

static void
push_arrives(struct world *w, struct event *e)
{
	struct conn *c = e->p;

	if (!c->broken || rng_chance(&w->rng, 500))
		sub_deliver(w, e->daemon, e->owned);
}

void
server_publish(struct world *w, const struct xch_push *push)
{
	struct daemon *d = find_daemon(w, &push->to);
	int times = rng_chance(&w->rng, w->p_push_twice) ? 2 : 1;

	if (d == NULL || !d->alive || d->sub == NULL || d->sub->broken ||
	    d->sub->server != w->server)
		return;
	if (rng_chance(&w->rng, w->p_push_lost) || d->deaf) {
		d->deaf = false;
		TRACE(w, "    a push to %s is lost", d->name);
		return;
	}
	while (times-- > 0) {
		struct event *e = world_in(w, d, 1, conn_arrival(w, &d->sub->s2c), push_arrives);

		e->p = d->sub;
		e->owned = push_copy(push);
	}
}

static void
reply_arrives(struct world *w, struct event *e)
{
	struct daemon *d = e->daemon;
	struct conn *c = e->p;
	const struct xch_reply *r = e->owned;

	if (d->link[e->a] != c || (c->broken && rng_chance(&w->rng, 500)))
		return;
	if (r->status == XCH_OK && d->era != r->era) {
		d->era = r->era;
		live_era_begins(w);
	}
	daemon_step(d, &(struct arb_event){.type = ARB_REPLY,
	    .reply = {.group = e->q, .reply = r}});
}

/* e: p the connection, q the daemon, a the link; a bit above says that it comes late. */
#define LATE 16

static void request_arrives(struct world *w, struct event *e);

static void
request_again(struct world *w, struct event *e, nsec at, uint64_t late)
{
	struct event *again = world_at(w, at, request_arrives);

	again->p = e->p;
	again->q = e->q;
	again->a = e->a | late;
	again->owned = e->owned;
	e->owned = NULL;
}

static void
request_arrives(struct world *w, struct event *e)
{
	struct conn *c = e->p;
	struct daemon *d = e->q;
	struct server *s = c->server;
	const struct xch_request *q = e->owned;
	const struct xch_reply error = {.status = XCH_ERROR, .seq = q->seq, .error = "made up"};
	const struct xch_reply *r = &error;
	const struct xch_push *pushes;
	uint32_t n_pushes = 0;
	struct event *answer;

	if (s->mem == NULL)
		return;
	if (w->now < w->frozen) {
		request_again(w, e, w->frozen + rng_between(&w->rng, 1000, 5 * MS), 0);
		return;
	}
	if (c->broken && !(e->a & LATE)) {
		const nsec max[] = {50 * MS, LATE_MAX};

		if (rng_chance(&w->rng, 500)) {
			nsec late = rng_between(&w->rng, 0, RNG_PICK(&w->rng, max));

			request_again(w, e, w->now + late, LATE);
		}
		return;
	}
	if (w->now >= w->error[group_index(q->group)])
		r = mem_exchange(s->mem, server_time(w, s), q, &pushes, &n_pushes);
	w->stats.exchanges++;
	w->stats.syncs += q->full;
	if (tracing) {
		trace_reply(w, d, q, r, e->a & LATE);
		for (uint32_t i = 0; i < n_pushes; i++)
			trace_push(w, find_daemon(w, &pushes[i].to), false, &pushes[i]);
	}
	if (r->status == XCH_OK)
		s->in_use[group_index(q->group)] = r->in_use;
	check_exchange(w, q, r, pushes, n_pushes);
	for (uint32_t i = 0; i < n_pushes; i++)
		server_publish(w, &pushes[i]);
	if (!c->broken) {
		answer = world_in(w, d, 2 + (e->a & ~(uint64_t)LATE), conn_arrival(w, &c->s2c),
		    reply_arrives);
		answer->p = c;
		answer->q = (void *)group_names[group_index(q->group)]; /* q goes */
		answer->a = e->a & ~(uint64_t)LATE;
		answer->owned = reply_copy(r);
	}
	remember(w, s);
}

void
server_send(struct world *w, struct daemon *d, unsigned link, const struct xch_request *q)
{
	struct conn *c = d->link[link];
	struct event *e;

	assert(c != NULL);
	if (c->broken)
		return;
	e = world_at(w, conn_arrival(w, &c->c2s), request_arrives);
	e->p = c;
	e->q = d;
	e->a = link;
	e->owned = request_copy(q);
}

/* ------------------------------------------------------------------ its marker */

bool
server_is_connected(const struct world *w, const struct daemon *d)
{
	return d != NULL && d->alive && !d->paused && d->link[0] != NULL && !d->link[0]->broken &&
	    d->link[0]->server == w->server;
}

static void
tend(struct world *w, struct event *e)
{
	bool any = false;

	(void)e;
	for (int i = 0; i < w->n_hosts; i++)
		any = any || server_is_connected(w, w->hosts[i].daemon);
	if (any && w->now >= w->frozen && w->server->mem != NULL)
		mem_touch(w->server->mem, server_time(w, w->server), 0, w->conf.grace / 1000);
	server_tend(w);
}

void
server_tend(struct world *w)
{
	world_at(w, w->now + w->conf.lease / 4, tend);
}
