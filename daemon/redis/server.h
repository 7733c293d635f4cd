/* What a server says of itself (INFO, errors), and whether we can use it. */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct server_info {
	char version[32];       /* "Redis 7.0.15" */
	char why[128];          /* it cannot be used; "": it can */
	char warning[192];      /* it can be used, but is set up badly; "": it is not */
};

void server_read(const char *info, size_t len, struct server_info *server);

/* True if an error says that the server, or what we may do there, is not as it must be: no other
 * command would fare better.  Else it concerns the keys of the command. */
bool server_refuses(const char *error);

#endif
