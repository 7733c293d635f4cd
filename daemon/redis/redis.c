/* The backend that is Redis or Valkey: links for commands, a subscriber, and what they bring. */
#include "daemon/redis/redis.h"

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/core/alloc.h"
#include "daemon/log.h"
#include "daemon/redis/state.h"

#define BACKOFF_MAX (5000 * NSEC_MS)
#define CHECK_EVERY 24          /* quarters of the lease: by default a minute */

/* ------------------------------------------------------------------ what comes up */

static void
tell_change(struct redis *redis, enum arb_event_type type, unsigned link)
{
	ALLOC_ROOM(redis->changes, redis->n_changes, redis->size, 1);
	redis->changes[redis->n_changes++] = (struct arb_event){.type = type, .link.link = link};
	redis->wake(redis->arg);
}

static void
tell_news(struct redis *redis)
{
	redis->has_news = true;
	redis->wake(redis->arg);
	redis->has_news = false;
	arena_reset(&redis->arena);
}

static bool
redis_next(struct backend *backend, struct arb_event *event)
{
	struct redis *redis = (struct redis *)backend;

	if (redis->n_told < redis->n_changes) {
		*event = redis->changes[redis->n_told++];
		return true;
	}
	redis->n_told = redis->n_changes = 0;
	if (!redis->has_news)
		return false;
	redis->has_news = false;
	*event = redis->news;
	return true;
}

/* ------------------------------------------------------------------ log */

/* Of the links for commands, and the subscriber. */
static bool
is_any_in(const struct redis *redis, enum trouble trouble)
{
	for (unsigned i = 0; i < redis->n_links; i++)
		if (redis->links[i].trouble == trouble)
			return true;
	return redis->subscriber.link.trouble == trouble;
}

static void
on_trouble(void *arg, enum trouble trouble, const char *why)
{
	struct redis *redis = arg;

	health_trouble(&redis->health, trouble, why, is_any_in(redis, trouble));
}

static void
on_checked(void *arg, const struct server_info *server)
{
	struct redis *redis = arg;

	health_checked(&redis->health, server);
}

static void
say_whole(struct redis *redis)
{
	if (redis->health.is_whole || !redis->subscriber.is_up ||
	    redis->subscriber.link.trouble != TROUBLE_NONE)
		return;
	for (unsigned i = 0; i < redis->n_links; i++)
		if (redis->links[i].state != LINK_UP || redis->links[i].trouble != TROUBLE_NONE)
			return;
	health_whole(&redis->health, redis->links[0].version);
}

static void
on_settled(void *arg)
{
	say_whole(arg);
}

/* ------------------------------------------------------------------ markers */

struct link *
redis_any_link(void *arg)
{
	struct redis *redis = arg;
	struct link *link;

	for (unsigned i = 0; i < redis->n_links; i++) {
		link = &redis->links[redis->beats++ % redis->n_links];
		if (link->state == LINK_UP)
			return link;
	}
	return NULL;
}

static void
set_touch_timer(struct redis *redis, nsec after)
{
	struct timeval tv = {after / (1000 * NSEC_MS), after / 1000 % 1000000};

	if (event_add(redis->touch_timer, &tv) < 0)
		log_warnx("no timer for markers");
}

/* Until the end of the grace has been heard of: it moves on only as it is looked at. */
static void
touch_on(struct redis *redis)
{
	nsec left = markers_left(&redis->markers, clock_now()) + NSEC_MS;

	if (redis->markers.is_graceful && !evtimer_pending(redis->touch_timer, NULL))
		set_touch_timer(redis, left < redis->interval ? left : redis->interval);
}

/* All others look as well, and put back what is theirs to know: a daemon whose groups are quiet would
 * not notice. */
static void
say_grace(struct redis *redis)
{
	struct link *link = redis_any_link(redis);

	if (redis->n_graces_said == redis->markers.n_graces || link == NULL)
		return;
	redis->n_graces_said = redis->markers.n_graces;
	keep_say_lost(&redis->keep, link);
}

static void
on_judged(void *arg)
{
	touch_on(arg);
	say_grace(arg);
}

static void
on_touch_timer(evutil_socket_t fd, short what, void *arg)
{
	struct redis *redis = arg;
	struct link *link = redis_any_link(redis);

	(void)fd;
	(void)what;
	if (link != NULL) {
		markers_touch(&redis->markers, link);
		keep_meet(&redis->keep, link);
	}
	touch_on(redis);
}

/* Replicas may be attached, and memory bounded, long after we have connected. */
static void
on_check_timer(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = redis_any_link(arg);

	(void)fd;
	(void)what;
	if (link != NULL)
		link_check(link);
}

/* ------------------------------------------------------------------ links */

static void
on_prove(void *arg, struct link *link)
{
	struct redis *redis = arg;

	markers_touch(&redis->markers, link);
	markers_look_around(&redis->markers, link);
	keep_meet(&redis->keep, link);
}

