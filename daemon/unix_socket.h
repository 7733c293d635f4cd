/* A Unix socket that we listen on: its file, from bind to unlink. */
#ifndef UNIX_SOCKET_H
#define UNIX_SOCKET_H

#include <sys/types.h>

struct config;

struct unix_socket {
	char *path;             /* NULL: there is none of ours */
	dev_t dev;
	ino_t ino;
};

/* Listens at path, with the mode and group that the configuration gives to sockets; replaces one
 * that was left there.  -> the descriptor, which is the caller's.  Fatal if it cannot be. */
int unix_socket_bind(struct unix_socket *bound, const char *path, const struct config *config,
    int backlog);

/* Removes the file, if it is still ours. */
void unix_socket_unlink(struct unix_socket *bound);

#endif
