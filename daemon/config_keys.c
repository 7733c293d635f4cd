/* The keys of slotd.conf, and the values that each takes. */
#include "daemon/config_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/core/alloc.h"
#include "daemon/core/arbiter.h"
#include "daemon/ids.h"
#include "daemon/log.h"
#include "proto/wire.h"

#define STRUCT_daemon struct config
#define STRUCT_redis struct config_redis
#define STRUCT_metrics struct config_metrics
#define STRUCT_lease struct config
#define STRUCT_group struct config_group

const struct config_key config_keys[] = {
#define KEY(section, name, type, fallback, min, max, change, sentence)                             \
	{CONFIG_##section, #name, CONFIG_##type, fallback, min, max, CONFIG_##change,              \
	    offsetof(STRUCT_##section, name)},
#include "daemon/config.def"
#undef KEY
    {.name = NULL},
};

static const char *const sections[CONFIG_N_SECTIONS] = {
    [CONFIG_daemon] = "daemon",
    [CONFIG_redis] = "redis",
    [CONFIG_metrics] = "metrics",
    [CONFIG_lease] = "lease",
    [CONFIG_group] = "group",
};
static const char *const log_levels[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
    NULL,
};
static const char *const unknown_groups[] = {"allow", "refuse", NULL};
static const char *const lease_ends[] = {"keep", "drop", NULL};
static const char *const on_downs[] = {
    [ARB_DOWN_WAIT] = "wait",
    [ARB_DOWN_REFUSE] = "refuse",
    [ARB_DOWN_OPEN] = "open",
    NULL,
};
static const char *const yes_no[] = {"no", "yes", NULL};

enum config_section
config_section_find(const char *name, struct closest *closest)
{
	for (enum config_section s = 0; s < CONFIG_N_SECTIONS; s++) {
		if (strcmp(name, sections[s]) == 0)
			return s;
		closest_try(closest, sections[s]);
	}
	return CONFIG_N_SECTIONS;
}

const char *
config_section_name(enum config_section section)
{
	return sections[section];
}

const struct config_key *
config_key_find(enum config_section section, const char *name, struct closest *closest)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		if (key->section != section)
			continue;
		if (strcmp(key->name, name) == 0)
			return key;
		if (closest != NULL)
			closest_try(closest, key->name);
	}
	return NULL;
}

static int
set_number(const struct config_key *key, const char *text, int64_t *value)
{
	uint64_t number;

	if (wire_parse_number(text, strlen(text), (uint64_t)key->max, &number) < 0 ||
	    (int64_t)number < key->min)
		return -1;
	*value = (int64_t)number;
	return 0;
}

static int
set_octal(const struct config_key *key, const char *text, int64_t *value)
{
	size_t len = strlen(text);

	if (len == 0 || len > 4 || strspn(text, "01234567") != len)
		return -1;
	*value = strtol(text, NULL, 8);
	return *value <= key->max ? 0 : -1;
}

static int
set_word(const char *const words[], const char *text, int64_t *value)
{
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0) {
			*value = i;
			return 0;
		}
	}
	return -1;
}

static int
set_text(const struct config_key *key, const char *text, char **value)
{
	size_t len = strlen(text);

	if (len < (size_t)key->min || len > (size_t)key->max)
		return -1;
	*value = alloc_resize(*value, len + 1);
	memcpy(*value, text, len + 1);
	return 0;
}

/* unknown: as of ids_parse(). */
static int
set_ids(enum ids_kind kind, const char *text, struct ids **value, char *unknown, size_t size)
{
	struct ids *ids = text[0] != '\0' ? ids_parse(kind, text, unknown, size) : NULL;

	if (ids == NULL && text[0] != '\0')
		return -1;
	free(*value);
	*value = ids;
	return 0;
}

