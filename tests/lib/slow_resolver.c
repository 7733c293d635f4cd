/* getaddrinfo() for LD_PRELOAD, as with a name server that does not answer: it waits until somebody
 * has opened the FIFO $SLOW_RESOLVER for writing. */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
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
	return real(node, service, hints, list);
}
