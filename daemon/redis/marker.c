/* The markers: what this daemon has heard of each shard of the Redis it speaks to. */
#include "daemon/redis/marker.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/redis/link.h"

static const char *const began_texts[XCH_N_BEGAN] = {
    [XCH_BEGAN_FIRST] = "nobody has used it before, or it has lost all that was there",
    [XCH_BEGAN_WIPED] = "it has lost its data: flushed, or started again without them",
    [XCH_BEGAN_OLD] = "its data are older than what was seen before: a failover, or an old file",
    [XCH_BEGAN_OTHER] = "another server process has the data: started again, or a failover",
};

void
markers_init(struct markers *markers, const char *name, const char *prefix,
    const struct xch_daemon *self, uint64_t *eras, usec lease, usec grace)
{
	*markers = (struct markers){
	    .name = name, .prefix = prefix, .self = *self, .lease = lease, .grace = grace};
	for (unsigned i = 0; i < EXCHANGE_SHARDS; i++)
		markers->shards[i] = (struct shard){.markers = markers, .era = &eras[i]};
	for (unsigned i = 0; i < 10; i++)
		markers->others[i].number = i;
}

void
markers_fini(struct markers *markers)
{
	exchange_command_fini(&markers->command);
}

bool
shard_heard(struct shard *shard, nsec now, uint64_t era, usec grace, usec longest_lease)
{
	struct markers *markers = shard->markers;

	*shard->era = era;
	shard->grace_end = grace > 0 ? now + grace * 1000 : 0;
	shard->is_bad = false;
	if (markers->grace > 0 && longest_lease > markers->grace)
		markers->grace = longest_lease;
	if (longest_lease > markers->lease && !markers->has_warned) {
		markers->has_warned = true;
		log_warnx("redis: another slotd has (or had) a lease_ms of %lld, and this one has "
		    "%lld: give all the same", (long long)(longest_lease / 1000),
		    (long long)(markers->lease / 1000));
	}
	return grace > 0 && era != shard->noted;
}

nsec
markers_left(const struct markers *markers, nsec now)
{
	nsec left = 0;

	for (unsigned i = 0; i < EXCHANGE_SHARDS; i++)
		if (markers->shards[i].grace_end - now > left)
			left = markers->shards[i].grace_end - now;
	return left;
}

static void
note_begin(struct shard *shard, const struct exchange_touched *touched)
{
	struct markers *markers = shard->markers;

	if (touched->grace > 0 && touched->era != shard->noted) {
		markers->n_begun++;
		markers->began = touched->began;
		if (touched->began == XCH_BEGAN_FIRST && shard->noted != 0)
			markers->began = XCH_BEGAN_WIPED;       /* a newcomer was there before us */
	}
	shard->noted = touched->era;
}

/* All shards have been heard of: says what is new. */
static void
markers_judge(struct markers *markers)
{
	nsec left = markers_left(markers, clock_now());
	char part[32] = "";

	if (markers->n_begun > 0) {
		if (markers->n_begun < EXCHANGE_SHARDS)
			snprintf(part, sizeof part, " in %u of %u shards", markers->n_begun,
			    EXCHANGE_SHARDS);
		log_info("%s: a grace begins%s: %s; holds are claimed again, and nothing is granted "
		    "for %lld ms", markers->name, part, began_texts[markers->began],
		    (long long)(left / NSEC_MS));
		markers->n_begun = 0;
		markers->n_graces++;
	} else if (markers->is_graceful && left == 0) {
		log_info("%s: the grace is over", markers->name);
	}
	markers->is_graceful = left > 0;
	markers->judged(markers->arg);
}

