/* The listener: the socket that clients connect to. */
#ifndef LISTENER_H
#define LISTENER_H

struct config;
struct listener;
struct server;

/* Binds and listens as the configuration says; or, with an activated socket (fd >= 0), takes that
 * one as it is, and says which keys of the configuration have no effect.  Fatal if it cannot.  The
 * lock of the socket must be held: what stands in its place is stale and is replaced. */
struct listener *listener_new(struct server *server, const struct config *config, int fd);

/* Accepts no more; unlinks the socket if it is ours and still there. */
void listener_free(struct listener *listener);

#endif
