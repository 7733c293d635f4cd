/* Users: how many connections each has. */
#ifndef USERS_H
#define USERS_H

#include <stdbool.h>
#include <stdint.h>

struct user;

/* Both take the table, NULL while nobody is in it.  False: the user has `max` already, and no more
 * is counted; *is_news: not told of that lately. */
bool users_enter(struct user **users, uint32_t uid, uint32_t max, bool *is_news);
void users_leave(struct user **users, uint32_t uid);

#endif
