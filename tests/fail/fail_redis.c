/* Exchanges that cannot be sent, and connections to Redis that cannot be begun: see fail.c. */
#include <errno.h>
#include <hiredis/async.h>
#include <stddef.h>

#include "tests/fail/fail.h"

WRAP(redisAsyncContext *, redisAsyncConnectUnix, (const char *path), (path), "redis", NULL, ENOMEM)
WRAP(int, redisAsyncCommandArgv, (redisAsyncContext * context, redisCallbackFn *done, void *arg,
    int argc, const char **argv, const size_t *lengths), (context, done, arg, argc, argv, lengths),
    "redis", REDIS_ERR, ENOMEM)
