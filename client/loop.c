/* libslot in somebody else's event loop: what to wait for, and what to do then. */
#include <poll.h>
#include <unistd.h>

#include "client/connection.h"

int
slot_fd(const struct slot_conn *conn)
{
	return conn != NULL ? conn->fd : SLOT_EINVAL;
}

int
slot_socket_fd(const struct slot_conn *conn)
{
	return conn != NULL ? conn->fd : SLOT_EINVAL;
}

short
slot_events(const struct slot_conn *conn)
{
	if (conn == NULL || conn->ended)
		return 0;
	return conn->out_sent < conn->out_len ? POLLIN | POLLOUT : POLLIN;
}

int
slot_timeout_ms(const struct slot_conn *conn)
{
	int64_t deadline;

	if (conn == NULL)
		return -1;
	if (conn->ended || conn->has_more || conn->is_deaf || !TAILQ_EMPTY(&conn->due) ||
	    !TAILQ_EMPTY(&conn->lost))
		return 0;
	deadline = conn->deadline;
	if (!conn->is_greeted && conn->greet_deadline < deadline)
		deadline = conn->greet_deadline;
	return timeout_until(deadline);
}

static void
deliver_request(struct slot_conn *conn, struct slot_request *r)
{
	struct slot_hold *hold = NULL;

	TAILQ_REMOVE(&conn->due, r, link);
	r->is_due = false;
	if (r->code == 0) {
		hold = r->hold;
		r->hold = NULL;
	} else {
		conn_error(conn, r->code, r->detail);
	}
	r->callback(conn, r->code, hold, r->userdata);
	request_over(r);
}

static void
deliver_loss(struct slot_conn *conn, struct slot_hold *hold)
{
	TAILQ_REMOVE(&conn->lost, hold, link);
	TAILQ_INSERT_TAIL(&conn->holds, hold, link);
	hold->is_on_lost = false;
	conn->lost_fn(conn, hold, hold->lost, conn->userdata);
}

/* Outcomes before losses: a hold that was granted and lost at once is first heard of as granted. */
int
slot_process(struct slot_conn *conn)
{
	struct slot_request *r;
	struct slot_hold *hold;

	if (conn == NULL)
		return SLOT_EINVAL;
	if (conn_ended(conn) == SLOT_EFORK)
		return SLOT_EFORK;
	if (conn->is_processing || conn->is_in_line)
		return SLOT_EBUSY;

	if (!conn->ended)
		conn_exchange(conn);
	if (!conn->ended && !conn->is_greeted && now_ns() >= conn->greet_deadline)
		conn_end(conn, SLOT_EUNANSWERED, NULL);
	request_expire(conn);

	conn_enter(conn);
	conn->is_processing = true;
	while (!conn->is_closing) {
		if ((r = TAILQ_FIRST(&conn->due)) != NULL)
			deliver_request(conn, r);
		else if ((hold = TAILQ_FIRST(&conn->lost)) != NULL)
			deliver_loss(conn, hold);
		else
			break;
	}
	conn->is_processing = false;
	conn_flush(conn);
	if (conn->ended && conn->error != conn->ended)
		conn_error(conn, conn->ended, NULL);
	return conn_leave(conn, conn->ended);
}

void
slot_cancel(struct slot_request *request)
{
	if (request == NULL)
		return;
	conn_ended(request->conn);      /* in a child: say nothing */
	request_over(request);
}
