/* getaddrinfo() for LD_PRELOAD.  It knows redis.test, so that tests need no name server and no
 * /etc/hosts; and as with a name server that does not answer it waits until somebody has opened the
 * FIFO $SLOW_RESOLVER for writing, if that is set. */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	const char *gate = getenv("SLOW_RESOLVER");

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (gate != NULL && hints != NULL && hints->ai_family == AF_UNSPEC)
		close(open(gate, O_RDONLY));
	if (node != NULL && strcmp(node, "redis.test") == 0)
		node = "127.0.0.1";
	return real(node, service, hints, list);
}
