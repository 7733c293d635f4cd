/* The pages of lines: who holds and waits in one group, and the help. */
#include "client/slotctl/top/draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slotctl/field.h"
#include "client/slotctl/table.h"

#define BOLD '\1'               /* at the beginning of a line */

/* Of those that are in none of the lines there is no column. */
static const struct column holder_columns[] = {
	{"host", "HOST", TEXT}, {"slot", "SLOT", NUMBER}, {"pid", "PID", NUMBER},
	{"uid", "UID", NUMBER}, {"command", "COMMAND", TEXT}, {"age", "AGE", AGE},
	{"lease_left", "LEASE", AGE}, {"proven", "PROVEN", TEXT}, {"label", "LABEL", TEXT},
	{"token", "TOKEN", NUMBER},
};
static const struct column waiter_columns[] = {
	{"place", "PLACE", NUMBER}, {"host", "HOST", TEXT}, {"n", "N", NUMBER},
	{"limit", "LIMIT", NUMBER}, {"pid", "PID", NUMBER}, {"uid", "UID", NUMBER},
	{"command", "COMMAND", TEXT}, {"age", "AGE", AGE}, {"left", "LEFT", AGE},
	{"label", "LABEL", TEXT},
};

static bool
is_said(const struct answer *answer, const char *key)
{
	struct field f;

	for (size_t i = 0; i < answer->n; i++)
		if (field_find(answer->line[i], key, &f))
			return true;
	return false;
}

static void
write_table(FILE *to, const struct answer *answer, const struct column *columns, size_t n)
{
	struct column shown[MAX_COLUMNS];
	struct table table = {.columns = shown};

	for (size_t i = 0; i < n; i++)
		if (is_said(answer, columns[i].key))
			shown[table.n++] = columns[i];
	if (answer->n == 0)
		return;
	table_fit(&table, answer);
	fprintf(to, "%c", BOLD);
	table_print_row(to, &table, NULL);
	for (size_t i = 0; i < answer->n; i++)
		table_print_row(to, &table, answer->line[i]);
}

static int
number(const char *line, const char *key)
{
	struct field f;

	return line != NULL && field_find(line, key, &f) ? atoi(f.value) : 0;
}

/* Of which hosts this is. */
static void
say_where(const struct picture *picture, char *where, size_t size)
{
	int hosts = number(picture->holders.fleet, "hosts");
	int answered = number(picture->holders.fleet, "answered");

	if (!picture->of_all_hosts || !picture->is_redis_up)
		snprintf(where, size, "on this host");
	else if (answered == hosts)
		snprintf(where, size, "on all hosts");
	else
		snprintf(where, size, "(%d of %d hosts answer)", answered, hosts);
}

static void
write_details(FILE *to, const struct picture *picture)
{
	char where[64];

	say_where(picture, where, sizeof where);
	fprintf(to, "%c%zu slot%s held %s\n", BOLD, picture->holders.n,
	    picture->holders.n == 1 ? "" : "s", where);
	write_table(to, &picture->holders, holder_columns,
	    sizeof holder_columns / sizeof holder_columns[0]);
	fprintf(to, "\n%c%zu waiting %s\n", BOLD, picture->waiters.n, where);
	write_table(to, &picture->waiters, waiter_columns,
	    sizeof waiter_columns / sizeof waiter_columns[0]);
}

/* Those lines of the text that the page is scrolled to. */
static void
draw_lines(struct ui *ui, int from, int to, char *text)
{
	size_t n = 0;
	char *rest = text, *line;

	ui->n_places = to > from ? (size_t)(to - from) : 0;
	ui->n_lines = 0;
	for (const char *c = text; *c != '\0'; c++)
		ui->n_lines += *c == '\n';
	if (ui->first + ui->n_places > ui->n_lines)
		ui->first = ui->n_lines > ui->n_places ? ui->n_lines - ui->n_places : 0;
	while ((line = strsep(&rest, "\n")) != NULL && from < to) {
		if (n++ < ui->first)
			continue;
		if (*line == BOLD) {
			attron(A_BOLD);
			line++;
		}
		draw_text(from++, 0, COLS, line);
		attrset(A_NORMAL);
	}
}

/* Its row of the page of groups, in words. */
static void
draw_group(const struct ui *ui, int y)
{
	char name[COLUMN_CELL_SIZE], cell[COLUMN_CELL_SIZE], text[3 * COLUMN_CELL_SIZE];
	const struct group *group = NULL;

	for (size_t i = 0; ui->selected != NULL && i < ui->picture->n_groups; i++)
		if (strcmp(ui->picture->groups[i].name, ui->selected) == 0)
			group = &ui->picture->groups[i];
	text_format(ui->selected != NULL ? ui->selected : "", name, sizeof name);
	snprintf(text, sizeof text, "%s  ", name);
	if (group != NULL) {
		column_cell(COLUMN_HELD, group, cell);
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s held  ", cell);
		column_cell(COLUMN_STATE, group, cell);
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s", cell);
	}
	attron(A_REVERSE);
	mvhline(y, 0, ' ', COLS);
	draw_text(y, 0, COLS, text);
	attrset(A_NORMAL);
}

void
draw_details(struct ui *ui, int from, int to)
{
	const char *of = ui->picture->group;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (stream == NULL)
		return;
	if (of == NULL || ui->selected == NULL || strcmp(of, ui->selected) != 0)
		fprintf(stream, "asking slotd\n");
	else
		write_details(stream, ui->picture);
	if (fclose(stream) == 0) {
		draw_group(ui, from++);
		draw_lines(ui, from, to, text);
	}
	free(text);
}

void
draw_help(struct ui *ui, int from, int to)
{
	char text[] =
	    "\1A row for each group: what is held of its limit\n"
	    "[|||::    ]    held here (|), in use on other hosts (:)\n"
	    "HELD/LIMIT     slots held on this host, of so many for all hosts\n"
	    "IN USE         on all hosts, as last heard\n"
	    "IDLE           kept here, ready for the next\n"
	    "WAIT, OLDEST   how many wait here, and the first of them for how long\n"
	    "GRANTS/S       slots given here since the last look\n"
	    "STATE          full, paused, draining, grace, Redis is away ...\n"
	    "\n"
	    "\1Keys\n"
	    "Up Down k j    move; also PgUp, PgDn, Home, End, g, G\n"
	    "Enter          who holds and who waits in that group\n"
	    "/              show the groups with this in their name, or like this: * ? [a-z]\n"
	    "               Enter keeps the filter, Escape takes it away\n"
	    "< >            sort by the column before or behind; its title is underlined\n"
	    "r              turn the order round\n"
	    "+ -            look less, or more often\n"
	    "Space          look now\n"
	    "^L             draw the screen anew\n"
	    "q, Escape      back; q leaves\n";

	draw_lines(ui, from, to, text);
}
