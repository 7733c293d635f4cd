/* Users: how many connections each has. */
#include "daemon/serve/users.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/hash.h"

/* In the table while the count is not 0. */
struct user {
	uint32_t uid, n;
	bool is_full;           /* as last told */
	UT_hash_handle hh;
};

static struct user *
find(struct user *users, uint32_t uid)
{
	struct user *user;

	HASH_FIND(hh, users, &uid, sizeof uid, user);
	return user;
}

bool
users_enter(struct user **users, uint32_t uid, uint32_t max, bool *is_news)
{
	struct user *user = find(*users, uid);

	if (user == NULL) {
		user = alloc_new(sizeof *user);
		*user = (struct user){.uid = uid};
		HASH_ADD(hh, *users, uid, sizeof user->uid, user);
	}
	if (user->n == max) {
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
users_leave(struct user **users, uint32_t uid)
{
	struct user *user = find(*users, uid);

	assert(user != NULL);
	if (--user->n > 0)
		return;
	HASH_DEL(*users, user);
	free(user);
}
