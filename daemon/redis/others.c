/* The others: the daemons that share this Redis. */
#include "daemon/redis/others.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/log.h"
#include "daemon/redis/link.h"
#include "daemon/redis/survey.h"

/* A question that is on its way. */
struct saying {
	LIST_ENTRY(saying) next;
	struct others *others;
	const struct link *link;
	uint64_t id;
};

static void
saying_free(struct saying *saying)
{
	LIST_REMOVE(saying, next);
	free(saying);
}

void
others_init(struct others *others, const struct backend *backend, const char *prefix,
    const struct xch_daemon *self, const char *host)
{
	*others = (struct others){.backend = backend, .prefix = prefix, .host = host, .self = *self};
	talk_channel(others->channel, prefix);
	LIST_INIT(&others->sayings);
	TAILQ_INIT(&others->surveys);
}

void
others_fini(struct others *others)
{
	while (!LIST_EMPTY(&others->sayings))
		saying_free(LIST_FIRST(&others->sayings));
	while (!TAILQ_EMPTY(&others->surveys))
		survey_free(TAILQ_FIRST(&others->surveys));
}

/* ------------------------------------------------------------------ what we say */

static void
publish(struct link *link, const char *channel, const char *head, size_t head_len, const char *text,
    size_t len, link_done *done, void *arg)
{
	char *message = alloc_new(head_len + len);
	const char *argv[] = {"PUBLISH", channel, message};
	const size_t lens[] = {strlen("PUBLISH"), strlen(channel), head_len + len};

	memcpy(message, head, head_len);
	if (len > 0)
		memcpy(message + head_len, text, len);
	link_send(link, 3, argv, lens, done, arg);
	free(message);
}

/* How many have got it. */
static void
on_said(void *arg, struct link *link, const redisReply *reply)
{
	struct saying *saying = arg;
	const struct backend_ears *ears = saying->others->backend->ears;

	if (reply->type == REDIS_REPLY_ERROR) {
		link_refused(link, "PUBLISH", reply->str);      /* which frees it */
		return;
	}
	if (reply->type == REDIS_REPLY_INTEGER)
		ears->heard(ears->arg, saying->id, (unsigned)reply->integer);
	saying_free(saying);
}

void
others_say(struct others *others, struct link *link, uint64_t id, const char *question)
{
	struct saying *saying = alloc_new(sizeof *saying);
	char head[TALK_HEAD_MAX];
	size_t len = talk_encode_question(head, &others->self, id);

	*saying = (struct saying){.others = others, .link = link, .id = id};
	LIST_INSERT_HEAD(&others->sayings, saying, next);
	publish(link, others->channel, head, len, question, strlen(question), on_said, saying);
}

static void
on_replied(void *arg, struct link *link, const redisReply *reply)
{
	(void)arg;
	if (reply->type == REDIS_REPLY_ERROR)
		link_refused(link, "PUBLISH", reply->str);
}

void
others_reply(struct others *others, struct link *link, const struct xch_daemon *to, uint64_t id,
    uint32_t number, bool is_last, const char *text, size_t len)
{
	struct talk_answer answer = {
	    .from = others->self, .id = id, .number = number, .is_last = is_last};
	char channel[EXCHANGE_CHANNEL_MAX], head[TALK_HEAD_MAX];

	snprintf(answer.host, sizeof answer.host, "%s", others->host);
	exchange_channel(channel, others->prefix, to);
	publish(link, channel, head, talk_encode_answer(head, &answer), text, len, on_replied, NULL);
}

void
others_survey(struct others *others, struct link *link, uint64_t id, bool is_check, const char *glob,
    const struct xch_daemon *but, size_t n_but)
{
	struct survey *survey = survey_new(others, link, id, is_check, glob, but, n_but);

	TAILQ_INSERT_TAIL(&others->surveys, survey, next);
	if (TAILQ_FIRST(&others->surveys) == survey)
		survey_begin(survey);
}

void
others_gone(struct others *others, const struct link *link)
{
	struct saying *saying, *next_saying;
	struct survey *survey, *before;

	for (saying = LIST_FIRST(&others->sayings); saying != NULL; saying = next_saying) {
		next_saying = LIST_NEXT(saying, next);
		if (saying->link == link)
			saying_free(saying);
	}
	/* the first last, whose end begins the next */
	for (survey = TAILQ_LAST(&others->surveys, survey_list); survey != NULL; survey = before) {
		before = TAILQ_PREV(survey, survey_list, next);
		if (survey->link == link)
			survey_end(survey, false);
	}
}

/* ------------------------------------------------------------------ what we hear */

bool
others_is_answer(const char *text, size_t len)
{
	return len > 1 && text[0] == 'A' && text[1] == ' ';
}

/* What is not understood is of a daemon with a later version, or a fault of somebody's: whoever may
 * publish here may say what he likes. */
void
others_answered(struct others *others, const char *text, size_t len)
{
	const struct backend_ears *ears = others->backend->ears;
	struct talk_answer answer;

	if (talk_decode_answer(text, len, &answer) == 0)
		ears->answer(ears->arg, answer.id, &answer.from, answer.host, answer.number,
		    answer.is_last, answer.text, answer.len);
	else
		log_debug("redis: an answer is not understood");
}

void
others_called(struct others *others, const char *text, size_t len)
{
	const struct backend_ears *ears = others->backend->ears;
	struct talk_question question;

	if (talk_decode_question(text, len, &question) == 0)
		ears->question(ears->arg, &question.from, question.id, question.line);
	else
		log_debug("redis: a call to all is not understood");
}
