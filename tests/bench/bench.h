/* What the benchmark's files share: time, samples, servers, connections, and the table.
 *
 * Every section measures slotd beside a limit of the same machine in the same rounds, by turns, so
 * that other load meets both.  Times are microseconds.  It prints; it asserts nothing of time. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/diff/server.h"

/* ---- stat.c: samples of one figure */
struct samples {
	double *values;
	size_t n, cap;
};

double now_us(void);
void nap_us(long us);
void sample(struct samples *s, double value);
double median(struct samples *s);               /* sorts; of none 0 */
double p99(struct samples *s);
void samples_free(struct samples *s);

/* ---- table.c: what is printed, and written to the file that BENCH_JSON names */
enum target { AT_MOST, AT_LEAST };

void table_open(const char *machine);
void table_placement(const char *name);         /* "pinned" or "free": of all that follows */
void table_time(const char *what, struct samples *s);
void table_number(const char *what, const char *unit, double value);
/* A figure with a target that counts where everything is pinned to one core; printed at the end. */
void table_target(const char *what, enum target kind, double target, double figure);
void table_close(void);

/* ---- process.c: the servers, each in a directory of its own, ended with us */
#define SOCKET_PATH_MAX 100

struct slotd {
	pid_t pid;
	char dir[SOCKET_PATH_MAX - 16];
	char socket[SOCKET_PATH_MAX];
};

extern const char *slotd_program;

void slotd_start(struct slotd *slotd, const char *config);
/* One of a fleet: `more` goes behind the lines that name the Redis. */
void slotd_start_redis(struct slotd *slotd, const struct server *redis, const char *more);
void slotd_stop(struct slotd *slotd);
void redis_start(struct server *server);

enum echo_kind {
	ECHO_PING,              /* two processes, blocking, one byte of work: what the kernel allows */
	ECHO_LIBEVENT,          /* raw events, a line for a line: what an event loop allows */
};

struct echo {
	pid_t pid;
	char dir[SOCKET_PATH_MAX - 16];
	char socket[SOCKET_PATH_MAX];
};

void echo_start(struct echo *echo, enum echo_kind kind);
void echo_stop(struct echo *echo);
_Noreturn void echo_serve(int listener, enum echo_kind kind);    /* in the child */

long process_rss(pid_t pid);                    /* bytes */
double process_cpu_us(pid_t pid);

/* ---- peer.c: a client's end of a connection, blocking */
struct peer {
	int fd;
	size_t len;
	char buf[65536];        /* what has come and is not taken */
};

int peer_connect(const char *socket);
void peer_open(struct peer *peer, const char *socket);
void peer_close(struct peer *peer);
void peer_send(struct peer *peer, const char *text);
/* The next line, without its end; lives until the next call. */
const char *peer_line(struct peer *peer);
/* Sends a line and ends the benchmark unless the answer begins so.  -> the answer */
const char *peer_ask(struct peer *peer, const char *line, const char *start);

/* ---- sections */
void bench_pair(void);          /* one client: hot and cold */
void bench_watched(void);       /* while others look */
void bench_throughput(void);    /* 64 connections */
void bench_handoff(void);       /* from a holder to the next */
void bench_hostile(void);       /* beside clients that mean no good */
void bench_order(void);         /* first come, first served? */
void bench_commands(void);      /* what Redis sees of it */
void bench_memory(void);        /* bytes and idle time */
void bench_growth(void);        /* with many waiters and groups */
void bench_script(void);        /* inside Redis */
void bench_fleet(void);         /* a thousand daemons, made up */

#endif
