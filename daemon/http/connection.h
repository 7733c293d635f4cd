/* A connection to the HTTP port: one request, one answer, and closed; all of that in a bounded time
 * and space. */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "daemon/core/arbiter.h"
#include "daemon/http/request.h"
#include "daemon/serve/output.h"

struct http;

enum connection_state {
	CONNECTION_READING,     /* the request */
	CONNECTION_WAITING,     /* for its answer to be made */
	CONNECTION_WRITING,
	CONNECTION_CLOSING,     /* all is written: until the other end has closed */
};

struct connection {
	struct http *http;
	int fd;
	enum connection_state state;
	nsec until;                     /* when it is closed, whatever it does */
	struct event event;             /* what we wait for */
	size_t n_read;
	int status;                     /* of the request: 200, or why it is none */
	struct http_request request;
	struct output out;
	TAILQ_ENTRY(connection) link;   /* http->connections, the oldest first */
	char bytes[HTTP_HEAD_MAX];      /* what was read of the request */
};

/* Takes fd in every case; NULL: no memory. */
struct connection *connection_new(struct http *http, int fd);
void connection_start(struct connection *connection);   /* may be gone after that */
void connection_free(struct connection *connection);

/* Sends the answer; it may be gone after that.  type: of the body, which is taken; headers: further
 * ones, each with its line end. */
void connection_answer(struct connection *connection, int status, const char *type,
    const char *headers, struct output *body);

#endif
