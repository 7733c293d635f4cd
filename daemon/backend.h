/* The backend as the loop sees it: requests in, replies out, each an event for the arbiter.
 *
 * It is the one of memory: it could answer at once.  But its replies are taken one by one when the
 * loop is ready, so that none is handled while other actions of the arbiter are under way. */
#ifndef BACKEND_H
#define BACKEND_H

#include <stdbool.h>

#include "daemon/core/arbiter.h"

struct backend;

struct backend *backend_new(void);      /* NULL: no memory, or no random numbers */
void backend_free(struct backend *backend);

/* Asks for one exchange.  Keeps the pointer until backend_next has answered it. */
void backend_ask(struct backend *backend, const struct xch_request *request);

/* The reply to the oldest request that has none; it lives until the next call.  False: there is no
 * such request. */
bool backend_next(struct backend *backend, struct arb_event *event);

#endif
