/* A client: a process that asks for slots, believes in what it is given, and dies now and then.
 *
 *   OFF -> IDLE -> WAIT -> HOLD -> IDLE     and RESUME -> HOLD with a hold from before */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LAZY_MAX (20 * SEC)

/* A line on its way to the client. */
struct word {
	struct arb_action act;
	const struct page *page; /* NULL: without a cell */
	uint32_t slots[N_MAX];
};

static void client_acts(struct world *w, struct event *e);
static void client_done(struct world *w, struct event *e);
static void gives_up(struct world *w, struct event *e);

/* ------------------------------------------------------------------ beliefs */

bool
belief_is_valid(const struct belief *b)
{
	const struct client *c = b->client;
	const struct daemon *d = c->session != NULL ? c->session->daemon : NULL;

	if (b->page != NULL) {
		const struct cell *cell = &b->page->cells[b->cells[0]];

		return cell->token == b->token && host_now(c->host) < cell->deadline;
	}
	return !b->ended && d != NULL && d->alive && !d->paused;
}

static void
belief_drop(struct client *c)
{
	if (c->holds)
		LIST_REMOVE(&c->belief, link);
	c->holds = false;
}

/* What an OK says of it: the slots may come in another order. */
static void
belief_slots(struct belief *b, const struct word *word)
{
	b->n = word->act.n_slots;
	b->page = word->page;
	memcpy(b->slots, word->slots, b->n * sizeof *b->slots);
	for (uint32_t i = 0; i < b->n; i++)
		b->cells[i] = word->act.cell + i;
}

static void
belief_begin(struct client *c, const struct word *word)
{
	const struct arb_action *act = &word->act;

	assert(!c->holds && act->n_slots <= N_MAX);
	c->switches = false;
	c->belief = (struct belief){.client = c, .group = c->group, .token = act->token,
	    .limit = act->limit, .ended = act->token == c->ended};
	belief_slots(&c->belief, word);
	c->holds = true;
	LIST_INSERT_HEAD(&c->w->beliefs[c->group], &c->belief, link);
	check_belief(c->w, &c->belief, BELIEF_NEW);
}

/* ------------------------------------------------------------------ its life */

static void
be_idle(struct client *c)
{
	struct world *w = c->w;

	c->state = CLIENT_IDLE;
	world_at(w, w->now + rng_between(&w->rng, 0, w->think), client_acts)->p = c;
}

static void
connects(struct world *w, struct event *e)
{
	struct client *c = e->p;
	struct daemon *d = c->host->daemon;
	struct session *s;

	if (c->session != NULL)
		return;
	if (d == NULL || !d->alive || d->stopping) {
		client_connect(c, w->now + rng_between(&w->rng, 50 * MS, 300 * MS));
		return;
	}
	c->session = s = world_alloc(w, sizeof *s);
	s->id = ++w->n_sessions;
	s->client = c;
	s->daemon = d;
	s->c2d = s->d2c = w->now;
	LIST_INSERT_HEAD(&d->sessions, s, link);
	call_open(c);
	if (!c->holds) {
		be_idle(c);
		return;
	}
	call_resume(c);
	if (rng_chance(&w->rng, w->p_cancel)) {
		struct event *later = world_at(w, w->now + rng_between(&w->rng, 0, 3 * SEC), gives_up);

		later->p = c;
		later->a = c->request;
	}
}

void
client_connect(struct client *c, nsec at)
{
	world_at(c->w, at, connects)->p = c;
}

/* The process ends, and another takes its place. */
static void
dies(struct client *c)
{
	struct world *w = c->w;

	TRACE(w, "%s dies", c->name);
	belief_drop(c);
	c->open = 0;
	call_gone(c);
	c->session = NULL;
	c->state = CLIENT_OFF;
	client_connect(c, w->now + rng_between(&w->rng, 10 * MS, 2 * SEC));
}

/* Its daemon may hear of the new connection before it hears of the end of the old one. */
static void
switches(struct client *c)
{
	struct world *w = c->w;

	TRACE(w, "%s changes its connection", c->name);
	call_gone(c);
	c->session = NULL;
	c->state = CLIENT_OFF;
	c->switches = true;
	client_connect(c, w->now);
}

/* Its daemon stops; it may be some time before there is another. */
static void
leaves(struct client *c)
{
	call_gone(c);
	c->session = NULL;
	c->state = CLIENT_OFF;
	client_connect(c, c->w->now);
}

