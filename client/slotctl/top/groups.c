/* The page of groups: a row each, as many columns as there is room for. */
#include "client/slotctl/top/draw.h"

#include "client/slotctl/field.h"

#define BAR_MOST 26

struct layout {
	int width[N_COLUMN_IDS];        /* 0: not shown */
};

static int
max(int a, int b)
{
	return a > b ? a : b;
}

static int
min(int a, int b)
{
	return a < b ? a : b;
}

static int
total(const struct layout *l)
{
	int sum = -1;

	for (int id = 0; id < N_COLUMN_IDS; id++)
		sum += l->width[id] > 0 ? l->width[id] + 1 : 0;
	return sum;
}

/* The column to go without next, or -1. */
static int
worst(const struct layout *l)
{
	int found = -1;

	for (int id = 0; id < N_COLUMN_IDS; id++)
		if (l->width[id] > 0 && column_kinds[id].rank > 0 &&
		    (found < 0 || column_kinds[id].rank > column_kinds[found].rank))
			found = id;
	return found;
}

/* The widest cell. */
static int
widest(const struct ui *ui, enum column_id id)
{
	char cell[COLUMN_CELL_SIZE];
	int width = 0;

	for (size_t i = 0; i < ui->n_rows; i++)
		width = max(width, column_cell(id, ui->rows[i], cell));
	return width;
}

static void
lay_out(const struct ui *ui, struct layout *l)
{
	int longest = widest(ui, COLUMN_GROUP), id;

	for (id = 0; id < N_COLUMN_IDS; id++) {
		l->width[id] = column_kinds[id].width;
		if (id != COLUMN_GROUP && id != COLUMN_STATE)
			l->width[id] = max(l->width[id], widest(ui, id));
	}
	while (total(l) > COLS && (id = worst(l)) >= 0)
		l->width[id] = 0;
	if (total(l) > COLS)
		l->width[COLUMN_HELD] = max(widest(ui, COLUMN_HELD), 1);
	if (total(l) > COLS)
		l->width[COLUMN_GROUP] = max(l->width[COLUMN_GROUP] - (total(l) - COLS), 1);

	/* the rest of the screen goes to names, half of what is left then to bars, and to states */
	l->width[COLUMN_GROUP] += max(0, min(COLS - total(l), longest - l->width[COLUMN_GROUP]));
	if (l->width[COLUMN_BAR] > 0)
		l->width[COLUMN_BAR] += max(0, min((COLS - total(l)) / 2,
		    BAR_MOST - l->width[COLUMN_BAR]));
	if (l->width[COLUMN_STATE] > 0)
		l->width[COLUMN_STATE] += max(0, COLS - total(l));
}

static void
draw_bar(const struct ui *ui, int y, int x, int width, const struct group *group)
{
	attr_t own = draw_mood(ui, group->mood);
	attr_t others = ui->has_colors ? COLOR_PAIR(PAIR_OTHERS) : 0;
	int held, in_use;

	column_bar(group, width - 2, &held, &in_use);
	mvaddch(y, x, '[');
	for (int i = 0; i < width - 2; i++)
		addch(i < held ? '|' | own : i < in_use ? ':' | others : ' ');
	addch(']');
}

/* group is NULL: the titles. */
static void
draw_row(const struct ui *ui, int y, const struct layout *l, const struct group *group)
{
	char cell[COLUMN_CELL_SIZE];
	int x = 0;

	for (int id = 0; id < N_COLUMN_IDS; x += l->width[id] > 0 ? l->width[id] + 1 : 0, id++) {
		if (l->width[id] == 0 || x >= COLS)
			continue;
		if (group == NULL) {
			text_format(column_kinds[id].title, cell, sizeof cell);
			if (id == (int)ui->by)
				attron(A_BOLD | A_UNDERLINE);
		} else if (id == COLUMN_BAR) {
			draw_bar(ui, y, x, l->width[id], group);
			continue;
		} else {
			column_cell(id, group, cell);
			if (id == COLUMN_STATE)
				attron(draw_mood(ui, group->mood));
		}
		if (column_kinds[id].is_text || id == COLUMN_BAR)
			draw_text(y, x, l->width[id], cell);
		else
			draw_right(y, x, l->width[id], cell);
		attroff(A_BOLD | A_UNDERLINE | A_COLOR);
	}
}

/* So that the cursor is seen, with as little scrolling as that takes. */
static void
scroll_to_cursor(struct ui *ui)
{
	if (ui->cursor < ui->first)
		ui->first = ui->cursor;
	if (ui->n_places > 0 && ui->cursor >= ui->first + ui->n_places)
		ui->first = ui->cursor - ui->n_places + 1;
	if (ui->first + ui->n_places > ui->n_rows)
		ui->first = ui->n_rows > ui->n_places ? ui->n_rows - ui->n_places : 0;
}

void
draw_groups(struct ui *ui, int from, int to)
{
	struct layout l;

	lay_out(ui, &l);
	if (to - from > 1) {
		attron(A_REVERSE);
		mvhline(from, 0, ' ', COLS);
		draw_row(ui, from++, &l, NULL);
		attrset(A_NORMAL);
	}
	ui->n_places = (size_t)max(to - from, 0);
	scroll_to_cursor(ui);
	for (size_t i = ui->first; i < ui->n_rows && from < to; i++, from++) {
		if (i == ui->cursor) {
			attron(A_REVERSE);
			mvhline(from, 0, ' ' | A_REVERSE, COLS);
		}
		draw_row(ui, from, &l, ui->rows[i]);
		attrset(A_NORMAL);
	}
}
