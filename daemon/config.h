/* The configuration: what slotd.conf says, checked, with every default filled in.
 *
 * config.def lists the keys.  A file is read whole and reported on whole: there is a struct config
 * only if nothing was wrong. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_PATH "/etc/slotd/slotd.conf"

#include "daemon/redis/url.h"

struct config_groups;
struct ids;

/* What applies to the requests for one group. */
struct config_group {
	const char *name;       /* decoded; of a glob: as written; NULL: that of no section */
	int64_t limit;          /* 0: not set */
	int64_t wait_ms;        /* or WIRE_FOREVER */
	int64_t max_hold_ms;    /* 0: not set */
	int64_t max_waiters;    /* 0: not set */
	int64_t on_lease_end;   /* 0: keep, 1: drop */
	int64_t on_backend_down; /* enum arb_on_down */
	struct ids *allow_users, *allow_groups; /* each owned; NULL: not set */
	struct ids *admin_users, *admin_groups;
};

/* The Redis that hosts share. */
struct config_redis {
	char *url;              /* "": there is none */
	char *username;         /* "": not set; the URL may name one */
	char *password_file;    /* "": not set */
	int64_t pool;
	int64_t connect_timeout_ms;
	int64_t command_timeout_ms;
	char *prefix;
	struct url address;     /* the URL, taken apart */
};

/* What is served over HTTP. */
struct config_metrics {
	char *listen;           /* "": not set */
	int64_t any_address;    /* 1: yes */
	int64_t max_groups;
};

/* Owned by whoever called config_load; nothing in it changes afterwards but by config_set_socket,
 * config_set_redis and config_take. */
struct config {
	char *socket;
	int64_t socket_mode;
	char *socket_group;     /* "": not set */
	int64_t max_clients;
	int64_t max_cells;
	int64_t max_clients_per_uid;    /* 0: not set */
	int64_t max_groups;
	int64_t max_holds;
	int64_t max_holds_per_uid;      /* 0: not set */
	int64_t send_timeout_ms;
	int64_t stop_ms;
	int64_t log_level;      /* enum log_level */
	int64_t unknown_groups; /* 0: allow, 1: refuse */
	struct ids *admin_groups; /* owned; NULL: not set */
	int64_t testing;        /* 1: yes */

	struct config_redis redis;
	struct config_metrics metrics;

	int64_t lease_ms;
	int64_t margin_ms;
	int64_t grace_ms;
	int64_t idle_ms;
	int64_t recall_ms;

	struct config_group other;      /* defaults: for a group that no section names */
	struct config_groups *groups;
	uint64_t given;                 /* for config_is_given() */
	bool is_public;                 /* every user of the host may read the file */
	bool is_file;                   /* there was one */
};

/* Told of each thing that is wrong: "file:line: what", printable, without a line end. */
typedef void config_complain(void *arg, const char *message);

/* NULL after complaints.  path NULL: CONFIG_PATH, and no complaint if there is no such file. */
struct config *config_load(const char *path, config_complain *complain, void *arg);
void config_free(struct config *conf);

/* Puts another socket in the place of the configured one.  0, or -1: too long for a socket, or
 * empty. */
int config_set_socket(struct config *conf, const char *path);

/* Puts another URL in the place of [redis] url.  0, or -1 with a sentence in why. */
int config_set_redis(struct config *conf, const char *url, char *why, size_t size);

/* Puts what may change while slotd runs from *fresh into *conf, and the former values into *fresh.
 * -> how many sections of groups have come, gone, or changed.  `restart`, of the given size, says
 * "KEY,KEY" of the others that are not the same: they take effect at the next start. */
uint32_t config_take(struct config *conf, struct config *fresh, char *restart, size_t size);

/* True if the key of [daemon] is in the file, or was put there by config_set_socket. */
bool config_is_given(const struct config *conf, const char *key);

/* The section that applies to a group, or NULL: the one of exactly this name; else, of the globs
 * that match, the one with the most literal characters, and of those the first in the file. */
const struct config_group *config_group(const struct config *conf, const char *name);

uint32_t config_n_sections(const struct config *conf);          /* of groups, globs too */

/* The exactly named groups, in the order of the file: the one behind `after` (NULL: the first), or
 * NULL. */
const struct config_group *config_group_next(const struct config *conf,
    const struct config_group *after);

/* The exactly named group whose name is most like `name`, or NULL if none is near. */
const char *config_closest(const struct config *conf, const char *name);

#endif
