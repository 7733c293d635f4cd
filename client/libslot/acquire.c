/* Taking slots: what is asked for, blocking or not, and asked for again if slotd was replaced. */
#include <stdlib.h>
#include <string.h>

#include "client/libslot/connection.h"

/* What is out of range, as slotd would say it; or NULL. */
static const char *
acquire_wrong(const struct slot_acquire_options *o)
{
	if (o->n < 1 || o->n > SLOT_N_MAX)
		return "key=n n is not from 1 to 64";
	if (o->limit > WIRE_LIMIT_MAX)
		return "key=limit limit is above 1000000";
	if (o->wait_ms < SLOT_WAIT_DEFAULT || o->wait_ms > WIRE_TIME_MAX)
		return "key=wait wait_ms is neither 0 to 366 days nor a SLOT_WAIT constant";
	if (o->hold_ms < 0 || o->hold_ms > WIRE_TIME_MAX)
		return "key=hold hold_ms is not from 0 to 366 days";
	if (o->label != NULL && !wire_name_ok(o->label, strlen(o->label), WIRE_LABEL_MAX, true))
		return "key=label label is not 1 to 64 bytes of UTF-8 without control characters";
	return NULL;
}

/* A hold to be, with all that its request says. */
static struct slot_hold *
acquire_hold(const char *group, const struct slot_acquire_options *o)
{
	struct slot_hold *hold = hold_new(group, o->n);

	if (hold == NULL)
		return NULL;
	strcpy(hold->label, o->label != NULL ? o->label : "");
	hold->limit = o->limit;
	hold->hold_ms = o->hold_ms > 0 ? o->hold_ms : WIRE_ABSENT;
	return hold;
}

/* What is left of the wait, in terms of the wire.  One that has run out while slotd was away is
 * still asked for, so that slotd says "timeout". */
static int64_t
wait_left(const struct slot_request *r)
{
	int64_t left;

	if (r->wait_ms <= 0)            /* now or never, for ever, the group's own */
		return r->wait_ms;
	left = (r->wait_until - now_ns() + MSEC - 1) / MSEC;
	return left < 1 ? 1 : left > r->wait_ms ? r->wait_ms : left;
}

/* How long the group's own wait is, only slotd knows: while it has gone away, this one ends as the
 * wait for any other answer does. */
void
acquire_bound(struct slot_request *r)
{
	struct slot_conn *conn = r->conn;

	if (r->wait_ms != WIRE_ABSENT)
		return;
	if (r->is_said || !conn->was_greeted)
		r->deadline = NEVER;
	else if (r->deadline == NEVER)
		r->deadline = deadline_in(conn->answer_ms);
	if (r->deadline < conn->deadline)
		conn->deadline = r->deadline;
}

/* Says ACQUIRE, or leaves that for when slotd is there.  0, SLOT_ENOMEM, SLOT_ETOOLONG. */
int
acquire_say(struct slot_request *r)
{
	const struct slot_hold *hold = r->hold;
	struct wire_request wire;
	int code;

	if (!r->conn->is_greeted) {
		acquire_bound(r);
		return 0;
	}
	request_init(&wire, WIRE_ACQUIRE);
	strcpy(wire.group, hold->group);
	strcpy(wire.label, hold->label);
	wire.limit = hold->limit;
	wire.n = hold->n;
	wire.wait_ms = wait_left(r);
	wire.hold_ms = hold->hold_ms;
	code = request_say(r, &wire);
	if (code == 0)
		r->code = 0;            /* not what the slotd before this one has said */
	acquire_bound(r);
	return code;
}

static int
acquire_begin(struct slot_conn *conn, const char *group, const struct slot_acquire_options *options,
    struct slot_request **request)
{
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct slot_request *r;
	const char *wrong;
	int64_t deadline = NEVER;
	int code = conn_check(conn);

	if (code != 0)
		return conn_error(conn, code, NULL);
	if (options != NULL && options_copy(&o, sizeof o, options) != 0)
		return conn_error(conn, SLOT_EINVAL, NULL);
	if (group == NULL || !wire_name_ok(group, strlen(group), WIRE_GROUP_MAX, false))
		return conn_error(conn, SLOT_EBADGROUP, NULL);
	wrong = acquire_wrong(&o);
	if (wrong != NULL)
		return conn_error(conn, SLOT_EBADVALUE, wrong);
	if (conn->n_requests >= REQUESTS_MAX)
		return conn_error(conn, SLOT_ETOOMANY, NULL);
	if (o.wait_ms >= 0 && conn->answer_ms >= 0)
		deadline = deadline_in(o.wait_ms + conn->answer_ms);
	r = request_new(conn, WIRE_ACQUIRE, deadline);
	if (r == NULL)
		return conn_error(conn, SLOT_ENOMEM, NULL);
	r->wait_ms = o.wait_ms == SLOT_WAIT_DEFAULT ? WIRE_ABSENT
	    : o.wait_ms == SLOT_WAIT_FOREVER ? WIRE_FOREVER : o.wait_ms;
	r->wait_until = deadline_in(o.wait_ms);
	r->hold = acquire_hold(group, &o);
	code = r->hold != NULL ? acquire_say(r) : SLOT_ENOMEM;
	if (code != 0) {
		request_over(r);
		return conn_error(conn, code, NULL);
	}
	*request = r;
	return 0;
}

int
slot_acquire(struct slot_conn *conn, const char *group, const struct slot_acquire_options *options,
    struct slot_hold **hold)
{
	struct slot_request *request;
	int code;

	if (hold == NULL)
		return conn_error(conn, SLOT_EINVAL, NULL);
	code = acquire_begin(conn, group, options, &request);
	if (code != 0)
		return code;
	code = request_wait(request);
	if (code == 0) {
		*hold = request->hold;
		request->hold = NULL;
	} else {
		conn_error(conn, code, request->detail);
	}
	request_over(request);
	loop_watch(conn);
	return code;
}

int
slot_acquire_start(struct slot_conn *conn, const char *group,
    const struct slot_acquire_options *options, slot_acquired_fn *callback, void *userdata,
    struct slot_request **request)
{
	struct slot_request *r;
	int code;

	if (callback == NULL)
		return conn_error(conn, SLOT_EINVAL, NULL);
	code = acquire_begin(conn, group, options, &r);
	if (code != 0)
		return code;
	r->callback = callback;
	r->userdata = userdata;
	r->hold->userdata = userdata;
	if (r->deadline < conn->deadline)
		conn->deadline = r->deadline;
	if (request != NULL)
		*request = r;
	loop_watch(conn);
	return 0;
}

