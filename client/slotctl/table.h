/* Lines of slotd as tables for people, and as JSON for programs. */
#ifndef SLOTCTL_TABLE_H
#define SLOTCTL_TABLE_H

#include <stddef.h>

#include "client/slotctl/answer.h"

#define MAX_COLUMNS 16

struct column {
	const char *key, *title;
	enum { TEXT, NUMBER, AGE } kind;
};

/* A title, and a row for each line. */
void table_print(const struct answer *answer, const struct column *columns, int n);

/* One "name  value" a line. */
void table_print_pairs(const struct answer *answer);

/* One object of what so many lines say; without a line end. */
void json_print_object(char *const *lines, size_t n);

/* An array with one object a line. */
void json_print_array(const struct answer *answer);

#endif
