/* Talk: what daemons say to each other through Redis without a record of it: a question to all on the
 * fleet's channel, and the pieces of its answers on the asker's own.
 *
 *   Q daemon id question                          "daemon" as in its channel's name, id 16 hex digits
 *   A daemon id number last host <LF> lines       number 8 hex digits, last 0 or 1
 *
 * Pure: no I/O, no clock.  No message of the exchange script begins with these letters. */
#ifndef REDIS_TALK_H
#define REDIS_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/exchange.h"
#include "daemon/redis/exchange.h"

#define TALK_DAEMON_MAX 51      /* install.generation.nonce and a NUL */
#define TALK_HEAD_MAX 192       /* what stands before a question, or before the lines of an answer */
#define TALK_QUESTION_MAX 1024  /* bytes of one, the NUL included */

struct talk_question {
	struct xch_daemon from;
	uint64_t id;
	char line[TALK_QUESTION_MAX];
};

struct talk_answer {
	struct xch_daemon from;
	uint64_t id;            /* of the question, as its asker counts */
	uint32_t number;        /* of the piece, from 0 */
	bool is_last;
	char host[XCH_HOST_MAX + 1];
	const char *text;       /* within what was decoded */
	size_t len;
};

/* The channel on which all daemons hear questions. */
void talk_channel(char channel[EXCHANGE_CHANNEL_MAX], const char *prefix);
void talk_daemon(char name[TALK_DAEMON_MAX], const struct xch_daemon *daemon);
/* 0, or -1: it is none. */
int talk_parse_daemon(const char *text, size_t len, struct xch_daemon *daemon);

/* Each writes the head, with a NUL.  -> its length */
size_t talk_encode_question(char head[TALK_HEAD_MAX], const struct xch_daemon *from, uint64_t id);
size_t talk_encode_answer(char head[TALK_HEAD_MAX], const struct talk_answer *answer);

/* 0, or -1: it is none. */
int talk_decode_question(const char *text, size_t len, struct talk_question *question);
int talk_decode_answer(const char *text, size_t len, struct talk_answer *answer);

#endif
