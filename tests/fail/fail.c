/* The k-th call of a kind fails: whatever is linked with this and --wrap has its calls here.
 *
 * Environment: FAIL (memory, io, socket or redis: the kind), FAIL_AT (k, from 1; 0: none fails; +k: all from
 * the k-th on), FAIL_COUNT (a file that is told at exit how many calls of the kind there were). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fail/fail.h"

static const char *kind;        /* "": nothing fails */
static const char *count_path;
static long at;
static bool goes_on;
static long n_calls;

static void
write_count(void)
{
	FILE *file = fopen(count_path, "w");

	if (file == NULL || fprintf(file, "%ld\n", n_calls) < 0 || fclose(file) != 0)
		abort();
}

__attribute__((constructor)) static void
read_environment(void)
{
	const char *number = getenv("FAIL_AT");

	kind = getenv("FAIL") != NULL ? getenv("FAIL") : "";
	count_path = getenv("FAIL_COUNT");
	if (number != NULL) {
		goes_on = *number == '+';
		at = strtol(number, NULL, 10);
	}
	if (count_path != NULL && atexit(write_count) != 0)
		abort();
}

bool
fail_now(const char *its_kind)
{
	long n;

	if (strcmp(kind, its_kind) != 0)
		return false;
	n = __atomic_add_fetch(&n_calls, 1, __ATOMIC_RELAXED);
	return at > 0 && (goes_on ? n >= at : n == at);
}

/* ------------------------------------------------------------------ memory */

WRAP(void *, malloc, (size_t size), (size), "memory", NULL, ENOMEM)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), "memory", NULL, ENOMEM)
WRAP(void *, realloc, (void *p, size_t size), (p, size), "memory", NULL, ENOMEM)
WRAP(char *, strdup, (const char *s), (s), "memory", NULL, ENOMEM)

/* ------------------------------------------------------------------ io: errors that the kernel may
 * give for a connection that goes on, or for one that never came to be */

WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), "socket", -1,
    EMFILE)
WRAP(int, connect, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len), "io", -1,
    ECONNREFUSED)
WRAP(int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags),
    (fd, addr, len, flags), "io", -1, EMFILE)
WRAP(ssize_t, send, (int fd, const void *bytes, size_t len, int flags), (fd, bytes, len, flags),
    "io", -1, ENOBUFS)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), "io",
    -1, ENOBUFS)
WRAP(ssize_t, recv, (int fd, void *bytes, size_t len, int flags), (fd, bytes, len, flags), "io", -1,
    EINTR)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), "io", -1,
    EINTR)
WRAP(ssize_t, read, (int fd, void *bytes, size_t len), (fd, bytes, len), "io", -1, EINTR)
WRAP(ssize_t, write, (int fd, const void *bytes, size_t len), (fd, bytes, len), "io", -1, EINTR)
