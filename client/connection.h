/* The inside of libslot: a connection, its requests and its holds, and who does what to them.
 *
 * A connection owns its requests; a hold is the caller's, and only listed by its connection.  No
 * function but slot_process() and slot_query() calls back into the program. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "client/slot.h"
#include "proto/wire.h"

#define MSEC 1000000LL          /* in ns */
#define NEVER INT64_MAX         /* a deadline: ns of CLOCK_MONOTONIC */

/* From here on slot_acquire() and slot_query() say toomany.  slotd itself draws the line at 65536,
 * which leaves room for what must never be refused: giving back and cancelling. */
#define REQUESTS_MAX 32768

/* Something that slotd was asked.  Pending until is_answered; then, with a callback, due until
 * slot_process() has called it.  One whose caller is gone earlier is abandoned: it keeps its tag,
 * so that the late answer is known for what it is, and is freed with that. */
struct slot_request {
	TAILQ_ENTRY(slot_request) link; /* conn->due, if is_due */
	struct slot_conn *conn;
	enum wire_verb verb;
	uint32_t tag;
	bool is_answered;               /* or the connection has ended; the tag is free */
	bool is_due;
	bool is_abandoned;
	int code;                       /* the outcome, once is_answered or is_due */
	char *detail;                   /* what stood behind "ERR code"; NULL: nothing, or no memory */
	int64_t deadline;               /* when to stop waiting for slotd */
	struct slot_hold *hold;         /* ACQUIRE: made at the start, filled in by the OK */
	slot_acquired_fn *callback;     /* or NULL: somebody blocks in request_wait(), or nobody cares */
	slot_line_fn *line;             /* or NULL */
	void *userdata;
};

struct slot_hold {
	TAILQ_ENTRY(slot_hold) link;    /* conn->holds, or conn->lost until the loss has been told */
	struct slot_conn *conn;         /* NULL: closed, or not granted yet */
	bool is_on_lost;
	char lost[16];                  /* the reason; "": good */
	void *userdata;
	uint64_t token;
	uint32_t limit;
	uint32_t n;
	char group[WIRE_GROUP_MAX + 1];
	uint32_t slots[];               /* n */
};

struct tag {
	struct slot_request *request;   /* NULL: free */
	uint32_t next_free;
};

TAILQ_HEAD(request_list, slot_request);
TAILQ_HEAD(hold_list, slot_hold);

struct slot_conn {
	int fd;
	pid_t pid;                      /* who connected */
	int ended;                      /* 0, or the code that every later call fails with */
	bool is_greeted;                /* HELLO has been answered */
	int64_t greet_deadline;
	bool is_processing;             /* in slot_process() */
	bool is_in_line;                /* in a slot_line_fn */
	bool is_closing;                /* slot_close() was called in a callback */
	unsigned depth;                 /* functions on the stack that call back */

	int64_t answer_ms;              /* or -1 */
	int64_t lease_ms, margin_ms;    /* 0: there is no page */
	slot_lost_fn *lost_fn;
	void *userdata;

	struct tag *tags;               /* by tag */
	uint32_t n_tags, n_requests, first_free;
	int64_t deadline;               /* not later than that of any request that has a callback */
	struct request_list due;
	struct hold_list holds, lost;
	struct slot_request *list;      /* whose lines come now, or NULL */
	uint64_t list_left;

	char *out;                      /* out[out_sent, out_len) is not sent yet */
	size_t out_sent, out_len, out_size;
	bool is_deaf;                   /* the peer does not read any more; what it said is still read */
	bool has_more;                  /* there may be more to read without poll() saying so again */
	size_t in_len;
	char in[8 * WIRE_LINE_MAX];

	int error;                      /* of the last call that failed */
	char detail[WIRE_LINE_MAX];     /* what stood behind its "ERR code", or "" */
};

/* connection.c */
int conn_ended(struct slot_conn *conn); /* 0, or conn->ended; in a forked child that is SLOT_EFORK */
int conn_check(struct slot_conn *conn); /* 0, or why nothing can be asked through it now */
int conn_error(struct slot_conn *conn, int code, const char *detail);   /* notes it; -> code */
void conn_end(struct slot_conn *conn, int code, const char *detail);    /* everything on it fails */
void conn_enter(struct slot_conn *conn);                /* around what may call back */
int conn_leave(struct slot_conn *conn, int code);       /* -> code; conn may be gone afterwards */

/* clock.c */
int64_t now_ns(void);
int64_t deadline_in(int64_t ms);                        /* negative: NEVER */
int timeout_until(int64_t deadline);                    /* for poll(2): ms, rounded up; -1 */

/* options.c */
int options_copy(void *to, size_t size, const void *from);

/* stream.c */
int conn_say(struct slot_conn *conn, const char *line, size_t len);     /* 0, SLOT_ENOMEM */
void conn_flush(struct slot_conn *conn);
void conn_exchange(struct slot_conn *conn);     /* writes and reads what goes without blocking */
void conn_poll(struct slot_conn *conn, int64_t deadline);       /* until that may do something */

/* request.c */
void request_init(struct wire_request *wire, enum wire_verb verb);
int request_start(struct slot_conn *conn, struct wire_request *wire, int64_t deadline,
    struct slot_request **request);
int request_wait(struct slot_request *request); /* -> its code, or SLOT_EUNANSWERED */
void request_over(struct slot_request *request);        /* nobody wants it any more */
void request_finish(struct slot_request *request, int code, const char *detail);
void request_expire(struct slot_conn *conn);    /* makes those due whose deadline has passed */
void request_line(struct slot_conn *conn, char *line, size_t len);      /* one line of slotd */

/* hold.c */
int hold_grant(struct slot_conn *conn, struct slot_hold *hold, const char *rest);
void hold_discard(struct slot_hold *hold);      /* frees it; given back if it was granted */
void hold_event(struct slot_conn *conn, const char *rest);      /* !LOST */
void hold_lose(struct slot_hold *hold, const char *reason);

/* error.c */
int code_of_wire(enum wire_code code);

#endif
