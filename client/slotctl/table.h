/* Lines of slotd as tables for people, and as JSON for programs. */
#ifndef SLOTCTL_TABLE_H
#define SLOTCTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "client/slotctl/answer.h"
#include "client/slotctl/field.h"

#define MAX_COLUMNS 16

/* What kind of a column it is; with KEY: lines that agree in it, and in all others that have that,
 * tell of the same thing. */
enum { TEXT, NUMBER, AGE, TIME, KEY = 4 };

struct column {
	const char *key, *title;
	int kind;
};

struct table {
	const struct column *columns;
	int n;
	int widths[MAX_COLUMNS];        /* begin with 0 */
};

/* Widens the columns to what they have to hold, their titles too. */
void table_fit(struct table *t, const struct answer *answer);

/* The title: line is NULL. */
void table_print_row(FILE *to, const struct table *t, const char *line);

/* One "name  value" a line; all names are made as wide as the widest. */
void table_print_pair(const struct field *f, int width);
int table_pairs_width(const struct answer *answer);

/* Asks for a list and prints it, as --json and --watch say.  -> exit status */
int ctl_show(const struct ctl *c, const char *verb, const struct column *columns, int n);

/* What so many lines say, as the members of one object; without its braces. */
void json_print_members(char *const *lines, size_t n);

/* An array with one object a line. */
void json_print_array(const struct answer *answer);

#endif
