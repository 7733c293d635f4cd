/* The [group NAME] sections: exact names in a hash, globs in the order in which they are tried. */
#include "daemon/config_groups.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/closest.h"
#include "daemon/config_keys.h"
#include "daemon/core/name.h"
#include "daemon/core/table.h"
#include "proto/wire.h"

struct section {
	struct config_group group;      /* first: what users hold is a pointer to this */
	char *name;                     /* group.name */
	char *pattern;                  /* of a glob: for fnmatch */
	bool is_glob;
	size_t n_literal;               /* of a glob: characters that stand for themselves */
	struct table_node by_name;      /* of an exact name */
	STAILQ_ENTRY(section) next;     /* likewise */
};

struct config_groups {
	struct table exact;             /* by name */
	STAILQ_HEAD(, section) in_order; /* the same, in the order of the file; owned */
	struct section **globs;         /* owned, the one that wins first */
	size_t n_globs;
};

/* A NAME taken apart. */
struct name {
	char text[WIRE_GROUP_MAX + 1];          /* decoded */
	char pattern[2 * WIRE_GROUP_MAX + 1];   /* as fnmatch wants it: what is meant as such is quoted */
	size_t n_text, n_pattern, n_literal;
	bool is_glob;
};

static bool
put_literal(struct name *name, char c)
{
	if (name->n_text == WIRE_GROUP_MAX)
		return false;
	name->text[name->n_text++] = c;
	if (strchr("*?[]\\", c) != NULL)
		name->pattern[name->n_pattern++] = '\\';
	name->pattern[name->n_pattern++] = c;
	name->n_literal++;
	return true;
}

/* len bytes of a glob that stand for others. */
static bool
put_wild(struct name *name, const char *s, size_t len)
{
	if (name->n_text + len > WIRE_GROUP_MAX)
		return false;
	memcpy(name->text + name->n_text, s, len);
	memcpy(name->pattern + name->n_pattern, s, len);
	name->n_text += len;
	name->n_pattern += len;
	name->is_glob = true;
	return true;
}

/* -> the length of the [...] at s, or 0.  A ] directly behind [ or [! is one of its members. */
static size_t
class_length(const char *s)
{
	size_t first = s[1] == '!' || s[1] == '^' ? 2 : 1;
	const char *end = s[first] == '\0' ? NULL : strchr(s + first + 1, ']');

	return end == NULL ? 0 : (size_t)(end - s) + 1;
}

/* -> what is wrong with it, or NULL. */
static const char *
name_parse(struct name *name, const char *s)
{
	bool fits = true;
	size_t len;

	memset(name, 0, sizeof(*name));
	for (; *s != '\0' && fits; s += len) {
		char decoded[2];

		len = 1;
		if (*s == '%') {
			len = 3;
			if (strlen(s) < len || wire_unescape(s, len, decoded, sizeof(decoded)) != 1)
				return "a % must be followed by two hexadecimal digits (%25 is a %)";
			fits = put_literal(name, decoded[0]);
		} else if (*s == '[') {
			len = class_length(s);
			if (len == 0)
				return "a [ without its ] (%5B is a [)";
			fits = put_wild(name, s, len);
		} else if (*s == '*' || *s == '?') {
			fits = put_wild(name, s, len);
		} else {
			fits = put_literal(name, *s);
		}
	}
	if (!fits)
		return "the name is too long";
	if (!wire_name_ok(name->text, name->n_text, WIRE_GROUP_MAX, false))
		return "not a group's name: it is empty, has blanks or control characters, or is not UTF-8";
	return NULL;
}

static void
section_free(struct section *s)
{
	if (s == NULL)
		return;
	config_keys_clear(CONFIG_group, &s->group);
	free(s->name);
	free(s->pattern);
	free(s);
}

struct config_groups *
config_groups_new(void)
{
	struct config_groups *groups = calloc(1, sizeof(*groups));

	if (groups == NULL)
		return NULL;
	groups->exact = TABLE_OF(struct section, by_name);
	STAILQ_INIT(&groups->in_order);
	return groups;
}

void
config_groups_free(struct config_groups *groups)
{
	struct section *s;

	if (groups == NULL)
		return;
	while ((s = STAILQ_FIRST(&groups->in_order)) != NULL) {
		STAILQ_REMOVE_HEAD(&groups->in_order, next);
		table_remove(&groups->exact, s);
		section_free(s);
	}
	for (size_t i = 0; i < groups->n_globs; i++)
		section_free(groups->globs[i]);
	free(groups->globs);
	free(groups);
}

