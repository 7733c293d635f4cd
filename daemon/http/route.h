/* Which answer a request gets. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stdbool.h>

struct connection;
struct server;

/* Its answer takes no time to speak of. */
bool route_is_light(const struct connection *connection);

/* Makes the answer and sends it; the connection may be gone after that. */
void route_answer(const struct server *server, struct connection *connection);

#endif
