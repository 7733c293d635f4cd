/* The keys of slotd.conf as config.def lists them, and the values that each takes. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/closest.h"

enum config_section {
	CONFIG_daemon, CONFIG_redis, CONFIG_metrics, CONFIG_lease, CONFIG_group, CONFIG_N_SECTIONS,
};
enum config_type {
	CONFIG_NUMBER,          /* decimal; 0 if not set */
	CONFIG_OPTIONAL,        /* decimal; -1 if not set */
	CONFIG_OCTAL,
	CONFIG_WAIT,            /* a number, or "forever" */
	CONFIG_LOG_LEVEL,
	CONFIG_UNKNOWN,         /* what becomes of unknown groups */
	CONFIG_YES_NO,
	CONFIG_LEASE_END,       /* what becomes of holds at the end of a lease */
	CONFIG_ON_DOWN,         /* what requests meet while the backend is away */
	CONFIG_TEXT,
	CONFIG_USERS,           /* struct ids; NULL if not set */
	CONFIG_GROUPS,          /* likewise */
};

/* When a change of the file takes effect. */
enum config_change { CONFIG_RELOAD, CONFIG_RESTART };

struct config_key {
	enum config_section section;
	const char *name;
	enum config_type type;
	const char *fallback;   /* "": not set, and the value may be empty */
	int64_t min, max;
	enum config_change change;
	size_t offset;          /* into the section's struct */
};

/* Ends with a key that has no name. */
extern const struct config_key config_keys[];

/* CONFIG_N_SECTIONS if there is none of this name.  What is like it goes into *closest. */
enum config_section config_section_find(const char *name, struct closest *closest);
const char *config_section_name(enum config_section section);

/* NULL if there is none; closest may be NULL. */
const struct config_key *config_key_find(enum config_section section, const char *name,
    struct closest *closest);

/* Sets the key's field in base, the struct of its section: config, config_redis, config_metrics or
 * config_group.
 * 0, or -1 with what the value should have been in expected ("a number from 1 to 7"). */
int config_key_set(const struct config_key *key, const char *text, void *base, char *expected,
    size_t size);

/* True if two structs of the section have the same value. */
bool config_key_is_same(const struct config_key *key, const void *base, const void *other);

/* Exchanges the values of two structs of the section. */
void config_key_swap(const struct config_key *key, void *base, void *other);

/* Frees what the values of a section's keys own. */
void config_keys_clear(enum config_section section, void *base);

#endif
