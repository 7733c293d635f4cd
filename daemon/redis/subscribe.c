/* The subscriber: the link on which messages for this daemon arrive. */
#include "daemon/redis/subscribe.h"

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/log.h"

#define BEAT "H "               /* no other message begins so */
#define N_CHANNELS 2

static void
set_timer(struct subscriber *s, nsec after)
{
	struct timeval tv = {after / (1000 * NSEC_MS), after / 1000 % 1000000};

	if (event_add(s->timer, &tv) < 0)
		log_warnx("no timer for heartbeats");
}

static nsec
timeout(const struct subscriber *s)
{
	return s->link.env->config->command_timeout_ms * NSEC_MS;
}

static void
change(struct subscriber *s, bool up)
{
	if (s->is_up == up)
		return;
	s->is_up = up;
	s->owner->change(s->owner->arg, up);
}

/* How many have got it: nobody, if we listen to another server. */
static void
on_published(void *arg, struct link *commands, const redisReply *reply)
{
	struct subscriber *s = arg;

	if (reply->type == REDIS_REPLY_ERROR)
		link_refused(commands, "PUBLISH", reply->str);
	else if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 0 && s->is_awaited)
		link_fail(&s->link, TROUBLE_AWAY, "nobody listens to %s on the server that takes our commands",
		    s->channel);
}

void
subscriber_beat(struct subscriber *s)
{
	struct link *commands = s->owner->commands(s->owner->arg);
	char text[32];
	const char *argv[] = {"PUBLISH", s->channel, text};

	if (!s->is_listening || commands == NULL)
		return;
	snprintf(text, sizeof text, BEAT "%llu", ++s->beat);
	s->is_awaited = true;
	s->sent = clock_now();
	set_timer(s, timeout(s));
	link_send(commands, 3, argv, NULL, on_published, s);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct subscriber *s = arg;
	nsec due = s->sent + (s->is_awaited ? timeout(s) : s->interval), now = clock_now();

	(void)fd;
	(void)what;
	if (now < due) {
		set_timer(s, due - now);
	} else if (!s->is_listening) {
		link_fail(&s->link, TROUBLE_HUNG, "SUBSCRIBE: no answer within %lld ms",
		    (long long)(s->interval / NSEC_MS));
	} else if (s->is_awaited && s->owner->commands(s->owner->arg) != NULL) {
		link_fail(&s->link, TROUBLE_HUNG, "a message to ourselves did not arrive within %lld ms",
		    (long long)(timeout(s) / NSEC_MS));
	} else {
		s->is_awaited = false;
		s->sent = now;
		set_timer(s, s->interval);
		subscriber_beat(s);
	}
}

static void
on_message(void *arg, struct link *link, const redisReply *reply)
{
	struct subscriber *s = arg;
	const redisReply *kind, *channel, *text;
	char beat[32];

	if (reply->type == REDIS_REPLY_ERROR) {
		link_refused(link, "SUBSCRIBE", reply->str);
		return;
	}
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
		link_fail(link, TROUBLE_UNFIT, "SUBSCRIBE: not understood");
		return;
	}
	kind = reply->element[0];
	channel = reply->element[1];
	text = reply->element[2];
	if (strcmp(kind->str, "subscribe") == 0) {
		s->is_listening = text->integer == N_CHANNELS;
		subscriber_beat(s);
	} else if (strcmp(channel->str, s->channel) != 0) {
		s->owner->call(s->owner->arg, text->str, text->len);
	} else if (strncmp(text->str, BEAT, strlen(BEAT)) == 0) {
		snprintf(beat, sizeof beat, BEAT "%llu", s->beat);
		if (!s->is_awaited || strcmp(text->str, beat) != 0)
			return;
		s->is_awaited = false;
		set_timer(s, s->interval);
		change(s, true);
	} else {
		s->owner->message(s->owner->arg, text->str, text->len);
	}
}

static void
on_up(void *arg, struct link *link)
{
	struct subscriber *s = arg;
	const char *const channels[N_CHANNELS] = {s->channel, s->fleet};

	s->sent = clock_now();
	set_timer(s, s->interval);
	link_subscribe(link, N_CHANNELS, channels, on_message);
}

static void
on_down(void *arg, struct link *link)
{
	struct subscriber *s = arg;

	(void)link;
	s->is_listening = s->is_awaited = false;
	event_del(s->timer);
	change(s, false);
}

void
subscriber_init(struct subscriber *s, const struct link_env *env,
    const struct subscriber_owner *owner, const char *channel, const char *fleet,
    nsec interval)
{
	*s = (struct subscriber){.owner = owner, .interval = interval};
	s->as_owner = (struct link_owner){.up = on_up, .down = on_down, .arg = s};
	snprintf(s->channel, sizeof s->channel, "%s", channel);
	snprintf(s->fleet, sizeof s->fleet, "%s", fleet);
	s->timer = evtimer_new(env->base, on_timer, s);
	if (s->timer == NULL)
		abort();
	link_init(&s->link, "subscriber", env, &s->as_owner, NULL);
}

void
subscriber_fini(struct subscriber *s)
{
	link_fini(&s->link);
	event_free(s->timer);
}
