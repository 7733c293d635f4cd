/* The inside of libslot: a connection, its requests and its holds, and who does what to them.
 *
 * A connection owns its requests; a hold is the caller's, and only listed by its connection, until it
 * is released: then it belongs to its RELEASE.  No function but slot_process() and slot_query()
 * calls back into the program.
 *
 * The socket may break and another take its place.  The connection, its holds and what waits stay:
 *
 *                    socket    HELLO's OK
 *     connecting ----------> greeting ----------> greeted      fd >= 0: all but away
 *         ^  away  |  no, or late  |                 |         ended: none of these any more
 *         +--------+---------------+-----------------+
 *                                     conn_break() */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/un.h>

#include "client/slot.h"
#include "proto/page.h"
#include "proto/wire.h"

#define MSEC 1000000LL          /* in ns */
#define NEVER INT64_MAX         /* a deadline: ns of CLOCK_BOOTTIME, the clock of the page */

/* From here on slot_acquire() and slot_query() say toomany.  slotd itself draws the line at 65536,
 * which leaves room for what must never be refused: giving back, cancelling and resuming. */
#define REQUESTS_MAX 32768

/* Between attempts to connect: often enough to be there soon after a restart, seldom enough for ten
 * thousand clients that all wait for one. */
#define PAUSE_FIRST_MS 50
#define PAUSE_LAST_MS 2000
#define PAUSES_IN_A_LEASE 32    /* at least, while a hold is to be resumed */

/* Something that slotd was asked, or is to be asked once it is there.  Pending until is_answered;
 * then, with a callback, due until slot_process() has called it.  One whose caller is gone
 * earlier is abandoned: it keeps its tag, so that the late answer is known for what it is, and is
 * freed with that. */
struct slot_request {
	TAILQ_ENTRY(slot_request) link; /* conn->due, if is_due */
	TAILQ_ENTRY(slot_request) order;        /* conn->pending, until is_answered */
	struct slot_conn *conn;
	enum wire_verb verb;
	uint32_t tag;
	bool is_said;                   /* through the socket that is there now */
	bool is_answered;               /* or the connection has ended; the tag is free */
	bool is_due;
	bool is_abandoned;
	int code;                       /* the outcome, once is_answered or is_due */
	char *detail;                   /* what stood behind "ERR code"; NULL: nothing, or no memory */
	int64_t deadline;               /* when to stop waiting for slotd */
	int64_t wait_ms;                /* ACQUIRE: as it was asked for first, in terms of the wire */
	int64_t wait_until;             /* ACQUIRE with a wait_ms: the end of it */
	struct slot_hold *hold;         /* owned.  ACQUIRE: made at the start, filled in by the OK;
					   RELEASE: what is given back */
	struct slot_hold *resumes;      /* RESUME: not owned; NULL: gone meanwhile */
	int good;                       /* RELEASE: what its OK means, 0 or SLOT_EUNPROVEN */
	slot_acquired_fn *callback;     /* or NULL: somebody blocks in request_wait(), or nobody cares */
	slot_line_fn *line;             /* or NULL */
	void *userdata;
};

struct slot_hold {
	TAILQ_ENTRY(slot_hold) link;    /* conn->holds */
	TAILQ_ENTRY(slot_hold) news_link;       /* conn->news, if has_news */
	struct slot_conn *conn;         /* NULL: closed, released, or not granted yet */
	const struct page_cell *cell;   /* atomic: slot_valid() reads it in any thread; NULL: a raw hold */
	struct page *page;              /* where cell is; NULL: in none */
	int64_t deadline;               /* as last read from cell */
	bool is_ours;                   /* the slotd at the other end knows it as this connection's */
	struct slot_request *claim;     /* the unanswered RESUME, or NULL */
	struct slot_request *release;   /* the unanswered RELEASE, which owns it, or NULL */
	enum slot_state told;           /* the last state that the program heard of, but for a loss */
	bool has_news;
	char lost[16];                  /* the reason; "": good */
	void *userdata;
	uint64_t token;
	uint32_t limit;                 /* asked for; once granted, that under which it was */
	int64_t hold_ms;
	char label[WIRE_LABEL_MAX + 1];
	char group[WIRE_GROUP_MAX + 1];
	uint32_t n;
	uint32_t slots[];               /* n */
};

struct tag {
	struct slot_request *request;   /* NULL: free */
	uint32_t next_free;
};

TAILQ_HEAD(request_list, slot_request);
TAILQ_HEAD(hold_list, slot_hold);
TAILQ_HEAD(page_list, page);

struct slot_conn {
	int fd;                         /* the socket; -1: away */
	int epoll, timer;               /* slot_fd(), and what wakes it at a time */
	uint32_t watched;               /* the events of fd that epoll watches */
	int64_t armed;                  /* when the timer wakes, or has woken; NEVER */
	pid_t pid;                      /* who connected */
	int ended;                      /* 0, or the code that every later call fails with */
	bool is_greeted;                /* HELLO has been answered, through this socket */
	bool was_greeted;               /* or through one before */
	bool is_processing;             /* in slot_process() */
	bool is_in_line;                /* in a slot_line_fn */
	bool is_closing;                /* slot_close() was called in a callback */
	unsigned depth;                 /* functions on the stack that call back */

	struct sockaddr_un address;
	char label[WIRE_LABEL_MAX + 1];
	int64_t answer_ms;              /* or -1 */
	slot_lost_fn *lost_fn;
	slot_state_fn *state_fn;
	void *userdata;

