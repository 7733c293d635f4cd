/* Tallies: what has happened in each group, counted for as long as slotd runs. */
#include "daemon/core/tally.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/name.h"

static void
add(struct tallies *tallies, struct tally *tally)
{
	tally->index = tallies->n++;
	tally->wait.bounds = tally->hold.bounds = histogram_long;
	STAILQ_INSERT_TAIL(&tallies->all, tally, next);
}

void
tallies_init(struct tallies *tallies, uint32_t max)
{
	static char other[] = TALLY_OTHER;

	*tallies = (struct tallies){.by_name = TABLE_OF(struct tally, by_name), .max = max};
	STAILQ_INIT(&tallies->all);
	tallies->exchange.bounds = histogram_short;
	tallies->other.name = other;
	add(tallies, &tallies->other);
}

void
tallies_fini(struct tallies *tallies)
{
	struct tally *tally, *after;

	TABLE_FOREACH (tally, after, &tallies->by_name) {
		table_remove(&tallies->by_name, tally);
		free(tally->name);
		free(tally);
	}
}

static struct tally *
find(const struct tallies *tallies, const char *group)
{
	struct tally *tally = table_find(&tallies->by_name, name_key(group));

	while (tally != NULL && strcmp(tally->name, group) != 0)
		tally = table_find_next(&tallies->by_name, tally);
	return tally;
}

const struct tally *
tally_find(const struct tallies *tallies, const char *group)
{
	return find(tallies, group);
}

/* The shared one if there is no memory. */
static struct tally *
make(struct tallies *tallies, const char *group)
{
	struct tally *tally = calloc(1, sizeof *tally);

	if (tally == NULL || (tally->name = strdup(group)) == NULL) {
		free(tally);
		return &tallies->other;
	}
	add(tallies, tally);
	table_add(&tallies->by_name, tally, name_key(group));
	tallies->n_others++;
	return tally;
}

struct tally *
tally_of(struct tallies *tallies, const char *group)
{
	struct tally *tally = find(tallies, group);

	if (tally != NULL)
		return tally;
	if (tallies->n_others >= tallies->max || strcmp(group, TALLY_OTHER) == 0)
		return &tallies->other;
	return make(tallies, group);
}

struct tally *
tally_keep(struct tallies *tallies, const char *group)
{
	struct tally *tally = find(tallies, group);

	if (strcmp(group, TALLY_OTHER) == 0)
		return &tallies->other;
	if (tally == NULL)
		tally = make(tallies, group);
	if (tally != &tallies->other && !tally->is_kept) {
		tally->is_kept = true;
		tallies->n_others--;
	}
	return tally;
}

void
tally_refused(struct tally *tally, enum wire_code code)
{
	enum tally_result result = TALLY_REFUSED;

	switch (code) {
	case WIRE_ERR_FULL:
		result = TALLY_FULL;
		break;
	case WIRE_ERR_TIMEOUT:
		result = TALLY_TIMEOUT;
		break;
	case WIRE_ERR_QUEUEFULL:
		result = TALLY_QUEUEFULL;
		break;
	case WIRE_ERR_UNAVAILABLE:
		result = TALLY_UNAVAILABLE;
		break;
	case WIRE_ERR_BACKEND:
		result = TALLY_BACKEND;
		break;
	case WIRE_ERR_CANCELLED:
		result = TALLY_CANCELLED;
		break;
	default:
		break;
	}
	tally->results[result]++;
}

void
tally_granted(struct tally *tally, enum tally_way way, nsec waited)
{
	tally->grants[way]++;
	histogram_add(&tally->wait, waited);
}
