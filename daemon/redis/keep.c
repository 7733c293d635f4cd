/* Keeping live limits: remembering, putting back, setting. */
#include "daemon/redis/keep.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/core/alloc.h"
#include "daemon/log.h"
#include "daemon/redis/link.h"
#include "daemon/redis/live.h"
#include "daemon/redis/scan.h"
#include "daemon/redis/talk.h"

#define LOST "E"                /* an era begins; no other message to all is this */

/* A client's request that Redis has not answered. */
struct keep_ask {
	LIST_ENTRY(keep_ask) next;
	struct keep *keep;
	const struct link *link;
	struct live_done done;
	char group[WIRE_GROUP_MAX + 1];
};

void
keep_init(struct keep *keep, const struct backend *backend, const char *prefix)
{
	*keep = (struct keep){.backend = backend, .prefix = prefix};
	lives_init(&keep->lives);
	LIST_INIT(&keep->asks);
}

static void
ask_free(struct keep_ask *ask)
{
	LIST_REMOVE(ask, next);
	free(ask);
}

void
keep_fini(struct keep *keep)
{
	while (!LIST_EMPTY(&keep->asks))
		ask_free(LIST_FIRST(&keep->asks));
	lives_fini(&keep->lives);
	exchange_command_fini(&keep->command);
}

usec
keep_time(const struct keep *keep)
{
	return clock_now() / 1000 + keep->ahead;
}

/* ------------------------------------------------------------------ remembering */

static void
send(struct keep *keep, struct link *link, link_done *done, void *arg)
{
	link_send(link, keep->command.argc, keep->command.argv, keep->command.lens, done, arg);
}

/* The reply is an error: true.  What slotd's user may not do concerns live limits alone. */
static bool
is_refused(struct link *link, const redisReply *reply)
{
	enum trouble trouble;

	if (reply->type != REDIS_REPLY_ERROR)
		return false;
	trouble = trouble_of_error(reply->str);
	if (trouble != TROUBLE_NONE && trouble != TROUBLE_NOPERM)
		link_fail(link, trouble, "%s", reply->str);
	else
		log_warnx("redis: live limits: %s", reply->str);
	return true;
}

static void
hear(struct keep *keep, const struct live_news *news)
{
	lives_hear(&keep->lives, news->group, news->said.kind, &news->said.setting);
}

static void
on_put(void *arg, struct link *link, const redisReply *reply)
{
	(void)arg;
	if (!is_refused(link, reply) && reply->type == REDIS_REPLY_STRING &&
	    strncmp(reply->str, "OK V ", 5) == 0)
		log_info("redis: put back, as its data were lost: %s", reply->str + strlen("OK V "));
}

static bool
is_number(const redisReply *reply, uint64_t max, uint64_t *n)
{
	return reply->type == REDIS_REPLY_STRING &&
	    wire_parse_number(reply->str, reply->len, max, n) == 0;
}

static void
on_time(void *arg, struct link *link, const redisReply *reply)
{
	struct keep *keep = arg;
	uint64_t seconds, rest;

	if (!is_refused(link, reply) && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
	    is_number(reply->element[0], SCAN_USEC_MAX / 1000000, &seconds) &&
	    is_number(reply->element[1], 999999, &rest))
		keep->ahead = (usec)(seconds * 1000000 + rest) - clock_now() / 1000;
}

static void
on_loaded(void *arg, struct link *link, const redisReply *reply)
{
	struct keep *keep = arg;
	struct live_news news;

	if (is_refused(link, reply) || reply->type != REDIS_REPLY_ARRAY)
		return;
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *field = reply->element[i], *value = reply->element[i + 1];

		if (field->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING)
			continue;
		if (live_decode_field(field->str, field->len, value->str, value->len, &news) == 0)
			hear(keep, &news);
		else
			log_warnx("redis: a live limit is not understood: %s", field->str);
	}
}

void
keep_meet(struct keep *keep, struct link *link)
{
	const struct live *live, *after;

	TABLE_FOREACH (live, after, &keep->lives.groups) {
		for (enum live_kind kind = 0; kind < N_LIVE_KINDS; kind++) {
			if (live->settings[kind].at == 0)
				continue;
			live_encode_put(&keep->command, keep->prefix, live->name, kind,
			    &live->settings[kind]);
			send(keep, link, on_put, keep);
		}
	}
	exchange_begin(&keep->command, "TIME");
	send(keep, link, on_time, keep);
	for (unsigned i = 0; i < EXCHANGE_SHARDS; i++) {
		live_encode_load(&keep->command, keep->prefix, i);
		send(keep, link, on_loaded, keep);
	}
}

