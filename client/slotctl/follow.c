/* Following: ask, compare with what was said before, print what is new. */
#include "client/slotctl/follow.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/slot.h"
#include "client/slotctl/fleet.h"
#include "client/slotctl/rows.h"

#define TIME_WIDTH 11           /* of "14:03:22 ~ " */
#define FIRST      ' '          /* beside + ~ -: a row of the table that comes first */

/* One answer, and when it was made: not before one time, not after the other. */
struct look {
	struct answer answer;
	struct rows rows;
	int64_t asked_ms, answered_ms;
};

struct follow {
	const struct ctl *c;
	const char *verb;
	struct table table;
	int pairs_width;
	struct slot_conn *conn;         /* NULL: slotd is away */
	bool is_away;                   /* which has been said */
	struct look last;
};

/* All that was printed has been flushed. */
static void
end_well(int signo)
{
	(void)signo;
	_exit(0);
}

static void
end_at_interrupt(void)
{
	struct sigaction action;

	sigaction(SIGINT, NULL, &action);
	if (action.sa_handler == SIG_IGN)       /* as below nohup(1) and & */
		return;
	action = (struct sigaction){.sa_handler = end_well};
	sigaction(SIGINT, &action, NULL);
}

static int64_t
boottime_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);    /* as slotd counts ages */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
look_free(struct look *look)
{
	rows_free(&look->rows);
	answer_free(&look->answer);
}

/* -> a code of libslot */
static int
look(struct follow *f, struct look *new)
{
	int code = 0;

	*new = (struct look){.asked_ms = boottime_ms()};
	if (f->conn == NULL)
		code = ctl_connect(f->c, 0, &f->conn);
	if (code == 0)
		code = answer_get(f->conn, f->verb, f->c->arg, &new->answer);
	new->answered_ms = boottime_ms();
	if (code == 0 && !rows_make(&new->answer, f->table.columns, f->table.n, &new->rows)) {
		answer_free(&new->answer);
		code = SLOT_ENOMEM;
	}
	return code;
}

/* -> 0: it may be there again soon; else an exit status */
static int
slotd_is_away(struct follow *f, int code)
{
	int status = 0, error = errno;

	if (!slot_error_again(code))
		status = ctl_explain(f->c, code, f->conn, error);
	else if (!f->is_away)
		ctl_explain(f->c, code, f->conn, error);
	f->is_away = true;
	slot_close(f->conn);
	f->conn = NULL;
	return status;
}

/* ------------------------------------------------------------------------------ printing */

static void
print_json(const char *line, char change)
{
	char clock[CTL_UTC_SIZE];

	ctl_utc(clock);
	printf("{\"time\": \"%s\", \"change\": \"%c\", ", clock, change == FIRST ? '+' : change);
	json_print_members((char *const *)&line, 1);
	printf("}\n");
}

/* In front of a row: when, and what has become of it. */
static void
print_mark(char change)
{
	time_t now = time(NULL);
	struct tm local;
	char text[16];

	localtime_r(&now, &local);
	strftime(text, sizeof text, "%T", &local);
	if (change == FIRST)
		printf("%*s", TIME_WIDTH, "");
	else
		printf("%s %c ", text, change);
}

/* before: what the line was, or NULL */
static void
print_line(const struct follow *f, const char *before, const char *line, char change)
{
	struct field field;

	if (f->c->json) {
		print_json(line, change);
	} else if (f->table.n > 0) {
		print_mark(change);
		table_print_row(stdout, &f->table, line);
	} else {
		while (field_next(&line, &field)) {
			if (before != NULL && !field_differs(before, &field))
				continue;
			print_mark(change);
			table_print_pair(&field, f->pairs_width);
		}
	}
}

static void
print_first(const struct follow *f)
{
	if (f->table.n > 0 && !f->c->json) {
		print_mark(FIRST);
		table_print_row(stdout, &f->table, NULL);
	}
	for (size_t i = 0; i < f->last.answer.n; i++)
		print_line(f, NULL, f->last.answer.line[i], FIRST);
}

static void
print_changes(const struct follow *f, const struct look *new)
{
	const struct column *columns = f->c->json || f->table.n == 0 ? NULL : f->table.columns;

	for (size_t i = 0; i < f->last.rows.n; i++)
		if (f->last.rows.row[i].other == NULL)
			print_line(f, NULL, f->last.rows.row[i].line, '-');
	for (size_t i = 0; i < new->rows.n; i++) {
		const struct row *row = &new->rows.row[i];

		if (row->other == NULL)
			print_line(f, NULL, row->line, '+');
		else if (rows_differ(row->other->line, row->line, columns, f->table.n))
			print_line(f, row->other->line, row->line, '~');
	}
}

/* Without SIGINT in the middle of a line.  -> exit status */
static int
print(struct follow *f, struct look *new, bool is_first)
{
	sigset_t interrupt;
	int status;

	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupt, NULL);
	table_fit(&f->table, &new->answer);
	f->pairs_width = table_pairs_width(&new->answer);
	if (!is_first)
		print_changes(f, new);
	look_free(&f->last);
	f->last = *new;
	if (is_first)
		print_first(f);
	status = ctl_printed();
	sigprocmask(SIG_UNBLOCK, &interrupt, NULL);
	return status;
}

/* ------------------------------------------------------------------------------ asking */

/* Says how much of the fleet is in it, when that is not as it was. */
static void
say_fleet(const struct look *last, const struct look *new)
{
	const char *before = last->answer.fleet, *now = new->answer.fleet;

	if (now != NULL && (before == NULL || strcmp(before, now) != 0))
		fleet_say(&new->answer);
}

/* -> 0 to go on, or an exit status */
static int
look_again(struct follow *f)
{
	struct look new;
	int code = look(f, &new);

	if (code != 0)
		return slotd_is_away(f, code);
	if (f->is_away)
		ctl_say("slotd answers on %s again", f->c->socket);
	f->is_away = false;
	/* one more for each of the two that were rounded */
	if (!rows_match(&f->last.rows, &new.rows, new.asked_ms - f->last.answered_ms - 2,
	        new.answered_ms - f->last.asked_ms + 2)) {
		look_free(&new);
		return slotd_is_away(f, SLOT_ENOMEM);
	}
	say_fleet(&f->last, &new);
	return print(f, &new, false);
}

int
ctl_follow(const struct ctl *c, const char *verb, const struct column *columns, int n)
{
	struct follow f = {.c = c, .verb = verb, .table = {.columns = columns, .n = n}};
	struct timespec interval = {c->interval_ms / 1000, c->interval_ms % 1000 * 1000000};
	struct look first;
	int status, code;

	end_at_interrupt();
	code = look(&f, &first);
	if (code == 0)
		say_fleet(&f.last, &first);
	status = code != 0 ? ctl_explain(c, code, f.conn, errno) : print(&f, &first, true);
	while (status == 0) {
		nanosleep(&interval, NULL);
		status = look_again(&f);
	}
	look_free(&f.last);
	slot_close(f.conn);
	return status;
}
