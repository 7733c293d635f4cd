/* Matching the lines of two answers. */
#include "client/slotctl/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An age says who it is only where there is no token. */
static int64_t
age_of(const char *line)
{
	struct field f;

	if (field_find(line, "token", &f) && !f.none)
		return -1;
	return field_find(line, "age", &f) && !f.none ? strtoll(f.value, NULL, 10) : -1;
}

/* The key columns' values, with what no name can have between them; NULL: no memory. */
static char *
identity_of(const char *line, const struct column *columns, int n)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	struct field f;

	if (stream == NULL)
		return NULL;
	for (int i = 0; i < n; i++)
		if ((columns[i].kind & KEY) != 0 && field_find(line, columns[i].key, &f))
			fprintf(stream, "%s\n", f.value);
	if (fclose(stream) == 0)
		return text;
	free(text);
	return NULL;
}

bool
rows_make(const struct answer *answer, const struct column *columns, int n, struct rows *rows)
{
	*rows = (struct rows){calloc(answer->n + 1, sizeof *rows->row), 0};
	if (rows->row == NULL)
		return false;
	while (rows->n < answer->n) {
		struct row *row = &rows->row[rows->n];

		row->line = answer->line[rows->n];
		row->age_ms = age_of(row->line);
		row->identity = identity_of(row->line, columns, n);
		if (row->identity == NULL) {
			rows_free(rows);
			return false;
		}
		rows->n++;
	}
	return true;
}

void
rows_free(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->row[i].identity);
	free(rows->row);
	*rows = (struct rows){NULL, 0};
}

/* By identity, and the youngest first: where two are too close to tell, the older one has gone. */
static int
compare(const void *a, const void *b)
{
	const struct row *one = *(struct row *const *)a, *two = *(struct row *const *)b;
	int order = strcmp(one->identity, two->identity);

	if (order != 0)
		return order;
	if (one->age_ms == two->age_ms)         /* the first waiter is the oldest */
		return one < two ? 1 : -1;
	return (one->age_ms > two->age_ms) - (one->age_ms < two->age_ms);
}

static struct row **
sorted(struct rows *rows)
{
	struct row **order = malloc((rows->n + 1) * sizeof(struct row *));

	if (order == NULL)
		return NULL;
	for (size_t i = 0; i < rows->n; i++) {
		rows->row[i].other = NULL;
		order[i] = &rows->row[i];
	}
	qsort(order, rows->n, sizeof(struct row *), compare);
	return order;
}

bool
rows_match(struct rows *before, struct rows *now, int64_t least_ms, int64_t most_ms)
{
	struct row **old = sorted(before), **new = sorted(now);
	size_t i = 0, j = 0;
	bool done = old != NULL && new != NULL;

	while (done && i < before->n && j < now->n) {
		int order = strcmp(old[i]->identity, new[j]->identity);
		int64_t passed = new[j]->age_ms - old[i]->age_ms;

		if (order == 0 && old[i]->age_ms >= 0 && new[j]->age_ms >= 0)
			order = passed > most_ms ? -1 : passed < least_ms ? 1 : 0;
		if (order == 0) {
			old[i]->other = new[j];
			new[j]->other = old[i];
		}
		i += order <= 0;
		j += order >= 0;
	}
	free(old);
	free(new);
	return done;
}

bool
field_differs(const char *before, const struct field *now)
{
	static const char *const going_on[] = {
		"age", "left", "oldest_wait", "place", "grants", "lease_left", "grace_left",
		"live_left", "pause_left", "limit_left",
	};
	bool goes_on = false;
	struct field f;

	for (size_t i = 0; i < sizeof going_on / sizeof going_on[0]; i++)
		goes_on = goes_on || strcmp(now->key, going_on[i]) == 0;
	if (!field_find(before, now->key, &f) || f.none != now->none)
		return true;
	if (strcmp(now->key, "grace_left") == 0)        /* 0 is its "-" */
		return (strcmp(f.value, "0") == 0) != (strcmp(now->value, "0") == 0);
	return !goes_on && strcmp(f.value, now->value) != 0;
}

static bool
is_shown(const char *key, const struct column *columns, int n)
{
	bool shown = columns == NULL;

	for (int i = 0; i < n; i++)
		shown = shown || strcmp(columns[i].key, key) == 0;
	return shown;
}

bool
rows_differ(const char *before, const char *now, const struct column *columns, int n)
{
	struct field f;

	while (field_next(&now, &f))
		if (is_shown(f.key, columns, n) && field_differs(before, &f))
			return true;
	return false;
}
