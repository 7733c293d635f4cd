/* The backend as the loop sees it: requests in, replies out, each an event for the arbiter.
 *
 * It is the one of memory: a reply is ready as soon as it is asked for, but it is taken later, so
 * that no reply is handled while the arbiter's other actions are still under way. */
#ifndef BACKEND_H
#define BACKEND_H

#include <stdbool.h>

#include "daemon/core/arbiter.h"

struct backend;

struct backend *backend_new(void);      /* NULL: no memory, or no random numbers */
void backend_free(struct backend *backend);

/* Carries out one exchange; keeps nothing of the request. */
void backend_ask(struct backend *backend, const struct xch_request *request);

/* The next reply; it lives until the next call.  False: none left. */
bool backend_next(struct backend *backend, struct arb_event *event);

#endif
