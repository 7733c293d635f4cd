/* Requests: a line of a client -> an event for the arbiter, or an answer at once. */
#include "daemon/serve/request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/core/alloc.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/page.h"
#include "daemon/serve/answer.h"
#include "daemon/serve/hosts.h"
#include "daemon/serve/reload.h"
#include "daemon/serve/live.h"
#include "daemon/serve/report.h"
#include "daemon/serve/rights.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"
#include "proto/wire.h"

static void
say(struct client *client, const struct wire_request *req, const char *line, size_t len)
{
	pending_answer_now(client, req->tag, line, len);
}

#define SAY(client, req, literal) say(client, req, literal "\n", sizeof literal)

static void
say_error(struct client *client, const struct wire_request *req, enum wire_code code)
{
	char line[ANSWER_MAX];

	say(client, req, line, answer_error(code, line));
}

static void
say_denied(struct client *client, const struct wire_request *req, const struct config_group *group,
    const char *rule)
{
	char line[ANSWER_MAX];

	say(client, req, line, answer_denied(rule, group != NULL ? group->name : NULL, client->uid,
	    line));
}

/* False: it has been told so. */
static bool
may_use(struct client *client, const struct wire_request *req, const struct config_group *group)
{
	const char *rule;

	if (rights_are_open(group) || rights_may_use(client, group, &rule))
		return true;
	say_denied(client, req, group, rule);
	return false;
}

/* Likewise; group NULL: of the daemon. */
static bool
may_admin(struct client *client, const struct wire_request *req, const struct config_group *group)
{
	const char *rule;

	if (rights_may_admin(client, group, &rule))
		return true;
	say_denied(client, req, group, rule);
	return false;
}

/* Hands one request to the arbiter.  It is answered before this returns, or it waits. */
static void
submit(struct client *client, const struct wire_request *req, struct arb_event *event)
{
	struct server *server = client->server;
	struct pending *pending = pending_take(client, req);

	if (pending == NULL) {
		say_error(client, req, WIRE_ERR_NOMEM);
		return;
	}
	event->client = client_id(client);
	event->request = pending_id(pending);
	server->asking = client;
	server->current = pending;
	loop_step(server->loop, event);
	server->asking = NULL;
	if (server->current != NULL) {
		server->current = NULL;
		pending_wait(client, pending);
	}
}

static nsec
wait_of(const struct wire_request *req, const struct config_group *group)
{
	int64_t ms = req->wait_ms != WIRE_ABSENT ? req->wait_ms : group->wait_ms;

	return ms == WIRE_FOREVER ? NSEC_NEVER : ms * NSEC_MS;
}

static nsec
hold_of(const struct wire_request *req, const struct config_group *group)
{
	int64_t ms = req->hold_ms;

	if (group->max_hold_ms > 0 && (ms == WIRE_ABSENT || ms > group->max_hold_ms))
		ms = group->max_hold_ms;
	return ms == WIRE_ABSENT ? NSEC_NEVER : ms * NSEC_MS;
}

/* False: there must be such a section, and it has been told so. */
static bool
may_be_unknown(struct client *client, const struct wire_request *req)
{
	const struct config *config = client->server->config;
	char line[ANSWER_MAX];

	if (!config->unknown_groups)
		return true;
	say(client, req, line, answer_no_group(config_closest(config, req->group), line));
	return false;
}

static void
acquire(struct client *client, const struct wire_request *req)
{
	const struct config *config = client->server->config;
	const struct config_group *group = config_group(config, req->group);
	struct arb_event event = {.type = ARB_ACQUIRE};

	if (alloc_is_short()) {
		say_error(client, req, WIRE_ERR_NOMEM);
		return;
	}
	if (group == NULL && !may_be_unknown(client, req))
		return;
	if (group == NULL)
		group = &config->other;
	if (!may_use(client, req, group))
		return;
	event.acquire = (struct arb_acquire){
	    .group = req->group,
	    .label = req->label[0] != '\0' ? req->label : client->label,
	    .n = req->n,
	    .limit = req->limit > 0 ? (int64_t)req->limit : XCH_NO_LIMIT,
	    .configured = group->limit > 0 ? group->limit : XCH_NO_LIMIT,
	    .wait = wait_of(req, group),
	    .hold = hold_of(req, group),
	    .max_waiters = (uint32_t)group->max_waiters,
	    .drop_on_lapse = group->on_lease_end != 0,
	    .on_down = live_on_down(client->server, req->group, group),
	    .max_holds = (uint32_t)config->max_holds,
	    .max_holds_per_user = (uint32_t)config->max_holds_per_uid,
	};
	submit(client, req, &event);
}

