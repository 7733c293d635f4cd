/* Reports: the requests that only look: LIST, STATUS, HOLDERS, WAITERS, STATS, METRICS,
 * HELP. */
#include "daemon/serve/report.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/core/tally.h"
#include "daemon/loop.h"
#include "daemon/metrics/metrics.h"
#include "daemon/serve/live.h"
#include "daemon/serve/server.h"
#include "daemon/serve/word.h"
#include "proto/wire.h"

/* The lines of a list reply, before their count is known. */
struct list {
	struct output lines;
	uint32_t n;
	nsec now;
	bool failed;            /* no memory: the list is incomplete */
};

#define ADD(list, ...)                                                                          \
	((list)->n++, (list)->failed |= !output_printf(&(list)->lines, __VA_ARGS__))

static bool
finish(struct list *list, struct output *out)
{
	bool done = !list->failed && output_printf(out, "OK %u\n", list->n) &&
	    output_add(out, list->lines.bytes, output_len(&list->lines));

	output_clear(&list->lines);
	return done;
}

static long long
age_ms(nsec since, nsec now)
{
	return (now - since) / NSEC_MS;
}

/* ---------------------------------------------------------------- groups */

static bool
add_differs(const struct arb_group_status *status, struct output *out)
{
	bool done = output_printf(out, " differs=%s", status->n_differs > 0 ? "" : "-");
	const char *comma = "";

	for (uint32_t i = 0; i < status->n_differs && done; i++) {
		const struct xch_peer *peer = &status->differs[i];
		char host[WIRE_ESCAPED(XCH_HOST_MAX)];

		wire_escape(peer->host, strlen(peer->host), true, host, sizeof host);
		if (peer->limit != XCH_NO_LIMIT) {
			done = output_printf(out, "%s%s:limit=%lld", comma, host,
			    (long long)peer->limit);
			comma = ",";
		}
		if (peer->lease != 0 && done) {
			done = output_printf(out, "%s%s:lease_ms=%lld", comma, host,
			    (long long)(peer->lease / 1000));
			comma = ",";
		}
	}
	return done;
}

/* What other daemons have a part in. */
static bool
add_shared(const struct server *server, const struct arb_group_status *status, nsec now,
    struct output *out)
{
	nsec left = status->deadline - now;

	return output_printf(out, " in_use=%u lease_left=%s grace_left=%lld", status->in_use,
	    number_or_dash(left > 0, left / NSEC_MS).text,
	    (long long)(loop_grace(server->loop, status->name) / NSEC_MS)) &&
	    add_differs(status, out);
}

int64_t
report_limit(const struct server *server, const struct arb_group_status *status, const char **from)
{
	const struct config_group *group = config_group(server->config, status->name);
	const struct live_setting *live = live_view(server, status->name).counts;

	if (live != NULL) {
		*from = "live";
		return live->limit;
	}
	if (group != NULL && group->limit > 0) {
		*from = "config";
		return group->limit;
	}
	if (status->asked > 0) {
		*from = "request";
		return status->asked;
	}
	*from = "none";
	return -1;
}

/* Since slotd was started, however often the group was forgotten meanwhile. */
static struct word
grants(const struct server *server, const char *name)
{
	const struct tally *tally = tally_find(loop_tallies(server->loop), name);
	uint64_t n = 0;

	for (int way = 0; tally != NULL && way < TALLY_N_WAYS; way++)
		n += tally->grants[way];
	return number_or_dash(tally != NULL, (long long)n);
}

static bool
add_status(const struct server *server, const char *name, nsec now, const char *before,
    struct output *out)
{
	struct arb_group_status status;
	char escaped[WIRE_ESCAPED(WIRE_GROUP_MAX)];
	const char *from;
	bool is_shared = server->config->redis.url[0] != '\0';
	int64_t limit;

