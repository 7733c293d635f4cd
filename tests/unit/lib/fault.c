/* The library's calls come here (ld --wrap); those of libc itself and of Check do not. */
#include "tests/unit/lib/fault.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

static __thread int left = -1;  /* calls until one fails; -1: none does */
static __thread enum fault kind;

void
fault_in(int k, enum fault what)
{
	left = k;
	kind = what;
}

bool
fault_over(void)
{
	bool failed = left < 0;

	left = -1;
	return failed;
}

static bool
fails(enum fault what, int error)
{
	if (left < 0 || what > kind || left-- > 0)
		return false;
	errno = error;
	return true;
}

/* Declares, and defines, what stands in for a function. */
#define WRAP(what, error, failure, type, name, parameters, arguments) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type \
	__wrap_##name parameters \
	{ \
		return fails(FAULT_##what, error) ? (failure) : __real_##name arguments; \
	}

WRAP(MEMORY, ENOMEM, NULL, void *, calloc, (size_t n, size_t size), (n, size))
WRAP(MEMORY, ENOMEM, NULL, void *, realloc, (void *p, size_t size), (p, size))
WRAP(MEMORY, ENOMEM, NULL, char *, strdup, (const char *s), (s))
WRAP(SYSTEM, ENOMEM, MAP_FAILED, void *, mmap,
    (void *at, size_t size, int prot, int flags, int fd, off_t offset),
    (at, size, prot, flags, fd, offset))
WRAP(SYSTEM, EMFILE, -1, int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(SYSTEM, ECONNREFUSED, -1, int, connect,
    (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
WRAP(SYSTEM, EMFILE, -1, int, epoll_create1, (int flags), (flags))
WRAP(SYSTEM, EMFILE, -1, int, timerfd_create, (int clock, int flags), (clock, flags))
WRAP(SYSTEM, EPIPE, -1, ssize_t, send, (int fd, const void *buf, size_t size, int flags),
    (fd, buf, size, flags))
WRAP(SYSTEM, ECONNRESET, -1, ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags),
    (fd, msg, flags))