static void
release(struct client *client, const struct wire_request *req)
{
	struct arb_event event = {.type = ARB_RELEASE};

	if (req->all) {
		event.type = ARB_RELEASE_ALL;
	} else {
		event.release.group = req->group;
		event.release.n_slots = req->n_slots;
		event.release.slots = req->slots;
		event.release.token = req->token;
	}
	submit(client, req, &event);
}

/* A hold that a daemon before this one granted is proven by its inherited cells, and by them alone. */
static void
resume(struct client *client, const struct wire_request *req)
{
	const struct config *config = client->server->config;
	const struct config_group *group = config_group(config, req->group);
	struct arb_event event = {.type = ARB_RESUME};

	if (group == NULL)
		group = &config->other;
	if (!may_use(client, req, group))
		return;
	event.resume.group = req->group;
	event.resume.label = req->label[0] != '\0' ? req->label : client->label;
	event.resume.n_slots = req->n_slots;
	event.resume.slots = req->slots;
	event.resume.token = req->token;
	event.resume.limit = req->limit > 0 ? (int64_t)req->limit : XCH_NO_LIMIT;
	event.resume.hold = hold_of(req, group);
	event.resume.drop_on_lapse = group->on_lease_end != 0;
	event.resume.until = page_inherited_until(loop_page(client->server->loop), req->group,
	    req->n_slots, req->slots, req->token, client->uid);
	submit(client, req, &event);
}

static void
cancel(struct client *client, const struct wire_request *req)
{
	struct pending *pending = pending_by_tag(&client->pendings, req->cancel);
	struct arb_event event = {.type = ARB_CANCEL};

	if (pending == NULL) {
		say_error(client, req, WIRE_ERR_NOTAG);
		return;
	}
	event.cancel.request = pending_id(pending);
	submit(client, req, &event);
}

/* For what it is granted or resumes from now on. */
static void
set_strict(struct client *client, bool strict)
{
	struct arb_event event = {.type = ARB_CLIENT_STRICT, .client = client_id(client), .strict = strict};

	if (client->strict == strict)
		return;
	client->strict = strict;
	loop_step(client->server->loop, &event);
}

/* What a hold that is renewed as it should be has left of its lease at any time.  It is renewed when a
 * quarter is over; then Redis has its time to answer, or, without it, a busy machine an eighth. */
static int64_t
left_ms(const struct config *config)
{
	bool is_shared = config->redis.url[0] != '\0';

	return config->lease_ms * 3 / 4 - config->margin_ms -
	    (is_shared ? config->redis.command_timeout_ms : config->lease_ms / 8);
}

/* With page=on also what the page is read by.  The descriptor is passed once: it is the same. */
static void
greet(struct client *client, const struct wire_request *req)
{
	const struct server *server = client->server;
	bool has_page = page_fd(loop_page(server->loop)) >= 0;
	char line[ANSWER_MAX], *to = line;

	if (client->strict && !client->has_page) {
		client->has_page = client->is_marked = true;
		*to++ = SESSION_MARK;
	}
	to += sprintf(to, "OK version=" SLOTD_VERSION " protocol=" ANSWER_PROTOCOL
	    " features=audit,detail,drain,events,evict,grace,hold,live,metrics,n,%sps,reload,resume,tags,why",
	    has_page ? "page," : "");
	if (client->strict)
		to += sprintf(to, " lease=%lld margin=%lld left=%lld now=%lld",
		    (long long)server->config->lease_ms, (long long)server->config->margin_ms,
		    (long long)left_ms(server->config), (long long)clock_now());
	*to++ = '\n';
	say(client, req, line, (size_t)(to - line));
}

static void
hello(struct client *client, const struct wire_request *req)
{
	if (req->label[0] != '\0') {
		char *label = strdup(req->label);

		if (label == NULL) {
			say_error(client, req, WIRE_ERR_NOMEM);
			return;
		}
		free(client->label);
		client->label = label;
	}
	if (req->has_events)
		client->events = req->events;
	if (req->has_detail)
		client->detail = req->detail;
	if (req->has_page)
		set_strict(client, req->page && page_fd(loop_page(client->server->loop)) >= 0);
	greet(client, req);
}