	arb_status(loop_arb(server->loop), name, &status);
	limit = report_limit(server, &status, &from);
	wire_escape(name, strlen(name), true, escaped, sizeof escaped);
	return output_printf(out,
	    "%sgroup=%s limit=%s limit_from=%s held=%u idle=%u ending=%u waiting=%u"
	    " oldest_wait=%s backend=%s",
	    before, escaped, number_or_dash(limit >= 0, limit).text, from, status.held, status.idle,
	    status.ending, status.waiting,
	    number_or_dash(status.waiting > 0, age_ms(status.oldest, now)).text,
	    is_shared ? "redis" : "memory") &&
	    (!is_shared || add_shared(server, &status, now, out)) &&
	    output_printf(out, " unproven=%u open=%u draining=%s grants=%s", status.unproven,
	    status.open, loop_is_drained(server->loop) ? "yes" : "no", grants(server, name).text) &&
	    live_add_status(server, name, out) && output_add(out, "\n", 1);
}

struct names {
	const char *glob;       /* "": all */
	const char **names;     /* they belong to the configuration and to the arbiter */
	size_t n, size;
	bool failed;
};

static void
add_name(struct names *all, const char *name)
{
	if (all->glob[0] != '\0' && fnmatch(all->glob, name, FNM_NOESCAPE) != 0)
		return;
	if (all->n == all->size) {
		size_t size = all->size > 0 ? all->size * 2 : 64;
		const char **names = realloc(all->names, size * sizeof *names);

		if (names == NULL) {
			all->failed = true;
			return;
		}
		all->names = names;
		all->size = size;
	}
	all->names[all->n++] = name;
}