static struct section *
find_exact(const struct config_groups *groups, const char *name)
{
	struct section *s = table_find(&groups->exact, name_key(name));

	while (s != NULL && strcmp(s->name, name) != 0)
		s = table_find_next(&groups->exact, s);
	return s;
}

/* The order: more literal characters first, then the earlier in the file. */
static const char *
insert_glob(struct config_groups *groups, struct section *s)
{
	struct section **globs;
	size_t at = groups->n_globs;

	for (size_t i = 0; i < groups->n_globs; i++)
		if (strcmp(groups->globs[i]->pattern, s->pattern) == 0)
			return "this group has a section already";
	globs = realloc(groups->globs, (groups->n_globs + 1) * sizeof(*globs));
	if (globs == NULL)
		return "no memory";
	groups->globs = globs;
	for (; at > 0 && globs[at - 1]->n_literal < s->n_literal; at--)
		globs[at] = globs[at - 1];
	globs[at] = s;
	groups->n_globs++;
	return NULL;
}

static const char *
insert_exact(struct config_groups *groups, struct section *s)
{
	if (find_exact(groups, s->name) != NULL)
		return "this group has a section already";
	table_add(&groups->exact, s, name_key(s->name));
	STAILQ_INSERT_TAIL(&groups->in_order, s, next);
	return NULL;
}

struct config_group *
config_groups_add(struct config_groups *groups, const char *written,
    const struct config_group *defaults, const char **why)
{
	struct name name;
	struct section *s;

	*why = name_parse(&name, written);
	if (*why != NULL)
		return NULL;
	*why = "no memory";
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->name = strdup(name.is_glob ? written : name.text);
	s->pattern = strdup(name.pattern);
	s->is_glob = name.is_glob;
	s->n_literal = name.n_literal;
	if (s->name != NULL && s->pattern != NULL)
		*why = name.is_glob ? insert_glob(groups, s) : insert_exact(groups, s);
	if (*why != NULL) {
		section_free(s);
		return NULL;
	}
	s->group = *defaults;
	s->group.name = s->name;
	return &s->group;
}

uint32_t
config_n_sections(const struct config *conf)
{
	return conf->groups->exact.n + (uint32_t)conf->groups->n_globs;
}

/* The section with the same NAME, or NULL. */
static const struct section *
find_same(const struct config_groups *groups, const struct section *s)
{
	if (!s->is_glob)
		return find_exact(groups, s->name);
	for (size_t i = 0; i < groups->n_globs; i++)
		if (strcmp(groups->globs[i]->pattern, s->pattern) == 0)
			return groups->globs[i];
	return NULL;
}

static bool
is_alike(const struct section *s, const struct section *other)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		if (key->section == CONFIG_group &&
		    !config_key_is_same(key, &s->group, &other->group))
			return false;
	return true;
}

static bool
is_changed(const struct config_groups *other, const struct section *s)
{
	const struct section *same = find_same(other, s);

	return same == NULL || !is_alike(s, same);
}

uint32_t
config_groups_differ(const struct config_groups *groups, const struct config_groups *other)
{
	const struct section *s;
	uint32_t n = 0;

	STAILQ_FOREACH (s, &groups->in_order, next)
		n += is_changed(other, s);
	for (size_t i = 0; i < groups->n_globs; i++)
		n += is_changed(other, groups->globs[i]);
	STAILQ_FOREACH (s, &other->in_order, next)
		n += find_same(groups, s) == NULL;
	for (size_t i = 0; i < other->n_globs; i++)
		n += find_same(groups, other->globs[i]) == NULL;
	return n;
}

const struct config_group *
config_group(const struct config *conf, const char *name)
{
	const struct config_groups *groups = conf->groups;
	const struct section *s = find_exact(groups, name);

	for (size_t i = 0; s == NULL && i < groups->n_globs; i++)
		if (fnmatch(groups->globs[i]->pattern, name, 0) == 0)
			s = groups->globs[i];
	return s == NULL ? NULL : &s->group;
}

const struct config_group *
config_group_next(const struct config *conf, const struct config_group *after)
{
	const struct section *s = after != NULL ? STAILQ_NEXT((const struct section *)after, next) :
	    STAILQ_FIRST(&conf->groups->in_order);

	return s == NULL ? NULL : &s->group;
}

const char *
config_closest(const struct config *conf, const char *name)
{
	struct closest closest = {.word = name};
	const struct section *s;

	STAILQ_FOREACH (s, &conf->groups->in_order, next)
		closest_try(&closest, s->name);
	return closest.best;
}
