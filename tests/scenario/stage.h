/* The stage: where a story is played in made-up time.
 *
 * It is the world of the simulator without chance and without faults; the story takes the place of
 * plan.c, and players that of its clients. */
#ifndef STAGE_H
#define STAGE_H

#include "tests/scenario/story.h"
#include "tests/sim/sim.h"

#define STAGE_LINES_MAX 16

/* A client that says and hears what the story says. */
struct player {
	struct client client;   /* as the simulator's checks know it */
	char *lines[STAGE_LINES_MAX]; /* heard, without LF; in the world's arena */
	int n_lines, n_read;
};

struct stage {
	struct world world;     /* first: plan_make() and the like are handed this */
	const struct story *story;
	nsec start;             /* time 0 of the story */
};

/* Connects it if it is new. */
struct player *player_find(struct stage *stage, int host, int number);
void player_say(struct player *player, const char *text);
void player_die(struct player *player);

/* The next line that it has heard and not read, or NULL. */
const char *player_line(const struct player *player);

#endif
