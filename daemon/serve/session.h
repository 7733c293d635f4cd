/* A session: one client's connection, bytes to request lines and answers to bytes.
 *
 * A client is freed only between two turns of the loop, never under a callback of its own.  Across
 * the arbiter clients are known by their numbers. */
#ifndef SESSION_H
#define SESSION_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/table.h"
#include "daemon/serve/output.h"
#include "daemon/serve/pending.h"

struct server;

/* Output that waits for the client to read: above this, nothing more is read from it. */
#define SESSION_OUTPUT_MAX ((size_t)64 * 1024)

/* In front of a line that is written: the descriptor of the lease page goes with its first byte.  No
 * answer has a byte like this, and no connection more than one mark. */
#define SESSION_MARK '\0'

enum session_state {
	SESSION_LINES,          /* reading requests */
	SESSION_SKIPPING,       /* ... behind a line that is too long, up to its end */
	SESSION_ENDING,         /* EOF, QUIT or shutdown: closes when all that is owed is written */
	SESSION_CLOSED,         /* to be freed when the turn is over */
};

struct client {
	struct table_node by_id;        /* server->clients */
	struct server *server;
	int fd;
	int32_t pid;                    /* 0: unknown */
	uint32_t uid, gid;
	enum session_state state;
	bool events, detail;            /* as HELLO said */
	bool strict;                    /* reads the lease page, as HELLO said */
	bool has_page;                  /* it has been sent the descriptor, or will be */
	bool is_marked;                 /* ... will be: the mark is still on its way */
	bool is_left;                   /* slotd ends, and leaves what it holds to its lease */
	bool is_full;                   /* its socket is: there is a writer, and it is added */
	bool is_blocked;                /* not read from until it reads its answers */
	bool is_dirty;                  /* on server->dirty */
	const char *broken;             /* not NULL: close it, for this reason */
	char *label;                    /* HELLO's, or NULL; owned */
	char *rest;                     /* input that is not executed yet, or NULL; owned */
	uint32_t rest_len;
	struct output out;
	struct pendings pendings;
	struct event reader;
	struct event *writer;           /* NULL while it was not needed yet; owned */
	STAILQ_ENTRY(client) next_dirty, next_closed;
};

static inline uint64_t
client_id(const struct client *client)
{
	return client->by_id.key;
}

/* Takes fd in every case. */
void session_open(struct server *server, int fd);

/* Writes bytes as they are, whole lines, behind what is there already. */
void session_write(struct client *client, const char *lines, size_t len);

/* Writes what there is to write, executes what waited for that, and closes the connection when its
 * time has come.  To be called at the end of a turn only. */
void session_flush(struct client *client);

/* No memory for it: it is kicked at the end of the turn. */
void session_break(struct client *client, const char *why);

/* Nothing more is read; see SESSION_ENDING. */
void session_finish(struct client *client);

/* Closes at once: by our decision, so what it holds is lost first; or because it is gone. */
void session_kick(struct client *client, const char *why);
void session_close(struct client *client, const char *why);

/* Closes at once; what it holds is its own until the lease ends, or until a later slotd is asked for
 * it.  Only for one whose is_left is set. */
void session_leave(struct client *client);

#endif
