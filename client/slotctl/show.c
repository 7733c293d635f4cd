/* slotctl list, status, holders, waiters, stats, ping: what slotd knows, as tables for people or
 * as JSON for programs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/slot.h"
#include "client/slotctl/slotctl.h"
#include "client/slotctl/field.h"

#define CELL_SIZE 800           /* a decoded value with each byte as %XX */
#define MAX_COLUMNS 8

/* An answer of slotd, all its lines. */
struct lines {
	char **line;
	size_t n;
	bool no_memory;
};

struct column {
	const char *key, *title;
	enum { TEXT, NUMBER, AGE } kind;
};

static void
lines_add(const char *line, void *userdata)
{
	struct lines *l = userdata;
	char **grown = realloc(l->line, (l->n + 1) * sizeof *grown);
	char *copy = strdup(line);

	if (grown != NULL)
		l->line = grown;
	if (grown == NULL || copy == NULL) {
		free(copy);
		l->no_memory = true;
		return;
	}
	l->line[l->n++] = copy;
}

static void
lines_free(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->line[i]);
	free(l->line);
}

/* Asks slotd.  -> 0, and the answer is the caller's to free; else an exit status, explained. */
static int
ask(const struct ctl *c, const char *verb, struct lines *answer)
{
	struct slot_connect_options how = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_conn *conn;
	int code, status = 0;

	*answer = (struct lines){NULL, 0, false};
	how.path = c->socket;
	how.async = 1;          /* one attempt: who looks wants to know now that nobody is there */
	code = slot_connect(&conn, &how);
	if (code == 0)
		code = slot_query(conn, verb, c->arg, lines_add, answer);
	if (code == 0 && answer->no_memory)
		code = SLOT_ENOMEM;
	if (code != 0)
		status = ctl_explain(c, code, conn, errno);
	slot_close(conn);
	if (status != 0)
		lines_free(answer);
	return status;
}

/* ------------------------------------------------------------------------------ for programs */

/* One object of what so many lines say. */
static void
print_object(char *const *lines, size_t n)
{
	const char *before = "";
	struct field f;

	printf("{");
	for (size_t i = 0; i < n; i++) {
		for (const char *line = lines[i]; field_next(&line, &f);) {
			printf("%s", before);
			field_print_json(&f);
			before = ", ";
		}
	}
	printf("}");
}

static void
print_array(const struct lines *l)
{
	printf("[");
	for (size_t i = 0; i < l->n; i++) {
		printf(i == 0 ? "\n  " : ",\n  ");
		print_object(&l->line[i], 1);
	}
	printf(l->n > 0 ? "\n]\n" : "]\n");
}

/* -------------------------------------------------------------------------------- for people */

/* -> the width of the cell. */
static int
format_cell(const struct field *f, int kind, char cell[CELL_SIZE])
{
	char age[CTL_AGE_SIZE];

	if (f->none)
		return text_format("-", cell, CELL_SIZE);
	if (kind != AGE)
		return text_format(f->value, cell, CELL_SIZE);
	ctl_age(strtoll(f->value, NULL, 10), age);
	return text_format(age, cell, CELL_SIZE);
}

/* The cell of a column in a line of slotd, or in the title: line is NULL.  -> its width. */
static int
column_cell(const struct column *column, const char *line, char cell[CELL_SIZE])
{
	struct field f = {.none = true};

	if (line == NULL)
		return text_format(column->title, cell, CELL_SIZE);
	if (!field_find(line, column->key, &f))
		f.none = true;
	return format_cell(&f, column->kind, cell);
}

static void
print_row(const struct column *columns, int n, const int *widths, const char *line)
{
	char cell[CELL_SIZE];

	for (int i = 0; i < n; i++) {
		int blanks = widths[i] - column_cell(&columns[i], line, cell);
		bool is_last = i == n - 1;

		if (columns[i].kind != TEXT)
			printf("%*s%s", blanks, "", cell);
		else
			printf("%s%*s", cell, is_last ? 0 : blanks, "");
		printf(is_last ? "\n" : "  ");
	}
}

