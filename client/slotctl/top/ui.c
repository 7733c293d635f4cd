/* Pictures that come, and keys that are pressed. */
#include "client/slotctl/top/ui.h"

#include <curses.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "client/slotctl/top/source.h"

#define ESCAPE     27
#define CONTROL(c) ((c) & 0x1F)

/* ------------------------------------------------------------------------------ rows */

static void
select_row(struct ui *ui, size_t row)
{
	char *name;

	if (ui->n_rows == 0)
		return;
	ui->cursor = row < ui->n_rows ? row : ui->n_rows - 1;
	if ((name = strdup(ui->rows[ui->cursor]->name)) != NULL) {
		free(ui->selected);
		ui->selected = name;
	}
}

/* Filters and sorts.  The cursor stays with its group; where that is gone, in its place. */
static void
arrange(struct ui *ui)
{
	size_t row = ui->cursor;

	ui->n_rows = 0;
	if (ui->picture == NULL || ui->rows == NULL)
		return;
	ui->n_rows = column_sort(ui->picture, ui->filter, ui->by, ui->reverse, ui->rows);
	for (size_t i = 0; ui->selected != NULL && i < ui->n_rows; i++)
		if (strcmp(ui->rows[i]->name, ui->selected) == 0)
			row = i;
	select_row(ui, row);
	if (ui->n_rows == 0)
		ui->cursor = 0;
}

void
ui_show(struct ui *ui, struct picture *picture)
{
	if (picture->code != 0) {
		if (ui->away_since_ms == 0)
			ui->away_since_ms = ctl_now_ms();
		memcpy(ui->why, picture->why, sizeof ui->why);
		picture_free(picture);
		return;
	}
	ui->away_since_ms = 0;
	if (ui->c->times > 0 && ui->n_pictures++ == ui->c->times)
		ui->is_over = true;
	if (ui->picture != NULL)
		picture_compare(picture, ui->picture);
	free(ui->rows);
	ui->rows = calloc(picture->n_groups + 1, sizeof *ui->rows);
	picture_free(ui->picture);
	ui->picture = picture;
	arrange(ui);
}

void
ui_fini(struct ui *ui)
{
	picture_free(ui->picture);
	free(ui->rows);
	free(ui->selected);
}

/* ------------------------------------------------------------------------------ keys */

static void
ask(struct ui *ui)
{
	source_ask(ui->source, ui->page == PAGE_DETAILS ? ui->selected : NULL, ui->delay_ms);
}

static void
turn_to(struct ui *ui, enum page page)
{
	ui->page = page;
	ui->first = 0;
	ask(ui);
}

static void
sort_by_next(struct ui *ui, int step)
{
	ui->by = (ui->by + N_COLUMN_IDS + (unsigned)step) % N_COLUMN_IDS;
	arrange(ui);
}

static void
look_more_often(struct ui *ui, bool more)
{
	static const int64_t delays[] = {250, 500, 1000, 2000, 5000, 10000, 30000, 60000};
	size_t n = sizeof delays / sizeof delays[0], i = 0;

	while (i < n - 1 && delays[i] < ui->delay_ms)
		i++;
	if (more)
		i -= i > 0;
	else
		i += i < n - 1 && delays[i] <= ui->delay_ms;
	ui->delay_ms = delays[i];
	ask(ui);
}

/* Scrolls, or moves the cursor. */
static void
move_by(struct ui *ui, bool is_up, size_t by)
{
	size_t *at = ui->page == PAGE_GROUPS ? &ui->cursor : &ui->first;
	size_t last = ui->page == PAGE_GROUPS ? ui->n_rows : ui->n_lines > ui->n_places ?
	    ui->n_lines - ui->n_places + 1 : 1;
	size_t to = is_up ? (*at > by ? *at - by : 0) : *at + by;

	if (to >= last)
		to = last > 0 ? last - 1 : 0;
	*at = to;
	if (ui->page == PAGE_GROUPS)
		select_row(ui, to);
}

