/* Readiness: whether a request for a slot would be served now. */
#ifndef HTTP_READY_H
#define HTTP_READY_H

#include <stdbool.h>
#include <stddef.h>

#define READY_MAX 256           /* room for why */

struct server;

/* why: for people; "ready" or what is in the way. */
bool ready(const struct server *server, char *why, size_t size);

#endif
