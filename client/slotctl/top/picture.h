/* A picture of slotd at one moment, as slotctl top shows it: what it has said, taken apart. */
#ifndef SLOTCTL_TOP_PICTURE_H
#define SLOTCTL_TOP_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/slotctl/answer.h"

#define RATE_UNKNOWN (-1.0)
#define VALUE_SIZE   256         /* as in struct field */

/* How bad it is. */
enum mood { MOOD_QUIET, MOOD_BUSY, MOOD_FULL, MOOD_TROUBLE };

struct group {
	char *name;             /* owned */
	const char *line;       /* of picture.groups_said */
	int64_t limit;          /* -1: none is known */
	int64_t held, idle, ending, waiting;
	int64_t in_use;         /* on all hosts; -1: slotd shares with none */
	int64_t oldest_ms;      /* of the waits; -1: nobody waits */
	int64_t grants;         /* since that slotd was started; -1: not counted */
	double rate;            /* grants a second since the last picture, or RATE_UNKNOWN */
	bool is_full;           /* also where nobody waits */
	enum mood mood;
	char state[VALUE_SIZE + 32];    /* in words; "": nothing to say */
};

struct picture {
	int64_t at_ms;          /* ctl_now_ms() */
	int code;               /* of libslot; 0: slotd has answered, else `why` says why not */
	char why[256];
	char version[VALUE_SIZE];

	struct answer groups_said, stats;
	struct group *groups;   /* owned; by name */
	size_t n_groups, n_full;
	double rate;            /* of all */
	bool is_draining, has_redis, is_redis_up;
	int64_t grace_ms;       /* 0: none */

	char *group;            /* whose details these are; NULL: none were asked for */
	struct answer holders, waiters;
	bool of_all_hosts;      /* they are, as far as holders.fleet says; else of this host */
};

/* Who looks. */
struct eye {
	const struct ctl *c;
	struct slot_conn *conn; /* owned; NULL: slotd is away, or not asked yet */
	char version[VALUE_SIZE];       /* of the slotd at its other end */
	bool has_no_ps;         /* it is too old to be asked about other hosts */
};

/* Looks, with the details of a group unless that is NULL.  -> a picture, which is the caller's, and
 * says so if slotd did not answer; NULL: no memory. */
struct picture *picture_take(struct eye *eye, const char *group);
void picture_free(struct picture *picture);
void eye_close(struct eye *eye);

/* Sets the rates, from what an earlier picture has counted. */
void picture_compare(struct picture *picture, const struct picture *before);

/* A counter or gauge of STATS; -1: there is none. */
int64_t picture_stat(const struct picture *picture, const char *name);

#endif
