/* What slotd says: each line goes to whom it belongs. */
#include <string.h>

#include "client/libslot/connection.h"

int64_t
answer_number(const char *text, const char *key)
{
	char buf[24];
	uint64_t value;
	int len = wire_value(text, strlen(text), key, buf, sizeof buf);

	if (len < 0 || wire_parse_number(buf, (size_t)len, INT64_MAX, &value) != 0)
		return -1;
	return (int64_t)value;
}

/* -> NULL if nothing was asked with that tag. */
static struct slot_request *
find_request(struct slot_conn *conn, const char *tag)
{
	uint64_t i;

	if (wire_parse_number(tag, strlen(tag), UINT32_MAX, &i) != 0 || i >= conn->n_tags)
		return NULL;
	return conn->tags[i].request;
}

static void
tell_line(struct slot_request *r, const char *line)
{
	if (r->line == NULL)
		return;
	r->conn->is_in_line = true;
	r->line(line, r->userdata);
	r->conn->is_in_line = false;
}

static bool
is_list(enum wire_verb verb)
{
	return verb == WIRE_LIST || verb == WIRE_HOLDERS || verb == WIRE_WAITERS ||
	    verb == WIRE_STATS || verb == WIRE_METRICS || verb == WIRE_WHY || verb == WIRE_HELP ||
	    verb == WIRE_PS || verb == WIRE_AUDIT || verb == WIRE_HISTORY;
}

static void
answer_ok(struct slot_conn *conn, struct slot_request *r, const char *rest)
{
	uint64_t count;

	switch (r->verb) {
	case WIRE_HELLO:
		request_finish(r, 0, NULL);
		greet_ok(conn, rest);
		return;
	case WIRE_RESUME:
		hold_resumed(r, rest);
		return;
	case WIRE_RELEASE:
		request_finish(r, r->good, NULL);
		return;
	case WIRE_ACQUIRE:
		if (hold_grant(conn, r->hold, rest) != 0) {
			conn_end(conn, SLOT_EPROTOCOL, NULL);
			return;
		}
		break;
	default:
		if (!is_list(r->verb)) {
			tell_line(r, rest);
			break;
		}
		if (wire_parse_number(rest, strcspn(rest, " \t"), INT64_MAX, &count) != 0) {
			conn_end(conn, SLOT_EPROTOCOL, NULL);
			return;
		}
		if (count > 0) {
			conn->list = r;
			conn->list_left = count;
			return;
		}
	}
	request_finish(r, 0, NULL);
}

/* A waiter whom this slotd cannot serve any more waits for the next one.  "Now or never" was
 * never. */
static bool
waits_for_next(const struct slot_conn *conn, const struct slot_request *r, int code)
{
	return r->verb == WIRE_ACQUIRE && code == SLOT_ESHUTDOWN && r->wait_ms != 0 &&
	    !r->is_abandoned && conn->reconnect_ms != 0;
}

/* A RELEASE that slotd cannot carry out would leave the slot taken for as long as the socket lives:
 * then that must end. */
static void
answer_err(struct slot_conn *conn, struct slot_request *r, int code, const char *detail)
{
	enum wire_verb verb = r->verb;

	if (verb == WIRE_RESUME) {
		hold_not_resumed(r, code);
		return;
	}
	if (waits_for_next(conn, r, code)) {
		r->is_said = false;
		r->code = code;
		acquire_bound(r);
		return;
	}
	request_finish(r, code, detail);
	if (verb == WIRE_HELLO)
		greet_refused(conn, code, detail);
	else if (verb == WIRE_RELEASE && code != SLOT_ELOST && code != SLOT_ENOTHOLD)
		conn_break(conn, code, detail);
}

static void
list_line(struct slot_conn *conn, const char *line)
{
	tell_line(conn->list, line);
	if (conn->list != NULL && --conn->list_left == 0) {
		struct slot_request *r = conn->list;

		conn->list = NULL;
		request_finish(r, 0, NULL);
	}
}

/* The only untagged answers are the ones that no request caused: slotd closes. */
void
answer_line(struct slot_conn *conn, char *line, size_t len)
{
	struct wire_answer answer;
	struct slot_request *r;

	if (conn->list != NULL) {
		list_line(conn, line);
		return;
	}
	if (wire_parse_answer(line, len, &answer) != 0) {
		conn_end(conn, SLOT_EPROTOCOL, NULL);
		return;
	}
	if (answer.kind == WIRE_KIND_EVENT) {
		hold_event(conn, answer.rest);
		return;
	}
	if (answer.tag[0] == '\0' && answer.kind == WIRE_KIND_ERR) {
		conn_break(conn, code_of_wire(answer.code), answer.rest);
		return;
	}
	r = find_request(conn, answer.tag);
	if (r == NULL || !r->is_said)
		conn_end(conn, SLOT_EPROTOCOL, NULL);
	else if (answer.kind == WIRE_KIND_OK)
		answer_ok(conn, r, answer.rest);
	else
		answer_err(conn, r, code_of_wire(answer.code), answer.rest);
}
