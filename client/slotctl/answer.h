/* What slotd answers to those who look: its lines, as they come. */
#ifndef SLOTCTL_ANSWER_H
#define SLOTCTL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "client/slotctl/slotctl.h"

struct answer {
	char **line;
	size_t n;
	char *fleet;            /* the last line of a PS or AUDIT, which is of all hosts; or NULL */
	bool no_memory;         /* there were more */
};

struct slot_conn;

/* Asks over a connection.  -> a code of libslot; with 0 the answer is the caller's to free. */
int answer_get(struct slot_conn *conn, const char *verb, const char *argument,
    struct answer *answer);

void answer_free(struct answer *answer);

/* Connects and asks.  -> 0, and the answer is the caller's to free; else an exit status, which has
 * been explained. */
int ctl_ask(const struct ctl *c, const char *verb, const char *argument, struct answer *answer);

/* One attempt: who looks wants to know now that nobody is there.  reconnect_ms is as in libslot: 0
 * for those who ask again and again, and say so when slotd is away.  -> as slot_connect(). */
int ctl_connect(const struct ctl *c, int64_t reconnect_ms, struct slot_conn **conn);

#endif
