/* The [group NAME] sections of a configuration: which of them applies to a group. */
#ifndef CONFIG_GROUPS_H
#define CONFIG_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/config.h"

struct config_groups *config_groups_new(void);
void config_groups_free(struct config_groups *groups);

/* Adds a section and gives it the values of *defaults, to be changed by the caller; written: the
 * NAME as in the file, which is copied.  -> NULL and *why, a static text, if NAME cannot be one. */
struct config_group *config_groups_add(struct config_groups *groups, const char *written,
    const struct config_group *defaults, const char **why);

/* How many sections are in one of them alone, or not alike in both. */
uint32_t config_groups_differ(const struct config_groups *groups, const struct config_groups *other);

#endif