/* Gives everything back first: what waits is answered before the OK, and nothing can keep the
 * connection open behind it. */
static void
quit(struct client *client, const struct wire_request *req)
{
	struct arb_event event = {.type = ARB_RELEASE_ALL};

	submit(client, req, &event);
	session_finish(client);
}

static void
report(struct client *client, const struct wire_request *req)
{
	struct output out = {0};

	if (report_make(client->server, req, &out))
		say(client, req, out.bytes, output_len(&out));
	else
		say_error(client, req, WIRE_ERR_NOMEM);
	output_clear(&out);
}

/* A request that the backend answers, when it is done, as the arbiter answers others; its number, or 0:
 * it has been told that there is no memory. */
static uint64_t
wait_for_backend(struct client *client, const struct wire_request *req)
{
	struct pending *pending = pending_take(client, req);
	uint64_t request;

	if (pending == NULL) {
		say_error(client, req, WIRE_ERR_NOMEM);
		return 0;
	}
	request = pending_id(pending);
	pending_wait(client, pending);
	return request;
}

static void
end_grace(struct client *client, const struct wire_request *req)
{
	struct loop *loop = client->server->loop;
	uint64_t request;

	if (!may_admin(client, req, NULL) || (request = wait_for_backend(client, req)) == 0)
		return;
	log_warnx("uid %u, process %d, ends the grace of every group; %lld ms of it are left",
	    client->uid, client->pid, (long long)(loop_grace(loop, NULL) / NSEC_MS));
	loop_end_grace(loop, client_id(client), request);
}

static void
grace(struct client *client, const struct wire_request *req)
{
	char line[ANSWER_MAX];

	if (req->end)
		end_grace(client, req);
	else
		say(client, req, line,
		    answer_grace(loop_grace(client->server->loop, NULL), line));
}

/* A request that waits for what all hosts say. */
static void
ask_hosts(struct client *client, const struct wire_request *req)
{
	struct pending *pending = pending_take(client, req);
	uint64_t number;

	if (pending == NULL) {
		say_error(client, req, WIRE_ERR_NOMEM);
		return;
	}
	number = pending_id(pending);
	pending_wait(client, pending);
	hosts_ask(client->server, client_id(client), number, req);
}

static void
ps(struct client *client, const struct wire_request *req)
{
	ask_hosts(client, req);
}

static void
evict(struct client *client, const struct wire_request *req)
{
	if (may_admin(client, req, config_group(client->server->config, req->group))) {
		log_info("uid %u, process %d, evicts the holder of slot %u of group %s", client->uid,
		    client->pid, req->slots[0], req->group);
		ask_hosts(client, req);
	}
}

static void
audit(struct client *client, const struct wire_request *req)
{
	if (!req->fix || may_admin(client, req, NULL))
		ask_hosts(client, req);
}

static void
why(struct client *client, const struct wire_request *req)
{
	ask_hosts(client, req);
}

static void
reload(struct client *client, const struct wire_request *req)
{
	struct reload reload;
	char line[ANSWER_MAX];

	if (!may_admin(client, req, NULL))
		return;
	log_info("uid %u, process %d, asks for a reload", client->uid, client->pid);
	reload_run(client->server, &reload);
	say(client, req, line, answer_reload(&reload, line));
}

static void
drain(struct client *client, const struct wire_request *req)
{
	struct loop *loop = client->server->loop;
	struct arb_stats stats;
	char line[ANSWER_MAX];

	if (req->has_drain && !may_admin(client, req, NULL))
		return;
	if (req->has_drain && req->drain != loop_is_drained(loop)) {
		log_info("uid %u, process %d, %s", client->uid, client->pid, req->drain ?
		    "drains this host: nothing is granted here any more" : "ends the drain of this host");
		loop_drain(loop, req->drain);
	}
	arb_stats(loop_arb(loop), &stats);
	say(client, req, line, answer_drain(loop_is_drained(loop), stats.holds + stats.open, line));
}

static void
set_live(struct client *client, const struct wire_request *req)
{
	struct live_setting setting;
	usec length;
	enum live_kind kind = live_wanted(client, req, &setting, &length);
	bool is_end = setting.limit == XCH_NO_LIMIT;
	uint64_t request = wait_for_backend(client, req);
	char what[48];

	if (request == 0)
		return;
	if (kind == LIVE_PAUSE)
		strcpy(what, is_end ? "its pause is ended" : "it is paused");
	else if (is_end)
		strcpy(what, "its live limit is taken away");
	else
		snprintf(what, sizeof what, "its live limit is set to %lld", (long long)setting.limit);
	log_info("group %s: %s by process %d of %s", req->group, what, client->pid,
	    live_who(&setting).text);
	loop_set_live(client->server->loop, client_id(client), request, req->group, kind, &setting,
	    length);
}

