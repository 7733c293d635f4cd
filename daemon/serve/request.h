/* Requests: a line of a client -> an event for the arbiter, or an answer at once. */
#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>

struct client;

/* One line, without its LF. */
void request_execute(struct client *client, const char *line, size_t len);

/* A line of which only the first len bytes are there, and they are too many already. */
void request_too_long(struct client *client, const char *line, size_t len);

#endif
