/* libslot: take and give back slots of slotd.
 *
 * A connection (struct slot_conn) speaks to the slotd of this host.  slot_acquire() gives a hold
 * (struct slot_hold), slot_release() gives it back; a process that ends, however it ends, gives
 * back all that it held.  Blocking and asynchronous calls can be mixed on one connection.
 *
 *     struct slot_conn *conn;
 *     struct slot_hold *hold;
 *     struct slot_acquire_options options = SLOT_ACQUIRE_OPTIONS_INIT;
 *
 *     options.limit = 5;
 *     if (slot_connect(&conn, NULL) == 0 && slot_acquire(conn, "db", &options, &hold) == 0) {
 *             ...                             at most five are here at once
 *             slot_release(hold);
 *     }
 *
 * Return values.  0, or one of the negative SLOT_E... codes below; pointers and numbers are only
 * set on success.  slot_strerror() has a sentence for each code, slot_error_text() what was said
 * this time.
 *
 * Units.  Times are milliseconds, durations, measured on CLOCK_BOOTTIME, as slotd does: it goes on
 * while the host is suspended.
 *
 * Ownership.  Strings and options passed in are copied.  A hold is the caller's until one of the
 * release functions, which frees it in every case.  Accessors give pointers that live as long as
 * the handle.  Handles passed to a function that frees may be NULL.
 *
 * Threads.  A connection with its holds and requests may be used by any thread, but by one at a
 * time.  Different connections have nothing in common; the library has no global state, prints
 * nothing, installs no handler, raises no signal and never ends the process.
 *
 * Processes.  The socket is close-on-exec.  In a child after fork() every call on an inherited
 * handle fails with SLOT_EFORK, or frees it without a word to slotd: the slots stay the parent's.
 *
 * Broken connections.  When slotd is replaced, stops or dies, the library connects anew, as soon
 * as slotd is there again, resumes the holds that the page proves, and asks again for what was
 * waited for, with what is left of the time.  Until then such a hold is proven up to its deadline,
 * and lost when that has passed; raw holds are lost at once.  It does this in slot_process() and in
 * the calls that block, which go on through it, for as long as they may wait.  With reconnect_ms 0,
 * or when that time is over, or if what answers is no slotd, the connection has ended: every
 * request on it fails, every hold is lost, and every later call fails with the same code
 * (SLOT_EDISCONNECTED, or what slotd gave as the reason).  Handles stay valid until they are freed.
 * To go on, slot_close() and slot_connect().
 *
 * Late answers.  If slotd does not answer in time, the call fails with SLOT_EUNANSWERED and the
 * connection can still be used: requests carry tags, so that a late answer is not taken for
 * another's, and a slot that is granted too late is given back by the library. */
#ifndef SLOT_H
#define SLOT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SLOT_API __attribute__((visibility("default")))
#define SLOT_MUST_CHECK __attribute__((warn_unused_result))
#else
#define SLOT_API
#define SLOT_MUST_CHECK
#endif

#define SLOT_SOCKET "/run/slotd/slotd.sock"     /* unless $SLOTD_SOCKET or the caller names another */

#define SLOT_N_MAX 64                           /* slots of one hold */

#define SLOT_WAIT_NOW      0                    /* now or never */
#define SLOT_WAIT_FOREVER  (-1)
#define SLOT_WAIT_DEFAULT  (-2)                 /* as configured for the group */

/* ------------------------------------------------------------------------------ errors */

