/* The server: all clients, what they have asked and not been answered, and what a turn of the loop
 * has still to write. */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/config.h"
#include "daemon/core/arbiter.h"
#include "daemon/core/table.h"

struct client;
struct event;
struct loop;
struct pending;

STAILQ_HEAD(client_list, client);

/* Connections that were closed by us, by reason; STATS shows them. */
struct server_dropped {
	uint64_t max_clients, per_uid, no_fds, slow, no_memory;
};

/* When the configuration was read last, and what came of it. */
struct server_reload {
	int64_t at;             /* s since 1970 */
	bool failed;            /* it had an error, and nothing has changed */
};

struct server {
	struct loop *loop;
	struct config *config;
	struct config *(*read_config)(void *arg, config_complain *complain, void *complain_arg);
	void *read_config_arg;
	nsec started;
	int64_t started_at;     /* s since 1970 */
	struct server_reload reload;
	uint32_t max_clients, n_clients;
	uint32_t most_clients;                  /* for so many there are descriptors */
	uint64_t last_client, last_request;     /* the numbers given last */
	uint64_t n_requests;                    /* lines executed */
	struct server_dropped dropped;

	struct table clients;           /* by id; owned */
	struct table users;             /* their connections */
	struct client_list dirty;       /* those that session_flush must see this turn */
	struct client_list closed;      /* to be freed when the turn is over */

	struct client *asking;          /* whose request the arbiter is handling, or NULL */
	struct pending *current;        /* that request, until it is answered, or NULL */
	struct pending *spare;          /* where it is, and the next; owned */

	bool is_running;                /* false when it was stopped and every client is gone */
	bool is_stopping;               /* nothing is granted any more; is_finishing comes next */
	bool is_finishing;              /* every connection is about to be closed */
	struct event *stop_timer;       /* the end of stop_ms, then of the time for last answers */
};

/* Takes over the loop's hooks.  Copies neither loop nor config, which reload_run() changes. */
void server_init(struct server *server, struct loop *loop, struct config *config,
    uint32_t most_clients);
void server_fini(struct server *server);

/* Answers a request that has waited for something else than the arbiter: whole lines, without a tag.
 * Nothing, if its client has gone. */
void server_answer(struct server *server, uint64_t client, uint64_t request, const char *lines,
    size_t len);

/* max_clients as configured, or as many as there are descriptors for. */
void server_limit_clients(struct server *server);

/* Closes every connection at once. */
void server_close_all(struct server *server, const char *why);

/* Answers every waiter ERR shutdown, and whoever asks for a slot from now on.  When nothing is held
 * any more, stop_ms is over, or at the second call, each connection is closed: when its answers are
 * written, or when it has not read them in time.  What is still held then is left to its lease.
 * is_running is false at the end of that. */
void server_stop(struct server *server);

#endif
