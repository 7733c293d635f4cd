/* Requests: each has a tag, which is its place in a table, until slotd has answered it.
 *
 * A tag is used again only when its answer has been read, even if nobody waits for that answer any
 * more; so a late answer is never taken for another's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/libslot/connection.h"

#define NO_TAG UINT32_MAX

void
request_init(struct wire_request *wire, enum wire_verb verb)
{
	memset(wire, 0, sizeof *wire);
	wire->verb = verb;
	wire->n = 1;
	wire->wait_ms = WIRE_ABSENT;
	wire->hold_ms = WIRE_ABSENT;
	wire->for_ms = WIRE_ABSENT;
	wire->live_limit = WIRE_ABSENT;
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

/* ------------------------------------------------------------------ one request's life */

/* NULL: no memory.  It is the connection's; the caller says with request_over() that it has no
 * more use for it. */
struct slot_request *
request_new(struct slot_conn *conn, enum wire_verb verb, int64_t deadline)
{
	struct slot_request *r = calloc(1, sizeof *r);

	if (r == NULL || tag_take(conn, r) != 0) {
		free(r);
		return NULL;
	}
	r->conn = conn;
	r->verb = verb;
	r->deadline = deadline;
	TAILQ_INSERT_TAIL(&conn->pending, r, order);
	return r;
}

/* Its tag is set here; a label is left out if the line would be too long with it. */
int
request_say(struct slot_request *r, struct wire_request *wire)
{
	char line[WIRE_LINE_MAX + 1];
	int len;

	snprintf(wire->tag, sizeof wire->tag, "%u", (unsigned)r->tag);
	len = wire_format(wire, line, sizeof line);
	if (len < 0) {
		wire->label[0] = '\0';
		len = wire_format(wire, line, sizeof line);
	}
	if (len < 0)
		return SLOT_ETOOLONG;
	if (conn_say(r->conn, line, (size_t)len) != 0)
		return SLOT_ENOMEM;
	r->is_said = true;
	return 0;
}

int
request_start(struct slot_conn *conn, struct wire_request *wire, int64_t deadline,
    struct slot_request **request)
{
	struct slot_request *r = request_new(conn, wire->verb, deadline);
	int code = r != NULL ? request_say(r, wire) : SLOT_ENOMEM;

	if (code == 0) {
		*request = r;
	} else if (r != NULL) {
		r->is_abandoned = true;
		request_finish(r, code, NULL);
	}
	return code;
}

/* A hold that was being given back has no connection any more: then this only frees it. */
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
	TAILQ_REMOVE(&r->conn->pending, r, order);
	tag_give(r->conn, r->tag);
	if (r->resumes != NULL)
		r->resumes->claim = NULL;
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
	if (!r->is_said) {
		request_finish(r, 0, NULL);
		return;
	}
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
		conn_work(r->conn);
		if (!r->is_answered)
			conn_poll(r->conn, r->deadline);
	}
	return r->is_answered || r->code != 0 ? r->code : SLOT_EUNANSWERED;
}

/* Each pass looks at all; it is made only when the earliest deadline known has passed. */
void
request_expire(struct slot_conn *conn)
{
	struct slot_request *r;
	int64_t now = now_ns();

	if (now < conn->deadline)
		return;
	conn->deadline = NEVER;
	TAILQ_FOREACH(r, &conn->pending, order) {
		if (r->callback == NULL || r->is_due)
			continue;
		if (r->deadline > now) {
			if (r->deadline < conn->deadline)
				conn->deadline = r->deadline;
			continue;
		}
		if (r->code == 0)
			r->code = SLOT_EUNANSWERED;
		r->is_due = true;
		TAILQ_INSERT_TAIL(&conn->due, r, link);
	}
}