enum {
	/* Answers of slotd.  The word in the comment is that of the protocol. */
	SLOT_ESYNTAX       = -1,        /* syntax */
	SLOT_ETOOLONG      = -2,        /* toolong */
	SLOT_EUNKNOWN      = -3,        /* unknown: a request that this slotd does not know */
	SLOT_EBADKEY       = -4,        /* badkey: an option that this slotd does not know */
	SLOT_EBADVALUE     = -5,        /* badvalue: an option is out of range */
	SLOT_EBADGROUP     = -6,        /* badgroup: not a name for a group */
	SLOT_ETAG          = -7,        /* tag */
	SLOT_ENOTAG        = -8,        /* notag */
	SLOT_ENOGROUP      = -9,        /* nogroup: the group is not configured; value: closest */
	SLOT_ENOLIMIT      = -10,       /* nolimit: neither the caller nor slotd names a limit */
	SLOT_ETOOBIG       = -11,       /* toobig: n is more than the limit; values: limit n */
	SLOT_EFULL         = -12,       /* full: no slot is free now; value: limit */
	SLOT_ETIMEOUT      = -13,       /* timeout: none was free in time; values: limit waited */
	SLOT_EQUEUEFULL    = -14,       /* queuefull: too many wait; values: waiting max */
	SLOT_ECANCELLED    = -15,       /* cancelled */
	SLOT_ELOST         = -16,       /* lost: the hold had ended before it was released */
	SLOT_ENOTHOLD      = -17,       /* nothold */
	SLOT_ETOOMANY      = -18,       /* toomany: unanswered requests on this connection */
	SLOT_ECLIENTS      = -19,       /* clients: slotd has as many connections as it may */
	SLOT_ESHUTDOWN     = -20,       /* shutdown: slotd is stopping */
	SLOT_ENOMEM        = -21,       /* nomem: no memory, here or in slotd */
	SLOT_EBACKEND      = -22,       /* backend: what slotd shares cannot serve the group */
	SLOT_EUNAVAILABLE  = -23,       /* unavailable: what slotd shares is away; values: retry reason */
	SLOT_EDENIED       = -24,       /* denied: this user may not ask for that; value: rule */
	SLOT_EGROUPS       = -25,       /* groups: slotd knows as many groups as it may; value: max */
	SLOT_EHOLDS        = -26,       /* holds: the connection, or the user, has as much as it may; values: max uid */
	SLOT_ECONFIG       = -27,       /* config: slotd's file has a mistake, and was not taken */

	/* What the library finds itself. */
	SLOT_EINVAL        = -101,      /* a bug of the caller: NULL, options of no known size, ... */
	SLOT_EFORK         = -102,      /* the handle is another process's */
	SLOT_EBUSY         = -103,      /* called from a callback that must not call this */
	SLOT_ENOACCESS     = -104,      /* connect: no permission for the socket (errno) */
	SLOT_ENODAEMON     = -105,      /* connect: nobody listens there (errno) */
	SLOT_ESYSTEM       = -106,      /* a system call failed (errno) */
	SLOT_EUNANSWERED   = -107,      /* slotd did not answer in time */
	SLOT_EDISCONNECTED = -108,      /* the connection has ended */
	SLOT_EPROTOCOL     = -109,      /* what came is not the protocol of slotd */
	SLOT_EOTHER        = -110,      /* an error of slotd that this library does not know */
	SLOT_EUNPROVEN     = -111       /* release: the hold was unproven, see slot_hold_state() */
};

/* A sentence for a code, and its word ("full").  Never NULL; static. */
SLOT_API const char *slot_strerror(int code);
SLOT_API const char *slot_error_word(int code);

/* Nonzero if the same call may well succeed later (after a new slot_connect() if the connection
 * has ended). */
SLOT_API int slot_error_again(int code);

/* The version of the library: "0.1.0". */
SLOT_API const char *slot_version(void);

/* ---------------------------------------------------------------------------- connection */

struct slot_conn;
struct slot_hold;
struct slot_request;

/* A hold has ended that was not released: stop the work that the slot protects, then release it.
 * reason: see slot_hold_lost().  Called by slot_process() only, once for each lost hold. */
typedef void slot_lost_fn(struct slot_conn *conn, struct slot_hold *hold, const char *reason,
    void *userdata);

/* What a hold is worth.  slotd proves holds for a lease at a time, on a page of memory that it
 * shares with its clients; so this process knows how long it may believe in its slot, even if slotd
 * hangs, is stopped or dies.  A hold without a place on the page is a raw one (slotd made no page,
 * or the page is full, or is not to be trusted): it counts as proven until slotd or the connection's
 * end say that it is lost. */
