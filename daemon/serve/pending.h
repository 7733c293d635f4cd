/* Pending requests: those of a client whose answer is not written yet.
 *
 * A request with a tag is answered when its answer is there.  Those without a tag are answered in
 * their order: an answer behind one that still waits is held back here, as text. */
#ifndef PENDING_H
#define PENDING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/table.h"
#include "proto/wire.h"

struct client;
struct server;

#define PENDING_ORDERED_MAX 4096        /* without tag, behind the one that waits */
#define PENDING_HELD_MAX ((size_t)512 * 1024) /* bytes of answers held back */
#define PENDING_MAX 65536               /* of one client, in all */

struct pending {
	struct table_node by_id;        /* its client's by_id, while it waits; key: the request's number */
	union {
		struct table_node by_tag; /* its client's by_tag; only of those with a tag */
		TAILQ_ENTRY(pending) next; /* its client's ordered; of the others */
	};
	struct pending_answer *answer;  /* NULL: it waits; owned */
	uint8_t verb;                   /* enum wire_verb */
	char tag[];                     /* "": none */
};

/* Held back, behind one that waits. */
struct pending_answer {
	uint32_t times;                 /* to be written so often */
	uint32_t len;
	char lines[];
};

/* Owned by the client. */
struct pendings {
	struct table by_id;             /* those that the arbiter owes an answer; owned */
	struct table by_tag;
	/* Without tag, oldest first.  The first has no answer, or there was no room for it yet. */
	TAILQ_HEAD(pending_queue, pending) ordered; /* those with an answer are owned */
	uint32_t n_ordered;
	size_t held;                    /* bytes of answers in ordered */
};

static inline uint64_t
pending_id(const struct pending *pending)
{
	return pending->by_id.key;
}

void pending_init(struct pendings *pendings);
bool pending_is_any(const struct pendings *pendings);
struct pending *pending_by_tag(const struct pendings *pendings, const char *tag);
struct pending *pending_by_id(const struct pendings *pendings, uint64_t id);

/* True if the client may ask nothing more now; then *max is the bound. */
bool pending_is_full(const struct client *client, bool tagged, uint32_t *max);

/* A new one, with a new number, for a request that goes to the arbiter; NULL: no memory.  It is the
 * server's, and there is one at a time: either it is answered at once, or it is put among those that
 * wait, where it has an address of its own. */
struct pending *pending_take(struct client *client, const struct wire_request *request);
void pending_wait(struct client *client, struct pending *pending);

/* The answer of one that came from pending_take, or that waits: a line without tag.  Frees it. */
void pending_answer(struct client *client, struct pending *pending, const char *line, size_t len);

/* The answer, one line or a list reply, of a request that was executed at once. */
void pending_answer_now(struct client *client, const char *tag, const char *lines, size_t len);

/* The same for one that was refused by pending_is_full: takes no memory for each. */
void pending_refuse(struct client *client, const char *tag, const char *line, size_t len);

/* Writes the answers whose turn has come, as far as the output has room. */
void pending_advance(struct client *client);

/* The client is gone: forgets all of them. */
void pending_drop_all(struct client *client);

#endif
