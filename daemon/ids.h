/* Users and groups of this host, by their numbers, as a configuration names them. */
#ifndef IDS_H
#define IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ids_kind { IDS_USERS, IDS_GROUPS };

struct ids {
	uint32_t n;
	uint32_t id[];
};

/* A name of this host's, or a number.  0, or -1: there is none. */
int ids_find(enum ids_kind kind, const char *name, uint32_t *id);

/* One or more names and numbers with blanks or commas between.  -> owned by the caller, who frees
 * it; or NULL with the name that there is none of in `unknown`: "" where nobody is named. */
struct ids *ids_parse(enum ids_kind kind, const char *text, char *unknown, size_t size);

bool ids_have(const struct ids *ids, uint32_t id);      /* NULL: has none */

#endif
