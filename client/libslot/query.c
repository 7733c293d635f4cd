/* Asking slotd what it knows, and what operators ask of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/libslot/connection.h"

static const enum wire_verb allowed[] = {
	WIRE_LIST, WIRE_STATUS, WIRE_HOLDERS, WIRE_WAITERS, WIRE_STATS, WIRE_METRICS, WIRE_PING,
	WIRE_VERSION, WIRE_HELP, WIRE_GRACE, WIRE_PS, WIRE_EVICT, WIRE_AUDIT,
	WIRE_WHY, WIRE_RELOAD, WIRE_DRAIN, WIRE_LIVE, WIRE_HISTORY,
};
/* Of these the argument is one name, which is escaped here; of others it is words as on the wire. */
static const enum wire_verb named[] = {
	WIRE_LIST, WIRE_STATUS, WIRE_HOLDERS, WIRE_WAITERS, WIRE_PS, WIRE_HISTORY,
};

static bool
takes_name(enum wire_verb verb)
{
	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
		if (named[i] == verb)
			return true;
	return false;
}

/* -> 0, or what is wrong with them */
static int
parse_words(const char *words, enum wire_verb verb, struct wire_request *wire)
{
	char line[WIRE_LINE_MAX];
	struct wire_fault fault;
	int n = snprintf(line, sizeof line, "%s %s", wire_verb_word(verb), words);

	if (n < 0 || (size_t)n >= sizeof line)
		return SLOT_ETOOLONG;
	if (wire_parse(line, (size_t)n, wire, &fault) == 0)
		return 0;
	return fault.code == WIRE_ERR_BADGROUP ? SLOT_EBADGROUP : SLOT_EINVAL;
}

static int
verb_find(const char *word, enum wire_verb *verb)
{
	for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
		if (strcasecmp(wire_verb_word(allowed[i]), word) == 0) {
			*verb = allowed[i];
			return 0;
		}
	}
	return SLOT_EINVAL;
}

int
slot_query(struct slot_conn *conn, const char *verb, const char *argument, slot_line_fn *line,
    void *userdata)
{
	struct slot_request *request;
	struct wire_request wire;
	enum wire_verb v;
	int64_t deadline;
	int code = conn_check(conn);

	if (code != 0)
		return conn_error(conn, code, NULL);
	if (verb == NULL || verb_find(verb, &v) != 0)
		return conn_error(conn, SLOT_EINVAL, NULL);
	request_init(&wire, v);
	if (argument != NULL && !takes_name(v)) {
		if ((code = parse_words(argument, v, &wire)) != 0)
			return conn_error(conn, code, NULL);
	} else if (argument != NULL) {
		if (!wire_name_ok(argument, strlen(argument), WIRE_GROUP_MAX, false))
			return conn_error(conn, SLOT_EBADGROUP, NULL);
		strcpy(wire.group, argument);
	}
	if (conn->n_requests >= REQUESTS_MAX)
		return conn_error(conn, SLOT_ETOOMANY, NULL);
	deadline = deadline_in(conn->answer_ms);
	code = conn_await(conn, deadline);
	if (code == 0)
		code = request_start(conn, &wire, deadline, &request);
	if (code != 0)
		return conn_error(conn, code, NULL);
	request->line = line;
	request->userdata = userdata;

	conn_enter(conn);
	code = request_wait(request);
	if (code != 0)
		conn_error(conn, code, request->detail);
	request_over(request);
	loop_watch(conn);
	return conn_leave(conn, code);
}

static uint32_t
count_in(const char *line, const char *key)
{
	int64_t value = answer_number(line, key);

	return value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void
status_line(const char *line, void *userdata)
{
	struct slot_group_status *status = userdata;

	status->limit = answer_number(line, "limit");
	status->held = count_in(line, "held");
	status->idle = count_in(line, "idle");
	status->ending = count_in(line, "ending");
	status->waiting = count_in(line, "waiting");
	status->oldest_wait_ms = answer_number(line, "oldest_wait");
}

int
slot_status(struct slot_conn *conn, const char *group, struct slot_group_status *status)
{
	struct slot_group_status s = {.size = sizeof s};
	size_t size;
	int code;

	if (status == NULL || group == NULL || status->size < sizeof status->size)
		return conn_error(conn, SLOT_EINVAL, NULL);
	code = slot_query(conn, "STATUS", group, status_line, &s);
	if (code != 0)
		return code;
	size = status->size;
	memcpy(status, &s, size < sizeof s ? size : sizeof s);
	status->size = size;
	return 0;
}
