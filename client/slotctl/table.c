/* Rows and cells, as wide as what the terminal shows of them; objects and arrays. */
#include "client/slotctl/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slotctl/field.h"

#define CELL_SIZE 800           /* a decoded value with each byte as %XX */

/* ------------------------------------------------------------------------------ for programs */

void
json_print_object(char *const *lines, size_t n)
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

void
json_print_array(const struct answer *answer)
{
	printf("[");
	for (size_t i = 0; i < answer->n; i++) {
		printf(i == 0 ? "\n  " : ",\n  ");
		json_print_object(&answer->line[i], 1);
	}
	printf(answer->n > 0 ? "\n]\n" : "]\n");
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

void
table_print(const struct answer *answer, const struct column *columns, int n)
{
	int widths[MAX_COLUMNS], width;
	char cell[CELL_SIZE];

	for (int i = 0; i < n; i++) {
		widths[i] = column_cell(&columns[i], NULL, cell);
		for (size_t row = 0; row < answer->n; row++)
			if ((width = column_cell(&columns[i], answer->line[row], cell)) > widths[i])
				widths[i] = width;
	}
	print_row(columns, n, widths, NULL);
	for (size_t row = 0; row < answer->n; row++)
		print_row(columns, n, widths, answer->line[row]);
}

void
table_print_pairs(const struct answer *answer)
{
	char cell[CELL_SIZE];
	struct field f;
	int width = 0;

	for (size_t row = 0; row < answer->n; row++)
		for (const char *line = answer->line[row]; field_next(&line, &f);)
			if ((int)strlen(f.key) > width)
				width = (int)strlen(f.key);
	for (size_t row = 0; row < answer->n; row++) {
		for (const char *line = answer->line[row]; field_next(&line, &f);) {
			format_cell(&f, strcmp(f.key, "oldest_wait") == 0 ? AGE : TEXT, cell);
			printf("%-*s  %s\n", width, f.key, cell);
		}
	}
}
