/* slotctl list, status, holders, waiters, stats, ping: what slotd knows, as tables for people or
 * as JSON for programs. */
#include <stdio.h>
#include <time.h>

#include "client/slotctl/answer.h"
#include "client/slotctl/field.h"
#include "client/slotctl/fleet.h"
#include "client/slotctl/follow.h"
#include "client/slotctl/slotctl.h"
#include "client/slotctl/table.h"

static int
finish(struct answer *answer)
{
	answer_free(answer);
	return ctl_printed();
}

int
ctl_show(const struct ctl *c, const char *verb, const struct column *columns, int n)
{
	struct table table = {.columns = columns, .n = n};
	struct answer answer;
	int status;

	if (c->watch)
		return ctl_follow(c, verb, columns, n);
	if ((status = ctl_ask(c, verb, c->arg, &answer)) != 0)
		return status;
	fleet_say(&answer);
	if (c->json) {
		json_print_array(&answer);
	} else {
		table_fit(&table, &answer);
		table_print_row(stdout, &table, NULL);
		for (size_t i = 0; i < answer.n; i++)
			table_print_row(stdout, &table, answer.line[i]);
	}
	return finish(&answer);
}

int
ctl_list(const struct ctl *c)
{
	static const struct column columns[] = {
		{"group", "GROUP", TEXT | KEY}, {"limit", "LIMIT", NUMBER}, {"held", "HELD", NUMBER},
		{"idle", "IDLE", NUMBER}, {"ending", "ENDING", NUMBER},
		{"waiting", "WAITING", NUMBER}, {"oldest_wait", "OLDEST", AGE},
	};
	struct answer answer;
	struct field f;
	int status;

	if (!c->names || c->json)
		return ctl_show(c, "LIST", columns, sizeof columns / sizeof columns[0]);

	status = ctl_ask(c, "LIST", c->arg, &answer);
	if (status != 0)
		return status;
	for (size_t i = 0; i < answer.n; i++)
		if (field_find(answer.line[i], "group", &f))
			printf("%s\n", f.value);
	return finish(&answer);
}

int
ctl_holders(const struct ctl *c)
{
	static const struct column columns[] = {
		{"slot", "SLOT", NUMBER | KEY}, {"pid", "PID", NUMBER}, {"uid", "UID", NUMBER},
		{"age", "AGE", AGE}, {"token", "TOKEN", NUMBER | KEY}, {"label", "LABEL", TEXT},
	};

	return ctl_show(c, "HOLDERS", columns, sizeof columns / sizeof columns[0]);
}

int
ctl_waiters(const struct ctl *c)
{
	static const struct column columns[] = {
		{"place", "PLACE", NUMBER}, {"n", "N", NUMBER | KEY}, {"limit", "LIMIT", NUMBER | KEY},
		{"pid", "PID", NUMBER | KEY}, {"uid", "UID", NUMBER | KEY}, {"age", "AGE", AGE},
		{"left", "LEFT", AGE}, {"label", "LABEL", TEXT | KEY},
	};

	return ctl_show(c, "WAITERS", columns, sizeof columns / sizeof columns[0]);
}

static void
print_pairs(const struct answer *answer)
{
	int width = table_pairs_width(answer);
	struct field f;

	for (size_t i = 0; i < answer->n; i++)
		for (const char *line = answer->line[i]; field_next(&line, &f);)
			table_print_pair(&f, width);
}

static int
show_pairs(const struct ctl *c, const char *verb)
{
	struct answer answer;
	int status = ctl_ask(c, verb, c->arg, &answer);

	if (status != 0)
		return status;
	if (c->json) {
		printf("{");
		json_print_members(answer.line, answer.n);
		printf("}\n");
	} else {
		print_pairs(&answer);
	}
	return finish(&answer);
}

int
ctl_status(const struct ctl *c)
{
	return c->watch ? ctl_follow(c, "STATUS", NULL, 0) : show_pairs(c, "STATUS");
}

int
ctl_stats(const struct ctl *c)
{
	return show_pairs(c, "STATS");
}

int
ctl_ping(const struct ctl *c)
{
	struct timespec start, end;
	struct answer answer;
	struct field version;
	double ms;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &start);
	status = ctl_ask(c, "VERSION", NULL, &answer);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (status != 0)
		return status;
	ms = (double)(end.tv_sec - start.tv_sec) * 1e3 +
	    (double)(end.tv_nsec - start.tv_nsec) / 1e6;
	if (answer.n == 0 || !field_find(answer.line[0], "version", &version))
		version = (struct field){.key = "version", .value = "-", .none = true};
	if (c->json) {
		printf("{");
		field_print_json(&version);
		printf(", \"ms\": %.3f}\n", ms);
	} else {
		printf("slotd %s answers on %s in %.2f ms\n", version.value, c->socket, ms);
	}
	return finish(&answer);
}