/* Takes off the last character, however many bytes it has. */
static void
erase_last(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && ((unsigned char)text[length - 1] & 0xC0) == 0x80)
		length--;
	if (length > 0)
		text[length - 1] = '\0';
}

static void
append(char *text, size_t size, wchar_t wide)
{
	char bytes[MB_LEN_MAX];
	mbstate_t state = {0};
	size_t length = strlen(text), n = wcrtomb(bytes, wide, &state);

	if (n == (size_t)-1 || length + n >= size)
		return;
	memcpy(text + length, bytes, n);
	text[length + n] = '\0';
}

/* While the filter is typed it is in force already. */
static void
type(struct ui *ui, bool is_special, wint_t key)
{
	if (key == ESCAPE || key == CONTROL('u'))
		ui->filter[0] = '\0';
	else if ((is_special && key == KEY_BACKSPACE) || key == 127 || key == CONTROL('h'))
		erase_last(ui->filter);
	else if (!is_special && key >= ' ')
		append(ui->filter, sizeof ui->filter, (wchar_t)key);
	if (key == ESCAPE || key == '\n' || key == '\r' || (is_special && key == KEY_ENTER))
		ui->is_typing = false;
	arrange(ui);
}

static bool
press_to_move(struct ui *ui, wint_t key)
{
	size_t page = ui->n_places > 1 ? ui->n_places - 1 : 1;

	switch (key) {
	case KEY_UP:
	case 'k':
		move_by(ui, true, 1);
		return true;
	case KEY_DOWN:
	case 'j':
		move_by(ui, false, 1);
		return true;
	case KEY_PPAGE:
	case CONTROL('b'):
		move_by(ui, true, page);
		return true;
	case KEY_NPAGE:
	case CONTROL('f'):
		move_by(ui, false, page);
		return true;
	case KEY_HOME:
	case 'g':
		move_by(ui, true, SIZE_MAX);
		return true;
	case KEY_END:
	case 'G':
		move_by(ui, false, SIZE_MAX / 2);
		return true;
	}
	return false;
}

static void
press(struct ui *ui, wint_t key)
{
	if (press_to_move(ui, key))
		return;
	switch (key) {
	case 'q':
		if (ui->page == PAGE_GROUPS)
			ui->is_over = true;
		else
			turn_to(ui, PAGE_GROUPS);
		break;
	case ESCAPE:
	case KEY_LEFT:
		if (ui->page != PAGE_GROUPS)
			turn_to(ui, PAGE_GROUPS);
		break;
	case '\n':
	case '\r':
	case KEY_ENTER:
	case KEY_RIGHT:
		if (ui->page == PAGE_GROUPS && ui->n_rows > 0)
			turn_to(ui, PAGE_DETAILS);
		break;
	case 'h':
	case '?':
	case KEY_F(1):
		turn_to(ui, ui->page == PAGE_HELP ? PAGE_GROUPS : PAGE_HELP);
		break;
	case '/':
		turn_to(ui, PAGE_GROUPS);
		ui->is_typing = true;
		break;
	case '<':
		sort_by_next(ui, -1);
		break;
	case '>':
		sort_by_next(ui, 1);
		break;
	case 'r':
		ui->reverse = !ui->reverse;
		arrange(ui);
		break;
	case '+':
		look_more_often(ui, false);
		break;
	case '-':
		look_more_often(ui, true);
		break;
	case ' ':
		ask(ui);
		break;
	case CONTROL('l'):
		clearok(curscr, TRUE);
		break;
	}
}

void
ui_keys(struct ui *ui)
{
	wint_t key;
	int kind;

	while (!ui->is_over && (kind = get_wch(&key)) != ERR) {
		if (ui->is_typing)
			type(ui, kind == KEY_CODE_YES, key);
		else if (kind == KEY_CODE_YES || key < 256)     /* others have the numbers of keys */
			press(ui, key);
	}
}
