/* The lines above the table. */
#include "client/slotctl/top/heading.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/slotctl/field.h"

static void
daemon_line(const struct ctl *c, const struct picture *picture, char *text, size_t size)
{
	char age[CTL_AGE_SIZE];

	ctl_age(picture_stat(picture, "uptime_ms"), age);
	snprintf(text, size, "slotd %s, up %s, on %s", picture->version, age, c->socket);
}

static void
sums_line(const struct picture *picture, char *text, size_t size)
{
	int64_t held = 0, waiting = 0, clients = picture_stat(picture, "clients");
	char rate[32] = "-";

	for (size_t i = 0; i < picture->n_groups; i++) {
		held += picture->groups[i].held;
		waiting += picture->groups[i].waiting;
	}
	if (picture->rate >= 0)
		snprintf(rate, sizeof rate, "%.1f", picture->rate);
	snprintf(text, size, "%zu group%s, %zu full; %" PRId64 " held, %" PRId64 " waiting; "
	    "%" PRId64 " client%s; %s grants/s", picture->n_groups,
	    picture->n_groups == 1 ? "" : "s", picture->n_full, held, waiting, clients,
	    clients == 1 ? "" : "s", rate);
}

static enum mood
shared_line(const struct picture *picture, char *text, size_t size)
{
	enum mood mood = MOOD_TROUBLE;
	char age[CTL_AGE_SIZE];

	if (!picture->has_redis) {
		snprintf(text, size, "memory: limits are those of this host");
		mood = MOOD_QUIET;
	} else if (!picture->is_redis_up) {
		snprintf(text, size, "Redis is away: no slot is granted but those kept here");
	} else if (picture->grace_ms > 0) {
		ctl_age(picture->grace_ms, age);
		snprintf(text, size, "Redis is new, or has lost data: nothing is granted for %s",
		    age);
	} else {
		snprintf(text, size, "Redis is up");
		mood = MOOD_QUIET;
	}
	if (picture->is_draining) {
		snprintf(text + strlen(text), size - strlen(text),
		    "; this host is draining: nothing more is granted here");
		mood = MOOD_TROUBLE;
	}
	return mood;
}

enum mood
heading_line(const struct ctl *c, const struct picture *picture, int line, char text[HEADING_SIZE])
{
	enum mood mood = MOOD_QUIET;
	char raw[512];

	if (line == 0)
		daemon_line(c, picture, raw, sizeof raw);
	else if (line == 1)
		sums_line(picture, raw, sizeof raw);
	else
		mood = shared_line(picture, raw, sizeof raw);
	text_format(raw, text, HEADING_SIZE);
	return mood;
}
