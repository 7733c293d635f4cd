/* HTTP: the port where metrics and the page are served.
 *
 * It is beside the main thing, and must never harm it: at most HTTP_CONNECTIONS at once, each for some
 * seconds; answers are made one at a time, and take a tenth of our time at most.
 *
 * Of libevent's evhttp no use is made: it counts no connections, and bounds the time between two
 * reads, not that of a request, so a client that sends a byte now and then could stay for ever.  And
 * events of a low priority would not help: they starve when we are busy, which is when somebody
 * wants to look, and meanwhile keep EVLOOP_ONCE, and with it every answer, from coming to an end. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <sys/queue.h>

#include "daemon/core/arbiter.h"
#include "daemon/http/address.h"
#include "daemon/unix_socket.h"

#define HTTP_CONNECTIONS 16     /* at once; each is a descriptor */

struct config;
struct connection;
struct event;
struct server;

struct http {
	struct server *server;
	char *listen;                   /* where, as configured; owned */
	struct address address;
	bool is_local;                  /* only this host can connect there, and browsers on it; so what
					   asks for a name is a page of a foreign site, whose name
					   has been pointed here to read ours */
	int fd;                         /* -1: another has the address; it is tried again */
	struct unix_socket bound;
	struct event *readable;         /* NULL if there is no fd */
	struct event *retry;            /* without a descriptor, or the address */
	struct event *work;             /* when the next answer may be made */
	bool is_full;                   /* not accepting until a connection is closed */
	bool is_out;                    /* of descriptors, or the address: as last logged */
	unsigned n_connections;
	TAILQ_HEAD(, connection) connections;   /* the oldest first */
	nsec rest_until;
};

/* NULL if nothing is to be served. */
struct http *http_new(struct server *server, const struct config *config);
void http_free(struct http *http);

/* The connection waits for its answer.  It may come at once, and any may be gone after that. */
void http_asked(struct http *http, struct connection *connection);

void http_close(struct http *http, struct connection *connection);

#endif
