/* Requests that concern every host: PS, EVICT, AUDIT, WHY.  They are asked of all daemons, this one too,
 * and answered with what those have said. */
#ifndef HOSTS_H
#define HOSTS_H

#include <stdint.h>

struct server;
struct wire_request;

/* Answers what other daemons ask of this one, from now on. */
void hosts_init(struct server *server);

/* The request waits among its client's pending ones; its answer follows. */
void hosts_ask(struct server *server, uint64_t client, uint64_t request,
    const struct wire_request *req);

#endif
