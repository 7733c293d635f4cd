/* PS: what all hosts have said of who holds and who waits, put together and in order. */
#include "daemon/serve/ps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"

#define LINE_MAX 1200           /* of one that another daemon may give us */

/* ------------------------------------------------------------------ rows */

struct rows {
	struct ps_row *v;
	size_t n, size;
};

static bool
is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static const char *
word(const char *line, size_t len, size_t *pos, int *word_len)
{
	const char *found;

	*word_len = (int)wire_word(line, len, pos, &found);
	return found;
}

/* "kind group number rest".  False: it is none, and whoever has said it is not a daemon like us. */
static bool
parse(const char *line, size_t len, size_t *pos, struct ps_row *row)
{
	const char *text;
	int n;

	text = word(line, len, pos, &n);
	if (n != 1 || strchr("hwp", *text) == NULL)
		return false;
	row->kind = *text;
	row->group = word(line, len, pos, &row->group_len);
	text = word(line, len, pos, &n);
	if (wire_parse_number(text, (size_t)n, INT64_MAX, &row->number) < 0 || *pos >= len)
		return false;
	row->rest = line + *pos + 1;
	row->rest_len = (int)(len - *pos - 1);
	return row->group_len > 0 && row->rest_len > 0;
}

static bool
add(struct rows *rows, const struct ps_row *row)
{
	if (rows->n == rows->size) {
		size_t size = rows->size > 0 ? rows->size * 2 : 256;
		struct ps_row *v = realloc(rows->v, size * sizeof *v);

		if (v == NULL)
			return false;
		rows->v = v;
		rows->size = size;
	}
	rows->v[rows->n++] = *row;
	return true;
}

/* With a row like this one, of which the lines tell the rest; of records the host as well. */
static bool
add_lines(struct rows *rows, const struct ps_row *like, const struct output *text)
{
	const char *line = text->bytes + text->start, *end = text->bytes + text->end, *lf;

	for (; output_len(text) > 0 && line < end; line = lf + 1) {
		struct ps_row row = *like;
		size_t len, pos = 0;

		if ((lf = memchr(line, '\n', (size_t)(end - line))) == NULL)
			break;
		len = (size_t)(lf - line);
		if (len > LINE_MAX || !is_printable(line, len))
			continue;
		if (row.is_silent) {
			row.host = word(line, len, &pos, &row.host_len);
			row.install = word(line, len, &pos, &row.install_len);
		}
		if (parse(line, len, &pos, &row) && !add(rows, &row))
			return false;
	}
	return true;
}

static int
compare_text(const char *a, int a_len, const char *b, int b_len)
{
	int order = memcmp(a, b, (size_t)(a_len < b_len ? a_len : b_len));

	return order != 0 ? order : a_len - b_len;
}

static int
compare(const void *a, const void *b)
{
	const struct ps_row *x = a, *y = b;
	int order = compare_text(x->group, x->group_len, y->group, y->group_len);

	if (order != 0)
		return order;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->number != y->number)
		return (x->number < y->number) == (x->kind == 'h') ? -1 : 1;
	order = compare_text(x->host, x->host_len, y->host, y->host_len);
	return order != 0 ? order :
	    compare_text(x->install, x->install_len, y->install, y->install_len);
}

bool
ps_rows(const struct gathered *gathered, struct ps_row **v, size_t *n)
{
	struct rows rows = {0};
	struct ps_row silent = {.is_silent = true};
	bool done = add_lines(&rows, &silent, gathered->records);

	for (size_t i = 0; i < gathered->n_parts && done; i++) {
		const struct gather_part *part = &gathered->parts[i];
		struct ps_row row = {.host = part->host, .host_len = (int)strlen(part->host),
		    .install = part->name, .install_len = 16};

		done = add_lines(&rows, &row, &part->text);
	}
	if (rows.n > 0)
		qsort(rows.v, rows.n, sizeof *rows.v, compare);
	*v = rows.v;
	*n = rows.n;
	return done;
}

/* ------------------------------------------------------------------ the reply */

static bool
write_row(const struct ps_row *row, unsigned place, struct output *out)
{
	char number[40];

	if (row->kind == 'h')
		snprintf(number, sizeof number, "hold slot=%llu", (unsigned long long)row->number);
	else
		snprintf(number, sizeof number, "wait place=%u", place);
	return output_printf(out, "host=%.*s group=%.*s kind=%s %.*s daemon=%.*s answering=%s\n",
	    row->host_len, row->host, row->group_len, row->group, number, row->rest_len, row->rest,
	    row->install_len, row->install, row->is_silent ? "no" : "yes");
}

bool
ps_write_fleet(const struct gathered *gathered, bool is_shared, bool is_complete, struct output *out)
{
	return output_printf(out, "kind=fleet hosts=%zu answered=%zu redis=%s complete=%s\n",
	    gathered->n_parts + gathered->n_silent, gathered->n_parts,
	    !is_shared ? "none" : gathered->is_alone ? "away" : "up", is_complete ? "yes" : "no");
}

bool
ps_write(const struct gathered *gathered, bool is_shared, struct output *out)
{
	size_t n, n_lines = 1;
	struct ps_row *rows;
	bool done = ps_rows(gathered, &rows, &n);
	unsigned place = 0;

	for (size_t i = 0; i < n; i++)
		n_lines += rows[i].kind != 'p';
	done = done && output_printf(out, "OK %zu\n", n_lines);
	for (size_t i = 0; i < n && done; i++) {
		const struct ps_row *row = &rows[i];

		if (row->kind == 'p')
			continue;
		if (i == 0 || row->kind != rows[i - 1].kind ||
		    compare_text(row->group, row->group_len, rows[i - 1].group,
			rows[i - 1].group_len) != 0)
			place = 0;
		done = write_row(row, ++place, out);
	}
	free(rows);
	return done && ps_write_fleet(gathered, is_shared,
	    !gathered->is_alone && !gathered->is_partial && gathered->n_silent == 0, out);
}
