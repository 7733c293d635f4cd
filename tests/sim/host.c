/* A host: a clock, an install, and one daemon after the other. */
#include "tests/sim/sim.h"

#include <stdio.h>

void
host_init(struct world *w, struct host *h, int number)
{
	*h = (struct host){.w = w, .install = ++w->n_installs, .configured = XCH_NO_LIMIT};
	snprintf(h->name, sizeof h->name, "h%d", number);
	h->clock.offset = rng_between(&w->rng, 1, 1000000 * SEC);
	h->clock.ppm = rng_between(&w->rng, -DRIFT_PPM, DRIFT_PPM + 1);
}

nsec
host_now(const struct host *h)
{
	return clock_at(&h->clock, h->w->now);
}

/* Its daemon, if it lives, ends. */
void
host_rename(struct host *h)
{
	h->install = ++h->w->n_installs;
	h->generation = 0;
	h->twin = false;
	if (h->daemon != NULL)
		daemon_kill(h->daemon);
}

void
host_start(struct host *h)
{
	if (h->daemon != NULL && h->daemon->alive)
		return;
	h->generation++;
	h->daemon = daemon_new(h);
	TRACE(h->w, "%s starts", h->daemon->name);
	for (unsigned i = 0; i < N_LINKS; i++)
		link_open(h->daemon, i);
	sub_open(h->daemon);
}