static unsigned
link_number(const struct redis *redis, const struct link *link)
{
	return (unsigned)(link - redis->links);
}

static void
on_up(void *arg, struct link *link)
{
	struct redis *redis = arg;

	say_whole(redis);
	subscriber_beat(&redis->subscriber);
	tell_change(redis, ARB_LINK_UP, link_number(redis, link));
}

static void
on_down(void *arg, struct link *link)
{
	struct redis *redis = arg;

	redis->health.is_whole = false;
	markers_gone(&redis->markers, link);
	keep_gone(&redis->keep, link);
	others_gone(&redis->others, link);
	tell_change(redis, ARB_LINK_DOWN, link_number(redis, link));
}

static void
redis_hang_up(struct backend *backend, unsigned number)
{
	struct redis *redis = (struct redis *)backend;

	if (redis->links[number].state != LINK_UP)
		return;
	link_fail(&redis->links[number], TROUBLE_HUNG, "no answer within %lld ms",
	    (long long)redis->env.config->command_timeout_ms);
}

/* ------------------------------------------------------------------ exchanges */

static void on_exchanged_again(void *arg, struct link *link, const redisReply *reply);

static void
send_exchange(struct redis *redis, struct link *link, const struct xch_request *request,
    link_done *done)
{
	struct xch_request q = *request;

	/* Eras are the shards', which the arbiter does not know. */
	q.era = *redis->markers.shards[exchange_shard(q.group)].era;
	exchange_encode(&redis->command, link->sha, redis->markers.prefix, &q);
	link_send(link, redis->command.argc, redis->command.argv, redis->command.lens, done,
	    (void *)request);
}

static void
tell_reply(struct redis *redis, const struct xch_request *request)
{
	redis->reply.seq = request->seq;
	redis->news = (struct arb_event){.type = ARB_REPLY,
	    .reply = {.group = request->group, .reply = &redis->reply}};
	tell_news(redis);
}

/* What the server adds to an error of a script, for whoever debugs scripts, is cut off. */
static const char *
error_text(struct redis *redis, const redisReply *reply)
{
	const char *end = strstr(reply->str, " script: ");
	size_t len = end != NULL ? (size_t)(end - reply->str) : reply->len;
	char *text = arena_take(&redis->arena, len + 1);

	memcpy(text, reply->str, len);
	text[len] = '\0';
	return text;
}

static void
take_reply(struct redis *redis, const struct xch_request *request, struct link *link,
    const redisReply *reply)
{
	struct xch_reply *re = &redis->reply;
	enum trouble trouble = TROUBLE_NONE;

	if (reply->type == REDIS_REPLY_ERROR)
		trouble = trouble_of_error(reply->str);
	if (trouble != TROUBLE_NONE) {
		link_fail(link, trouble, "%s", reply->str);
		return;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		*re = (struct xch_reply){.status = XCH_ERROR,
		    .error = error_text(redis, reply)};
	} else if (reply->type != REDIS_REPLY_STRING ||
	    exchange_decode(&redis->arena, reply->str, reply->len, re) < 0 ||
	    (re->status == XCH_OK && re->seq != request->seq)) {
		/* replies out of step, as behind a proxy that has lost one */
		arena_reset(&redis->arena);
		link_fail(link, TROUBLE_AWAY, "an answer is not that of its request");
		return;
	} else if (re->status == XCH_OK &&
	    shard_heard(&redis->markers.shards[exchange_shard(request->group)], clock_now(),
		re->era, re->grace, re->longest_lease)) {
		set_touch_timer(redis, 0);
	}
	tell_reply(redis, request);
}

static void
on_exchanged_again(void *arg, struct link *link, const redisReply *reply)
{
	take_reply(link->owner->arg, arg, link, reply);
}

/* A server that was restarted behind a proxy, or SCRIPT FLUSH: load the script and ask once more.
 * The request is the arbiter's, which keeps it until it is answered or the link is down. */
static void
on_exchanged(void *arg, struct link *link, const redisReply *reply)
{
	struct redis *redis = link->owner->arg;

	if (link_forgot_script(reply)) {
		link_reload(link);
		send_exchange(redis, link, arg, on_exchanged_again);
	} else {
		take_reply(redis, arg, link, reply);
	}
}

static void
redis_ask(struct backend *backend, unsigned number, const struct xch_request *request)
{
	struct redis *redis = (struct redis *)backend;
	struct link *link = &redis->links[number];

	if (link->state == LINK_UP)
		send_exchange(redis, link, request, on_exchanged);
}

/* ------------------------------------------------------------------ messages */

static void
on_subscribed(void *arg, bool up)
{
	struct redis *redis = arg;

	if (!up)
		redis->health.is_whole = false;
	say_whole(redis);
	if (up && redis_any_link(redis) != NULL)         /* what was set meanwhile */
		keep_meet(&redis->keep, redis_any_link(redis));
	tell_change(redis, up ? ARB_SUB_UP : ARB_SUB_DOWN, 0);
}

