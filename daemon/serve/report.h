/* Reports: the requests that only look: LIST, STATUS, HOLDERS, WAITERS, STATS, METRICS,
 * HELP. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/serve/output.h"

struct arb_group_status;
struct server;
struct wire_request;

/* The limit that STATUS shows, or -1: none is known; *from says where it is from, in its words. */
int64_t report_limit(const struct server *server, const struct arb_group_status *status,
    const char **from);

/* Writes the whole reply, without a tag, into out (empty before).  False: no memory. */
bool report_make(const struct server *server, const struct wire_request *req, struct output *out);

#endif
