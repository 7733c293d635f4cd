/* What is printed: each figure as it is measured, and at the end the targets, met or not.  The same
 * as JSON, one object a figure, in the file that BENCH_JSON names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"

#define TARGETS_MAX 64

static struct {
	const char *placement;
	FILE *json;
	bool has_entry;
	struct {
		char what[120];
		enum target kind;
		double target, figure;
	} targets[TARGETS_MAX];
	unsigned n_targets;
} table;

static void
json_begin(const char *what)
{
	fputs(table.has_entry ? ",\n  {\"what\": \"" : "\n  {\"what\": \"", table.json);
	for (; *what != '\0'; what++) {
		if (*what == '"' || *what == '\\')
			fputc('\\', table.json);
		fputc(*what, table.json);
	}
	fputc('"', table.json);
	if (table.placement != NULL)
		fprintf(table.json, ", \"placement\": \"%s\"", table.placement);
	table.has_entry = true;
}

void
table_open(const char *machine)
{
	const char *path = getenv("BENCH_JSON");

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%s\n", machine);
	if (path == NULL)
		return;
	if ((table.json = fopen(path, "w")) == NULL)
		fail("%s: %s", path, strerror(errno));
	fputc('[', table.json);
	json_begin(machine);
	fputc('}', table.json);
}

void
table_placement(const char *name)
{
	table.placement = name;
	printf("\n%-64s %12s %12s\n", strcmp(name, "pinned") == 0 ? "Pinned to one core" :
	    "Placed freely", "median", "p99");
}

void
table_time(const char *what, struct samples *s)
{
	printf("%-64s %9.1f us %9.1f us\n", what, median(s), p99(s));
	if (table.json == NULL)
		return;
	json_begin(what);
	fprintf(table.json, ", \"unit\": \"us\", \"median\": %.3f, \"p99\": %.3f, \"n\": %zu}",
	    median(s), p99(s), s->n);
}

void
table_number(const char *what, const char *unit, double value)
{
	printf("%-64s %9.*f %s\n", what, value < 10 ? 3 : value < 1000 ? 1 : 0, value, unit);
	if (table.json == NULL)
		return;
	json_begin(what);
	fprintf(table.json, ", \"unit\": \"%s\", \"value\": %.6f}", unit, value);
}

static bool
is_met(enum target kind, double target, double figure)
{
	return kind == AT_MOST ? figure <= target : figure >= target;
}

void
table_target(const char *what, enum target kind, double target, double figure)
{
	if (strcmp(table.placement, "pinned") != 0) {
		printf("%-64s %9.2f (target: %s %g pinned)\n", what, figure,
		    kind == AT_MOST ? "<=" : ">=", target);
		return;
	}
	if (table.n_targets == TARGETS_MAX)
		fail("more than %d targets", TARGETS_MAX);
	snprintf(table.targets[table.n_targets].what, sizeof table.targets[0].what, "%s", what);
	table.targets[table.n_targets].kind = kind;
	table.targets[table.n_targets].target = target;
	table.targets[table.n_targets++].figure = figure;
	if (table.json == NULL)
		return;
	json_begin(what);
	fprintf(table.json, ", \"%s\": %g, \"figure\": %.6f, \"met\": %s}",
	    kind == AT_MOST ? "at_most" : "at_least", target, figure,
	    is_met(kind, target, figure) ? "true" : "false");
}

void
table_close(void)
{
	printf("\n| what | target | figure | met |\n|---|---|---|---|\n");
	for (unsigned i = 0; i < table.n_targets; i++) {
		bool met = is_met(table.targets[i].kind, table.targets[i].target,
		    table.targets[i].figure);

		printf("| %s | %s %g | %.*f | %s |\n", table.targets[i].what,
		    table.targets[i].kind == AT_MOST ? "<=" : ">=", table.targets[i].target,
		    table.targets[i].figure < 0.1 ? 4 : 2, table.targets[i].figure,
		    met ? "yes" : "NO");
	}
	if (table.json != NULL && (fputs("\n]\n", table.json) < 0 || fclose(table.json) != 0))
		fail("BENCH_JSON: %s", strerror(errno));
}
