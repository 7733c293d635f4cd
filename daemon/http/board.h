/* The board: what status.json and the page show, as it is at one moment. */
#ifndef HTTP_BOARD_H
#define HTTP_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/arbiter.h"
#include "daemon/http/ready.h"
#include "daemon/serve/live.h"

#define BOARD_GROUPS 1000       /* no more are shown: those with waiters first, then those in use */

struct server;

struct board_group {
	struct arb_group_status status;
	const char *limit_from;         /* as in STATUS */
	int64_t limit;                  /* -1: none is known */
	uint32_t used;                  /* slots in use: by clients here, and by the other hosts */
	uint64_t grants;                /* here */
	bool is_counted;                /* grants says something: they are its own */
	uint32_t n_lines;               /* so many of its holders, and waiters, are to be listed */
	struct live_view live;          /* what an operator has set, for all hosts */
};

struct board {
	const struct server *server;
	nsec now;
	bool is_shared;                 /* with other hosts, through Redis */
	bool is_ready;
	char why[READY_MAX];            /* it is not */
	const char *backend, *trouble;  /* a word: up, or what is wrong; a sentence, or "" */
	nsec grace;
	struct arb_stats stats;
	const char *only;               /* the one group that was asked for; "": all */
	size_t n, n_more;               /* those shown, by name, and those that had no room */
	struct board_group *groups;
};

/* only: "" or one group, which is shown whether anybody uses it or not.  False: no memory. */
bool board_make(struct board *board, const struct server *server, const char *only);
void board_free(struct board *board);

/* How long the setting that counts is still in force, or NSEC_NEVER; by whom and why it was set: "" if
 * that is not said. */
struct board_live {
	nsec left;
	char by[LIVE_BY_MAX + 1], why[WIRE_WHY_MAX + 1];
};

struct board_live board_live(const struct live_view *view);     /* view->counts is not NULL */

#endif
