/* Why: what stands in the way of a request for slots, as a client would meet it now.
 *
 * Each cause is a function, in the order in which a request meets them; those that apply write a line
 * of numbers and a sentence. */
#include "daemon/serve/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/serve/live.h"
#include "daemon/serve/ps.h"
#include "daemon/serve/rights.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"

#define SENTENCE_MAX 384        /* a name, a reason and some words */

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
	const struct ps_row *first; /* the oldest of them */
	const struct gathered *gathered;
	struct arb_group_status status;
	bool is_known;          /* the arbiter has it */
	struct live_view live;
	struct output lines;
	size_t line_start;      /* of the one that is being written, in lines */
	uint32_t n_lines;
	bool is_settled;        /* what is behind in the order has no meaning */
	bool failed;            /* no memory */
};

#define PUT(why, ...) ((why)->failed |= !output_printf(&(why)->lines, __VA_ARGS__))

/* The end of a line that began with PUT(why, "cause=..."); of the sentence as much as fits a line of
 * the protocol. */
__attribute__((format(printf, 2, 3))) static void
say(struct why *why, const char *fmt, ...)
{
	char sentence[SENTENCE_MAX], escaped[WIRE_LINE_MAX];
	size_t used = output_len(&why->lines) - why->line_start + strlen(" text=\n"), len;
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof sentence, fmt, args);
	va_end(args);
	len = strlen(sentence);
	while (len > 0 && wire_escape(sentence, len, true, escaped, sizeof escaped - used) < 0)
		len--;
	PUT(why, " text=%s\n", len > 0 ? escaped : "-");
	why->line_start = output_len(&why->lines);
	why->n_lines++;
}

/* A duration for people. */
struct age {
	char text[24];
};

