/* Why: what stands in the way of a request for slots, as a client would meet it now. */
#ifndef WHY_H
#define WHY_H

#include <stdbool.h>

#include "daemon/gather.h"
#include "daemon/serve/output.h"
#include "proto/wire.h"

struct client;

/* The answer to WHY, from what all hosts have said of who holds and who waits: a line for each cause,
 * the one that is met first before the others; a line that says that there is none, where there is
 * none.  False: no memory. */
bool why_write(const struct client *client, const struct wire_request *req,
    const struct gathered *gathered, struct output *out);

#endif