enum slot_state {
	SLOT_STATE_PROVEN,      /* nobody else can have the slot */
	SLOT_STATE_UNPROVEN,    /* the lease has ended, and slotd has neither confirmed the hold nor
				   called it lost: somebody else may have been given the slot.
				   Begin nothing that needs it; it may be proven again.  One that was
				   let in without a slot (its number is 0) is always so */
	SLOT_STATE_LOST         /* for good */
};

/* A hold has become unproven, or is proven again; losses stay with slot_lost_fn.  Called by
 * slot_process() only. */
typedef void slot_state_fn(struct slot_conn *conn, struct slot_hold *hold, enum slot_state state,
    void *userdata);

/* Begin with SLOT_CONNECT_OPTIONS_INIT: size is how the library knows which fields there are. */
struct slot_connect_options {
	size_t size;
	const char *path;       /* NULL: $SLOTD_SOCKET, else SLOT_SOCKET */
	int64_t timeout_ms;     /* until slotd has answered; -1: no end; 5000.  While nobody listens it
				   is tried again, with growing pauses */
	int64_t answer_ms;      /* how long to wait for any other answer, beyond the time that the
				   request itself may wait; -1: no end; 10000 */
	const char *label;      /* shown to operators for what this connection holds; NULL: none */
	int async;              /* nonzero: never block.  One attempt, and slotd's first answer is left
				   to slot_process(), which fails if it is not there in timeout_ms */
	slot_lost_fn *lost;     /* or NULL */
	void *userdata;         /* for lost and state */
	slot_state_fn *state;   /* or NULL */
	int64_t reconnect_ms;   /* how long to try when the connection has broken; 0: never; -1: no
				   end; -1 */
};

#define SLOT_CONNECT_OPTIONS_INIT \
	{ sizeof(struct slot_connect_options), NULL, 5000, 10000, NULL, 0, NULL, NULL, NULL, -1 }

/* Connects to slotd and waits for its first answer: a socket that systemd keeps open accepts
 * connections while slotd is down.  options may be NULL.  On failure *conn is NULL and errno is
 * that of the last attempt for SLOT_ENOACCESS, SLOT_ENODAEMON, SLOT_ESYSTEM. */
SLOT_API int slot_connect(struct slot_conn **conn, const struct slot_connect_options *options)
    SLOT_MUST_CHECK;

/* Closes the connection and frees it; slotd takes back what it held, unless another process has
 * inherited the socket.  Holds stay to be freed by slot_release() (they are lost: "closed");
 * requests are freed, their callbacks are not called.  In a callback of this connection the
 * memory is freed when the function that called back returns (SLOT_EDISCONNECTED). */
SLOT_API void slot_close(struct slot_conn *conn);

/* The reason of the last call on conn that failed, or, in a callback, of the request's failure;
 * lives until the next call.  For people; never NULL. */
SLOT_API const char *slot_error_text(const struct slot_conn *conn);

/* The same error's value of a key ("limit", "waited", "closest" ...): copied to buf with a NUL.
 * -> its length, or -1: there is none, or it does not fit.  The second is for numbers, -1: none. */
SLOT_API int slot_error_value(const struct slot_conn *conn, const char *key, char *buf, size_t size);
SLOT_API int64_t slot_error_number(const struct slot_conn *conn, const char *key);

/* --------------------------------------------------------------------------------- holds */

/* Begin with SLOT_ACQUIRE_OPTIONS_INIT. */
struct slot_acquire_options {
	size_t size;
	uint32_t limit;         /* own limit, capped by the configured one; 0: the configured one */
	uint32_t n;             /* slots at once, all or nothing; 1 to SLOT_N_MAX */
	int64_t wait_ms;        /* or SLOT_WAIT_NOW, SLOT_WAIT_FOREVER, SLOT_WAIT_DEFAULT */
	int64_t hold_ms;        /* slotd ends the hold after this; 0: never */
	const char *label;      /* shown instead of the connection's; NULL: that */
};