static void
on_said(void *arg, struct link *link, const redisReply *reply)
{
	(void)arg;
	if (reply->type == REDIS_REPLY_ERROR)
		link_refused(link, "PUBLISH", reply->str);
}

void
keep_say_lost(struct keep *keep, struct link *link)
{
	char channel[EXCHANGE_CHANNEL_MAX];
	const char *argv[] = {"PUBLISH", channel, LOST};

	talk_channel(channel, keep->prefix);
	link_send(link, 3, argv, NULL, on_said, NULL);
}

bool
keep_is_lost(const char *text, size_t len)
{
	return len == strlen(LOST) && memcmp(text, LOST, len) == 0;
}

bool
keep_heard(struct keep *keep, const char *text, size_t len)
{
	struct live_news news;

	if (len < 2 || memcmp(text, "V ", 2) != 0)
		return false;
	if (live_decode(text, len, &news) == 0)
		hear(keep, &news);
	return true;
}

/* ------------------------------------------------------------------ what clients ask */

static void
answer(struct keep_ask *ask, enum backend_end how)
{
	const struct backend *backend = ask->keep->backend;

	ask->done.group = ask->group;
	backend->live_done(backend->loop_arg, &ask->done, how);
	ask_free(ask);
}

static struct keep_ask *
ask_new(struct keep *keep, const struct link *link, uint64_t client, uint64_t request,
    const char *group, bool is_history)
{
	struct keep_ask *ask = alloc_new(sizeof *ask);

	*ask = (struct keep_ask){.keep = keep, .link = link,
	    .done = {.client = client, .request = request, .is_history = is_history}};
	strcpy(ask->group, group);
	LIST_INSERT_HEAD(&keep->asks, ask, next);
	return ask;
}

/* link_fail() answers through keep_gone(). */
static bool
is_asked_still(const struct keep *keep, const struct keep_ask *ask)
{
	const struct keep_ask *other;

	LIST_FOREACH (other, &keep->asks, next)
		if (other == ask)
			return true;
	return false;
}

static void
on_set(void *arg, struct link *link, const redisReply *reply)
{
	struct keep_ask *ask = arg;
	struct keep *keep = ask->keep;
	struct live_news news;

	if (is_refused(link, reply)) {
		if (is_asked_still(keep, ask))
			answer(ask, BACKEND_END_PART);
	} else if (reply->type != REDIS_REPLY_STRING || strncmp(reply->str, "OK ", 3) != 0 ||
	    live_decode(reply->str + 3, reply->len - 3, &news) < 0) {
		link_fail(link, TROUBLE_AWAY, "the answer to a live limit is not understood");
	} else {
		hear(keep, &news);
		answer(ask, BACKEND_END_DONE);
	}
}

void
keep_set(struct keep *keep, struct link *link, uint64_t client, uint64_t request, const char *group,
    enum live_kind kind, const struct live_setting *setting, usec length)
{
	struct keep_ask *ask = ask_new(keep, link, client, request, group, false);

	if (link == NULL) {
		answer(ask, BACKEND_END_UNKNOWN);
		return;
	}
	live_encode_set(&keep->command, keep->prefix, group, kind, setting, length);
	send(keep, link, on_set, ask);
}

static void
on_history(void *arg, struct link *link, const redisReply *reply)
{
	struct keep_ask *ask = arg;
	struct keep *keep = ask->keep;
	struct live_said said[LIVE_SAID_MAX];
	struct live_news news;

	if (is_refused(link, reply)) {
		if (is_asked_still(keep, ask))
			answer(ask, BACKEND_END_PART);
		return;
	}
	for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
		const redisReply *item = reply->element[i];

		if (item->type == REDIS_REPLY_STRING && ask->done.n_said < LIVE_SAID_MAX &&
		    live_decode(item->str, item->len, &news) == 0)
			said[ask->done.n_said++] = news.said;
	}
	ask->done.said = said;
	answer(ask, BACKEND_END_DONE);
}

void
keep_history(struct keep *keep, struct link *link, uint64_t client, uint64_t request,
    const char *group)
{
	struct keep_ask *ask = ask_new(keep, link, client, request, group, true);

	if (link == NULL) {
		answer(ask, BACKEND_END_UNKNOWN);
		return;
	}
	live_encode_history(&keep->command, keep->prefix, group);
	send(keep, link, on_history, ask);
}

void
keep_gone(struct keep *keep, const struct link *link)
{
	struct keep_ask *ask, *next;

	for (ask = LIST_FIRST(&keep->asks); ask != NULL; ask = next) {
		next = LIST_NEXT(ask, next);
		if (ask->link == link)
			answer(ask, BACKEND_END_UNKNOWN);
	}
}
