/* Users: how many connections each has. */
#include "daemon/serve/users.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/alloc.h"

/* In the table while the count is not 0. */
struct user {
	struct table_node by_uid;
	uint32_t n;
	bool is_full;           /* as last told */
};

void
users_init(struct table *users)
{
	*users = TABLE_OF(struct user, by_uid);
}

bool
users_enter(struct table *users, uint32_t uid, uint32_t max, bool *is_news)
{
	struct user *user = table_find(users, uid);

	if (user == NULL) {
		user = alloc_new(sizeof *user);
		*user = (struct user){0};
		table_add(users, user, uid);
	}
	if (max == 0)
		max = UINT32_MAX;
	if (user->n >= max) {
		*is_news = !user->is_full;
		user->is_full = true;
		return false;
	}
	/* At the brink it would be news with each that comes and goes. */
	if (user->n++ < max - max / 10)
		user->is_full = false;
	return true;
}

void
users_leave(struct table *users, uint32_t uid)
{
	struct user *user = table_find(users, uid);

	assert(user != NULL);
	if (--user->n > 0)
		return;
	table_remove(users, user);
	free(user);
}
