/* Health: what has been said in the log of a Redis, and how often it failed us, for STATS. */
#ifndef REDIS_HEALTH_H
#define REDIS_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/redis/server.h"
#include "daemon/redis/trouble.h"

struct health {
	char name[192];                 /* of the server, in the log */
	uint64_t n_connected;           /* times that all was well (again) */
	uint64_t n_troubles[TROUBLE_N]; /* failed connections, and attempts at one */
	char warnings[SERVER_N_WARNINGS][192];  /* as the server was found last; "": none */
	bool is_whole;                  /* every link is up */
};

/* A link failed.  is_known: what is the matter is the matter with some link already, so it has been
 * said. */
void health_trouble(struct health *health, enum trouble trouble, const char *why, bool is_known);

/* A server was found to be such.  What is new in it is said. */
void health_checked(struct health *health, const struct server_info *server);

void health_whole(struct health *health, const char *version);

void health_stats(const struct health *health,
    void (*fn)(void *arg, const char *name, uint64_t value), void *arg);

#endif
