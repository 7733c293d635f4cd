/* libslot in somebody else's event loop: what to wait for, and what to do then. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "client/libslot/connection.h"

/* ------------------------------------------------------------------ the descriptor */

int
loop_open(struct slot_conn *conn)
{
	struct epoll_event event = {.events = EPOLLIN};

	conn->epoll = epoll_create1(EPOLL_CLOEXEC);
	conn->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (conn->epoll < 0 || conn->timer < 0 ||
	    epoll_ctl(conn->epoll, EPOLL_CTL_ADD, conn->timer, &event) != 0)
		return SLOT_ESYSTEM;
	return 0;
}

/* When slot_process() has something to do, come what may; 0: now. */
static int64_t
loop_due(const struct slot_conn *conn)
{
	int64_t wake;

	if (conn->ended || conn->has_more || conn->is_deaf || !TAILQ_EMPTY(&conn->due) ||
	    !TAILQ_EMPTY(&conn->news))
		return 0;
	wake = conn_wake(conn);
	return conn->deadline < wake ? conn->deadline : wake;
}

/* A timer that is early is left alone: it costs one call of slot_process() that finds nothing to
 * do, where setting it would cost a system call each time. */
static void
loop_arm(struct slot_conn *conn)
{
	int64_t due = loop_due(conn);
	struct itimerspec spec = {.it_value = {.tv_sec = 0}};

	if (due >= conn->armed && (conn->armed == NEVER || now_ns() < conn->armed))
		return;
	if (due != NEVER) {
		spec.it_value.tv_sec = due / (1000 * MSEC);
		spec.it_value.tv_nsec = due > 0 ? due % (1000 * MSEC) : 1;
	}
	(void)timerfd_settime(conn->timer, TFD_TIMER_ABSTIME, &spec, NULL);
	conn->armed = due;
}

/* Not in a forked child: both descriptors are the parent's too.  In slot_process() at its end
 * only. */
void
loop_watch(struct slot_conn *conn)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (conn == NULL || conn->ended == SLOT_EFORK || conn->is_processing)
		return;
	if (conn->out_sent < conn->out_len)
		event.events |= EPOLLOUT;
	if (conn->fd >= 0 && event.events != conn->watched &&
	    epoll_ctl(conn->epoll, EPOLL_CTL_MOD, conn->fd, &event) == 0)
		conn->watched = event.events;
	loop_arm(conn);
}

int
slot_fd(const struct slot_conn *conn)
{
	return conn != NULL ? conn->epoll : SLOT_EINVAL;
}

int
slot_socket_fd(const struct slot_conn *conn)
{
	return conn != NULL ? conn->fd : SLOT_EINVAL;
}

int
slot_connected(const struct slot_conn *conn)
{
	return conn != NULL && conn->is_greeted;
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
	return conn != NULL ? timeout_until(loop_due(conn)) : -1;
}

/* ------------------------------------------------------------------ callbacks */

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

/* What is true now: the hold may have been proven again before anybody heard that it was not. */
static void
deliver_news(struct slot_conn *conn, struct slot_hold *hold)
{
	enum slot_state state = slot_hold_state(hold);

	TAILQ_REMOVE(&conn->news, hold, news_link);
	hold->has_news = false;
	if (state == SLOT_STATE_LOST) {
		if (conn->lost_fn != NULL)
			conn->lost_fn(conn, hold, hold->lost, conn->userdata);
	} else if (state != hold->told) {
		hold->told = state;
		conn->state_fn(conn, hold, state, conn->userdata);
	}
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

	conn_work(conn);
	request_expire(conn);

	conn_enter(conn);
	conn->is_processing = true;
	while (!conn->is_closing) {
		if ((r = TAILQ_FIRST(&conn->due)) != NULL)
			deliver_request(conn, r);
		else if ((hold = TAILQ_FIRST(&conn->news)) != NULL)
			deliver_news(conn, hold);
		else
			break;
	}
	conn->is_processing = false;
	conn_flush(conn);
	loop_watch(conn);
	if (conn->ended && conn->error != conn->ended)
		conn_error(conn, conn->ended, NULL);
	return conn_leave(conn, conn->ended);
}

void
slot_cancel(struct slot_request *request)
{
	struct slot_conn *conn;

	if (request == NULL)
		return;
	conn = request->conn;
	conn_ended(conn);               /* in a child: say nothing */
	request_over(request);
	loop_watch(conn);
}
