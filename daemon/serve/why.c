/* Why: what stands in the way of a request for slots, as a client would meet it now.
 *
 * Each cause is a function, in the order in which a request meets them; those that apply write a line
 * of numbers and a sentence. */
#include "daemon/serve/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/serve/rights.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"

#define SENTENCE_MAX 256

struct why {
	const struct client *client;
	const struct server *server;
	const struct config_group *section;     /* NULL: no section names the group */
	const char *name;
	nsec now;
	uint32_t n;             /* slots asked for */
	int64_t own;            /* limits: of the request, */
	int64_t ceiling;        /* of the group, */
	int64_t limit;          /* and the lower one, which counts; or XCH_NO_LIMIT */
	uint32_t in_use;
	uint32_t n_ahead;       /* waiters who are served before */
	struct arb_waiter first; /* the oldest of them */
	struct arb_group_status status;
	struct output lines;
	uint32_t n_lines;
	bool is_settled;        /* what is behind in the order has no meaning */
	bool failed;            /* no memory */
};

#define PUT(why, ...) ((why)->failed |= !output_printf(&(why)->lines, __VA_ARGS__))

/* The end of a line that began with PUT(why, "cause=..."). */
__attribute__((format(printf, 2, 3))) static void
say(struct why *why, const char *fmt, ...)
{
	char sentence[SENTENCE_MAX], escaped[WIRE_ESCAPED(SENTENCE_MAX)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof sentence, fmt, args);
	va_end(args);
	wire_escape(sentence, strlen(sentence), true, escaped, sizeof escaped);
	PUT(why, " text=%s\n", escaped);
	why->n_lines++;
}

static long long
ms_since(const struct why *why, nsec then)
{
	return (why->now - then) / NSEC_MS;
}

/* ---------------------------------------------------------------- causes */

static void
stopping(struct why *why)
{
	if (!why->server->is_stopping)
		return;
	PUT(why, "cause=stopping");
	say(why, "slotd is stopping");
}

static void
no_group(struct why *why)
{
	if (why->section != NULL || !why->server->config->unknown_groups)
		return;
	PUT(why, "cause=nogroup");
	say(why, "no section of the configuration names this group, and unknown_groups is refuse");
	why->is_settled = true;
}

static void
denied(struct why *why)
{
	const char *rule;

	if (why->section == NULL || rights_are_open(why->section) ||
	    rights_may_use(why->client, why->section, &rule))
		return;
	PUT(why, "cause=denied uid=%u rule=%s", why->client->uid, rule);
	say(why, "user %u may not use it: the section [group %s] names others in %s",
	    why->client->uid, why->section->name, rule);
}

static void
draining(struct why *why)
{
	if (!loop_is_drained(why->server->loop))
		return;
	PUT(why, "cause=draining");
	say(why, "this host is drained: slotd grants nothing here any more");
}

static void
no_limit(struct why *why)
{
	if (why->limit != XCH_NO_LIMIT)
		return;
	PUT(why, "cause=nolimit");
	say(why, "neither the request nor the configuration names a limit");
	why->is_settled = true;
}

static void
too_big(struct why *why)
{
	if (why->limit == 0 || why->n <= why->limit)
		return;
	PUT(why, "cause=toobig n=%u limit=%lld", why->n, (long long)why->limit);
	say(why, "%u slots at once are more than the limit of %lld: that many are never free", why->n,
	    (long long)why->limit);
}

static void
paused(struct why *why)
{
	if (why->limit != 0)
		return;
	PUT(why, "cause=paused");
	say(why, "the group is paused: its live limit is 0");
}

static void
away(struct why *why)
{
	static const char *const then[] = {
	    [ARB_DOWN_WAIT] = "requests wait for it",
	    [ARB_DOWN_REFUSE] = "requests are refused meanwhile",
	    [ARB_DOWN_OPEN] = "requests are let in without a slot meanwhile",
	};
	const char *reason, *text;

	if (why->status.down_since == NSEC_NEVER ||
	    !loop_is_down(why->server->loop, &reason, &text))
		return;
	PUT(why, "cause=away reason=%s since=%lld", reason, ms_since(why, why->status.down_since));
	say(why, "%s, for %lld ms now; %s", text, ms_since(why, why->status.down_since),
	    then[(why->section != NULL ? why->section : &why->server->config->other)->on_backend_down]);
}

static void
grace(struct why *why)
{
	nsec left = loop_grace(why->server->loop, why->name);

	if (left <= 0)
		return;
	PUT(why, "cause=grace left=%lld", (long long)(left / NSEC_MS));
	say(why, "Redis is new or has lost data: nothing is granted for %lld ms more, so that what is "
	    "held can be claimed again", (long long)(left / NSEC_MS));
}

