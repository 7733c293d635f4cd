/* Users: what each has in all of its connections. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>

struct user *
user_enter(struct arb *arb, uint32_t uid)
{
	struct user *user = table_find(&arb->users, uid);

	if (user == NULL) {
		user = alloc_resize(NULL, sizeof *user);
		*user = (struct user){0};
		table_add(&arb->users, user, uid);
	}
	user->n_clients++;
	return user;
}

void
user_leave(struct arb *arb, struct user *user)
{
	if (--user->n_clients > 0)
		return;
	assert(user->n_slots == 0);
	table_remove(&arb->users, user);
	free(user);
}
