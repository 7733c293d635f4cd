/* What two answers of slotd have in common: which line of one tells of the same as which of the
 * other. */
#ifndef SLOTCTL_ROWS_H
#define SLOTCTL_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/slotctl/answer.h"
#include "client/slotctl/table.h"

struct row {
	const char *line;               /* the answer's */
	char *identity;                 /* its values in the key columns */
	int64_t age_ms;                 /* -1: it is known without */
	const struct row *other;        /* of the other answer; NULL: it has none */
};

/* In the order of the answer, which must outlive them. */
struct rows {
	struct row *row;
	size_t n;
};

/* False: no memory. */
bool rows_make(const struct answer *answer, const struct column *columns, int n, struct rows *rows);
void rows_free(struct rows *rows);

/* Sets their other.  Waiters have no number of their own: two that look alike are told apart by
 * their age, since between the two answers have passed no less and no more than so many ms.  False:
 * no memory. */
bool rows_match(struct rows *before, struct rows *now, int64_t least_ms, int64_t most_ms);

/* Whether two lines say something different: in one of the columns, or anywhere (columns is NULL).
 * Ages, countdowns, places in a queue and counters, which go on by themselves, are nothing new; but
 * that there is one now, or none any more, is. */
bool rows_differ(const char *before, const char *now, const struct column *columns, int n);
bool field_differs(const char *before, const struct field *now);

#endif