static void
print_table(const struct lines *l, const struct column *columns, int n)
{
	int widths[MAX_COLUMNS], width;
	char cell[CELL_SIZE];

	for (int i = 0; i < n; i++) {
		widths[i] = column_cell(&columns[i], NULL, cell);
		for (size_t row = 0; row < l->n; row++)
			if ((width = column_cell(&columns[i], l->line[row], cell)) > widths[i])
				widths[i] = width;
	}
	print_row(columns, n, widths, NULL);
	for (size_t row = 0; row < l->n; row++)
		print_row(columns, n, widths, l->line[row]);
}

/* One "name  value" a line. */
static void
print_pairs(const struct lines *l)
{
	char cell[CELL_SIZE];
	struct field f;
	int width = 0;

	for (size_t row = 0; row < l->n; row++)
		for (const char *line = l->line[row]; field_next(&line, &f);)
			if ((int)strlen(f.key) > width)
				width = (int)strlen(f.key);
	for (size_t row = 0; row < l->n; row++) {
		for (const char *line = l->line[row]; field_next(&line, &f);) {
			format_cell(&f, strcmp(f.key, "oldest_wait") == 0 ? AGE : TEXT, cell);
			printf("%-*s  %s\n", width, f.key, cell);
		}
	}
}

static int
finish(struct lines *l)
{
	lines_free(l);
	return ctl_printed();
}

static int
show_table(const struct ctl *c, const char *verb, const struct column *columns, int n)
{
	struct lines answer;
	int status = ask(c, verb, &answer);

	if (status != 0)
		return status;
	if (c->json)
		print_array(&answer);
	else
		print_table(&answer, columns, n);
	return finish(&answer);
}

int
ctl_list(const struct ctl *c)
{
	static const struct column columns[] = {
		{"group", "GROUP", TEXT}, {"limit", "LIMIT", NUMBER}, {"held", "HELD", NUMBER},
		{"idle", "IDLE", NUMBER}, {"ending", "ENDING", NUMBER},
		{"waiting", "WAITING", NUMBER}, {"oldest_wait", "OLDEST", AGE},
	};
	struct lines answer;
	struct field f;
	int status;

	if (!c->names || c->json)
		return show_table(c, "LIST", columns, sizeof columns / sizeof columns[0]);

	status = ask(c, "LIST", &answer);
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
		{"slot", "SLOT", NUMBER}, {"pid", "PID", NUMBER}, {"uid", "UID", NUMBER},
		{"age", "AGE", AGE}, {"token", "TOKEN", NUMBER}, {"label", "LABEL", TEXT},
	};

	return show_table(c, "HOLDERS", columns, sizeof columns / sizeof columns[0]);
}

int
ctl_waiters(const struct ctl *c)
{
	static const struct column columns[] = {
		{"place", "PLACE", NUMBER}, {"n", "N", NUMBER}, {"limit", "LIMIT", NUMBER},
		{"pid", "PID", NUMBER}, {"uid", "UID", NUMBER}, {"age", "AGE", AGE},
		{"left", "LEFT", AGE}, {"label", "LABEL", TEXT},
	};

	return show_table(c, "WAITERS", columns, sizeof columns / sizeof columns[0]);
}

static int
show_pairs(const struct ctl *c, const char *verb)
{
	struct lines answer;
	int status = ask(c, verb, &answer);

	if (status != 0)
		return status;
	if (c->json) {
		print_object(answer.line, answer.n);
		printf("\n");
	} else {
		print_pairs(&answer);
	}
	return finish(&answer);
}

int
ctl_status(const struct ctl *c)
{
	return show_pairs(c, "STATUS");
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
	struct lines answer;
	struct field version;
	double ms;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &start);
	status = ask(c, "VERSION", &answer);
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