static void
add_if_used(void *arg, const struct arb_group_status *status)
{
	if (status->held > 0 || status->waiting > 0)
		add_name(arg, status->name);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
list(const struct server *server, const char *glob, struct output *out)
{
	struct names all = {.glob = glob};
	struct list list = {.now = clock_now()};
	const struct config_group *group = NULL;
	const struct live *live, *after;
	size_t i;

	TABLE_FOREACH (live, after, &loop_lives(server->loop)->groups)
		if (live_view(server, live->name).counts != NULL)
			add_name(&all, live->name);
	while ((group = config_group_next(server->config, group)) != NULL)
		add_name(&all, group->name);
	arb_groups(loop_arb(server->loop), add_if_used, &all);
	if (all.n > 0)
		qsort(all.names, all.n, sizeof *all.names, compare_names);
	for (i = 0; i < all.n; i++) {
		if (i > 0 && strcmp(all.names[i], all.names[i - 1]) == 0)
			continue;       /* configured and in use */
		list.n++;
		list.failed |= !add_status(server, all.names[i], list.now, "", &list.lines);
	}
	free(all.names);
	list.failed |= all.failed;
	return finish(&list, out);
}

/* ---------------------------------------------------------------- holders and waiters */

/* Who it is, in the words that both lists share. */
#define WHO_FORMAT "pid=%s uid=%u label=%s age=%lld"
#define WHO(who, label, now)                                                                    \
	number_or_dash((who)->pid > 0, (who)->pid).text, (who)->uid, (label),                   \
	    age_ms((who)->since, (now))

static void
add_holder(void *arg, const struct arb_holder *holder)
{
	struct list *list = arg;
	char label[WIRE_ESCAPED(WIRE_LABEL_MAX)];

	wire_escape(holder->label, strlen(holder->label), true, label, sizeof label);
	ADD(list, "slot=%u token=%llu " WHO_FORMAT " proven=%s cell=%s\n", holder->slot,
	    (unsigned long long)holder->token, WHO(holder, label, list->now),
	    holder->proven ? "yes" : "no",
	    number_or_dash(holder->cell != ARB_NO_CELL, holder->cell).text);
}

static void
add_waiter(void *arg, const struct arb_waiter *waiter)
{
	struct list *list = arg;
	char label[WIRE_ESCAPED(WIRE_LABEL_MAX)];
	nsec left = waiter->until > list->now ? waiter->until - list->now : 0;

	wire_escape(waiter->label, strlen(waiter->label), true, label, sizeof label);
	ADD(list, "place=%u n=%u limit=%s " WHO_FORMAT " left=%s\n", waiter->place, waiter->n,
	    number_or_dash(waiter->limit >= 0, waiter->limit).text,
	    WHO(waiter, label, list->now),
	    number_or_dash(waiter->until != NSEC_NEVER, left / NSEC_MS).text);
}

/* ---------------------------------------------------------------- the daemon */

static void
add_counter(void *arg, const char *name, uint64_t value)
{
	struct list *list = arg;

	ADD(list, "%s=%llu\n", name, (unsigned long long)value);
}

static bool
stats(const struct server *server, struct output *out)
{
	struct list list = {.now = clock_now()};
	struct arb_stats arb;
	size_t i;

	arb_stats(loop_arb(server->loop), &arb);
	const struct {
		const char *name;
		uint64_t value;
	} values[] = {
	    {"uptime_ms", (uint64_t)age_ms(server->started, list.now)},
	    {"clients", server->n_clients},
	    {"max_clients", server->max_clients},
	    {"groups", arb.groups},
	    {"holds", arb.holds},
	    {"waiters", arb.waiters},
	    {"connections", server->last_client},
	    {"dropped_max_clients", server->dropped.max_clients},
	    {"dropped_max_clients_per_uid", server->dropped.per_uid},
	    {"dropped_no_fds", server->dropped.no_fds},
	    {"dropped_slow", server->dropped.slow},
	    {"dropped_no_memory", server->dropped.no_memory},
	    {"requests", server->n_requests},
	    {"acquires", arb.acquires},
	    {"grants", arb.grants},
	    {"grants_idle", arb.grants_idle},
	    {"handovers", arb.handovers},
	    {"fulls", arb.fulls},
	    {"timeouts", arb.timeouts},
	    {"cancels", arb.cancels},
	    {"releases", arb.releases},
	    {"losts", arb.losts},
	    {"exchanges", arb.exchanges},
	    {"pushes", arb.pushes},
	    {"resyncs", arb.resyncs},
	    {"open", arb.open},
	    {"cells", arb.cells},
	    {"lapses", arb.lapses},
	    {"unproven", arb.unproven},
	    {"kept", arb.kept},
	    {"adoptions", arb.adoptions},
	    {"evictions", arb.evictions},
	    {"opens", arb.opens},
	    {"no_cells", arb.no_cells},
	};

	for (i = 0; i < sizeof values / sizeof values[0]; i++)
		add_counter(&list, values[i].name, values[i].value);
	loop_stats(server->loop, add_counter, &list);
	return finish(&list, out);
}

static bool
help(struct output *out)
{
	struct list list = {0};
	const char *const *line;

	for (line = wire_help(); *line != NULL; line++)
		ADD(&list, "%s\n", *line);
	return finish(&list, out);
}

bool
report_make(const struct server *server, const struct wire_request *req, struct output *out)
{
	const struct arb *arb = loop_arb(server->loop);
	struct list lines = {.now = clock_now()};

	switch (req->verb) {
	case WIRE_LIST:
		return list(server, req->group, out);
	case WIRE_STATUS:
		return add_status(server, req->group, lines.now, "OK ", out);
	case WIRE_HOLDERS:
		arb_holders(arb, req->group, add_holder, &lines);
		return finish(&lines, out);
	case WIRE_WAITERS:
		arb_waiters(arb, req->group, add_waiter, &lines);
		return finish(&lines, out);
	case WIRE_STATS:
		return stats(server, out);
	case WIRE_METRICS:
		lines.failed = !metrics_text(server, &lines.lines, &lines.n);
		return finish(&lines, out);
	case WIRE_HELP:
		return help(out);
	default:
		assert(!"a request that reports nothing");
		return false;
	}
}
