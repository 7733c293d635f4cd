/* What operators have set for groups while they run: live limits and pauses.
 *
 * A backend keeps them, and every daemon remembers those of all groups: so they are put back where
 * the data are lost.  What was set later counts.  Pure: times are the backend's own (usec). */
#ifndef LIVE_H
#define LIVE_H

#include "daemon/core/exchange.h"
#include "daemon/core/table.h"
#include "proto/wire.h"

#define LIVE_BY_MAX 128         /* bytes of "user@host" */
#define LIVE_SAID_MAX 20        /* of a group, that are remembered */

/* Of those that are in force the first counts. */
enum live_kind { LIVE_PAUSE, LIVE_LIMIT, N_LIVE_KINDS };

/* A pause is a limit of 0 that leaves the other as it is. */
struct live_setting {
	int64_t limit;          /* or XCH_NO_LIMIT: it was taken away */
	usec until;             /* or USEC_NEVER: without end */
	usec at;                /* when it was set; grows with each setting.  0: never */
	uint32_t uid;
	char by[WIRE_ESCAPED(LIVE_BY_MAX)];     /* these two as words of an answer; "-": none */
	char why[WIRE_ESCAPED(WIRE_WHY_MAX)];
};

/* One of what was set, ever. */
struct live_said {
	enum live_kind kind;
	struct live_setting setting;
};

/* The answer to a setting, or to a question for what was set. */
struct live_done {
	uint64_t client, request;
	const char *group;
	bool is_history;
	const struct live_said *said;   /* history: the newest first */
	unsigned n_said;
};

struct live {
	char *name;             /* of the group */
	struct live_setting settings[N_LIVE_KINDS];
	struct live_said *said; /* the newest first; owned */
	unsigned n_said;
	struct table_node by_name;
};

struct lives {
	struct table groups;    /* owned */
};

void lives_init(struct lives *lives);
void lives_fini(struct lives *lives);
void lives_copy(struct lives *to, const struct lives *from);    /* to is new */

/* NULL: nothing was ever set for that group. */
const struct live *lives_find(const struct lives *lives, const char *group);

/* Takes it if it is newer than what is known.  -> whether it was */
bool lives_hear(struct lives *lives, const char *group, enum live_kind kind,
    const struct live_setting *setting);

/* Sets it now, to end after a while (USEC_NEVER: not); fills in the times.  It is among what was
 * said. */
void lives_set(struct lives *lives, usec now, const char *group, enum live_kind kind,
    struct live_setting *setting, usec length);

static inline bool
live_is_in_force(const struct live_setting *setting, usec now)
{
	return setting->limit != XCH_NO_LIMIT && now < setting->until;
}

/* What is in force and counts; NULL: nothing.  live may be NULL. */
const struct live_setting *live_in_force(const struct live *live, usec now);

/* The limit that is in force, or XCH_NO_LIMIT, and how long that stays so, or USEC_NEVER. */
int64_t live_limit(const struct live *live, usec now, usec *left);

#endif