/* Nobody has heard of a setting, but one may be there. */
static bool
is_live_unknown(const struct server *server, const char *group, struct arb_action *answer)
{
	usec now;

	*answer = (struct arb_action){
	    .type = ARB_ANSWER, .code = WIRE_ERR_UNAVAILABLE, .retry = 1000 * NSEC_MS};
	return loop_live(server->loop, group, &now) == NULL &&
	    loop_is_down(server->loop, &answer->why, &answer->text);
}

static void
live(struct client *client, const struct wire_request *req)
{
	const struct config_group *group = config_group(client->server->config, req->group);
	struct arb_action unknown;
	struct output out = {0};
	char line[ANSWER_MAX];

	if (group == NULL && !may_be_unknown(client, req))
		return;
	if (req->live_limit != WIRE_ABSENT || req->has_pause) {
		if (may_admin(client, req, group))
			set_live(client, req);
		return;
	}
	if (is_live_unknown(client->server, req->group, &unknown))
		say(client, req, line, answer_to(req->verb, false, &unknown, line));
	else if (live_add(client->server, req->group, &out))
		say(client, req, out.bytes, output_len(&out));
	else
		say_error(client, req, WIRE_ERR_NOMEM);
	output_clear(&out);
}

static void
history(struct client *client, const struct wire_request *req)
{
	uint64_t request = wait_for_backend(client, req);

	if (request != 0)
		loop_history(client->server->loop, client_id(client), request, req->group);
}

static void
ping(struct client *client, const struct wire_request *req)
{
	SAY(client, req, "OK pong");
}

static void
version(struct client *client, const struct wire_request *req)
{
	SAY(client, req, "OK version=" SLOTD_VERSION " protocol=" ANSWER_PROTOCOL);
}

static void (*const execute[WIRE_NVERBS])(struct client *, const struct wire_request *) = {
    [WIRE_HELLO] = hello,     [WIRE_ACQUIRE] = acquire, [WIRE_RELEASE] = release,
    [WIRE_CANCEL] = cancel,   [WIRE_RESUME] = resume,   [WIRE_LIST] = report,
    [WIRE_STATUS] = report,   [WIRE_HOLDERS] = report,  [WIRE_WAITERS] = report,
    [WIRE_STATS] = report,    [WIRE_PING] = ping,       [WIRE_VERSION] = version,
    [WIRE_HELP] = report,     [WIRE_QUIT] = quit,       [WIRE_METRICS] = report,
    [WIRE_GRACE] = grace,     [WIRE_PS] = ps,           [WIRE_EVICT] = evict,
    [WIRE_AUDIT] = audit,     [WIRE_WHY] = why,         [WIRE_RELOAD] = reload,
    [WIRE_DRAIN] = drain,     [WIRE_LIVE] = live,       [WIRE_HISTORY] = history,
};

void
request_execute(struct client *client, const char *line, size_t len)
{
	struct wire_request req;
	struct wire_fault fault;
	char text[ANSWER_MAX];
	uint32_t max;

	if (wire_is_blank(line, len))
		return;
	client->server->n_requests++;
	if (wire_parse(line, len, &req, &fault) < 0)
		say(client, &req, text, answer_fault(&fault, text));
	else if (req.tag[0] != '\0' && pending_by_tag(&client->pendings, req.tag) != NULL)
		say_error(client, &req, WIRE_ERR_TAG);
	else if (pending_is_full(client, req.tag[0] != '\0', &max))
		pending_refuse(client, req.tag, text, answer_too_many(max, text));
	else
		execute[req.verb](client, &req);
}

/* The tag at the line's beginning, if it has one, goes with the error: else it would be taken for
 * the answer of another request. */
void
request_too_long(struct client *client, const char *line, size_t len)
{
	struct wire_request req;
	struct wire_fault fault;

	assert(len >= WIRE_LINE_MAX);
	client->server->n_requests++;
	(void)wire_parse(line, WIRE_LINE_MAX - 1, &req, &fault);
	say_error(client, &req, WIRE_ERR_TOOLONG);
}