static int
set(const struct config_key *key, const char *text, void *field, char *unknown, size_t size)
{
	int64_t *number = field;

	switch (key->type) {
	case CONFIG_OCTAL:
		return set_octal(key, text, number);
	case CONFIG_LOG_LEVEL:
		return set_word(log_levels, text, number);
	case CONFIG_UNKNOWN:
		return set_word(unknown_groups, text, number);
	case CONFIG_YES_NO:
		return set_word(yes_no, text, number);
	case CONFIG_LEASE_END:
		return set_word(lease_ends, text, number);
	case CONFIG_ON_DOWN:
		return set_word(on_downs, text, number);
	case CONFIG_TEXT:
		return set_text(key, text, field);
	case CONFIG_USERS:
		return set_ids(IDS_USERS, text, field, unknown, size);
	case CONFIG_GROUPS:
		return set_ids(IDS_GROUPS, text, field, unknown, size);
	case CONFIG_WAIT:
		if (strcmp(text, "forever") == 0) {
			*number = WIRE_FOREVER;
			return 0;
		}
		return set_number(key, text, number);
	case CONFIG_OPTIONAL:
	case CONFIG_NUMBER:
		if (text[0] == '\0' && key->fallback[0] == '\0') {
			*number = key->type == CONFIG_OPTIONAL ? -1 : 0;
			return 0;
		}
		return set_number(key, text, number);
	}
	return -1;
}

static void
describe(const struct config_key *key, const char *unknown, char *expected, size_t size)
{
	static const char *const kinds[] = {
	    [CONFIG_NUMBER] = "a number from %" PRId64 " to %" PRId64,
	    [CONFIG_OPTIONAL] = "a number from %" PRId64 " to %" PRId64,
	    [CONFIG_OCTAL] = "octal, from 0 to 0777",
	    [CONFIG_WAIT] = "a number from %" PRId64 " to %" PRId64 ", or forever",
	    [CONFIG_LOG_LEVEL] = "error, warn, info or debug",
	    [CONFIG_UNKNOWN] = "allow or refuse",
	    [CONFIG_YES_NO] = "yes or no",
	    [CONFIG_LEASE_END] = "keep or drop",
	    [CONFIG_ON_DOWN] = "wait, refuse or open",
	    [CONFIG_TEXT] = "a text of %" PRId64 " to %" PRId64 " bytes",
	    [CONFIG_USERS] = "a list of users of this host",
	    [CONFIG_GROUPS] = "a list of groups of this host",
	};
	size_t len = (size_t)snprintf(expected, size, kinds[key->type], key->min, key->max);

	if (unknown[0] != '\0' && len < size)
		snprintf(expected + len, size - len, ": there is no %s", unknown);
}

int
config_key_set(const struct config_key *key, const char *text, void *base, char *expected,
    size_t size)
{
	char unknown[64] = "";

	if (set(key, text, (char *)base + key->offset, unknown, sizeof unknown) == 0)
		return 0;
	describe(key, unknown, expected, size);
	return -1;
}

static bool
is_pointer(const struct config_key *key)
{
	return key->type == CONFIG_TEXT || key->type == CONFIG_USERS || key->type == CONFIG_GROUPS;
}

static bool
is_same_ids(const struct ids *ids, const struct ids *other)
{
	if (ids == NULL || other == NULL)
		return ids == other;
	return ids->n == other->n && memcmp(ids->id, other->id, ids->n * sizeof ids->id[0]) == 0;
}

bool
config_key_is_same(const struct config_key *key, const void *base, const void *other)
{
	const void *field = (const char *)base + key->offset;
	const void *its = (const char *)other + key->offset;

	if (key->type == CONFIG_TEXT)
		return strcmp(*(char *const *)field, *(char *const *)its) == 0;
	if (is_pointer(key))
		return is_same_ids(*(struct ids *const *)field, *(struct ids *const *)its);
	return *(const int64_t *)field == *(const int64_t *)its;
}

void
config_key_swap(const struct config_key *key, void *base, void *other)
{
	char *field = (char *)base + key->offset, *its = (char *)other + key->offset;
	size_t size = is_pointer(key) ? sizeof(void *) : sizeof(int64_t);
	char was[sizeof(int64_t)];

	memcpy(was, field, size);
	memcpy(field, its, size);
	memcpy(its, was, size);
}

void
config_keys_clear(enum config_section section, void *base)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		if (key->section == section && is_pointer(key))
			free(*(void **)((char *)base + key->offset));
}
