/* What the daemon asks of the backend in Redis besides exchanges: questions to all, live limits,
 * graces, and how it does. */
#include "daemon/clock.h"
#include "daemon/redis/state.h"

/* ------------------------------------------------------------------ questions to all */

/* Always the first that is up: the pieces of an answer must arrive in their order. */
static struct link *
link_for_talk(struct redis *redis)
{
	for (unsigned i = 0; i < redis->n_links; i++)
		if (redis->links[i].state == LINK_UP)
			return &redis->links[i];
	return NULL;
}

static enum backend_said
redis_say(struct backend *backend, uint64_t id, const char *question)
{
	struct redis *redis = (struct redis *)backend;
	struct link *link = link_for_talk(redis);

	if (link == NULL || !redis->subscriber.is_up)
		return BACKEND_AWAY;
	others_say(&redis->others, link, id, question);
	return BACKEND_SAID;
}

/* Without a link the asker hears nothing, and says so. */
static void
redis_reply(struct backend *backend, const struct xch_daemon *to, uint64_t id, uint32_t number,
    bool is_last, const char *text, size_t len)
{
	struct redis *redis = (struct redis *)backend;
	struct link *link = link_for_talk(redis);

	if (link != NULL)
		others_reply(&redis->others, link, to, id, number, is_last, text, len);
}

static bool
redis_survey(struct backend *backend, uint64_t id, bool is_check, const char *glob,
    const struct xch_daemon *but, size_t n_but)
{
	struct redis *redis = (struct redis *)backend;
	struct link *link = redis_any_link(redis);

	if (link == NULL)
		return false;
	others_survey(&redis->others, link, id, is_check, glob, but, n_but);
	return true;
}

/* ------------------------------------------------------------------ live limits */

static const struct lives *
redis_lives(const struct backend *backend, usec *now)
{
	const struct redis *redis = (const struct redis *)backend;

	*now = keep_time(&redis->keep);
	return &redis->keep.lives;
}

static void
redis_set_live(struct backend *backend, uint64_t client, uint64_t request, const char *group,
    enum live_kind kind, const struct live_setting *setting, usec length)
{
	struct redis *redis = (struct redis *)backend;

	keep_set(&redis->keep, redis_any_link(redis), client, request, group, kind, setting, length);
}

static void
redis_history(struct backend *backend, uint64_t client, uint64_t request, const char *group)
{
	struct redis *redis = (struct redis *)backend;

	keep_history(&redis->keep, redis_any_link(redis), client, request, group);
}

/* ------------------------------------------------------------------ graces */

static nsec
redis_grace(const struct backend *backend, const char *group, nsec now)
{
	const struct redis *redis = (const struct redis *)backend;
	nsec end;

	if (group == NULL)
		return markers_left(&redis->markers, now);
	end = redis->markers.shards[exchange_shard(group)].grace_end;
	return end > now ? end - now : 0;
}

void
redis_grace_ended(void *arg, enum backend_end how)
{
	struct redis *redis = arg;
	size_t n = redis->n_askers;

	redis->n_askers = 0;
	for (size_t i = 0; i < n; i++)
		redis->backend.ended(redis->backend.loop_arg, redis->askers[i].client,
		    redis->askers[i].request, how);
}

/* Who asks while it is under way is answered with the first. */
static void
redis_end_grace(struct backend *backend, uint64_t client, uint64_t request)
{
	struct redis *redis = (struct redis *)backend;
	struct link *link = redis_any_link(redis);

	ALLOC_ROOM(redis->askers, redis->n_askers, redis->cap_askers, 1);
	redis->askers[redis->n_askers++] = (struct asker){client, request};
	if (link == NULL)
		redis_grace_ended(redis, BACKEND_END_UNKNOWN);
	else if (redis->markers.ending == NULL)
		markers_end_grace(&redis->markers, link);
}

/* ------------------------------------------------------------------ how it does */

static bool
redis_why_down(const struct backend *backend, const char **reason, const char **text)
{
	const struct redis *redis = (const struct redis *)backend;
	enum trouble trouble = TROUBLE_AWAY;

	for (unsigned i = redis->n_links; i-- > 0;)
		if (redis->links[i].trouble != TROUBLE_NONE)
			trouble = redis->links[i].trouble;
	*reason = trouble_word(trouble);
	*text = trouble_text(trouble);
	return !redis->health.is_whole;
}

static void
redis_stats(const struct backend *backend,
    void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	const struct redis *redis = (const struct redis *)backend;

	health_stats(&redis->health, fn, arg);
	fn(arg, "redis_graces", redis->markers.n_graces);
	fn(arg, "redis_grace_ms", (uint64_t)(redis->markers.grace / 1000));
	fn(arg, "redis_grace_left_ms",
	    (uint64_t)(markers_left(&redis->markers, clock_now()) / NSEC_MS));
}

static bool
redis_itself(const struct backend *backend, struct backend_redis *said)
{
	const struct redis *redis = (const struct redis *)backend;

	*said = (struct backend_redis){
	    .is_up = redis->health.is_whole,
	    .n_connected = redis->health.n_connected,
	    .n_graces = redis->markers.n_graces,
	    .n_troubles = redis->health.n_troubles,
	};
	return true;
}

void
redis_asked_init(struct backend *backend)
{
	backend->say = redis_say;
	backend->reply = redis_reply;
	backend->survey = redis_survey;
	backend->lives = redis_lives;
	backend->set_live = redis_set_live;
	backend->history = redis_history;
	backend->grace = redis_grace;
	backend->end_grace = redis_end_grace;
	backend->why_down = redis_why_down;
	backend->stats = redis_stats;
	backend->redis = redis_itself;
}
