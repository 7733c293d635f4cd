/* What a server says of itself (INFO), and whether we can use it. */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/redis/trouble.h"

enum server_warning { WARN_EVICTION, WARN_REPLICAS, SERVER_N_WARNINGS };

struct server_info {
	char version[32];       /* "Redis 7.0.15" */
	enum trouble trouble;   /* it cannot be used: see why; or TROUBLE_NONE */
	char why[128];
	char warnings[SERVER_N_WARNINGS][192];  /* it can be used, but is set up badly; "": not so */
};

void server_read(const char *info, size_t len, struct server_info *server);

#endif