static void
full(struct why *why)
{
	bool is_own = why->ceiling != XCH_NO_LIMIT && why->in_use + why->n <= why->ceiling;

	if (why->limit == 0 || why->in_use + why->n <= why->limit)
		return;
	if (is_own) {
		PUT(why, "cause=ownlimit limit=%lld in_use=%u n=%u", (long long)why->own, why->in_use,
		    why->n);
		say(why, "%u slots are in use, and the request's own limit is %lld; the group's would let "
		    "it in", why->in_use, (long long)why->own);
	} else {
		PUT(why, "cause=full limit=%lld in_use=%u n=%u", (long long)why->limit, why->in_use,
		    why->n);
		say(why, "%u of %lld slots are in use, and it asks for %u", why->in_use,
		    (long long)why->limit, why->n);
	}
}

static void
queue_is_full(struct why *why)
{
	int64_t max = why->section != NULL ? why->section->max_waiters : 0;

	if (max == 0 || why->status.waiting < max)
		return;
	PUT(why, "cause=queuefull waiting=%u max=%lld", why->status.waiting, (long long)max);
	say(why, "%u wait for it here already, and no more may", why->status.waiting);
}

static void
queue(struct why *why)
{
	const struct arb_waiter *first = &why->first;
	char label[WIRE_ESCAPED(WIRE_LABEL_MAX)];

	if (why->n_ahead == 0)
		return;
	wire_escape(first->label, strlen(first->label), true, label, sizeof label);
	PUT(why, "cause=queue ahead=%u n=%u pid=%lld uid=%u label=%s age=%lld", why->n_ahead, first->n,
	    (long long)first->pid, first->uid, label, ms_since(why, first->since));
	say(why, "%u wait before it; the first, process %lld, asked for %u %lld ms ago", why->n_ahead,
	    (long long)first->pid, first->n, ms_since(why, first->since));
}

static void
differs(struct why *why)
{
	for (uint32_t i = 0; i < why->status.n_differs; i++) {
		const struct xch_peer *peer = &why->status.differs[i];
		char host[WIRE_ESCAPED(XCH_HOST_MAX)];

		if (peer->limit == XCH_NO_LIMIT)
			continue;
		wire_escape(peer->host, strlen(peer->host), true, host, sizeof host);
		PUT(why, "cause=differs host=%s limit=%lld here=%lld", host, (long long)peer->limit,
		    (long long)why->status.configured);
		say(why, "hosts disagree on the limit: it is configured as %lld on %s, and as %lld here",
		    (long long)peer->limit, peer->host, (long long)why->status.configured);
	}
}

static void (*const causes[])(struct why *) = {
    stopping, no_group, denied, draining, no_limit, too_big, paused, away, grace, full, queue_is_full,
    queue,
};

/* ---------------------------------------------------------------- what is known */

static void
see_waiter(void *arg, const struct arb_waiter *waiter)
{
	struct why *why = arg;

	if (waiter->limit < why->limit)
		return;         /* it is passed by those whose limit is higher */
	if (why->n_ahead++ == 0)
		why->first = *waiter;
}

static void
look(struct why *why, const struct wire_request *req)
{
	const struct arb *arb = loop_arb(why->server->loop);
	const struct arb_group_status *status = &why->status;

	arb_status(arb, why->name, &why->status);
	why->own = req->limit > 0 ? (int64_t)req->limit : XCH_NO_LIMIT;
	why->ceiling = status->live != XCH_NO_LIMIT ? status->live :
	    why->section != NULL && why->section->limit > 0 ? why->section->limit : XCH_NO_LIMIT;
	why->limit = why->own == XCH_NO_LIMIT ||
	    (why->ceiling != XCH_NO_LIMIT && why->ceiling < why->own) ? why->ceiling : why->own;
	why->in_use = status->held + status->ending;
	if (status->in_use > why->in_use + status->idle)
		why->in_use = status->in_use - status->idle;
	arb_waiters(arb, why->name, see_waiter, why);
}

bool
why_make(const struct client *client, const struct wire_request *req, struct output *out)
{
	const struct server *server = client->server;
	struct why why = {
	    .client = client,
	    .server = server,
	    .section = config_group(server->config, req->group),
	    .name = req->group,
	    .now = clock_now(),
	    .n = req->n,
	};
	bool done;

	look(&why, req);
	for (size_t i = 0; i < sizeof causes / sizeof causes[0] && !why.is_settled; i++)
		causes[i](&why);
	if (why.n_lines == 0) {
		PUT(&why, "cause=none limit=%lld in_use=%u", (long long)why.limit, why.in_use);
		say(&why, "nothing stands in the way: %u of %lld slots are in use", why.in_use,
		    (long long)why.limit);
	}
	differs(&why);
	done = !why.failed && output_printf(out, "OK %u\n", why.n_lines) &&
	    output_add(out, why.lines.bytes, output_len(&why.lines));
	output_clear(&why.lines);
	return done;
}
