/* The screen: what stands above and below every page, and the pieces that all are drawn with. */
#include "client/slotctl/top/draw.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/slotctl/field.h"
#include "client/slotctl/top/heading.h"

void
draw_text(int y, int x, int width, char *text)
{
	if (x < COLS && width > COLS - x)
		width = COLS - x;
	text_cut(text, width);
	mvaddstr(y, x, text);
}

void
draw_right(int y, int x, int width, char *text)
{
	draw_text(y, x + width - text_cut(text, width), width, text);
}

attr_t
draw_mood(const struct ui *ui, enum mood mood)
{
	attr_t color = ui->has_colors ? COLOR_PAIR(mood) : A_NORMAL;

	return mood == MOOD_TROUBLE || mood == MOOD_FULL ? color | A_BOLD : color;
}

/* ------------------------------------------------------------------------------ above */

static void
draw_clock(void)
{
	time_t now = time(NULL);
	struct tm local;
	char text[16];

	localtime_r(&now, &local);
	strftime(text, sizeof text, "%T", &local);
	if (COLS > 16)
		mvaddstr(0, COLS - (int)strlen(text), text);
}

static void
draw_away(const struct ui *ui, int y)
{
	char raw[512], text[HEADING_SIZE], age[CTL_AGE_SIZE];

	ctl_age((ctl_now_ms() - ui->away_since_ms) / 1000 * 1000, age);
	snprintf(raw, sizeof raw, "slotd has been away for %s: %s; trying again", age, ui->why);
	text_format(raw, text, sizeof text);
	attrset((int)(draw_mood(ui, MOOD_TROUBLE) | A_REVERSE));
	draw_text(y, 0, COLS, text);
	attrset(A_NORMAL);
}

static void
draw_heading(const struct ui *ui, int lines)
{
	char text[HEADING_SIZE];

	for (int y = 0; y < lines; y++) {
		attron(draw_mood(ui, heading_line(ui->c, ui->picture, y, text)));
		draw_text(y, 0, y == 0 ? COLS - 10 : COLS, text);
		attrset(A_NORMAL);
	}
	if (lines > 0)
		draw_clock();
	if (lines > 0 && ui->away_since_ms != 0)
		draw_away(ui, lines - 1);
}

/* ------------------------------------------------------------------------------ below */

static void
draw_footing(const struct ui *ui, int y)
{
	char text[HEADING_SIZE], raw[FILTER_SIZE + 128], delay[CTL_AGE_SIZE];

	ctl_age(ui->delay_ms, delay);
	if (ui->is_typing)
		snprintf(raw, sizeof raw, "filter: %s", ui->filter);
	else if (ui->page == PAGE_GROUPS)
		snprintf(raw, sizeof raw, "%s%s%sq quit  h help  / filter  < > sort  r reverse  "
		    "Enter who holds and waits  + - every %s", ui->filter[0] != '\0' ? "[" : "",
		    ui->filter, ui->filter[0] != '\0' ? "]  " : "", delay);
	else
		snprintf(raw, sizeof raw, "q back  Up Down scroll  + - every %s", delay);
	text_format(raw, text, sizeof text);
	draw_text(y, 0, COLS - 1, text);
	if (ui->is_typing)
		curs_set(1);
	else
		curs_set(0);
}

/* A screen that is too low has no lines to spare for what is not the page. */
void
ui_draw(struct ui *ui)
{
	int heading = LINES >= 9 ? HEADING_LINES : LINES >= 5 ? 1 : 0, footing = LINES >= 4 ? 1 : 0;

	erase();
	if (ui->picture == NULL)
		mvaddstr(heading, 0, "asking slotd");
	else if (ui->page == PAGE_HELP)
		draw_help(ui, heading, LINES - footing);
	else if (ui->page == PAGE_DETAILS)
		draw_details(ui, heading, LINES - footing);
	else
		draw_groups(ui, heading, LINES - footing);
	if (ui->picture != NULL)
		draw_heading(ui, heading);
	if (footing > 0)
		draw_footing(ui, LINES - 1);    /* leaves the cursor there */
	refresh();
}
