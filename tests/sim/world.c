/* Time: the clocks, and the heap of everything that will happen. */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LIVELOCK_EVENTS 16384   /* so many events in ... */
#define LIVELOCK_TIME (2 * MS)  /* ... no more than this: nothing moves on */

const char *const group_names[N_GROUPS] = {"f", "g"};

int
group_index(const char *name)
{
	return name[0] - 'f';
}

nsec
clock_at(const struct clock *c, nsec t)
{
	return c->offset + t + t * c->ppm / 1000000;
}

nsec
clock_when(const struct clock *c, nsec shown)
{
	return (shown - c->offset) * 1000000 / (1000000 + c->ppm) + 2;
}

static bool
event_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct event *x = HEAP_OF(a, struct event, node), *y = HEAP_OF(b, struct event, node);

	return x->at != y->at ? x->at < y->at : x->order < y->order;
}

void *
world_alloc(struct world *w, size_t size)
{
	return memset(arena_take(&w->arena, size), 0, size);
}

struct event *
world_in(struct world *w, struct daemon *d, uint64_t source, nsec at,
    void (*run)(struct world *, struct event *))
{
	struct event *e = TAILQ_FIRST(&w->spare);

	if (e != NULL)
		TAILQ_REMOVE(&w->spare, e, pending);
	else
		e = world_alloc(w, sizeof *e);
	assert(at >= w->now);
	*e = (struct event){.at = at, .order = w->order++, .run = run, .daemon = d,
	    .source = source};
	heap_add(&w->events, &e->node);
	return e;
}

struct event *
world_at(struct world *w, nsec at, void (*run)(struct world *, struct event *))
{
	return world_in(w, NULL, 0, at, run);
}

static void
spare(struct world *w, struct event *e)
{
	free(e->owned);
	e->owned = NULL;
	TAILQ_INSERT_HEAD(&w->spare, e, pending);
}

void
world_cancel(struct world *w, struct event *e)
{
	heap_remove(&w->events, &e->node);
	spare(w, e);
}

void
world_dispatch(struct world *w, struct event *e)
{
	struct daemon *d = e->daemon;

	if (d != NULL && d->alive && d->paused) {
		TAILQ_INSERT_TAIL(&d->pending, e, pending);
		return;
	}
	if (d == NULL || d->alive)
		e->run(w, e);
	spare(w, e);
}

void
world_until(struct world *w, nsec t)
{
	struct heap_node *node;

	while (!world_failed(w) && (node = heap_first(&w->events)) != NULL) {
		struct event *e = HEAP_OF(node, struct event, node);

		if (e->at > t)
			break;
		heap_remove(&w->events, node);
		w->now = e->at;
		if (++w->stats.events % LIVELOCK_EVENTS == 0) {
			if (w->now - w->mark < LIVELOCK_TIME)
				world_fail(w, "livelock: %d events in %lld us", LIVELOCK_EVENTS,
				    (long long)(w->now - w->mark) / 1000);
			w->mark = w->now;
		}
		world_dispatch(w, e);
	}
	w->now = t;
}

void
world_fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (world_failed(w))
		return;
	va_start(ap, fmt);
	vsnprintf(w->failure, sizeof w->failure, fmt, ap);
	va_end(ap);
	w->failed_at = w->now;
	TRACE(w, "*** %s", w->failure);
}

bool
world_run(struct world *w, const struct options *opt, uint64_t seed)
{
	*w = (struct world){.opt = opt, .seed = seed};
	rng_seed(&w->rng, seed);
	heap_init(&w->events, event_before);
	TAILQ_INIT(&w->spare);
	lives_init(&w->live);
	for (int i = 0; i < N_GROUPS; i++)
		LIST_INIT(&w->beliefs[i]);
	plan_make(w);
	plan_play(w);
	return !world_failed(w);
}

void
world_fini(struct world *w)
{
	for (int i = 0; i < w->n_hosts; i++)
		if (w->hosts[i].daemon != NULL)
			daemon_fini(w->hosts[i].daemon);
	while (w->events.n > 0)
		world_cancel(w, HEAP_OF(heap_first(&w->events), struct event, node));
	server_kill(w->server);
	mem_free(w->former.mem);
	lives_fini(&w->live);
	heap_fini(&w->events);
	free(w->asks);
	arena_fini(&w->arena);
}
