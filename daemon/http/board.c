/* The board: what status.json and the page show, as it is at one moment.
 *
 * Nothing else is done meanwhile, so it is bounded: in groups, and in the holders and waiters that are
 * listed.  Those are shared out evenly among the groups; with ?group= one has them all. */
#include "daemon/http/board.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/core/tally.h"
#include "daemon/loop.h"
#include "daemon/serve/report.h"
#include "daemon/serve/server.h"

#define LINES_MIN 10            /* of one list: where there is no room for so many, there are none */
#define LINES_MAX 1000
#define LINES_ALL 2000          /* of all lists of holders, or of waiters */
#define SORTED_MAX 20000        /* slots of groups whose holders are listed */

/* Those who collect keep at most twice as many as are shown; then the busier half stays. */
#define ROOM ((size_t)2 * BOARD_GROUPS)

static bool
is_busier(const struct arb_group_status *x, const struct arb_group_status *y)
{
	uint32_t x_used = x->held > x->in_use ? x->held : x->in_use;
	uint32_t y_used = y->held > y->in_use ? y->held : y->in_use;

	return x->waiting != y->waiting ? x->waiting > y->waiting : x_used > y_used;
}

static int
by_name(const void *a, const void *b)
{
	const struct board_group *x = a, *y = b;

	return strcmp(x->status.name, y->status.name);
}

static int
busiest_first(const void *a, const void *b)
{
	const struct board_group *x = a, *y = b;

	if (is_busier(&x->status, &y->status))
		return -1;
	return is_busier(&y->status, &x->status) ? 1 : by_name(a, b);
}

static void
cut(struct board *board)
{
	if (board->n <= BOARD_GROUPS)
		return;
	qsort(board->groups, board->n, sizeof *board->groups, busiest_first);
	board->n_more += board->n - BOARD_GROUPS;
	board->n = BOARD_GROUPS;
}

static void
add(void *arg, const struct arb_group_status *status)
{
	struct board *board = arg;

	if (board->n == ROOM)
		cut(board);
	if (board->n_more > 0 &&        /* so they are in order, and all places are taken */
	    !is_busier(status, &board->groups[BOARD_GROUPS - 1].status))
		board->n_more++;
	else
		board->groups[board->n++].status = *status;
}

static bool
is_live(const struct board *board, const char *group)
{
	return live_view(board->server, group).counts != NULL;
}

/* As LIST does: those in use, those that the configuration names, and those with a live limit. */
static void
add_if_shown(void *arg, const struct arb_group_status *status)
{
	if (status->held > 0 || status->waiting > 0 || status->in_use > 0 || status->open > 0 ||
	    status->tally->is_kept || is_live(arg, status->name))
		add(arg, status);
}

static void
add_unused(struct board *board, const char *group)
{
	struct arb_group_status status;

	if (arb_status(loop_arb(board->server->loop), group, &status))
		return;
	status.tally = tally_find(loop_tallies(board->server->loop), group);
	add(board, &status);
}

/* By a section of exactly its name, and not by a glob alone. */
static bool
is_named(const struct config *config, const char *group)
{
	const struct config_group *section = config_group(config, group);

	return section != NULL && strcmp(section->name, group) == 0;
}

/* Those that are configured, or have a live limit, and are unused. */
static void
add_unknown(struct board *board)
{
	const struct config *config = board->server->config;
	const struct config_group *group = NULL;
	const struct live *live, *after;

	while ((group = config_group_next(config, group)) != NULL)
		add_unused(board, group->name);
	TABLE_FOREACH (live, after, &loop_lives(board->server->loop)->groups)
		if (is_live(board, live->name) && !is_named(config, live->name))
			add_unused(board, live->name);
}

static void
add_only(struct board *board)
{
	arb_status(loop_arb(board->server->loop), board->only, &board->groups[0].status);
	board->n = 1;
}

static void
count_grants(struct board_group *group)
{
	const struct tally *tally = group->status.tally;

	group->is_counted = tally != NULL && tally->name[0] == group->status.name[0] &&
	    strcmp(tally->name, group->status.name) == 0;
	for (enum tally_way way = 0; way < TALLY_N_WAYS && group->is_counted; way++)
		group->grants += tally->grants[way];
}

/* What is found in the statuses, and how many lines each may have. */
static void
finish(struct board *board)
{
	size_t lines = board->n > 0 ? LINES_ALL / board->n : 0, n_sorted = 0;

	if (lines > LINES_MAX)
		lines = LINES_MAX;
	if (lines < LINES_MIN)
		lines = 0;
	for (size_t i = 0; i < board->n; i++) {
		struct board_group *group = &board->groups[i];
		const struct arb_group_status *status = &group->status;
		uint32_t here = status->held + status->idle + status->ending;

		group->limit = report_limit(board->server, status, &group->limit_from);
		group->used = status->held;
		if (board->is_shared && status->in_use > here)
			group->used += status->in_use - here;
		group->live = live_view(board->server, status->name);
		count_grants(group);
		n_sorted += status->held;
		if (n_sorted <= SORTED_MAX || board->only[0] != '\0')
			group->n_lines = (uint32_t)lines;
	}
}

static void
make_head(struct board *board)
{
	struct loop *loop = board->server->loop;

	board->is_ready = ready(board->server, board->why, sizeof board->why);
	board->is_shared = board->server->config->redis.url[0] != '\0';
	if (!loop_is_down(loop, &board->backend, &board->trouble)) {
		board->backend = "up";
		board->trouble = "";
	}
	board->grace = loop_grace(loop, NULL);
	arb_stats(loop_arb(loop), &board->stats);
}

/* A word of an answer as it was meant. */
static void
decode(const char *word, char *text, size_t size)
{
	if (strcmp(word, "-") == 0 || wire_unescape(word, strlen(word), text, size) < 0)
		text[0] = '\0';
}

struct board_live
board_live(const struct live_view *view)
{
	const struct live_setting *s = view->counts;
	struct board_live live = {.left = NSEC_NEVER};

	if (s->until != USEC_NEVER)
		live.left = (s->until - view->now) * 1000;
	decode(s->by, live.by, sizeof live.by);
	decode(s->why, live.why, sizeof live.why);
	return live;
}

bool
board_make(struct board *board, const struct server *server, const char *only)
{
	*board = (struct board){.server = server, .now = clock_now(), .only = only};
	board->groups = calloc(ROOM, sizeof *board->groups);
	if (board->groups == NULL)
		return false;
	make_head(board);
	if (only[0] != '\0') {
		add_only(board);
	} else {
		add_unknown(board);
		arb_groups(loop_arb(server->loop), add_if_shown, board);
		cut(board);
		qsort(board->groups, board->n, sizeof *board->groups, by_name);
	}
	finish(board);
	return true;
}

void
board_free(struct board *board)
{
	free(board->groups);
}
