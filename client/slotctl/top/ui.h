/* What the screen of slotctl top is about: what it shows of which picture, and what keys change. */
#ifndef SLOTCTL_TOP_UI_H
#define SLOTCTL_TOP_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/slotctl/top/column.h"
#include "client/slotctl/top/picture.h"

#define FILTER_SIZE 256

/* Pairs of colours: a mood's has its number, but for that of MOOD_QUIET. */
#define PAIR_OTHERS 4           /* what is in use on other hosts */

enum page { PAGE_GROUPS, PAGE_DETAILS, PAGE_HELP };

struct ui {
	const struct ctl *c;
	struct source *source;
	int64_t delay_ms;
	bool has_colors;

	struct picture *picture;        /* owned; the last that slotd has answered; NULL: none yet */
	uint32_t n_pictures;
	int64_t away_since_ms;          /* 0: slotd answers */
	char why[256];                  /* it does not */

	enum page page;
	const struct group **rows;      /* owned array; the picture's groups as they are shown */
	size_t n_rows, cursor;          /* cursor < n_rows, or both are 0 */
	char *selected;                 /* owned; the name of the group at the cursor; NULL: none */
	size_t first;                   /* the row, or line of details, at the top */
	size_t n_lines, n_places;       /* of the page, and places for them on the screen, as last drawn */
	enum column_id by;
	bool reverse;
	char filter[FILTER_SIZE];
	bool is_typing;                 /* the filter */
	bool is_over;
};

/* Takes the picture. */
void ui_show(struct ui *ui, struct picture *picture);

/* Handles every key that has been pressed. */
void ui_keys(struct ui *ui);

/* Draws all of it. */
void ui_draw(struct ui *ui);

void ui_fini(struct ui *ui);

#endif
