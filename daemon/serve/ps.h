/* PS: what all hosts have said of who holds and who waits, put together and in order. */
#ifndef PS_H
#define PS_H

#include <stdbool.h>

#include "daemon/gather.h"
#include "daemon/serve/output.h"

/* One line of what was gathered. */
struct ps_row {
	char kind;                      /* h: holds; w: waits; p: the text says what is wrong */
	bool is_silent;                 /* on record, of a daemon that does not answer */
	const char *host;               /* these are not ended by a NUL: */
	const char *install;            /* 16 hex digits */
	const char *group;              /* as it is written */
	const char *rest;               /* words, or the text */
	int host_len, install_len, group_len, rest_len;
	uint64_t number;                /* the slot, or for how many µs it waits */
};

/* All rows, by group, holders by slot, waiters the oldest first; *rows is the caller's to free.
 * False: no memory. */
bool ps_rows(const struct gathered *gathered, struct ps_row **rows, size_t *n);

/* The line at the end of a reply: how many listen, how many have answered. */
bool ps_write_fleet(const struct gathered *gathered, bool is_shared, bool is_complete,
    struct output *out);

/* The whole reply, without a tag, into out (empty before).  False: no memory. */
bool ps_write(const struct gathered *gathered, bool is_shared, struct output *out);

#endif