static void
on_message(void *arg, const char *text, size_t len)
{
	struct redis *redis = arg;

	if (others_is_answer(text, len)) {
		others_answered(&redis->others, text, len);
		return;
	}
	if (exchange_decode_push(&redis->arena, text, len, &redis->push) < 0) {
		log_warnx("%s: a message is not understood: %.*s", redis->health.name,
		    len < 64 ? (int)len : 64, text);
		arena_reset(&redis->arena);
		return;
	}
	redis->push.to = redis->markers.self;
	redis->news = (struct arb_event){.type = ARB_PUSH, .push = &redis->push};
	tell_news(redis);
}

/* ------------------------------------------------------------------ questions to all */

static void
on_call(void *arg, const char *text, size_t len)
{
	struct redis *redis = arg;

	if (keep_is_lost(text, len)) {
		if (!redis->markers.is_graceful)
			set_touch_timer(redis, 0);
	} else if (!keep_heard(&redis->keep, text, len)) {
		others_called(&redis->others, text, len);
	}
}

/* ------------------------------------------------------------------ the whole */

static bool
redis_is_busy(const struct backend *backend)
{
	const struct redis *redis = (const struct redis *)backend;

	for (unsigned i = 0; i < redis->n_links; i++)
		if (redis->links[i].state == LINK_UP && redis->links[i].n_commands > 0)
			return true;
	return false;
}

static void
redis_free(struct backend *backend)
{
	struct redis *redis = (struct redis *)backend;

	subscriber_fini(&redis->subscriber);
	others_fini(&redis->others);
	for (unsigned i = 0; i < redis->n_links; i++)
		link_fini(&redis->links[i]);
	event_free(redis->touch_timer);
	event_free(redis->check_timer);
	resolver_free(redis->env.resolver);
	markers_fini(&redis->markers);
	keep_fini(&redis->keep);
	exchange_command_fini(&redis->command);
	arena_fini(&redis->arena);
	free(redis->changes);
	free(redis->askers);
	free(redis);
}

struct backend *
backend_redis_new(struct event_base *base, const struct config_redis *config,
    const struct arb_conf *conf, uint64_t *eras, void (*wake)(void *arg), void *arg)
{
	struct redis *redis = calloc(1, sizeof *redis + conf->n_links * sizeof redis->links[0]);
	char channel[EXCHANGE_CHANNEL_MAX], name[24];
	nsec period = CHECK_EVERY * conf->lease / 4;
	struct timeval check = {period / (1000 * NSEC_MS), period / 1000 % 1000000};

	if (redis == NULL)
		return NULL;
	redis->backend = (struct backend){
	    .ask = redis_ask,
	    .hang_up = redis_hang_up,
	    .next = redis_next,
	    .is_busy = redis_is_busy,
	    .free = redis_free,
	};
	redis_asked_init(&redis->backend);
	redis->wake = wake;
	redis->arg = arg;
	redis->n_links = conf->n_links;
	redis->interval = conf->lease / 4;
	others_init(&redis->others, &redis->backend, config->prefix, &conf->self, conf->host);
	url_show(&config->address, redis->health.name, sizeof redis->health.name);
	redis->touch_timer = evtimer_new(base, on_touch_timer, redis);
	redis->check_timer = event_new(base, -1, EV_PERSIST, on_check_timer, redis);
	if (redis->touch_timer == NULL || redis->check_timer == NULL ||
	    event_add(redis->check_timer, &check) < 0)
		abort();
	markers_init(&redis->markers, redis->health.name, config->prefix, &conf->self, eras,
	    conf->lease / 1000, conf->grace / 1000);
	keep_init(&redis->keep, &redis->backend, config->prefix);
	redis->markers.judged = on_judged;
	redis->markers.ended = redis_grace_ended;
	redis->markers.arg = redis;
	redis->env = (struct link_env){
	    .base = base,
	    .config = config,
	    .backoff_max = redis->interval < BACKOFF_MAX ? redis->interval : BACKOFF_MAX,
	    .trouble = on_trouble,
	    .settled = on_settled,
	    .checked = on_checked,
	    .arg = redis,
	};
	if (config->address.host != NULL)
		redis->env.resolver = resolver_new(base, config->address.host);
	redis->as_owner =
	    (struct link_owner){.prove = on_prove, .up = on_up, .down = on_down, .arg = redis};
	for (unsigned i = 0; i < redis->n_links; i++) {
		snprintf(name, sizeof name, "commands %u", i);
		link_init(&redis->links[i], name, &redis->env, &redis->as_owner, exchange_script);
	}
	redis->as_subscribed = (struct subscriber_owner){
	    .commands = redis_any_link,
	    .change = on_subscribed,
	    .message = on_message,
	    .call = on_call,
	    .arg = redis,
	};
	exchange_channel(channel, config->prefix, &conf->self);
	subscriber_init(&redis->subscriber, &redis->env, &redis->as_subscribed, channel,
	    redis->others.channel, redis->interval);
	return &redis->backend;
}
