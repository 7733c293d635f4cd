/* What operators have set for groups while they run: live limits and pauses. */
#include "daemon/core/live.h"

#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/core/name.h"
#include "daemon/core/rules.h"

void
lives_init(struct lives *lives)
{
	lives->groups = TABLE_OF(struct live, by_name);
}

void
lives_fini(struct lives *lives)
{
	struct live *live, *after;

	TABLE_FOREACH (live, after, &lives->groups) {
		table_remove(&lives->groups, live);
		free(live->name);
		free(live->said);
		free(live);
	}
}

static struct live *
find(const struct lives *lives, const char *group)
{
	struct live *live = table_find(&lives->groups, name_key(group));

	while (live != NULL && strcmp(live->name, group) != 0)
		live = table_find_next(&lives->groups, live);
	return live;
}

const struct live *
lives_find(const struct lives *lives, const char *group)
{
	return find(lives, group);
}

static struct live *
get(struct lives *lives, const char *group)
{
	struct live *live = find(lives, group);
	size_t size = strlen(group) + 1;

	if (live != NULL)
		return live;
	live = alloc_new(sizeof *live);
	*live = (struct live){.name = memcpy(alloc_new(size), group, size)};
	for (int kind = 0; kind < N_LIVE_KINDS; kind++)
		live->settings[kind].limit = XCH_NO_LIMIT;
	table_add(&lives->groups, live, name_key(group));
	return live;
}

static void
copy_said(struct live *to, const struct live *from)
{
	if (from->n_said == 0)
		return;
	to->said = alloc_new(LIVE_SAID_MAX * sizeof *to->said);
	memcpy(to->said, from->said, from->n_said * sizeof *to->said);
	to->n_said = from->n_said;
}

void
lives_copy(struct lives *to, const struct lives *from)
{
	const struct live *live, *after;

	lives_init(to);
	TABLE_FOREACH (live, after, &from->groups) {
		struct live *copy = get(to, live->name);

		memcpy(copy->settings, live->settings, sizeof copy->settings);
		copy_said(copy, live);
	}
}

bool
lives_hear(struct lives *lives, const char *group, enum live_kind kind,
    const struct live_setting *setting)
{
	struct live *live = get(lives, group);

	if (setting->at <= live->settings[kind].at && RULE(LIVE_NEWER))
		return false;
	live->settings[kind] = *setting;
	return true;
}

void
lives_set(struct lives *lives, usec now, const char *group, enum live_kind kind,
    struct live_setting *setting, usec length)
{
	struct live *live = get(lives, group);
	usec before = live->settings[kind].at;

	setting->at = now > before ? now : before + 1;
	setting->until = length < USEC_NEVER - setting->at ? setting->at + length : USEC_NEVER;
	live->settings[kind] = *setting;
	if (live->said == NULL)
		live->said = alloc_new(LIVE_SAID_MAX * sizeof *live->said);
	if (live->n_said < LIVE_SAID_MAX)
		live->n_said++;
	memmove(live->said + 1, live->said, (live->n_said - 1) * sizeof *live->said);
	live->said[0] = (struct live_said){kind, *setting};
}

const struct live_setting *
live_in_force(const struct live *live, usec now)
{
	for (int kind = 0; live != NULL && kind < N_LIVE_KINDS; kind++)
		if (live_is_in_force(&live->settings[kind], now))
			return &live->settings[kind];
	return NULL;
}

int64_t
live_limit(const struct live *live, usec now, usec *left)
{
	const struct live_setting *s = live_in_force(live, now);

	*left = s != NULL && s->until != USEC_NEVER ? s->until - now : USEC_NEVER;
	return s != NULL ? s->limit : XCH_NO_LIMIT;
}
