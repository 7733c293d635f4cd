/* The memory backend: the whole exchange in plain C.
 *
 * It answers slotd when no Redis is configured, stands for the server in the simulator, and is the
 * executable specification of the Redis script.  Pure: the server's time and identity are given
 * from outside. */
#ifndef MEMORY_H
#define MEMORY_H

#include "daemon/core/exchange.h"

struct mem;

struct mem *mem_new(void);
void mem_free(struct mem *mem);

/* What the server is: its process (a new id at each start that may have lost data). */
void mem_set_identity(struct mem *mem, uint64_t sid);

/* One exchange at the server's time `now`.  The reply, the pushes (*n_pushes of them) and what
 * they point to are the backend's and live until its next call. */
const struct xch_reply *mem_exchange(struct mem *mem, usec now, const struct xch_request *request,
    const struct xch_push **pushes, uint32_t *n_pushes);

#endif
