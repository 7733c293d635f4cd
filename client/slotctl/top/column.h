/* The columns of slotctl top, and the order of its rows. */
#ifndef SLOTCTL_TOP_COLUMN_H
#define SLOTCTL_TOP_COLUMN_H

#include <stdbool.h>
#include <stddef.h>

#include "client/slotctl/top/picture.h"

enum column_id {
	COLUMN_GROUP, COLUMN_BAR, COLUMN_HELD, COLUMN_IN_USE, COLUMN_IDLE, COLUMN_WAITING,
	COLUMN_OLDEST, COLUMN_RATE, COLUMN_STATE,
	N_COLUMN_IDS,
};

struct column_kind {
	const char *title;
	int width;              /* least; those of GROUP, BAR and STATE grow */
	int rank;               /* the highest go first where there is no room for all */
	bool is_text;           /* on the left of its column, and sorted upwards */
};

extern const struct column_kind column_kinds[N_COLUMN_IDS];

#define COLUMN_CELL_SIZE 1024

/* What stands there, as the terminal can show it; of COLUMN_BAR nothing.  -> its width */
int column_cell(enum column_id id, const struct group *group, char cell[COLUMN_CELL_SIZE]);

/* Whose use of the limit the bar shows, of so many places: those held here, and those in use anyhow
 * (here or elsewhere), which are at least as many. */
void column_bar(const struct group *group, int places, int *held, int *in_use);

/* The groups whose name has the filter in it, or matches it if it has one of *?[ in it, sorted;
 * rows has room for all of the picture.  -> how many */
size_t column_sort(const struct picture *picture, const char *filter, enum column_id by,
    bool reverse, const struct group **rows);

#endif
