/* Asking without changing: lists for people, and the numbers of one group. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/connection.h"

static const enum wire_verb allowed[] = {
	WIRE_LIST, WIRE_STATUS, WIRE_HOLDERS, WIRE_WAITERS, WIRE_STATS, WIRE_PING, WIRE_VERSION,
	WIRE_HELP,
};

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
	int code = conn_check(conn);

	if (code != 0)
		return conn_error(conn, code, NULL);
	if (verb == NULL || verb_find(verb, &v) != 0)
		return conn_error(conn, SLOT_EINVAL, NULL);
	request_init(&wire, v);
	if (argument != NULL) {
		if (!wire_name_ok(argument, strlen(argument), WIRE_GROUP_MAX, false))
			return conn_error(conn, SLOT_EBADGROUP, NULL);
		strcpy(wire.group, argument);
	}
	if (conn->n_requests >= REQUESTS_MAX)
		return conn_error(conn, SLOT_ETOOMANY, NULL);
	code = request_start(conn, &wire, deadline_in(conn->answer_ms), &request);
	if (code != 0)
		return conn_error(conn, code, NULL);
	request->line = line;
	request->userdata = userdata;

	conn_enter(conn);
	code = request_wait(request);
	if (code != 0)
		conn_error(conn, code, request->detail);
	request_over(request);
	return conn_leave(conn, code);
}

/* "-" and what is not there are -1. */
static int64_t
number_in(const char *line, const char *key)
{
	char buf[24];
	uint64_t value;
	int len = wire_value(line, strlen(line), key, buf, sizeof buf);

	if (len < 0 || wire_parse_number(buf, (size_t)len, INT64_MAX, &value) != 0)
		return -1;
	return (int64_t)value;
}

static uint32_t
count_in(const char *line, const char *key)
{
	int64_t value = number_in(line, key);

	return value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void
status_line(const char *line, void *userdata)
{
	struct slot_group_status *status = userdata;

	status->limit = number_in(line, "limit");
	status->held = count_in(line, "held");
	status->idle = count_in(line, "idle");
	status->ending = count_in(line, "ending");
	status->waiting = count_in(line, "waiting");
	status->oldest_wait_ms = number_in(line, "oldest_wait");
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
