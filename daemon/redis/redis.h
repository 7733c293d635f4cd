/* The backend that is Redis or Valkey: what several hosts share. */
#ifndef REDIS_REDIS_H
#define REDIS_REDIS_H

#include "daemon/backend.h"

struct config_redis;
struct event_base;

/* Starts to connect.  conf is the arbiter's (self, lease, grace, n_links).  wake(arg) says that
 * next() has something; it is called from the loop, and from within hang_up.  Keeps the pointers to
 * config and eras: the last era heard of each shard, by this daemon or by the one before it. */
struct backend *backend_redis_new(struct event_base *base, const struct config_redis *config,
    const struct arb_conf *conf, uint64_t *eras, void (*wake)(void *arg), void *arg);

#endif