static void
gives_up(struct world *w, struct event *e)
{
	struct client *c = e->p;
	int64_t how = rng_between(&w->rng, 0, 3);

	if (c->request != e->a || (c->state != CLIENT_WAIT && c->state != CLIENT_RESUME))
		return;
	if (how == 0) {
		dies(c);
		return;
	}
	if (c->state == CLIENT_RESUME && how == 1) {    /* it is tired of waiting, and tries anew */
		leaves(c);
		return;
	}
	if (c->state == CLIENT_RESUME)
		belief_drop(c);
	call_give_up(c, how == 1 || c->state == CLIENT_RESUME);
}

static void
client_acts(struct world *w, struct event *e)
{
	struct client *c = e->p;
	const nsec waits[] = {100 * MS, 10 * SEC};
	int64_t own, n = 1;
	nsec wait;

	if (c->state != CLIENT_IDLE || c->session == NULL || c->stop)
		return;
	if (rng_chance(&w->rng, 20))
		call_wrong_resume(c);
	own = w->limits[rng_between(&w->rng, 0, w->n_limits)];
	if (rng_chance(&w->rng, w->p_many))
		n = rng_between(&w->rng, 1, own + 1 + rng_chance(&w->rng, 50));
	if (rng_chance(&w->rng, w->p_none))
		own = XCH_NO_LIMIT;
	if (rng_chance(&w->rng, w->p_now))
		wait = 0;
	else if (rng_chance(&w->rng, w->p_for_ever))
		wait = NSEC_NEVER;
	else
		wait = rng_between(&w->rng, 1 * MS, RNG_PICK(&w->rng, waits));
	call_acquire(c, n, own, wait);
	if (rng_chance(&w->rng, w->p_cancel)) {
		nsec at = w->now + rng_between(&w->rng, 0, 5 * SEC);
		struct event *later = world_at(w, at, gives_up);

		later->p = c;
		later->a = c->request;
	}
}

nsec
hold_time(struct world *w)
{
	return rng_between(&w->rng, 1 * MS,
	    rng_chance(&w->rng, 700) ? w->hold_max : w->hold_max / 20 + 2 * MS);
}

void
client_end_hold(struct client *c)
{
	struct world *w = c->w;
	struct event *e = world_at(w, w->now + hold_time(w), client_done);

	e->p = c;
	e->a = c->request;
}

static void
release(struct client *c, uint32_t n)
{
	struct belief *b = &c->belief;

	call_release(c, n);
	b->n -= n;
	memmove(b->slots, b->slots + n, b->n * sizeof *b->slots);
	memmove(b->cells, b->cells + n, b->n * sizeof *b->cells);
	if (b->n == 0)
		belief_drop(c);
}

static void
client_done(struct world *w, struct event *e)
{
	struct client *c = e->p;

	if (c->state != CLIENT_HOLD || c->request != e->a)
		return;
	if (c->open != 0) {
		call_release_open(c);
		c->open = 0;
		be_idle(c);
		return;
	}
	if (!c->stop && rng_chance(&w->rng, w->p_die)) {
		dies(c);
		return;
	}
	if (c->belief.page != NULL && rng_chance(&w->rng, w->p_switch)) {
		switches(c);
		return;
	}
	if (rng_chance(&w->rng, 10))
		call_wrong_release(c);
	if (c->belief.n > 1 && rng_chance(&w->rng, w->p_partial)) {
		release(c, (uint32_t)rng_between(&w->rng, 1, c->belief.n));
		client_end_hold(c);
		return;
	}
	release(c, c->belief.n);
	be_idle(c);
}

struct client *
client_new(struct host *h, const char *name, int group, bool strict)
{
	struct world *w = h->w;
	struct client *c = world_alloc(w, sizeof *c);

	c->w = w;
	c->host = h;
	snprintf(c->name, sizeof c->name, "%s.%s", h->name, name);
	c->group = group;
	c->strict = strict;
	c->uid = 1000 + (uint32_t)w->n_clients % 2;
	c->lazy = w->p_lazy;
	assert((size_t)w->n_clients < sizeof w->clients / sizeof *w->clients);
	w->clients[w->n_clients++] = c;
	return c;
}

/* ------------------------------------------------------------------ from the daemon */

