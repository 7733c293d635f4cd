/* Metrics: all that slotd counts and measures, as text for Prometheus. */
#include "daemon/metrics/metrics.h"

#include <event2/event.h>

#include "daemon/backend.h"
#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/metrics/exposition.h"
#include "daemon/metrics/rows.h"
#include "daemon/page.h"
#include "daemon/redis/trouble.h"
#include "daemon/serve/server.h"

void
metrics_keep(struct tallies *tallies, const struct config *config)
{
	const struct config_group *group = NULL;

	tallies->max = (uint32_t)config->metrics.max_groups;
	while ((group = config_group_next(config, group)) != NULL)
		tally_keep(tallies, group->name);
}

/* ---------------------------------------------------------------- groups */

/* A family with one sample for each group of which `there` holds. */
#define PER_GROUP(metric, there, kind, value)                                                   \
	do {                                                                                    \
		exposition_begin(e, METRIC_##metric);                                           \
		for (const struct row *row = rows->rows; row < rows->rows + rows->n; row++)     \
			if (there)                                                              \
				exposition_##kind(e, row->labels, value);                       \
	} while (0)

static void
group_gauges(struct exposition *e, const struct rows *rows, bool is_shared)
{
	PER_GROUP(LIMIT_SLOTS, row->limit >= 0, count, (uint64_t)row->limit);
	PER_GROUP(LIMIT_LIVE, row->limit >= 0, count, row->is_live);
	PER_GROUP(PAUSED, row->limit >= 0, count, row->is_paused);
	PER_GROUP(HELD_SLOTS, true, count, row->held);
	PER_GROUP(IDLE_SLOTS, true, count, row->idle);
	PER_GROUP(ENDING_SLOTS, true, count, row->ending);
	PER_GROUP(UNPROVEN_SLOTS, true, count, row->unproven);
	PER_GROUP(OPEN_HOLDS, true, count, row->open);
	PER_GROUP(WAITERS, true, count, row->waiting);
	PER_GROUP(OLDEST_WAIT, true, seconds, row->oldest);
	if (!is_shared)
		return;
	PER_GROUP(IN_USE_SLOTS, row->is_known, count, row->in_use);
	PER_GROUP(DISAGREEING_HOSTS, true, count, row->n_differs);
}

/* A family with a sample for each group and each of n words. */
static void
by_word(struct exposition *e, enum metric metric, const struct rows *rows, const char *label,
    const char *const words[], unsigned n, uint64_t (*count)(const struct tally *, unsigned))
{
	exposition_begin(e, metric);
	for (const struct row *row = rows->rows; row < rows->rows + rows->n; row++)
		for (unsigned i = 0; i < n; i++)
			exposition_word(e, row->labels, label, words[i], count(row->tally, i));
}

static uint64_t
acquires(const struct tally *tally, unsigned i)
{
	uint64_t granted = 0;

	if (i < TALLY_N_RESULTS)
		return tally->results[i];
	for (unsigned way = 0; way < TALLY_N_WAYS; way++)
		granted += tally->grants[way];
	return granted;
}

static uint64_t
grants(const struct tally *tally, unsigned i)
{
	return tally->grants[i];
}

static uint64_t
losses(const struct tally *tally, unsigned i)
{
	return tally->losses[i];
}

static void
group_counters(struct exposition *e, const struct rows *rows)
{
	static const char *const results[TALLY_N_RESULTS + 1] = {
	    [TALLY_OPEN] = "open",
	    [TALLY_FULL] = "full",
	    [TALLY_TIMEOUT] = "timeout",
	    [TALLY_QUEUEFULL] = "queuefull",
	    [TALLY_UNAVAILABLE] = "unavailable",
	    [TALLY_BACKEND] = "backend",
	    [TALLY_CANCELLED] = "cancelled",
	    [TALLY_GONE] = "gone",
	    [TALLY_REFUSED] = "refused",
	    [TALLY_N_RESULTS] = "granted",
	};
	static const char *const ways[TALLY_N_WAYS] = {
	    [TALLY_IDLE] = "idle",
	    [TALLY_HANDOVER] = "handover",
	    [TALLY_EXCHANGE] = "exchange",
	};
	static const char *const reasons[ARB_N_LOST] = {
	    [ARB_LOST_HOLD] = "hold",
	    [ARB_LOST_LEASE] = "lease",
	    [ARB_LOST_TAKEN] = "taken",
	    [ARB_LOST_EVICT] = "evict",
	};

	by_word(e, METRIC_ACQUIRES, rows, "result", results, TALLY_N_RESULTS + 1, acquires);
	by_word(e, METRIC_GRANTS, rows, "way", ways, TALLY_N_WAYS, grants);
	by_word(e, METRIC_LOSSES, rows, "reason", reasons, ARB_N_LOST, losses);
	PER_GROUP(UNPROVEN, true, count, row->tally->unproven);
	PER_GROUP(KEPT, true, count, row->tally->kept);
	PER_GROUP(EXCHANGES, true, count, row->tally->exchanges);
	PER_GROUP(RECALLS, true, count, row->tally->recalls);
	PER_GROUP(WAIT, true, histogram, &row->tally->wait);
	PER_GROUP(HOLD, true, histogram, &row->tally->hold);
}

/* ---------------------------------------------------------------- the daemon */

static void
one(struct exposition *e, enum metric metric, uint64_t value)
{
	exposition_begin(e, metric);
	exposition_count(e, "", value);
}

static void
one_histogram(struct exposition *e, enum metric metric, const struct histogram *h)
{
	exposition_begin(e, metric);
	exposition_histogram(e, "", h);
}

static void
shared(struct exposition *e, const struct server *server, const struct backend_redis *redis)
{
	one(e, METRIC_REDIS_UP, redis->is_up);
	one(e, METRIC_REDIS_CONNECTS, redis->n_connected);
	exposition_begin(e, METRIC_REDIS_ERRORS);
	for (enum trouble trouble = TROUBLE_NONE + 1; trouble < TROUBLE_N; trouble++)
		exposition_word(e, "", "kind", trouble_word(trouble), redis->n_troubles[trouble]);
	one(e, METRIC_REDIS_GRACES, redis->n_graces);
	exposition_begin(e, METRIC_GRACE_LEFT);
	exposition_seconds(e, "", loop_grace(server->loop, NULL));
}

static void
clients(struct exposition *e, const struct server *server)
{
	const struct server_dropped *dropped = &server->dropped;

	one(e, METRIC_CLIENTS, server->n_clients);
	one(e, METRIC_MAX_CLIENTS, server->max_clients);
	one(e, METRIC_CONNECTIONS, server->last_client);
	exposition_begin(e, METRIC_DROPPED);
	exposition_word(e, "", "reason", "max_clients", dropped->max_clients);
	exposition_word(e, "", "reason", "max_clients_per_uid", dropped->per_uid);
	exposition_word(e, "", "reason", "no_fds", dropped->no_fds);
	exposition_word(e, "", "reason", "slow", dropped->slow);
	exposition_word(e, "", "reason", "no_memory", dropped->no_memory);
	one(e, METRIC_REQUESTS, server->n_requests);
}

static void
arbiter(struct exposition *e, const struct server *server)
{
	struct arb_stats stats;
	bool has_page = page_fd(loop_page(server->loop)) >= 0;

	arb_stats(loop_arb(server->loop), &stats);
	one(e, METRIC_GROUPS, stats.groups);
	one(e, METRIC_PAGE, has_page);
	one(e, METRIC_CELLS, stats.cells);
	one(e, METRIC_MAX_CELLS, has_page ? (uint64_t)server->config->max_cells : 0);
	one(e, METRIC_NO_CELLS, stats.no_cells);
	one(e, METRIC_LAPSES, stats.lapses);
	one(e, METRIC_ADOPTIONS, stats.adoptions);
	one(e, METRIC_PUSHES, stats.pushes);
	one(e, METRIC_RESYNCS, stats.resyncs);
}

static void
build_info(struct exposition *e, bool is_shared)
{
	char labels[EXPOSITION_LABELS_MAX] = "";

	label_add(labels, "version", SLOTD_VERSION);
	label_add(labels, "libevent", event_get_version());
	label_add(labels, "backend", is_shared ? "redis" : "memory");
	exposition_begin(e, METRIC_BUILD_INFO);
	exposition_count(e, labels, 1);
}

bool
metrics_text(const struct server *server, struct output *out, uint32_t *n_lines)
{
	struct exposition exposition = {.out = out}, *e = &exposition;
	struct backend_redis redis;
	struct rows rows;
	bool is_shared = loop_redis(server->loop, &redis);

	if (!rows_make(&rows, server))
		return false;
	group_gauges(e, &rows, is_shared);
	group_counters(e, &rows);
	rows_free(&rows);

	one_histogram(e, METRIC_EXCHANGE_TIME, &loop_tallies(server->loop)->exchange);
	if (is_shared)
		shared(e, server, &redis);
	clients(e, server);
	arbiter(e, server);
	one(e, METRIC_DRAINING, loop_is_drained(server->loop));
	one_histogram(e, METRIC_LOOP_LAG, loop_lag(server->loop));
	build_info(e, is_shared);
	one(e, METRIC_START_TIME, (uint64_t)server->started_at);
	one(e, METRIC_RELOAD_SUCCESS, !server->reload.failed);
	one(e, METRIC_RELOAD_TIME, (uint64_t)server->reload.at);
	if (n_lines != NULL)
		*n_lines = e->n;
	return !e->failed;
}
