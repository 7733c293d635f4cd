/* Gathering: a question to every daemon that shares our backend, and what they answer.
 *
 * Nothing is stored, and nothing said, while nobody asks.  A question is one line of text, its answer
 * any number of lines, in pieces: one piece is made at a time, and the loop has its turns between, so
 * that neither a long answer nor many questions keep clients waiting.  A gathering is over when all
 * that listen have answered, or after a while: then it is known how many have not. */
#ifndef GATHER_H
#define GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/exchange.h"
#include "daemon/serve/output.h"

struct backend;
struct event_base;
struct gathers;

#define GATHER_MAX 64           /* under way at a time, for clients of ours */

/* One daemon's answer. */
struct gather_part {
	struct xch_daemon from;
	char name[17];                          /* its install, in hex */
	char host[XCH_HOST_MAX + 1];
	struct output text;
};

struct gathered {
	uint64_t client, request;
	const char *question;
	size_t n_parts;
	const struct gather_part *parts;        /* the first is this daemon's own */
	unsigned n_silent;                      /* that listen and have not answered */
	bool is_alone;                          /* there are others, and they could not be asked */
	const struct output *records;           /* lines of what the backend has on record of daemons
						   that have not answered, if that was asked for */
	bool is_partial;                        /* something of us or of the records is missing */
};

enum gather_piece { GATHER_LAST, GATHER_MORE, GATHER_FAILED };

/* What the backend has on record is read as well: of which groups, and what. */
enum gather_records {
	GATHER_NO_RECORDS,
	GATHER_RECORDS,         /* slots and waiters of daemons that have not answered */
	GATHER_CHECK,           /* ... and what does not agree */
};

/* How a question is answered here, and who is told what came of one. */
struct gather_hooks {
	/* -> what answer() and drop() get; NULL: there is nothing to say. */
	void *(*question)(void *arg, const char *line);
	/* Appends the next piece. */
	enum gather_piece (*answer)(void *arg, void *state, struct output *out);
	void (*drop)(void *arg, void *state);   /* frees it */
	/* What it points to lives until it returns. */
	void (*gathered)(void *arg, const struct gathered *gathered);
	void *arg;
};

/* Copies neither self nor host. */
struct gathers *gathers_new(struct event_base *base, const struct xch_daemon *self, const char *host);
void gathers_free(struct gathers *gathers);
void gathers_set_hooks(struct gathers *gathers, const struct gather_hooks *hooks);
/* NULL: there is none for now. */
void gathers_set_backend(struct gathers *gathers, struct backend *backend);

/* False: too many are under way.  glob: of the groups whose records are read; "": of all. */
bool gathers_ask(struct gathers *gathers, uint64_t client, uint64_t request, const char *question,
    enum gather_records records, const char *glob);

#endif
