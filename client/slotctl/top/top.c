/* slotctl top: a live table of the groups.  Here is the terminal: it is taken, waited at, and given
 * back as it was, whatever ends it. */
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <term.h>
#include <unistd.h>

#include "client/slot.h"
#include "client/slotctl/slotctl.h"
#include "client/slotctl/top/batch.h"
#include "client/slotctl/top/source.h"
#include "client/slotctl/top/ui.h"

#define REDRAW_MS  1000         /* the clock goes on */
#define ESCAPE_MS  50           /* an escape without more in this time is a key */

/* NULL: top can be shown; else why not. */
static const char *
what_is_missing(void)
{
	const char *move;
	bool can_move;
	int error;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return "standard input and output are no terminal";
	if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
		return "the terminal is not known (see TERM)";
	move = tigetstr("cup");
	can_move = move != NULL && move != (char *)-1;
	del_curterm(cur_term);
	return can_move ? NULL : "the terminal cannot move its cursor (see TERM)";
}

static bool
open_colors(const struct ctl *c)
{
	const char *no_color = getenv("NO_COLOR");

	if (c->no_color || (no_color != NULL && *no_color != '\0') || !has_colors())
		return false;
	start_color();
	use_default_colors();
	init_pair(MOOD_BUSY, COLOR_GREEN, -1);
	init_pair(MOOD_FULL, COLOR_YELLOW, -1);
	init_pair(MOOD_TROUBLE, COLOR_RED, -1);
	init_pair(PAIR_OTHERS, COLOR_CYAN, -1);
	return true;
}

/* ------------------------------------------------------------------------------ signals */

static int
open_signals(void)
{
	static const int wanted[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH,
	};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Lets a signal do what it does to a program that does not know of it. */
static void
suffer(int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	signal(signo, SIG_DFL);
	raise(signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* What a terminal makes of its old lines is anybody's guess. */
static void
resize(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
		resizeterm(size.ws_row, size.ws_col);
	clearok(curscr, TRUE);
}

/* The shell has the terminal until we are to go on. */
static void
stop(struct ui *ui)
{
	endwin();
	suffer(SIGTSTP);
	source_ask(ui->source, ui->page == PAGE_DETAILS ? ui->selected : NULL, ui->delay_ms);
}

/* -> the signal that is to end us, or 0 */
static int
take_signals(struct ui *ui, int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof info) == sizeof info) {
		switch (info.ssi_signo) {
		case SIGWINCH:
			resize();
			break;
		case SIGTSTP:
			stop(ui);
			break;
		case SIGCONT:           /* others may have used the terminal meanwhile */
			reset_prog_mode();
			resize();
			break;
		case SIGINT:
			ui->is_over = true;
			break;
		default:
			return (int)info.ssi_signo;
		}
	}
	return 0;
}

/* ------------------------------------------------------------------------------ the loop */

/* -> the signal that has ended it, or 0 */
static int
show(struct ui *ui, int signals)
{
	struct pollfd fds[3] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = signals, .events = POLLIN},
		{.fd = source_fd(ui->source), .events = POLLIN},
	};
	struct picture *picture;
	int signo;

	while (!ui->is_over) {
		ui_draw(ui);
		(void)poll(fds, 3, REDRAW_MS);
		if ((signo = take_signals(ui, signals)) != 0)
			return signo;
		if ((picture = source_take(ui->source)) != NULL)
			ui_show(ui, picture);
		ui_keys(ui);
		if ((fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
			ui->is_over = true;     /* the terminal is gone */
	}
	return 0;
}

/* -> exit status; -1: there is no such terminal after all */
static int
screen(const struct ctl *c)
{
	struct ui ui = {.c = c, .delay_ms = c->interval_ms, .by = COLUMN_WAITING};
	SCREEN *terminal;
	int signals = open_signals(), signo = 0;

	ui.source = signals >= 0 ? source_open(c, ui.delay_ms) : NULL;
	if (ui.source == NULL)
		return ctl_explain(c, SLOT_ESYSTEM, NULL, errno);
	set_escdelay(ESCAPE_MS);
	if ((terminal = newterm(NULL, stdout, stdin)) == NULL)
		return -1;
	cbreak();
	noecho();
	nonl();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	ui.has_colors = open_colors(c);
	signo = show(&ui, signals);
	endwin();
	delscreen(terminal);
	ui_fini(&ui);
	close(signals);
	if (signo != 0)
		suffer(signo);
	return 0;
}

int
ctl_top(const struct ctl *c)
{
	struct ctl once = *c;
	struct answer answer;
	const char *missing;
	int status = ctl_ask(c, "VERSION", NULL, &answer);

	if (status != 0)
		return status;
	answer_free(&answer);
	if (c->batch || c->json)
		return batch(c);
	if ((missing = what_is_missing()) == NULL && (status = screen(c)) >= 0)
		return status;
	ctl_say("%s: once, as with -1", missing != NULL ? missing : "the terminal cannot be used");
	once.times = 1;
	return batch(&once);
}
