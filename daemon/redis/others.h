/* The others: the daemons that share this Redis; what is asked of all of them, and what is on
 * record of those that do not answer. */
#ifndef REDIS_OTHERS_H
#define REDIS_OTHERS_H

#include <sys/queue.h>

#include "daemon/backend.h"
#include "daemon/redis/exchange.h"
#include "daemon/redis/talk.h"

struct link;
struct saying;
struct survey;

struct others {
	const struct backend *backend;          /* whose ears hear what comes */
	const char *prefix;
	const char *host;                       /* this one */
	struct xch_daemon self;
	char channel[EXCHANGE_CHANNEL_MAX];     /* on which all are called */
	LIST_HEAD(, saying) sayings;            /* questions that Redis has not confirmed; owned */
	TAILQ_HEAD(survey_list, survey) surveys; /* the first is under way, the others wait; owned */
};

/* Keeps the pointers to backend, prefix and host. */
void others_init(struct others *others, const struct backend *backend, const char *prefix,
    const struct xch_daemon *self, const char *host);
void others_fini(struct others *others);

/* See struct backend: say, reply, survey; the link is up. */
void others_say(struct others *others, struct link *link, uint64_t id, const char *question);
void others_reply(struct others *others, struct link *link, const struct xch_daemon *to, uint64_t id,
    uint32_t number, bool is_last, const char *text, size_t len);
void others_survey(struct others *others, struct link *link, uint64_t id, bool is_check,
    const char *glob, const struct xch_daemon *but, size_t n_but);

/* The link is down: what was said and read through it ends. */
void others_gone(struct others *others, const struct link *link);

/* A message of our channel: is it part of an answer?  Then others_answered() takes it. */
bool others_is_answer(const char *text, size_t len);
void others_answered(struct others *others, const char *text, size_t len);
/* One of the channel of all. */
void others_called(struct others *others, const char *text, size_t len);

#endif
