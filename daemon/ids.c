/* Users and groups of this host, by their numbers, as a configuration names them. */
#include "daemon/ids.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/alloc.h"
#include "proto/wire.h"

#define BETWEEN ", \t"

int
ids_find(enum ids_kind kind, const char *name, uint32_t *id)
{
	const struct passwd *user = kind == IDS_USERS ? getpwnam(name) : NULL;
	const struct group *group = kind == IDS_GROUPS ? getgrnam(name) : NULL;
	uint64_t number;

	/* A name of digits is a name first, as chown(1) has it. */
	if (user != NULL)
		*id = user->pw_uid;
	else if (group != NULL)
		*id = group->gr_gid;
	else if (wire_parse_number(name, strlen(name), UINT32_MAX - 1, &number) == 0)
		*id = (uint32_t)number;
	else
		return -1;
	return 0;
}

struct ids *
ids_parse(enum ids_kind kind, const char *text, char *unknown, size_t size)
{
	/* A word takes at least two bytes with what stands before the next. */
	struct ids *ids = alloc_new(sizeof *ids + (strlen(text) / 2 + 1) * sizeof ids->id[0]);
	size_t len;

	ids->n = 0;
	for (text += strspn(text, BETWEEN); *text != '\0'; text += strspn(text, BETWEEN)) {
		len = strcspn(text, BETWEEN);
		snprintf(unknown, size, "%.*s", (int)len, text);
		if (len >= size || ids_find(kind, unknown, &ids->id[ids->n]) < 0) {
			free(ids);
			return NULL;
		}
		ids->n++;
		text += len;
	}
	if (ids->n > 0)
		return ids;
	snprintf(unknown, size, "%s", text);
	free(ids);
	return NULL;
}

bool
ids_have(const struct ids *ids, uint32_t id)
{
	for (uint32_t i = 0; ids != NULL && i < ids->n; i++)
		if (ids->id[i] == id)
			return true;
	return false;
}
