/* Requests: each has a tag, which is its place in a table, until slotd has answered it.
 *
 * A tag is used again only when its answer has been read, even if nobody waits for that answer any
 * more; so a late answer is never taken for another's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/connection.h"

#define NO_TAG UINT32_MAX

void
request_init(struct wire_request *wire, enum wire_verb verb)
{
	memset(wire, 0, sizeof *wire);
	wire->verb = verb;
	wire->n = 1;
	wire->wait_ms = WIRE_ABSENT;
	wire->hold_ms = WIRE_ABSENT;
}

/* ------------------------------------------------------------------ the table */

static int
tags_grow(struct slot_conn *conn)
{
	uint32_t n = conn->n_tags > 0 ? conn->n_tags * 2 : 16;
	struct tag *tags = realloc(conn->tags, n * sizeof *tags);

	if (tags == NULL)
		return SLOT_ENOMEM;
	for (uint32_t i = conn->n_tags; i < n; i++)
		tags[i] = (struct tag){NULL, i + 1 < n ? i + 1 : NO_TAG};
	conn->first_free = conn->n_tags;
	conn->tags = tags;
	conn->n_tags = n;
	return 0;
}

/* Only when none is free are there more: conn->n_tags == conn->n_requests. */
static int
tag_take(struct slot_conn *conn, struct slot_request *request)
{
	if (conn->n_requests == conn->n_tags && tags_grow(conn) != 0)
		return SLOT_ENOMEM;
	request->tag = conn->first_free;
	conn->first_free = conn->tags[request->tag].next_free;
	conn->tags[request->tag].request = request;
	conn->n_requests++;
	return 0;
}

static void
tag_give(struct slot_conn *conn, uint32_t tag)
{
	conn->tags[tag] = (struct tag){NULL, conn->first_free};
	conn->first_free = tag;
	conn->n_requests--;
}

/* -> NULL if nothing was asked with that tag. */
static struct slot_request *
tag_find(struct slot_conn *conn, const char *tag)
{
	uint64_t i;

	if (wire_parse_number(tag, strlen(tag), UINT32_MAX, &i) != 0 || i >= conn->n_tags)
		return NULL;
	return conn->tags[i].request;
}

/* ------------------------------------------------------------------ one request's life */

/* Sends *wire (its tag is set here).  *request is the connection's; the caller says with
 * request_over() that it has no more use for it. */
int
request_start(struct slot_conn *conn, struct wire_request *wire, int64_t deadline,
    struct slot_request **request)
{
	struct slot_request *r = calloc(1, sizeof *r);
	char line[WIRE_LINE_MAX + 1];
	int len;

	if (r == NULL || tag_take(conn, r) != 0) {
		free(r);
		return SLOT_ENOMEM;
	}
	r->conn = conn;
	r->verb = wire->verb;
	r->deadline = deadline;
	snprintf(wire->tag, sizeof wire->tag, "%u", (unsigned)r->tag);
	len = wire_format(wire, line, sizeof line);
	if (len < 0 || conn_say(conn, line, (size_t)len) != 0) {
		tag_give(conn, r->tag);
		free(r);
		return len < 0 ? SLOT_ETOOLONG : SLOT_ENOMEM;
	}
	*request = r;
	return 0;
}

static void
request_free(struct slot_request *r)
{
	hold_discard(r->hold);
	free(r->detail);
	free(r);
}

/* slotd has answered, or never will. */
void
request_finish(struct slot_request *r, int code, const char *detail)
{
	if (r->is_answered)     /* its own line callback has closed the connection */
		return;
	r->is_answered = true;
	r->code = code;
	tag_give(r->conn, r->tag);
	if (r->is_abandoned) {
		request_free(r);
		return;
	}
	if (detail != NULL && *detail != '\0')
		r->detail = strdup(detail);
	if (r->callback != NULL && !r->is_due) {
		r->is_due = true;
		TAILQ_INSERT_TAIL(&r->conn->due, r, link);
	}
}

void
request_over(struct slot_request *r)
{
	struct slot_conn *conn = r->conn;
	struct wire_request wire;
	struct slot_request *cancel;

	if (r->is_due)
		TAILQ_REMOVE(&conn->due, r, link);
	r->is_due = false;
	if (r->is_answered) {
		request_free(r);
		return;
	}
	r->is_abandoned = true;
	r->callback = NULL;
	r->line = NULL;
	if (r->verb != WIRE_ACQUIRE)
		return;
	/* With no memory for this the acquire waits on, and what it gets is given back. */
	request_init(&wire, WIRE_CANCEL);
	snprintf(wire.cancel, sizeof wire.cancel, "%u", (unsigned)r->tag);
	if (request_start(conn, &wire, NEVER, &cancel) == 0)
		request_over(cancel);
}

int
request_wait(struct slot_request *r)
{
	while (!r->is_answered && now_ns() < r->deadline) {
		conn_exchange(r->conn);
		if (!r->is_answered)
			conn_poll(r->conn, r->deadline);
	}
	return r->is_answered ? r->code : SLOT_EUNANSWERED;
}

/* Each pass looks at all; it is made only when the earliest deadline known has passed. */
void
request_expire(struct slot_conn *conn)
{
	int64_t now = now_ns();

	if (now < conn->deadline)
		return;
	conn->deadline = NEVER;
	for (uint32_t i = 0; i < conn->n_tags; i++) {
		struct slot_request *r = conn->tags[i].request;

		if (r == NULL || r->callback == NULL || r->is_due)
			continue;
		if (r->deadline > now) {
			if (r->deadline < conn->deadline)
				conn->deadline = r->deadline;
			continue;
		}
		r->code = SLOT_EUNANSWERED;
		r->is_due = true;
		TAILQ_INSERT_TAIL(&conn->due, r, link);
	}
}

/* ------------------------------------------------------------------ answers */

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
	    verb == WIRE_STATS || verb == WIRE_HELP;
}

static void
answer_ok(struct slot_conn *conn, struct slot_request *r, const char *rest)
{
	char protocol[8];
	uint64_t count;

	switch (r->verb) {
	case WIRE_HELLO:
		conn->is_greeted = wire_value(rest, strlen(rest), "protocol", protocol,
		    sizeof protocol) > 0 && strcmp(protocol, "1") == 0;
		if (!conn->is_greeted) {
			conn_end(conn, SLOT_EPROTOCOL, NULL);
			return;
		}
		break;
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

/* A RELEASE that slotd cannot carry out would leave the slot taken for as long as the connection
 * lives: then the connection must end. */
static void
answer_err(struct slot_conn *conn, struct slot_request *r, int code, const char *detail)
{
	bool may_go_on = r->verb != WIRE_HELLO &&
	    (r->verb != WIRE_RELEASE || code == SLOT_ELOST || code == SLOT_ENOTHOLD);

	request_finish(r, code, detail);
	if (!may_go_on)
		conn_end(conn, code, detail);
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
request_line(struct slot_conn *conn, char *line, size_t len)
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
		conn_end(conn, code_of_wire(answer.code), answer.rest);
		return;
	}
	r = tag_find(conn, answer.tag);
	if (r == NULL)
		conn_end(conn, SLOT_EPROTOCOL, NULL);
	else if (answer.kind == WIRE_KIND_OK)
		answer_ok(conn, r, answer.rest);
	else
		answer_err(conn, r, code_of_wire(answer.code), answer.rest);
}
