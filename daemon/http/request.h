/* A request in HTTP, as far as it concerns us: which page, of which group.  Pure. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/wire.h"

#define HTTP_HEAD_MAX 8192      /* bytes of a request, up to the empty line */
#define HTTP_PATH_MAX 31        /* longer than any that there is */

struct http_request {
	bool is_head;                   /* HEAD, else GET */
	bool is_by_name;                /* its Host is neither an address nor localhost */
	char path[HTTP_PATH_MAX + 1];   /* as sent, without what begins with "?" */
	char group[WIRE_GROUP_MAX + 1]; /* of ?group=, decoded; "": none was given */
};

/* Looks at what has come so far.  -> 0: more is needed; 200: it is a request; else the status that
 * says why it is none. */
int http_request_parse(const char *bytes, size_t len, struct http_request *req);

#endif
