/* status.json: the board, for programs.
 *
 * Numbers are numbers, but for tokens, which are larger than what JavaScript counts exactly. */
#include "daemon/http/json.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/clock.h"
#include "daemon/http/board.h"
#include "daemon/http/escape.h"
#include "daemon/loop.h"
#include "daemon/serve/server.h"

/* One list of holders or waiters. */
struct list {
	struct output *out;
	nsec now;
	uint32_t n, max;
	bool failed;
};

#define PUT(list, ...) ((list)->failed |= !output_printf((list)->out, __VA_ARGS__))

static const char *
word(bool is_true)
{
	return is_true ? "true" : "false";
}

static long long
ms(nsec duration)
{
	return duration / NSEC_MS;
}

/* "null" where there is no such value */
struct value {
	char text[24];
};

static struct value
number(bool is_known, long long n)
{
	struct value value = {"null"};

	if (is_known)
		snprintf(value.text, sizeof value.text, "%lld", n);
	return value;
}

static void
put_who(struct list *list, int64_t pid, uint32_t uid, const char *label, nsec since)
{
	PUT(list, ",\"pid\":%s,\"uid\":%u,\"label\":", number(pid > 0, pid).text, uid);
	list->failed |= !escape_json(list->out, label);
	PUT(list, ",\"age_ms\":%lld", ms(list->now - since));
}

static void
put_holder(void *arg, const struct arb_holder *holder)
{
	struct list *list = arg;

	if (list->n == list->max)
		return;
	PUT(list, "%s{\"slot\":%u,\"token\":\"%" PRIu64 "\"", list->n++ > 0 ? "," : "", holder->slot,
	    holder->token);
	put_who(list, holder->pid, holder->uid, holder->label, holder->since);
	PUT(list, ",\"proven\":%s}", word(holder->proven));
}

static void
put_waiter(void *arg, const struct arb_waiter *waiter)
{
	struct list *list = arg;
	nsec left = waiter->until > list->now ? waiter->until - list->now : 0;

	if (list->n == list->max)
		return;
	PUT(list, "%s{\"place\":%u,\"n\":%u,\"limit\":%s", list->n++ > 0 ? "," : "", waiter->place,
	    waiter->n, number(waiter->limit >= 0, waiter->limit).text);
	put_who(list, waiter->pid, waiter->uid, waiter->label, waiter->since);
	PUT(list, ",\"left_ms\":%s}", number(waiter->until != NSEC_NEVER, ms(left)).text);
}

/* Behind what counts of a group: what an operator has set. */
static void
put_live(struct list *list, const struct live_view *view)
{
	struct board_live live;

	PUT(list, ",\"paused\":%s,\"live\":", word(view->pause != NULL));
	if (view->counts == NULL) {
		PUT(list, "null");
		return;
	}
	live = board_live(view);
	PUT(list, "{\"by\":");
	list->failed |= !escape_json(list->out, live.by);
	PUT(list, ",\"why\":");
	list->failed |= !escape_json(list->out, live.why);
	PUT(list, ",\"at\":%lld,\"left_ms\":%s}", (long long)(view->counts->at / 1000000),
	    number(live.left != NSEC_NEVER, ms(live.left)).text);
}

static bool
put_group(const struct board *board, const struct board_group *group, struct output *out)
{
	const struct arb_group_status *status = &group->status;
	const struct arb *arb = loop_arb(board->server->loop);
	nsec lease = status->deadline - board->now;
	bool waits = status->waiting > 0;
	struct list holders = {out, board->now, 0, group->n_lines, false}, waiters = holders;

	holders.failed |= !output_printf(out, "{\"group\":") || !escape_json(out, status->name);
	PUT(&holders, ",\"limit\":%s,\"limit_from\":\"%s\",\"used\":%u,\"held\":%u,\"idle\":%u,"
	    "\"ending\":%u,\"unproven\":%u,\"open\":%u,\"waiting\":%u,\"oldest_wait_ms\":%s,"
	    "\"grants\":%s,\"lease_left_ms\":%s,\"hosts_differ\":%u",
	    number(group->limit >= 0, group->limit).text, group->limit_from, group->used,
	    status->held, status->idle, status->ending, status->unproven, status->open,
	    status->waiting, number(waits, waits ? ms(board->now - status->oldest) : 0).text,
	    number(group->is_counted, (long long)group->grants).text,
	    number(board->is_shared && lease > 0, ms(lease)).text, status->n_differs);
	put_live(&holders, &group->live);
	PUT(&holders, ",\"holders\":[");
	if (group->n_lines > 0)
		arb_holders(arb, status->name, put_holder, &holders);
	PUT(&holders, "],\"holders_more\":%u,\"waiters\":[", status->held + status->open - holders.n);
	if (group->n_lines > 0)
		arb_waiters(arb, status->name, put_waiter, &waiters);
	PUT(&waiters, "],\"waiters_more\":%u}", status->waiting - waiters.n);
	return !holders.failed && !waiters.failed;
}

static bool
put_head(const struct board *board, struct output *out)
{
	const struct server *server = board->server;

	return output_printf(out, "{\"version\":\"" SLOTD_VERSION "\",\"host\":") &&
	    escape_json(out, loop_host(server->loop)) &&
	    output_printf(out, ",\"time\":%lld,\"uptime_ms\":%lld,\"ready\":%s,\"why\":",
	    (long long)clock_date(), ms(board->now - server->started),
	    word(board->is_ready)) &&
	    escape_json(out, board->why) &&
	    output_printf(out, ",\"backend\":\"%s\",\"backend_state\":\"%s\",\"backend_text\":",
	    board->is_shared ? "redis" : "memory", board->backend) &&
	    escape_json(out, board->trouble) &&
	    output_printf(out, ",\"grace_left_ms\":%lld,\"draining\":%s,\"stopping\":%s,"
	    "\"clients\":%u,\"max_clients\":%u,\"holds\":%u,\"waiters\":%u,\"grants\":%" PRIu64
	    ",\"groups\":[", ms(board->grace), word(loop_is_drained(server->loop)),
	    word(server->is_stopping), server->n_clients, server->max_clients, board->stats.holds,
	    board->stats.waiters, board->stats.grants);
}

bool
json_write(const struct board *board, struct output *out)
{
	bool done = put_head(board, out);

	for (size_t i = 0; i < board->n && done; i++)
		done = (i == 0 || output_add(out, ",\n", 2)) && put_group(board, &board->groups[i], out);
	return done && output_printf(out, "],\"groups_more\":%zu}\n", board->n_more);
}
