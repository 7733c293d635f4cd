/* Names to addresses, off the event loop.
 *
 * A thread asks, and writes the answer into a pipe.  It has a copy of the name and an end of the
 * pipe, and nothing else in common with us: so it can be left alone at any time, and there is
 * nothing to lock.  The answer is one write, which a pipe does not split. */
#include "daemon/redis/resolve.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/core/alloc.h"

_Static_assert(sizeof(struct resolved) <= PIPE_BUF, "one write is one answer");

struct resolver {
	struct event_base *base;
	char *host;
	LIST_HEAD(, resolve) asked;
	struct event *answer;   /* the reading end; NULL: no question is under way */
	int fd;
};

struct job {
	int fd;
	char host[];
};

struct resolver *
resolver_new(struct event_base *base, const char *host)
{
	struct resolver *resolver = alloc_new(sizeof *resolver);
	size_t size = strlen(host) + 1;

	*resolver = (struct resolver){.base = base, .host = memcpy(alloc_new(size), host, size)};
	return resolver;
}

static void
end_question(struct resolver *resolver)
{
	if (resolver->answer == NULL)
		return;
	event_free(resolver->answer);
	resolver->answer = NULL;
	close(resolver->fd);
}

void
resolver_free(struct resolver *resolver)
{
	if (resolver == NULL)
		return;
	end_question(resolver);
	free(resolver->host);
	free(resolver);
}

/* ------------------------------------------------------------------ the thread */

static void
look_up(const char *host, struct resolved *resolved)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list, *a;
	int error = getaddrinfo(host, NULL, &hints, &list);

	if (error != 0) {
		snprintf(resolved->why, sizeof resolved->why, "%s",
		    error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
		return;
	}
	for (a = list; a != NULL && resolved->n < RESOLVE_ADDRESSES; a = a->ai_next) {
		if (getnameinfo(a->ai_addr, a->ai_addrlen, resolved->address[resolved->n],
			RESOLVE_TEXT, NULL, 0, NI_NUMERICHOST) == 0)
			resolved->n++;
	}
	freeaddrinfo(list);
	if (resolved->n == 0)
		snprintf(resolved->why, sizeof resolved->why, "it has no address");
}

static void *
run(void *arg)
{
	struct job *job = arg;
	struct resolved resolved = {0};

	look_up(job->host, &resolved);
	/* Nobody may want it any more: EPIPE then, and that is all right. */
	while (write(job->fd, &resolved, sizeof resolved) < 0 && errno == EINTR)
		continue;
	close(job->fd);
	free(job);
	return NULL;
}

/* Signals are the loop's, all of them. */
static int
start_thread(struct job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attr, run, job);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* ------------------------------------------------------------------ the loop's side */

/* The askers get a list of their own first: done() may ask again, and forget others. */
static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *resolver = arg;
	struct resolved resolved;
	struct resolve *resolve;
	LIST_HEAD(, resolve) asked;
	ssize_t n = read(fd, &resolved, sizeof resolved);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof resolved)
		resolved = (struct resolved){.why = "the resolver broke off"};
	end_question(resolver);
	asked.lh_first = LIST_FIRST(&resolver->asked);
	if (asked.lh_first != NULL)
		asked.lh_first->next.le_prev = &asked.lh_first;
	LIST_INIT(&resolver->asked);
	while ((resolve = LIST_FIRST(&asked)) != NULL) {
		resolver_forget(resolve);
		resolve->done(resolve->arg, &resolved);
	}
}

static bool
start_question(struct resolver *resolver)
{
	size_t size = strlen(resolver->host) + 1;
	struct job *job = malloc(sizeof *job + size);
	int ends[2], error;

	if (job == NULL)
		return false;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		free(job);
		return false;
	}
	job->fd = ends[1];
	memcpy(job->host, resolver->host, size);
	resolver->fd = ends[0];
	fcntl(resolver->fd, F_SETFL, O_NONBLOCK);
	resolver->answer = event_new(resolver->base, resolver->fd, EV_READ | EV_PERSIST, on_answer,
	    resolver);
	error = resolver->answer == NULL || event_add(resolver->answer, NULL) < 0 ? ENOMEM :
	    start_thread(job);
	if (error == 0)
		return true;
	close(ends[1]);
	free(job);
	if (resolver->answer == NULL)
		close(resolver->fd);
	end_question(resolver);
	errno = error;
	return false;
}

bool
resolver_ask(struct resolver *resolver, struct resolve *resolve)
{
	if (resolver->answer == NULL && !start_question(resolver))
		return false;
	LIST_INSERT_HEAD(&resolver->asked, resolve, next);
	resolve->is_asked = true;
	return true;
}

void
resolver_forget(struct resolve *resolve)
{
	if (!resolve->is_asked)
		return;
	LIST_REMOVE(resolve, next);
	resolve->is_asked = false;
}
