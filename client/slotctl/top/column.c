/* Cells, and comparing rows by one of them. */
#include "client/slotctl/top/column.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slotctl/field.h"

const struct column_kind column_kinds[N_COLUMN_IDS] = {
	[COLUMN_GROUP] = {"GROUP", 12, 0, true},
	[COLUMN_BAR] = {"USE", 10, 5, false},
	[COLUMN_HELD] = {"HELD/LIMIT", 10, 0, false},
	[COLUMN_IN_USE] = {"IN USE", 6, 6, false},
	[COLUMN_IDLE] = {"IDLE", 4, 8, false},
	[COLUMN_WAITING] = {"WAIT", 5, 1, false},
	[COLUMN_OLDEST] = {"OLDEST", 6, 3, false},
	[COLUMN_RATE] = {"GRANTS/S", 8, 4, false},
	[COLUMN_STATE] = {"STATE", 8, 2, true},
};

int
column_cell(enum column_id id, const struct group *group, char cell[COLUMN_CELL_SIZE])
{
	char text[64] = "-";

	switch (id) {
	case COLUMN_GROUP:
		return text_format(group->name, cell, COLUMN_CELL_SIZE);
	case COLUMN_HELD:
		if (group->limit >= 0)
			snprintf(text, sizeof text, "%" PRId64 "/%" PRId64, group->held,
			    group->limit);
		else
			snprintf(text, sizeof text, "%" PRId64 "/-", group->held);
		break;
	case COLUMN_IN_USE:
		if (group->in_use >= 0)
			snprintf(text, sizeof text, "%" PRId64, group->in_use);
		break;
	case COLUMN_IDLE:
		snprintf(text, sizeof text, "%" PRId64, group->idle);
		break;
	case COLUMN_WAITING:
		snprintf(text, sizeof text, "%" PRId64, group->waiting);
		break;
	case COLUMN_OLDEST:
		if (group->oldest_ms >= 0)
			ctl_age(group->oldest_ms, text);
		break;
	case COLUMN_RATE:
		if (group->rate >= 0)
			snprintf(text, sizeof text, "%.1f", group->rate);
		break;
	case COLUMN_STATE:
		return text_format(group->state, cell, COLUMN_CELL_SIZE);
	default:
		text[0] = '\0';
	}
	return text_format(text, cell, COLUMN_CELL_SIZE);
}

static int64_t
used_by(const struct group *group)
{
	return group->in_use > group->held ? group->in_use : group->held;
}

/* Rounded up: one of a thousand is not none; but less than all is not all. */
static int
share(int64_t part, int64_t of, int places)
{
	if (part <= 0 || of <= 0 || places <= 0)
		return 0;
	if (part >= of)
		return places;
	part = (part * places + of - 1) / of;
	return part < places || places == 1 ? (int)part : places - 1;
}

void
column_bar(const struct group *group, int places, int *held, int *in_use)
{
	*held = share(group->held, group->limit, places);
	*in_use = share(used_by(group), group->limit, places);
}

/* ------------------------------------------------------------------------------ order */

struct order {
	enum column_id by;
	bool reverse;
};

/* Thousandths of the limit; more than all if there is none. */
static int64_t
use_of(const struct group *group)
{
	if (group->limit > 0)
		return used_by(group) * 1000 / group->limit;
	return used_by(group) > 0 ? INT64_MAX : 0;
}

static double
value_of(const struct group *group, enum column_id by)
{
	switch (by) {
	case COLUMN_BAR:
		return (double)use_of(group);
	case COLUMN_HELD:
		return (double)group->held;
	case COLUMN_IN_USE:
		return (double)used_by(group);
	case COLUMN_IDLE:
		return (double)group->idle;
	case COLUMN_WAITING:
		return (double)group->waiting;
	case COLUMN_OLDEST:
		return (double)group->oldest_ms;
	case COLUMN_RATE:
		return group->rate;
	case COLUMN_STATE:
		return (double)group->mood;
	default:
		return 0;
	}
}

/* The greatest first, as that is where the trouble is; where they are alike, by name. */
static int
compare(const void *a, const void *b, void *arg)
{
	const struct group *one = *(const struct group *const *)a;
	const struct group *two = *(const struct group *const *)b;
	const struct order *order = arg;
	double x = value_of(one, order->by), y = value_of(two, order->by);
	int result = (x < y) - (x > y), by_name = strcmp(one->name, two->name);

	if (order->by == COLUMN_GROUP)
		return order->reverse ? -by_name : by_name;
	if (result == 0)
		return by_name;
	return order->reverse ? -result : result;
}

static bool
is_wanted(const char *name, const char *filter)
{
	if (strpbrk(filter, "*?[") != NULL)
		return fnmatch(filter, name, FNM_NOESCAPE) == 0;
	return strstr(name, filter) != NULL;
}

size_t
column_sort(const struct picture *picture, const char *filter, enum column_id by,
    bool reverse, const struct group **rows)
{
	struct order order = {by, reverse};
	size_t n = 0;

	for (size_t i = 0; i < picture->n_groups; i++)
		if (is_wanted(picture->groups[i].name, filter))
			rows[n++] = &picture->groups[i];
	if (n > 0)
		qsort_r(rows, n, sizeof *rows, compare, &order);
	return n;
}
