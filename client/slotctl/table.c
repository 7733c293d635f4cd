/* Rows and cells, as wide as what the terminal shows of them; objects and arrays. */
#include "client/slotctl/table.h"

#include <stdlib.h>
#include <string.h>

#define CELL_SIZE 800           /* a decoded value with each byte as %XX */

/* ------------------------------------------------------------------------------ for programs */

void
json_print_members(char *const *lines, size_t n)
{
	const char *before = "";
	struct field f;

	for (size_t i = 0; i < n; i++) {
		for (const char *line = lines[i]; field_next(&line, &f);) {
			printf("%s", before);
			field_print_json(&f);
			before = ", ";
		}
	}
}

void
json_print_array(const struct answer *answer)
{
	printf("[");
	for (size_t i = 0; i < answer->n; i++) {
		printf(i == 0 ? "\n  {" : ",\n  {");
		json_print_members(&answer->line[i], 1);
		printf("}");
	}
	printf(answer->n > 0 ? "\n]\n" : "]\n");
}

/* -------------------------------------------------------------------------------- for people */

/* -> the width of the cell. */
static int
format_cell(const struct field *f, int kind, char cell[CELL_SIZE])
{
	char age[CTL_AGE_SIZE], at[CTL_TIME_SIZE];

	if (f->none)
		return text_format("-", cell, CELL_SIZE);
	switch (kind & ~KEY) {
	case AGE:
		ctl_age(strtoll(f->value, NULL, 10), age);
		return text_format(age, cell, CELL_SIZE);
	case TIME:
		ctl_time_of_day(strtoll(f->value, NULL, 10), at);
		return text_format(at, cell, CELL_SIZE);
	default:
		return text_format(f->value, cell, CELL_SIZE);
	}
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

void
table_fit(struct table *t, const struct answer *answer)
{
	char cell[CELL_SIZE];
	int width;

	for (int i = 0; i < t->n; i++) {
		if ((width = column_cell(&t->columns[i], NULL, cell)) > t->widths[i])
			t->widths[i] = width;
		for (size_t row = 0; row < answer->n; row++) {
			width = column_cell(&t->columns[i], answer->line[row], cell);
			if (width > t->widths[i])
				t->widths[i] = width;
		}
	}
}

void
table_print_row(FILE *to, const struct table *t, const char *line)
{
	char cell[CELL_SIZE];

	for (int i = 0; i < t->n; i++) {
		int blanks = t->widths[i] - column_cell(&t->columns[i], line, cell);
		bool is_last = i == t->n - 1;

		if ((t->columns[i].kind & ~KEY) != TEXT)
			fprintf(to, "%*s%s", blanks, "", cell);
		else
			fprintf(to, "%s%*s", cell, is_last ? 0 : blanks, "");
		fprintf(to, is_last ? "\n" : "  ");
	}
}

int
table_pairs_width(const struct answer *answer)
{
	struct field f;
	int width = 0;

	for (size_t row = 0; row < answer->n; row++)
		for (const char *line = answer->line[row]; field_next(&line, &f);)
			if ((int)strlen(f.key) > width)
				width = (int)strlen(f.key);
	return width;
}

void
table_print_pair(const struct field *f, int width)
{
	static const char *const ages[] = {"oldest_wait", "live_left", "lease_left", "grace_left"};
	bool is_age = false;
	char cell[CELL_SIZE];

	for (size_t i = 0; i < sizeof ages / sizeof ages[0]; i++)
		is_age = is_age || strcmp(f->key, ages[i]) == 0;
	format_cell(f, is_age ? AGE : strcmp(f->key, "live_at") == 0 ? TIME : TEXT, cell);
	printf("%-*s  %s\n", width, f->key, cell);
}
