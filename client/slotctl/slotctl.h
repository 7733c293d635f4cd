/* What the files of slotctl share: options, exit codes, and how it speaks. */
#ifndef SLOTCTL_H
#define SLOTCTL_H

#include <stdbool.h>
#include <stdint.h>

enum ctl_exit {
	CTL_USAGE = 64,         /* these five are those of sysexits.h */
	CTL_UNAVAILABLE = 69,
	CTL_SYSTEM = 71,
	CTL_NO_SLOT = 75,       /* or what -E says */
	CTL_DENIED = 77,
	CTL_NO_LIMIT = 78,
	CTL_LOST = 125,
	CTL_CANNOT_RUN = 126,   /* these three are the shell's */
	CTL_NOT_FOUND = 127,
	CTL_SIGNAL = 128,       /* plus its number */
};

/* The command line, parsed.  Strings are argv's. */
struct ctl {
	const char *socket;     /* where slotd listens */
	const char *arg;        /* GROUP, or GLOB, or another word; NULL: none */
	const char *group;      /* the same, unless it is another word */
	char **rest;            /* the command to run; ends with NULL */
	const char *second;     /* the word behind that; NULL: none */
	bool json, names;
	bool watch;             /* and go on with what changes */
	int64_t interval_ms;    /* between two looks */
	bool batch;             /* top without a screen */
	uint32_t times;         /* so many looks; 0: no end */
	bool no_color;
	bool yes;               /* what can do harm is confirmed */
	bool verbose, quiet;
	uint32_t limit;         /* 0: the configured one */
	uint32_t count;         /* slots at once */
	int64_t wait_ms;        /* or SLOT_WAIT_FOREVER */
	int64_t hold_ms;        /* 0: no end */
	int64_t for_ms;         /* likewise, of a live limit */
	const char *why;        /* NULL: no reason */
	bool clear;             /* takes the live limit away */
	int64_t kill_after_ms;  /* negative: not said */
	const char *label;      /* NULL: none */
	const char *token;      /* NULL: any */
	bool fix;               /* what an audit finds */
	bool wants_slot;        /* and does not only look at what is there, or change it */
	const char *output;     /* a file; NULL: standard output */
	int no_slot_exit;       /* -E */
	bool close;             /* the command does not inherit the connection */
	bool warn_on_loss;      /* instead of ending the command */
	bool strict;            /* end the command before its slot can be another's */
};

/* The commands.  -> exit status. */
int ctl_run(const struct ctl *c);
int ctl_acquire(const struct ctl *c);
int ctl_list(const struct ctl *c);
int ctl_status(const struct ctl *c);
int ctl_holders(const struct ctl *c);
int ctl_waiters(const struct ctl *c);
int ctl_stats(const struct ctl *c);
int ctl_metrics(const struct ctl *c);
int ctl_ping(const struct ctl *c);
int ctl_grace(const struct ctl *c);
int ctl_why(const struct ctl *c);
int ctl_reload(const struct ctl *c);
int ctl_drain(const struct ctl *c);
int ctl_top(const struct ctl *c);
int ctl_ps(const struct ctl *c);
int ctl_evict(const struct ctl *c);
int ctl_audit(const struct ctl *c);
int ctl_limit(const struct ctl *c);
int ctl_pause(const struct ctl *c);
int ctl_resume(const struct ctl *c);
int ctl_history(const struct ctl *c);

/* "slotctl: ..." and a line end on stderr, in one write: the command's own output stays whole. */
void ctl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What was printed has to have arrived: a full disk is no success.  -> the exit status, 0 or
 * CTL_SYSTEM, which has been explained. */
int ctl_printed(void);

/* The exit status for a code of libslot. */
int ctl_exit_status(const struct ctl *c, int code);

/* The same, and says on stderr what is wrong.  conn is NULL if slot_connect() has failed; then
 * error is its errno. */
struct slot_conn;
int ctl_explain(const struct ctl *c, int code, const struct slot_conn *conn, int error);

/* Decimal digits only, between low and high.  False: it is none. */
bool ctl_number(const char *text, uint32_t low, uint32_t high, uint32_t *value);

/* "250ms" "10s" "2m" "1h"; 0 needs no unit.  False: it is none of these; *no_unit if only a unit is
 * missing. */
bool ctl_time(const char *text, int64_t *ms, bool *no_unit);

/* A duration for people: "250ms", "12.3s", "5m07s", "3h05m", "12d04h". */
#define CTL_AGE_SIZE 24
void ctl_age(int64_t ms, char buf[CTL_AGE_SIZE]);

/* A moment in ms since 1970, for people here: "2026-11-24 15:03:12". */
#define CTL_TIME_SIZE 32
void ctl_time_of_day(int64_t ms, char buf[CTL_TIME_SIZE]);

int64_t ctl_now_ms(void);       /* CLOCK_MONOTONIC */

/* The time of day for programs: "2026-11-24T14:03:22.123Z". */
#define CTL_UTC_SIZE 48
void ctl_utc(char buf[CTL_UTC_SIZE]);

#endif
