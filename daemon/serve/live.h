/* Live limits and pauses as clients set and see them: LIVE, HISTORY, and the words of STATUS. */
#ifndef SERVE_LIVE_H
#define SERVE_LIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/core/arbiter.h"
#include "daemon/core/live.h"
#include "daemon/serve/word.h"

struct client;
struct config_group;
struct output;
struct server;
struct wire_request;

/* What is in force for a group, for all hosts: each NULL if nothing of the kind is.  A pause counts
 * before a limit.  until, and at, are of the time `now` (usec since 1970). */
struct live_view {
	const struct live_setting *limit, *pause;
	const struct live_setting *counts;      /* one of the two, or NULL */
	usec now;
};

struct live_view live_view(const struct server *server, const char *group);

/* What a request of that group meets while the backend is away, as its section of the file says; but
 * nobody is let into a group that is known to be stopped. */
enum arb_on_down live_on_down(const struct server *server, const char *group,
    const struct config_group *section);

/* In ms; "-": it has no end, or s is NULL. */
struct word live_left(const struct live_setting *s, usec now);

/* Who has set it, and why, for people: "root@a: deploy". */
struct live_who {
	char text[LIVE_BY_MAX + WIRE_WHY_MAX + 8];
};

struct live_who live_who(const struct live_setting *s);

/* " live_by=... paused=..." */
bool live_add_status(const struct server *server, const char *group, struct output *out);

/* The answer to a LIVE that only asks. */
bool live_add(const struct server *server, const char *group, struct output *out);

/* What a LIVE wants to be set, by whom; *length is how long. */
enum live_kind live_wanted(const struct client *client, const struct wire_request *req,
    struct live_setting *setting, usec *length);

/* The loop's hook: it has been set, or that was said. */
void live_on_done(void *server, const struct live_done *done);

#endif
