/* Users: how many connections each has. */
#ifndef USERS_H
#define USERS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/table.h"

/* The table of those who have any. */
void users_init(struct table *users);

/* False: the user has `max` (0: there is no bound) already, and no more is counted; *is_news: not told
 * of that lately. */
bool users_enter(struct table *users, uint32_t uid, uint32_t max, bool *is_news);
void users_leave(struct table *users, uint32_t uid);

#endif