static void
on_touched_again(void *arg, struct link *link, const redisReply *reply)
{
	struct shard *shard = arg;
	struct exchange_touched touched;
	enum trouble trouble = TROUBLE_NONE;

	if (reply->type == REDIS_REPLY_ERROR)
		trouble = trouble_of_error(reply->str);
	if (trouble != TROUBLE_NONE) {
		link_fail(link, trouble, "%s", reply->str);
	} else if (reply->type == REDIS_REPLY_ERROR) {
		if (!shard->is_bad)
			log_warnx("redis: %s", reply->str);
		shard->is_bad = true;
	} else if (reply->type != REDIS_REPLY_STRING ||
	    exchange_decode_touch(reply->str, reply->len, &touched) < 0) {
		link_fail(link, TROUBLE_AWAY, "the answer for a marker is not understood");
	} else {
		note_begin(shard, &touched);
		shard_heard(shard, clock_now(), touched.era, touched.grace, touched.longest_lease);
	}
	if (shard == &shard->markers->shards[EXCHANGE_SHARDS - 1])
		markers_judge(shard->markers);
}

static void
touch(struct shard *shard, struct link *link, bool end, link_done *done)
{
	struct markers *markers = shard->markers;
	struct exchange_command *command = &markers->command;

	exchange_encode_touch(command, link->sha, markers->prefix,
	    (unsigned)(shard - markers->shards), &markers->self, *shard->era, markers->grace, end);
	link_send(link, command->argc, command->argv, command->lens, done, shard);
}

static void
on_touched(void *arg, struct link *link, const redisReply *reply)
{
	if (link_forgot_script(reply)) {
		link_reload(link);
		touch(arg, link, false, on_touched_again);
	} else {
		on_touched_again(arg, link, reply);
	}
}

void
markers_touch(struct markers *markers, struct link *link)
{
	for (unsigned i = 0; i < EXCHANGE_SHARDS; i++)
		touch(&markers->shards[i], link, false, on_touched);
}

static void
end_answered(struct markers *markers, enum backend_end how)
{
	markers->ending = NULL;
	markers->ended(markers->arg, how);
}

/* The replies come in the order of the shards: if none has ended the link, the last says it all. */
static void
on_ended_again(void *arg, struct link *link, const redisReply *reply)
{
	struct shard *shard = arg;
	struct markers *markers = shard->markers;

	on_touched_again(arg, link, reply);
	markers->is_end_partial |= reply->type == REDIS_REPLY_ERROR;
	if (markers->ending == link && shard == &markers->shards[EXCHANGE_SHARDS - 1])
		end_answered(markers,
		    markers->is_end_partial ? BACKEND_END_PART : BACKEND_END_DONE);
}

static void
on_ended(void *arg, struct link *link, const redisReply *reply)
{
	if (link_forgot_script(reply)) {
		link_reload(link);
		touch(arg, link, true, on_ended_again);
	} else {
		on_ended_again(arg, link, reply);
	}
}

void
markers_end_grace(struct markers *markers, struct link *link)
{
	markers->ending = link;
	markers->is_end_partial = false;
	for (unsigned i = 0; i < EXCHANGE_SHARDS; i++)
		touch(&markers->shards[i], link, true, on_ended);
}

void
markers_gone(struct markers *markers, const struct link *link)
{
	if (markers->ending == link)
		end_answered(markers, BACKEND_END_UNKNOWN);
}

static void
on_other(void *arg, struct link *link, const redisReply *reply)
{
	struct other_format *other = arg;

	(void)link;
	if (reply->type != REDIS_REPLY_STRING || other->has_warned)
		return;
	other->has_warned = true;
	log_warnx("redis: daemons whose keys are of format %u use it too, and this one's are of format "
	    EXCHANGE_FORMAT ": they do not share slots", other->number);
}

/* Every daemon touches the markers of all shards at each connect, so one tells. */
void
markers_look_around(struct markers *markers, struct link *link)
{
	for (unsigned i = 0; i < 10; i++) {
		char key[128];
		const char *argv[] = {"GET", key};

		snprintf(key, sizeof key, "%s%u:{s00}:marker", markers->prefix, i);
		if (i != (unsigned)(EXCHANGE_FORMAT[0] - '0'))
			link_send(link, 2, argv, NULL, on_other, &markers->others[i]);
	}
}