#define SLOT_ACQUIRE_OPTIONS_INIT \
	{ sizeof(struct slot_acquire_options), 0, 1, SLOT_WAIT_DEFAULT, 0, NULL }

/* Waits for a slot (or n) of a group and takes it.  options may be NULL.  Usual failures:
 * SLOT_EFULL, SLOT_ETIMEOUT, SLOT_ENOLIMIT, SLOT_ENOGROUP, SLOT_EDISCONNECTED. */
SLOT_API int slot_acquire(struct slot_conn *conn, const char *group,
    const struct slot_acquire_options *options, struct slot_hold **hold) SLOT_MUST_CHECK;

/* Gives a hold back, waits for slotd to say so, and frees the handle whatever is returned.
 * 0: it was good to the end.  SLOT_ELOST: the hold had ended before, what was done under it was not
 * protected to the end.  SLOT_EUNPROVEN: it was given back, but when this was called it was not
 * proven any more, so that somebody else may have been given the slot.  SLOT_EDISCONNECTED and the
 * like: it has ended with the connection.  SLOT_EUNANSWERED: it is not known when slotd will hear of
 * it (it is given back when slotd is there again, or with the lease).  NULL: 0. */
SLOT_API int slot_release(struct slot_hold *hold);

/* The same without waiting: 0 means that it was said to slotd, or will be by slot_process(), or
 * slot_close() at the latest.  SLOT_ELOST etc. as far as is known now. */
SLOT_API int slot_release_nowait(struct slot_hold *hold);

SLOT_API const char *slot_hold_group(const struct slot_hold *hold);
SLOT_API uint32_t slot_hold_n(const struct slot_hold *hold);
SLOT_API const uint32_t *slot_hold_slots(const struct slot_hold *hold);  /* n numbers, from 1 */
SLOT_API uint32_t slot_hold_slot(const struct slot_hold *hold);          /* the first of them */
SLOT_API uint64_t slot_hold_token(const struct slot_hold *hold);         /* below 2^63 */
SLOT_API uint32_t slot_hold_limit(const struct slot_hold *hold);         /* under which it was granted */

/* NULL while the hold is not lost as far as this process has heard (it reads what has arrived, and
 * does not block); else why it is: "hold" (its hold_ms ran out), "lease" (slotd could not prove it
 * any longer, or did not come back in time), "taken", "evict", "disconnected" (it could not be
 * resumed), "closed", "fork", or a word of a later slotd. */
SLOT_API const char *slot_hold_lost(struct slot_hold *hold);

/* Nonzero while the page proves the hold, 0 for a raw one.  Two reads of memory and one of the
 * clock, no system call: for each step of the work.  This function and the next may be called by any
 * thread, while others use the connection, and in signal handlers; until slot_release() or
 * slot_close(), and not in a forked child. */
SLOT_API int slot_valid(const struct slot_hold *hold);

/* For how long the page proves the hold, if slotd says nothing more; 0: it is unproven or lost;
 * -1: a raw hold. */
SLOT_API int64_t slot_hold_left_ms(const struct slot_hold *hold);

SLOT_API enum slot_state slot_hold_state(const struct slot_hold *hold);

/* A pointer of the caller's; a hold from slot_acquire_start() begins with the one given there. */
SLOT_API void slot_hold_set_userdata(struct slot_hold *hold, void *userdata);
SLOT_API void *slot_hold_userdata(const struct slot_hold *hold);

/* --------------------------------------------------------------------------- event loops */

/* One descriptor that stays the same, and open, until slot_close(): watch it, level-triggered, and
 * call slot_process() when it is readable.  It is when slotd has said something, when what is to be
 * said to it can be, and when it is time for something: a hold's deadline, the end of a wait, the
 * next attempt to connect.  Not for a forked child. */
SLOT_API int slot_fd(const struct slot_conn *conn);

