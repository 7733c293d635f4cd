/* A survey: what Redis has on record of daemons that do not answer, group by group; and, if asked
 * for, where its records do not agree.  It reads only, in many small steps; and a daemon makes one at
 * a time, so that Redis has as much to do for many who ask as for one. */
#ifndef REDIS_SURVEY_H
#define REDIS_SURVEY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/redis/exchange.h"
#include "daemon/serve/output.h"

struct others;
struct link;
struct survey_group;

/* What runs in Redis, for SCRIPT LOAD. */
extern const char survey_script[];

struct survey {
	TAILQ_ENTRY(survey) next;       /* others->surveys */
	struct others *others;
	struct link *link;              /* that all of it goes through */
	uint64_t id;                    /* as its asker counts */
	bool is_check;
	char *glob;                     /* "": every group; owned */
	char *but;                      /* the daemons that answer, each as in its channel; owned */
	size_t n_but;
	char sha[41];                   /* of the script, as the server says */
	struct survey_group *groups;    /* to be read; owned */
	size_t n_groups, size;
	size_t n_asked, n_read;         /* of them, from the first */
	bool is_whole;                  /* nothing has gone wrong so far */
	struct output lines;
	struct exchange_command command;
};

struct survey *survey_new(struct others *others, struct link *link, uint64_t id, bool is_check,
    const char *glob, const struct xch_daemon *but, size_t n_but);
void survey_free(struct survey *survey);        /* out of its list */

void survey_begin(struct survey *survey);
/* Tells what has been read, frees it, and begins the next. */
void survey_end(struct survey *survey, bool is_whole);

#endif
