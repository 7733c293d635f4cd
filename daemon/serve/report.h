/* Reports: the requests that only look: LIST, STATUS, HOLDERS, WAITERS, STATS, HELP. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>

#include "daemon/serve/output.h"

struct server;
struct wire_request;

/* Writes the whole reply, without a tag, into out (empty before).  False: no memory. */
bool report_make(const struct server *server, const struct wire_request *req, struct output *out);

#endif