	int64_t reconnect_ms;           /* 0: never; or -1 */
	int why;                        /* why the last socket broke */
	int64_t away_until;             /* when to give up; while not greeted again */
	int64_t retry_at, pause_ms;     /* the next attempt to connect */
	int64_t greet_deadline;
	int64_t greet_asked;            /* when HELLO was said */
	int64_t say_at;                 /* when to say again what could not be said; NEVER: nothing */

	int64_t lease_ms, margin_ms, left_ms;   /* 0: there is no page */
	int passed;                     /* a descriptor that came before HELLO's OK; or -1 */
	struct page *page;              /* of this slotd; NULL: none, all holds are raw */
	struct page_list pages;         /* it, and those whose place in memory is not given back yet */
	int64_t check_at;               /* when a hold may cease to be proven, or be proven again */

	struct tag *tags;               /* by tag */
	uint32_t n_tags, n_requests, first_free;
	int64_t deadline;               /* not later than that of any request that has a callback */
	struct request_list pending;    /* in the order in which they were asked */
	struct request_list due;
	struct hold_list holds, news;
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

/* socket.c */
int socket_open(struct slot_conn *conn);        /* 0, or a code, and errno; then there is no socket */
void socket_close(struct slot_conn *conn);      /* forgets what came and what was not sent, too */

/* greet.c */
int greet_begin(struct slot_conn *conn);        /* says HELLO; 0, SLOT_ENOMEM */
void greet_ok(struct slot_conn *conn, const char *rest);
void greet_refused(struct slot_conn *conn, int code, const char *detail);

/* reconnect.c */
void conn_break(struct slot_conn *conn, int code, const char *detail);  /* ends it, or begins anew */
void conn_say_all(struct slot_conn *conn);      /* what has not been said: RESUMEs, then requests */
void conn_say_later(struct slot_conn *conn);
void conn_work(struct slot_conn *conn); /* whatever can be done without blocking */
int conn_await(struct slot_conn *conn, int64_t deadline);       /* until it is greeted */
int64_t conn_wake(const struct slot_conn *conn);        /* when conn_work() has something to do */

/* clock.c */
int64_t now_ns(void);
int64_t deadline_in(int64_t ms);                        /* negative: NEVER */
int timeout_until(int64_t deadline);                    /* for poll(2): ms, rounded up; -1 */

/* options.c */
int options_copy(void *to, size_t size, const void *from);

/* loop.c */
int loop_open(struct slot_conn *conn);          /* 0, SLOT_ESYSTEM */
void loop_watch(struct slot_conn *conn);        /* lets slot_fd() wake for what is of interest now */

/* stream.c */
int conn_say(struct slot_conn *conn, const char *line, size_t len);     /* 0, SLOT_ENOMEM */
void conn_flush(struct slot_conn *conn);
void conn_exchange(struct slot_conn *conn);     /* writes and reads what goes without blocking */
void conn_poll(struct slot_conn *conn, int64_t deadline);       /* until that may do something */

/* page.c */
struct page *page_open(int fd); /* NULL: no page that can be believed.  Takes fd */
const struct page_cell *page_cell(const struct page *page, uint64_t number, const struct slot_hold *);
void page_use(struct page *page);
void page_unuse(struct page *page);
void page_add(struct page_list *list, struct page *page);
void page_free_all(struct page_list *list);

/* proof.c */
void proof_set(struct slot_hold *hold, struct page *page, const struct page_cell *cell);
void proof_end(struct slot_hold *hold);         /* from now on it is not proven */
void proof_check(struct slot_conn *conn, struct slot_hold *hold);       /* does the program know? */
void proof_check_all(struct slot_conn *conn);

/* request.c */
void request_init(struct wire_request *wire, enum wire_verb verb);
struct slot_request *request_new(struct slot_conn *conn, enum wire_verb verb, int64_t deadline);
int request_say(struct slot_request *request, struct wire_request *wire);
int request_start(struct slot_conn *conn, struct wire_request *wire, int64_t deadline,
    struct slot_request **request);
int request_wait(struct slot_request *request); /* -> its code, or SLOT_EUNANSWERED */
void request_over(struct slot_request *request);        /* nobody wants it any more */
void request_finish(struct slot_request *request, int code, const char *detail);
void request_expire(struct slot_conn *conn);    /* makes those due whose deadline has passed */

/* answer.c */
void answer_line(struct slot_conn *conn, char *line, size_t len);       /* one line of slotd */
int64_t answer_number(const char *text, const char *key);       /* -1: none, or it is no number */

/* acquire.c */
int acquire_say(struct slot_request *request);
void acquire_bound(struct slot_request *request);       /* when it is said, or cannot be */

/* hold.c */
struct slot_hold *hold_new(const char *group, uint32_t n);
int hold_read_ok(struct slot_conn *conn, struct slot_hold *hold, const char *rest);
int hold_grant(struct slot_conn *conn, struct slot_hold *hold, const char *rest);
void hold_discard(struct slot_hold *hold);      /* frees it; given back if it was granted */
void hold_event(struct slot_conn *conn, const char *rest);      /* !LOST and the like */
void hold_lose(struct slot_hold *hold, const char *reason);
void hold_tell(struct slot_conn *conn, struct slot_hold *hold); /* puts it on conn->news */
int hold_say_release(struct slot_request *release);

/* resume.c */
bool hold_can_resume(const struct slot_hold *hold);
int hold_resume(struct slot_conn *conn, struct slot_hold *hold);        /* says RESUME */
void hold_resumed(struct slot_request *resume, const char *rest);
void hold_not_resumed(struct slot_request *resume, int code);

/* error.c */
int code_of_wire(enum wire_code code);

#endif
