/* The lock file beside the socket: one slotd per socket, and which one it is.
 *
 * It decides by flock, not by trying to connect: that would start a service that listens by socket
 * activation.  It stays in place when slotd ends, for it remembers the install and the generation. */
#ifndef LOCK_H
#define LOCK_H

#include <stdint.h>

struct lock {
	int fd;                 /* open, and locked, until the process ends */
	uint64_t install;       /* random, made once for this socket */
	uint64_t generation;    /* one more at each start */
};

/* Takes <socket>.lock and writes who we are into it; fatal if another slotd has it or it cannot be
 * had.  To be called before anything else is done about the socket. */
struct lock lock_take(const char *socket);

/* Draws another install, and writes it: somebody else has a copy of this one. */
void lock_renew(struct lock *lock);

#endif
