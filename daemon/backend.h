/* The backend as the loop sees it: what answers exchanges, and says what becomes of its links.
 *
 * There are two, memory and Redis, and the arbiter cannot tell which one it has.  Whatever a
 * backend has to say it keeps until it is taken by next(), so that nothing is handled while other
 * actions of the arbiter are under way; it wakes the loop when something has come up by itself. */
#ifndef BACKEND_H
#define BACKEND_H

#include <stdbool.h>

#include "daemon/core/arbiter.h"
#include "daemon/core/live.h"
#include "daemon/serve/output.h"

/* Whether a question could be put to the other daemons. */
enum backend_said {
	BACKEND_SAID,
	BACKEND_NOBODY,         /* there are no others */
	BACKEND_AWAY,
};

/* What is heard of questions, ours and others'; see gather.h.  Called from the loop only. */
struct backend_ears {
	/* Another daemon's question; or our own, which has come back to us: from is we. */
	void (*question)(void *arg, const struct xch_daemon *from, uint64_t id, const char *line);
	/* So many have got our question, we among them if it comes back. */
	void (*heard)(void *arg, uint64_t id, unsigned n);
	/* The number-th piece, from 0, of an answer to our question. */
	void (*answer)(void *arg, uint64_t id, const struct xch_daemon *from, const char *host,
	    uint32_t number, bool is_last, const char *text, size_t len);
	/* What survey() has read: takes the lines.  Not whole: the rest could not be read. */
	void (*surveyed)(void *arg, uint64_t id, struct output *lines, bool is_whole);
	bool (*awaits)(void *arg, uint64_t id);         /* is that still awaited? */
	void *arg;
};

/* What became of the end of a grace, or of a live limit. */
enum backend_end {
	BACKEND_END_DONE,
	BACKEND_END_PART,       /* a group, or some, cannot be asked at all: the log says why */
	BACKEND_END_UNKNOWN,    /* the link broke meanwhile, or there was none */
};

/* What a Redis has been like. */
struct backend_redis {
	bool is_up;                     /* all connections are in order */
	uint64_t n_connected, n_graces;
	const uint64_t *n_troubles;     /* [TROUBLE_N] */
};

struct backend {
	/* Asks for one exchange.  Keeps the pointer until it is answered or the link is down.  One
	 * for a link that is down is lost: the arbiter will hear that it is. */
	void (*ask)(struct backend *backend, unsigned link, const struct xch_request *request);

	/* Drops the link; ARB_LINK_DOWN follows. */
	void (*hang_up)(struct backend *backend, unsigned link);

	/* The next event; what it points to lives until the next call.  False: there is none. */
	bool (*next)(struct backend *backend, struct arb_event *event);

	/* What is left of the grace in which the group is, or, with NULL, any, as far as is known;
	 * 0: none. */
	nsec (*grace)(const struct backend *backend, const char *group, nsec now);

	/* Ends the grace of every group.  The loop's ended() follows, or is called meanwhile. */
	void (*end_grace)(struct backend *backend, uint64_t client, uint64_t request);
	void (*ended)(void *arg, uint64_t client, uint64_t request, enum backend_end how);
	void *loop_arg;         /* of ended() and live_done() */

	/* What operators have set for all groups, as far as is known, and the backend's time. */
	const struct lives *(*lives)(const struct backend *backend, usec *now);
	/* Sets a live limit or a pause, see lives_set(); or asks for all that was set of a group.
	 * live_done() follows, or is called meanwhile. */
	void (*set_live)(struct backend *backend, uint64_t client, uint64_t request,
	    const char *group, enum live_kind kind, const struct live_setting *setting, usec length);
	void (*history)(struct backend *backend, uint64_t client, uint64_t request,
	    const char *group);
	void (*live_done)(void *arg, const struct live_done *done, enum backend_end how);

	/* Puts a question, one line without its end, to all other daemons. */
	enum backend_said (*say)(struct backend *backend, uint64_t id, const char *question);
	/* One piece of the answer to another's. */
	void (*reply)(struct backend *backend, const struct xch_daemon *to, uint64_t id,
	    uint32_t number, bool is_last, const char *text, size_t len);
	/* Reads what is on record of daemons but these, in groups that match; surveyed() follows,
	 * unless it is broken off by the end of the backend.  False: it cannot be done now. */
	bool (*survey)(struct backend *backend, uint64_t id, bool is_check, const char *glob,
	    const struct xch_daemon *but, size_t n_but);
	const struct backend_ears *ears;

	/* Why a link is down, in a stable word and for people.  False: every link is up. */
	bool (*why_down)(const struct backend *backend, const char **reason, const char **text);

	/* Calls fn with each of its counters, for STATS. */
	void (*stats)(const struct backend *backend,
	    void (*fn)(void *arg, const char *name, uint64_t value), void *arg);

	/* False: there is no Redis. */
	bool (*redis)(const struct backend *backend, struct backend_redis *redis);

	/* Something is asked that is not answered. */
	bool (*is_busy)(const struct backend *backend);

	void (*free)(struct backend *backend);
};

struct page;

/* It arbitrates this host alone.  What the page has inherited is held until its clients believe it no
 * more, and for the margin.  NULL: no memory, or no random numbers. */
struct backend *backend_memory_new(struct page *page, nsec margin);

#endif
