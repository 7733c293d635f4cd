/* Rights: what a user may ask for, from what the kernel says of the peer of its connection.
 *
 * Who has the socket may look at everything.  Slots of a group may be taken by those whom its section
 * allows, or, if that says nothing, by everybody.  root and slotd's own user may do everything. */
#ifndef RIGHTS_H
#define RIGHTS_H

#include <stdbool.h>

#include "daemon/config.h"

struct client;

/* A group that anybody may use, as most are. */
static inline bool
rights_are_open(const struct config_group *group)
{
	return group->allow_users == NULL && group->allow_groups == NULL;
}

/* May it take slots of a group that is not open, or a hold over?  If not, *rule is the keys that say
 * so, for ERR denied. */
bool rights_may_use(const struct client *client, const struct config_group *group, const char **rule);

/* May it change the group (with NULL: the daemon)?  That is for those whom the section names, or
 * [daemon] admin_groups. */
bool rights_may_admin(const struct client *client, const struct config_group *group,
    const char **rule);

#endif