static void
hears_answer(struct client *c, const struct word *word)
{
	struct world *w = c->w;
	const struct arb_action *act = &word->act;
	enum ask_kind kind = w->asks[act->request].kind;

	if (kind == ASK_CANCEL)
		return;
	if (kind == ASK_RESUME && w->asks[act->request].wrong) {
		if (act->code == WIRE_OK)
			world_fail(w, "S4: %s resumes what is another user's", c->name);
		return;
	}
	if (kind == ASK_RELEASE) {
		if (w->asks[act->request].wrong ? act->code == WIRE_OK :
		    act->code != WIRE_OK && act->code != WIRE_ERR_LOST)
			world_fail(w, "S4: %s releases what is%s its own, and is told %s", c->name,
			    w->asks[act->request].wrong ? " not" : "", wire_code_word(act->code));
		return;
	}
	if (act->request != c->request ||
	    c->state != (kind == ASK_RESUME ? CLIENT_RESUME : CLIENT_WAIT)) {
		world_fail(w, "%s is answered what it has not asked", c->name);
		return;
	}
	if (act->code == WIRE_OK && act->request != c->given_up) {
		c->state = CLIENT_HOLD;
		c->got = true;
		if (act->slots[0] == 0) {
			w->stats.opens++;
			c->open = act->token;
		} else if (kind == ASK_ACQUIRE) {
			w->stats.grants++;
			belief_begin(c, word);
		} else {
			w->stats.resumed++;
			c->switches = false;
			belief_slots(&c->belief, word);
			check_belief(w, &c->belief, BELIEF_RESUMED);
		}
		client_end_hold(c);
		return;
	}
	w->stats.refused += act->code == WIRE_ERR_UNAVAILABLE;
	if (act->code == WIRE_ERR_SHUTDOWN) {
		leaves(c);
		return;
	}
	if (kind == ASK_RESUME) {
		if (!c->switches && c->holds)
			check_lost(c, "by RESUME");
		belief_drop(c);
	}
	be_idle(c);
}

static void
hears_lost(struct client *c, const struct arb_action *act)
{
	if (act->slots[0] == 0 && c->open == act->token) {
		c->open = 0;
		be_idle(c);
		return;
	}
	if (!c->holds || c->belief.token != act->token)
		return;
	c->w->stats.lost++;
	if (act->reason == ARB_LOST_LEASE || act->reason == ARB_LOST_TAKEN)
		check_lost(c, "by the backend");
	belief_drop(c);
	if (c->state == CLIENT_HOLD)
		be_idle(c);
}

static void
word_arrives(struct world *w, struct event *e)
{
	struct session *s = e->p;
	struct client *c = s->client;
	const struct word *word = e->owned;

	if (c->session != s)
		return;
	if (tracing)
		trace_word(w, c, &word->act);
	if (word->act.type == ARB_ANSWER)
		hears_answer(c, word);
	else if (word->act.type == ARB_TELL_LOST)
		hears_lost(c, &word->act);
	else if (word->act.type == ARB_TELL_KEPT)
		w->stats.kept++;
}

/* Whatever it has been granted: its daemon's page is large enough. */
static bool
reads_page(const struct client *c)
{
	return c->strict && c->w->conf.max_cells == PAGE_CELLS;
}

void
client_hears(struct session *s, const struct arb_action *act)
{
	struct client *c = s->client;
	struct world *w = c->w;
	struct word *word = alloc_resize(NULL, sizeof *word);
	struct event *e;
	nsec at = w->now + rng_between(&w->rng, MS / 50, MS * 3 / 10);

	s->d2c = at > s->d2c ? at : s->d2c + 1;
	if (act->type == ARB_TELL_LOST) {
		if (reads_page(c) && !c->stop && rng_chance(&w->rng, c->lazy))
			s->d2c += rng_between(&w->rng, 0, LAZY_MAX);
		/* that its lease is over a raw client should know by the time; what the daemon ends
		 * counts until it can have heard of that */
		if (act->reason == ARB_LOST_LEASE || act->reason == ARB_LOST_TAKEN) {
			c->ended = act->token;
			if (c->holds && c->belief.token == act->token)
				c->belief.ended = true;
		}
	}
	e = world_at(w, s->d2c, word_arrives);
	e->p = s;
	e->owned = word;
	word->act = *act;
	word->act.slots = word->slots;
	assert(act->n_slots <= N_MAX);
	for (uint32_t i = 0; i < act->n_slots; i++)
		word->slots[i] = act->slots[i];
	word->page = act->cell != ARB_NO_CELL ? s->daemon->page : NULL;
	if (c->strict && w->conf.max_cells == PAGE_CELLS && word->page == NULL &&
	    act->type == ARB_ANSWER && act->n_slots > 0 && act->slots[0] != 0)
		world_fail(w, "%s is granted %s without a cell", c->name,
		    show_slots(act->n_slots, act->slots));
}

static void
eof_arrives(struct world *w, struct event *e)
{
	struct session *s = e->p;
	struct client *c = s->client;

	if (c->session != s)
		return;
	c->session = NULL;
	c->state = CLIENT_OFF;
	c->open = 0;
	if (c->belief.page == NULL)
		belief_drop(c);
	client_connect(c, w->now);
}

void
client_eof(struct session *s, nsec at)
{
	s->d2c = at > s->d2c ? at : s->d2c + 1;
	world_at(s->client->w, s->d2c, eof_arrives)->p = s;
}
