/* The stage: a story, line by line, in made-up time. */
#include "tests/scenario/stage.h"

#include <stdio.h>

#define DELAY (MS / 20)         /* of each message between daemon and server */
#define MOMENT (5 * MS)         /* what is heard without a time is heard within this */
#define STEP (MS / 10)

static const struct profile profile = {.name = "story"};

/* ------------------------------------------------------------------ hosts */

nsec
host_now(const struct host *h)
{
	return clock_at(&h->clock, h->w->now);
}

/* What a story has killed stays dead. */
void
host_start(struct host *h)
{
	(void)h;
}

void
host_rename(struct host *h)
{
	world_fail(h->w, "%s hears of a twin, and there is none", h->name);
}

static void
host_make(struct world *w, int number)
{
	struct host *h = &w->hosts[number];

	*h = (struct host){.w = w, .install = ++w->n_installs, .generation = 1,
	    .configured = XCH_NO_LIMIT, .clock.offset = (number + 1) * 1000 * SEC};
	snprintf(h->name, sizeof h->name, "%c", 'A' + number);
	h->daemon = daemon_new(h);
	for (unsigned i = 0; i < N_LINKS; i++)
		link_open(h->daemon, i);
	sub_open(h->daemon);
}

/* ------------------------------------------------------------------ the play */

static nsec
story_time(const struct stage *st, const struct story_line *line)
{
	return st->start + line->ms * MS;
}

static void
hear(struct stage *st, const struct story_line *line, struct player *p)
{
	struct world *w = &st->world;
	nsec until = line->by ? story_time(st, line) : w->now + MOMENT;
	const char *heard;

	while ((heard = player_line(p)) == NULL && w->now < until && !world_failed(w))
		world_until(w, w->now + STEP < until ? w->now + STEP : until);
	if (heard == NULL)
		world_fail(w, "%s has heard nothing", p->client.name);
	else if (!story_matches(line->text, heard))
		world_fail(w, "%s has heard: %s", p->client.name, heard);
	else
		p->n_read++;
}

static void
nothing_more(struct player *p)
{
	if (player_line(p) != NULL)
		world_fail(p->client.w, "%s has heard: %s", p->client.name, player_line(p));
}

static void
perform(struct stage *st, const struct story_line *line)
{
	struct world *w = &st->world;
	struct daemon *d = w->hosts[line->host].daemon;
	struct player *p = line->client > 0 ? player_find(st, line->host, line->client) : NULL;

	switch (line->kind) {
	case STORY_SAY:
		player_say(p, line->text);
		break;
	case STORY_HEAR:
		hear(st, line, p);
		break;
	case STORY_NOTHING:
		nothing_more(p);
		break;
	case STORY_KILL_CLIENT:
		player_die(p);
		break;
	case STORY_KILL_DAEMON:
		w->faults |= FAULT(CRASH);
		daemon_kill(d);
		break;
	case STORY_LOSE:
		w->faults |= FAULT(PUSHLOSS);
		d->deaf = true;
		break;
	}
}

void
plan_make(struct world *w)
{
	struct stage *st = (struct stage *)w;
	const nsec lease = st->story->lease_ms * MS;

	w->profile = &profile;
	w->net_max = DELAY + 1;
	w->skew = SEC;
	w->conf = (struct arb_conf){.host = "host", .lease = lease,
	    .margin = lease / 20, .recall = 250 * MS,
	    .idle = st->story->idle_ms * MS, .command_timeout = lease / 5, .n_links = N_LINKS};
	w->clock0 = 1000000000000000;
	w->server = server_new(w, NULL);
	server_tend(w);
	ALLOC_ROOM(w->asks, w->n_asks, w->cap_asks, 1);
	w->asks[w->n_asks++] = (struct ask){.answered = true}; /* number 0 is nobody's */
	w->n_hosts = (int)st->story->hosts;
	for (int i = 0; i < w->n_hosts; i++)
		host_make(w, i);
}

/* Begins when all daemons are connected. */
void
plan_play(struct world *w)
{
	struct stage *st = (struct stage *)w;
	const struct story *story = st->story;

	world_until(w, SEC);
	st->start = w->now;
	for (int i = 0; i < story->n_lines && !world_failed(w); i++) {
		const struct story_line *line = &story->lines[i];

		TRACE(w, "%s:%d", story->path, line->number);
		if (line->ms >= 0 && story_time(st, line) < w->now)
			world_fail(w, "it is later already");
		else if (line->ms >= 0 && !line->by)
			world_until(w, story_time(st, line));
		if (!world_failed(w))
			perform(st, line);
	}
	world_until(w, w->now + MOMENT);
	for (int i = 0; i < w->n_clients && !world_failed(w); i++)
		nothing_more((struct player *)w->clients[i]);
}
