/* Text on the screen of slotctl top. */
#ifndef SLOTCTL_TOP_DRAW_H
#define SLOTCTL_TOP_DRAW_H

#include <curses.h>

#include "client/slotctl/top/ui.h"

/* Writes text that text_format() has made, shortening it, at most so wide; attributes are those
 * that are on. */
void draw_text(int y, int x, int width, char *text);

/* The same on the right of so many columns. */
void draw_right(int y, int x, int width, char *text);

attr_t draw_mood(const struct ui *ui, enum mood mood);

/* The pages, between two lines of the screen (the last is not theirs any more). */
void draw_groups(struct ui *ui, int from, int to);
void draw_details(struct ui *ui, int from, int to);
void draw_help(struct ui *ui, int from, int to);

#endif