/* For loops that cannot do without: the poll(2) events (with POLLOUT while something waits to be
 * sent) and the time until slot_process() has something to do (-1: no end; 0: now).  Ask again after
 * any other call on the connection. */
SLOT_API short slot_events(const struct slot_conn *conn);
SLOT_API int slot_timeout_ms(const struct slot_conn *conn);

/* The socket itself; negative while there is none.  It works in a forked child too, which may clear
 * the close-on-exec flag: then the program that it runs keeps the slots for as long as it lives, or
 * until this process has connected anew. */
SLOT_API int slot_socket_fd(const struct slot_conn *conn);

/* Nonzero while slotd is there; 0 before its first answer and while it is away. */
SLOT_API int slot_connected(const struct slot_conn *conn);

/* How long slotd proves a hold at a time; how much earlier than others may have the slot that ends;
 * how much of it a hold always has left while all goes well.  All are 0 without a page: then all
 * holds are raw. */
SLOT_API int64_t slot_lease_ms(const struct slot_conn *conn);
SLOT_API int64_t slot_margin_ms(const struct slot_conn *conn);
SLOT_API int64_t slot_left_ms(const struct slot_conn *conn);

/* Reads, writes, and calls the callbacks that are due; the only function that calls those of
 * slot_acquire_start() and slot_lost_fn.  Does not block.  Fails when the connection has ended,
 * after all callbacks have been called; then only slot_close() is left to do. */
SLOT_API int slot_process(struct slot_conn *conn) SLOT_MUST_CHECK;

/* code 0: hold is the caller's.  Else hold is NULL, and slot_error_text() says more.  The request
 * is freed when the callback returns.  A callback may call all but slot_process(). */
typedef void slot_acquired_fn(struct slot_conn *conn, int code, struct slot_hold *hold,
    void *userdata);

/* Begins an acquire; callback is called once, later, unless it is cancelled.  *request (NULL if
 * not wanted) can be cancelled until the callback is called.  Any number may be pending. */
SLOT_API int slot_acquire_start(struct slot_conn *conn, const char *group,
    const struct slot_acquire_options *options, slot_acquired_fn *callback, void *userdata,
    struct slot_request **request) SLOT_MUST_CHECK;

/* Ends an acquire and frees the request; its callback will not be called.  If slotd grants the
 * slot meanwhile, the library gives it back. */
SLOT_API void slot_cancel(struct slot_request *request);

/* ------------------------------------------------------------------------------ looking */

/* Set size before the call: status->size = sizeof *status. */
struct slot_group_status {
	size_t size;
	int64_t limit;          /* configured, or last asked for; -1: none known */
	uint32_t held;          /* slots that clients hold */
	uint32_t idle;          /* kept ready for the next request of this host */
	uint32_t ending;        /* taken back from their holder, not yet given to the next */
	uint32_t waiting;       /* acquires that wait */
	int64_t oldest_wait_ms; /* -1: nobody waits */
};

SLOT_API int slot_status(struct slot_conn *conn, const char *group,
    struct slot_group_status *status) SLOT_MUST_CHECK;

/* One line of an answer, without its end.  Must not call the library for this connection but for
 * slot_close(), slot_fd() and slot_error_text(). */
typedef void slot_line_fn(const char *line, void *userdata);

/* Asks slotd what it knows: verb is LIST, STATUS, HOLDERS, WAITERS, PS, STATS, METRICS, PING,
 * VERSION, HELP, GRACE, AUDIT or HISTORY; argument is the group or glob (the library escapes it), or
 * NULL.  Or asks what operators ask, with words as in slotd-protocol(7): EVICT "group slot", AUDIT
 * "fix", GRACE "end", LIVE "group limit=N"; see slotctl(1) for what these can do.  line is called for
 * each line of a list; for the other requests once, with what stands behind OK.  The lines are those of slotd-protocol(7): names and labels in them are %XX-escaped. */
SLOT_API int slot_query(struct slot_conn *conn, const char *verb, const char *argument,
    slot_line_fn *line, void *userdata);

#ifdef __cplusplus
}
#endif

#endif
