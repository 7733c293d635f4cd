/* A slotd that says what a test tells it to: a script that runs in a thread of its own, line by
 * line, and fails the test if the library says anything else. */
#ifndef PEER_H
#define PEER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "client/slot.h"
#include "proto/page.h"

struct peer {
	char path[64];
	char dir[64];
	void (*script)(struct peer *peer);
	pthread_t thread;
	sem_t pass, next;
	int listener, fd;       /* fd: -1 if not accepted */
	char tag[40];           /* of the last line read, with its #; "" if none */
	char line[2048];        /* the last line read, without its tag */
	char input[16384];
	size_t input_len;
	struct page_header *page;       /* of peer_page_make(); NULL: none */
	int page_fd;
};

/* Listens in a new directory; runs the script. */
struct peer *peer_start(void (*script)(struct peer *peer));
void peer_join(struct peer *peer);      /* waits for the end of the script; frees */

/* For scripts. */
void peer_accept(struct peer *peer);
void peer_greet(struct peer *peer);     /* accepts, reads HELLO, answers it */
const char *peer_read(struct peer *peer);       /* a line -> peer->line, peer->tag; NULL at EOF */
void peer_expect(struct peer *peer, const char *line);
void peer_expect_eof(struct peer *peer);
void peer_send(struct peer *peer, const char *bytes, size_t len);
void peer_say(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* the same, behind the last tag read */
void peer_answer(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void peer_close(struct peer *peer);

/* A lease page, as peer_page.c makes it.  It can be damaged before peer_greet_strict() passes it. */
#define PEER_CELLS 8
#define PEER_LEASE_MS 10000
#define PEER_MARGIN_MS 1000
#define PEER_LEFT_MS 6500

void peer_page_make(struct peer *peer);
void peer_page_drop(struct peer *peer);
/* The hold's cell, proven for so long from now; token 0 ends it. */
void peer_cell(struct peer *peer, int cell, const char *group, uint32_t slot, uint64_t token,
    int64_t left_ms);
/* A line with descriptors on its first byte, behind the last tag read. */
void peer_pass_fds(struct peer *peer, const int *fds, int n, const char *line);
void peer_hello_ok(struct peer *peer);          /* with the page */
void peer_greet_strict(struct peer *peer);      /* a new page, accepts, reads HELLO, answers it */

/* The script waits in peer_pass() until the test has called peer_next(), and the other way about. */
void peer_pass(struct peer *peer);
void peer_next(struct peer *peer);
void peer_tell(struct peer *peer);
void peer_await(struct peer *peer);

/* For tests.  Without options, a connection that breaks has ended. */
struct slot_conn *peer_connect(struct peer *peer, const struct slot_connect_options *options);
struct slot_hold *take(struct slot_conn *conn, const char *group);      /* limit=1 */
int process_once(struct slot_conn *conn);       /* waits, then -> slot_process()'s */
int process_until(struct slot_conn *conn, const int *counter, int n);   /* the same */
int process_to_end(struct slot_conn *conn);     /* until it fails -> the code */

#endif
