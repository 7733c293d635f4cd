/* Names to addresses, off the event loop: a name server that does not answer stops getaddrinfo()
 * for many seconds.
 *
 * One resolver stands for one name.  Whoever asks while a question is under way gets its answer, so
 * there is never more than one thread, however often a connection is tried. */
#ifndef REDIS_RESOLVE_H
#define REDIS_RESOLVE_H

#include <stdbool.h>
#include <sys/queue.h>

#define RESOLVE_ADDRESSES 8     /* more than these are not tried */
#define RESOLVE_TEXT 64         /* of an address, with a zone and its NUL */

struct event_base;
struct resolver;

/* In the order in which they are to be tried.  None: why says what went wrong. */
struct resolved {
	int n;
	char why[128];
	char address[RESOLVE_ADDRESSES][RESOLVE_TEXT];
};

/* A question; whoever asks owns it, and it must stay where it is until it is answered. */
struct resolve {
	void (*done)(void *arg, const struct resolved *resolved);
	void *arg;
	bool is_asked;
	LIST_ENTRY(resolve) next;
};

struct resolver *resolver_new(struct event_base *base, const char *host);
void resolver_free(struct resolver *resolver);  /* with no question left */

/* Calls done() once, later, from the loop.  -> false: no thread, no descriptor (errno). */
bool resolver_ask(struct resolver *resolver, struct resolve *resolve);
void resolver_forget(struct resolve *resolve);  /* if it is asked: done() is not called */

#endif
