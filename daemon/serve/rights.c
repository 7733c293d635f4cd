/* Rights: what a user may ask for, from what the kernel says of the peer of its connection. */
#include "daemon/serve/rights.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/core/alloc.h"
#include "daemon/ids.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"

#define GROUPS_FEW 64           /* of a process, as a rule; Linux allows 65536 */

static bool
is_above_rules(const struct client *client)
{
	return client->uid == 0 || client->uid == geteuid();
}

/* Is one of the supplementary groups among them, which the peer had when it connected? */
static bool
is_in_more(const struct client *client, const struct ids *ids)
{
	gid_t few[GROUPS_FEW], *groups = few;
	socklen_t len = sizeof few;
	int rc = getsockopt(client->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);
	bool is_in = false;

	if (rc < 0 && errno == ERANGE) {        /* len is what it takes */
		groups = alloc_new(len);
		rc = getsockopt(client->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);
	}
	for (size_t i = 0; rc == 0 && i < len / sizeof groups[0] && !is_in; i++)
		is_in = ids_have(ids, groups[i]);
	if (groups != few)
		free(groups);
	return is_in;
}

static bool
is_in(const struct client *client, const struct ids *ids)
{
	return ids != NULL && (ids_have(ids, client->gid) || is_in_more(client, ids));
}

bool
rights_may_use(const struct client *client, const struct config_group *group, const char **rule)
{
	if (is_above_rules(client) || rights_are_open(group) ||
	    ids_have(group->allow_users, client->uid) || is_in(client, group->allow_groups))
		return true;
	*rule = group->allow_groups == NULL ? "allow_users" :
	    group->allow_users == NULL ? "allow_groups" : "allow_users,allow_groups";
	return false;
}

bool
rights_may_admin(const struct client *client, const struct config_group *group, const char **rule)
{
	if (is_above_rules(client) || is_in(client, client->server->config->admin_groups) ||
	    (group != NULL && (ids_have(group->admin_users, client->uid) ||
	    is_in(client, group->admin_groups))))
		return true;
	*rule = "admin";
	return false;
}
