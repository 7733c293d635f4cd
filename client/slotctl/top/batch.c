/* Pictures as text, or as objects, one below the other. */
#include "client/slotctl/top/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/slot.h"
#include "client/slotctl/field.h"
#include "client/slotctl/table.h"
#include "client/slotctl/top/column.h"
#include "client/slotctl/top/heading.h"

static void
print_row(const struct group *group, const int *widths)
{
	const char *before = "";
	char cell[COLUMN_CELL_SIZE];
	int width;

	for (int id = 0; id < N_COLUMN_IDS; id++) {
		if (id == COLUMN_BAR)
			continue;
		width = group != NULL ? column_cell(id, group, cell) :
		    text_format(column_kinds[id].title, cell, sizeof cell);
		if (id == COLUMN_STATE)
			printf("%s%s", before, cell[0] != '\0' ? cell : "-");
		else if (column_kinds[id].is_text)
			printf("%s%s%*s", before, cell, widths[id] - width, "");
		else
			printf("%s%*s%s", before, widths[id] - width, "", cell);
		before = "  ";
	}
	printf("\n");
}

static void
print_text(const struct ctl *c, const struct picture *picture, const struct group *const *rows,
    size_t n)
{
	int widths[N_COLUMN_IDS], width;
	char text[COLUMN_CELL_SIZE], clock[32];
	time_t now = time(NULL);
	struct tm local;

	localtime_r(&now, &local);
	strftime(clock, sizeof clock, "%F %T", &local);
	for (int line = 0; line < HEADING_LINES; line++) {
		heading_line(c, picture, line, text);
		printf("%s%s%s\n", line == 0 ? clock : "", line == 0 ? "  " : "", text);
	}
	for (int id = 0; id < N_COLUMN_IDS; id++) {
		widths[id] = text_format(column_kinds[id].title, text, sizeof text);
		for (size_t i = 0; i < n; i++)
			if ((width = column_cell(id, rows[i], text)) > widths[id])
				widths[id] = width;
	}
	print_row(NULL, widths);
	for (size_t i = 0; i < n; i++)
		print_row(rows[i], widths);
	printf("\n");
}

static void
print_rate(double rate)
{
	printf("\"grants_per_s\": ");
	if (rate >= 0)
		printf("%.3f", rate);
	else
		printf("null");
}

/* One line, an object. */
static void
print_json(const struct picture *picture, const struct group *const *rows, size_t n)
{
	char clock[CTL_UTC_SIZE];

	ctl_utc(clock);
	printf("{\"time\": \"%s\", ", clock);
	print_rate(picture->rate);
	printf(", \"stats\": {");
	json_print_members(picture->stats.line, picture->stats.n);
	printf("}, \"groups\": [");
	for (size_t i = 0; i < n; i++) {
		printf("%s{", i > 0 ? ", " : "");
		json_print_members((char *const *)&rows[i]->line, 1);
		printf(", ");
		print_rate(rows[i]->rate);
		printf(", \"state\": ");
		json_print_string(rows[i]->state);
		printf("}");
	}
	printf("]}\n");
}

/* -> exit status */
static int
print(const struct ctl *c, const struct picture *picture)
{
	const struct group **rows = calloc(picture->n_groups + 1, sizeof *rows);
	size_t n;

	if (rows == NULL)
		return ctl_explain(c, SLOT_ENOMEM, NULL, 0);
	n = column_sort(picture, "", c->json ? COLUMN_GROUP : COLUMN_WAITING, false, rows);
	if (c->json)
		print_json(picture, rows, n);
	else
		print_text(c, picture, rows, n);
	free(rows);
	return ctl_printed();
}

int
batch(const struct ctl *c)
{
	struct timespec delay = {c->interval_ms / 1000, c->interval_ms % 1000 * 1000000};
	struct eye eye = {.c = c};
	struct picture *last = NULL, *picture;
	int status = 0;

	for (uint32_t i = 0; status == 0 && (c->times == 0 || i < c->times); i++) {
		if (i > 0)
			nanosleep(&delay, NULL);
		if ((picture = picture_take(&eye, NULL)) == NULL) {
			status = ctl_explain(c, SLOT_ENOMEM, NULL, 0);
		} else if (picture->code != 0) {
			ctl_say("%s", picture->why);
			if (last == NULL || !slot_error_again(picture->code))
				status = ctl_exit_status(c, picture->code);
			picture_free(picture);
		} else {
			if (last != NULL)
				picture_compare(picture, last);
			picture_free(last);
			last = picture;
			status = print(c, picture);
		}
	}
	picture_free(last);
	eye_close(&eye);
	return status;
}