static struct age
age(int64_t ms)
{
	struct age age;
	long long s = ms / 1000;

	if (s < 10)
		snprintf(age.text, sizeof age.text, "%lld ms", (long long)ms);
	else if (s < 600)
		snprintf(age.text, sizeof age.text, "%lld s", s);
	else if (s < 36000)
		snprintf(age.text, sizeof age.text, "%lld minutes", s / 60);
	else
		snprintf(age.text, sizeof age.text, "%lld hours", s / 3600);
	return age;
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

/* Of the daemon, not of the group. */
static void
bounds(struct why *why)
{
	const struct config *config = why->server->config;
	uint32_t has = arb_user_slots(loop_arb(why->server->loop), why->client->uid);
	struct arb_stats stats;

	arb_stats(loop_arb(why->server->loop), &stats);
	if (!why->is_known && stats.groups >= config->max_groups) {
		PUT(why, "cause=groups max=%lld", (long long)config->max_groups);
		say(why, "slotd knows as many groups as max_groups allows, and this one would be new");
	}
	if (config->max_holds_per_uid > 0 && has + why->n > config->max_holds_per_uid) {
		PUT(why, "cause=holds uid=%u has=%u max=%lld", why->client->uid, has,
		    (long long)config->max_holds_per_uid);
		say(why, "user %u holds or waits for %u slots, of %lld that max_holds_per_uid allows",
		    why->client->uid, has, (long long)config->max_holds_per_uid);
	}
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
	const struct live_setting *s = why->live.counts;

	if (why->limit != 0 || s == NULL)
		return;
	PUT(why, "cause=paused by=%s at=%lld why=%s left=%s", s->by, (long long)(s->at / 1000), s->why,
	    live_left(s, why->live.now).text);
	say(why, s == why->live.pause ? "the group is paused by %s" :
	    "the group is stopped: its live limit is 0, set by %s", live_who(s).text);
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
	int64_t ms = (why->now - why->status.down_since) / NSEC_MS;

	if (why->status.down_since == NSEC_NEVER ||
	    !loop_is_down(why->server->loop, &reason, &text))
		return;
	PUT(why, "cause=away reason=%s since=%lld", reason, (long long)ms);
	say(why, "%s, for %s now; %s", text, age(ms).text,
	    then[live_on_down(why->server, why->name,
		why->section != NULL ? why->section : &why->server->config->other)]);
}

/* It can be reached, and yet. */
static void
unanswered(struct why *why)
{
	int64_t ms = (why->now - why->status.asked_at) / NSEC_MS;

	if (why->status.down_since != NSEC_NEVER)
		return;
	if (why->status.asked_at != NSEC_NEVER && ms >= why->server->config->recall_ms) {
		PUT(why, "cause=hung since=%lld", (long long)ms);
		say(why, "Redis was asked %s ago, and has not answered", age(ms).text);
	}
	if (why->now < why->status.retry_at) {
		PUT(why, "cause=backend");
		say(why, "Redis cannot serve this group: ERR backend, and the log of slotd, say why");
	}
}

static void
grace(struct why *why)
{
	int64_t ms = loop_grace(why->server->loop, why->name) / NSEC_MS;

	if (ms <= 0)
		return;
	PUT(why, "cause=grace left=%lld", (long long)ms);
	say(why, "Redis is new or has lost data: nothing is granted for %s more, so that what is held "
	    "can be claimed again", age(ms).text);
}

static void
full(struct why *why)
{
	bool is_own = why->ceiling != XCH_NO_LIMIT && why->in_use + why->n <= why->ceiling;

	if (why->n > why->limit || why->in_use + why->n <= why->limit)
		return;         /* it is paused, or too much is asked for: said before */
	if (is_own) {
		PUT(why, "cause=ownlimit limit=%lld in_use=%u n=%u", (long long)why->own, why->in_use,
		    why->n);
		say(why, "%u slots are in use, and the request's own limit is %lld; the group's would "
		    "let it in", why->in_use, (long long)why->own);
	} else if (why->live.counts != NULL && why->limit == why->ceiling) {
		PUT(why, "cause=full limit=%lld in_use=%u n=%u live_by=%s", (long long)why->limit,
		    why->in_use, why->n, why->live.counts->by);
		say(why, "%u slots are in use, it asks for %u, and there is a live limit of %lld, set "
		    "by %s", why->in_use, why->n, (long long)why->limit, live_who(why->live.counts).text);
	} else {
		PUT(why, "cause=full limit=%lld in_use=%u n=%u", (long long)why->limit, why->in_use,
		    why->n);
		say(why, why->in_use > why->limit ?
		    "%u slots are in use, more than the limit of %lld, and it asks for %u" :
		    "%u of %lld slots are in use, and it asks for %u", why->in_use,
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

/* Of a waiter, escaped; "-": not known. */
struct words {
	char n[24], pid[24], uid[24], label[WIRE_ESCAPED(WIRE_LABEL_MAX)];
};

/* wire_value() decodes, which is what only labels need. */
static void
take_word(const struct ps_row *row, const char *key, char *word, size_t size)
{
	char text[WIRE_LABEL_MAX + 1];
	int len = wire_value(row->rest, (size_t)row->rest_len, key, text, sizeof text);

	if (len < 0 || wire_escape(text, (size_t)len, len == 0, word, size) < 0)
		strcpy(word, "-");
}

static struct words
words_of(const struct ps_row *row)
{
	struct words words;

	take_word(row, "n", words.n, sizeof words.n);
	take_word(row, "pid", words.pid, sizeof words.pid);
	take_word(row, "uid", words.uid, sizeof words.uid);
	take_word(row, "label", words.label, sizeof words.label);
	return words;
}

static void
queue(struct why *why)
{
	const struct ps_row *first = why->first;
	struct words words;
	int64_t ms;

	if (why->n_ahead == 0)
		return;
	words = words_of(first);
	ms = (int64_t)(first->number / 1000);
	PUT(why, "cause=queue ahead=%u host=%.*s n=%s pid=%s uid=%s label=%s age=%lld", why->n_ahead,
	    first->host_len, first->host, words.n, words.pid, words.uid, words.label, (long long)ms);
	say(why, "%u wait before it; the first, process %s on %.*s, asked for %s %s ago", why->n_ahead,
	    words.pid, first->host_len, first->host, words.n, age(ms).text);
}

/* Not in the way by itself, but what is said may be wrong for it. */
static void
silent(struct why *why)
{
	if (why->gathered->is_alone) {
		PUT(why, "cause=silent hosts=-");
		say(why, "the other hosts cannot be asked now: who waits there is not known");
	} else if (why->gathered->n_silent > 0) {
		PUT(why, "cause=silent hosts=%u", why->gathered->n_silent);
		say(why, "%u hosts have not answered: of what they hold, only what is on record is "
		    "known", why->gathered->n_silent);
	}
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
		say(why, "hosts disagree on the limit: it is configured as %lld on %s, and as %lld "
		    "here", (long long)peer->limit, peer->host, (long long)why->status.configured);
	}
}

static void (*const causes[])(struct why *) = {
    stopping, no_group, denied, draining, bounds, no_limit, too_big, paused, away, unanswered, grace,
    full, queue_is_full, queue,
};

/* ---------------------------------------------------------------- what is known */

static void
see(struct why *why, const struct ps_row *row)
{
	char name[WIRE_GROUP_MAX + 1], limit[24];
	uint64_t number;
	int len = wire_unescape(row->group, (size_t)row->group_len, name, sizeof name);

	if (len < 0 || strcmp(name, why->name) != 0)
		return;                 /* its name is a glob, too */
	if (row->kind == 'h')
		why->in_use += row->number > 0;
	if (row->kind != 'w')
		return;
	len = wire_value(row->rest, (size_t)row->rest_len, "limit", limit, sizeof limit);
	if (len > 0 && wire_parse_number(limit, (size_t)len, WIRE_LIMIT_MAX, &number) == 0 &&
	    (int64_t)number < why->limit)
		return;                 /* it is passed by those whose limit is higher */
	if (why->n_ahead++ == 0)
		why->first = row;
}

static void
look(struct why *why, const struct wire_request *req)
{
	const struct arb_group_status *status = &why->status;

	why->is_known = arb_status(loop_arb(why->server->loop), why->name, &why->status);
	why->own = req->limit > 0 ? (int64_t)req->limit : XCH_NO_LIMIT;
	why->live = live_view(why->server, why->name);
	why->ceiling = why->live.counts != NULL ? why->live.counts->limit :
	    why->section != NULL && why->section->limit > 0 ? why->section->limit : XCH_NO_LIMIT;
	why->limit = why->own == XCH_NO_LIMIT ||
	    (why->ceiling != XCH_NO_LIMIT && why->ceiling < why->own) ? why->ceiling : why->own;
	why->in_use = status->ending;   /* which nobody holds */
}

static bool
write_all(struct why *why, struct output *out)
{
	/* As last heard; idle slots of ours are not in the way. */
	if (why->gathered->is_alone && why->status.in_use > why->in_use + why->status.idle)
		why->in_use = why->status.in_use - why->status.idle;
	for (size_t i = 0; i < sizeof causes / sizeof causes[0] && !why->is_settled; i++)
		causes[i](why);
	if (why->n_lines == 0) {
		PUT(why, "cause=none limit=%lld in_use=%u", (long long)why->limit, why->in_use);
		say(why, "nothing stands in the way: %u of %lld slots are in use", why->in_use,
		    (long long)why->limit);
	}
	differs(why);
	silent(why);
	return !why->failed && output_printf(out, "OK %u\n", why->n_lines) &&
	    output_add(out, why->lines.bytes, output_len(&why->lines));
}

bool
why_write(const struct client *client, const struct wire_request *req,
    const struct gathered *gathered, struct output *out)
{
	const struct server *server = client->server;
	struct why why = {
	    .client = client,
	    .server = server,
	    .section = config_group(server->config, req->group),
	    .name = req->group,
	    .now = clock_now(),
	    .n = req->n,
	    .gathered = gathered,
	};
	struct ps_row *rows;
	size_t n;
	bool done = ps_rows(gathered, &rows, &n);

	look(&why, req);
	for (size_t i = 0; i < n; i++)
		see(&why, &rows[i]);
	done = done && write_all(&why, out);
	free(rows);
	output_clear(&why.lines);
	return done;
}
