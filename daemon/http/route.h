/* Which answer a request gets. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

struct connection;
struct server;

/* Makes the answer and sends it; the connection may be gone after that. */
void route_answer(const struct server *server, struct connection *connection);

#endif
