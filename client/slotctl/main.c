/* slotctl: the command line of slotd.
 *
 * Here is what can be said to it: the commands, the options, their help; each command's own file
 * does the work. */
#include "client/slotctl/slotctl.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/slot.h"

/* Which options a command takes. */
enum {
	OF_ALL = 1,
	OF_HOLD = 2,            /* takes a slot */
	OF_RUN = 4,
	OF_LIST = 8,
	OF_SHOW = 16,           /* prints what slotd knows */
	OF_GRACE = 32,
	OF_WATCH = 64,          /* prints rows, which change */
	OF_METRICS = 128,
	OF_WHY = 8192,
	OF_TOP = 256,
	OF_PS = 1024,
	OF_EVICT = 2048,
	OF_AUDIT = 4096,
	OF_LIVE = 512,          /* sets what counts for all hosts */
	OF_LIMIT = 16384,
	OF_FOR = 32768,         /* likewise, and it may end by itself */
};

static const struct command {
	const char *word;
	int (*function)(const struct ctl *);
	unsigned options;
	const char *arg;        /* NULL: none; "[A]": may be left out; "A B": two words; "A [B]": one or two */
	bool has_rest;          /* a command to run follows */
	const char *help;
} commands[] = {
	{"run", ctl_run, OF_ALL | OF_HOLD | OF_RUN, "GROUP", true,
	    "run a command while holding a slot of GROUP"},
	{"acquire", ctl_acquire, OF_ALL | OF_HOLD, "GROUP", false,
	    "print a slot and its token; hold it while stdin is open"},
	{"list", ctl_list, OF_ALL | OF_SHOW | OF_WATCH | OF_LIST, "[GLOB]", false, "show the groups"},
	{"status", ctl_status, OF_ALL | OF_SHOW | OF_WATCH, "GROUP", false, "show one group"},
	{"holders", ctl_holders, OF_ALL | OF_SHOW | OF_WATCH, "GROUP", false, "show who holds its slots"},
	{"waiters", ctl_waiters, OF_ALL | OF_SHOW | OF_WATCH, "GROUP", false,
	    "show who waits for one, in order"},
	{"stats", ctl_stats, OF_ALL | OF_SHOW, NULL, false, "show the counters of slotd"},
	{"ping", ctl_ping, OF_ALL | OF_SHOW, NULL, false, "show whether slotd answers"},
	{"ps", ctl_ps, OF_ALL | OF_SHOW | OF_WATCH | OF_PS, "[GLOB]", false,
	    "show who holds and who waits, on all hosts"},
	{"top", ctl_top, OF_ALL | OF_SHOW | OF_TOP, "[GLOB]", false,
	    "show the groups, live; batch or once for logs and pipes"},
	{"why", ctl_why, OF_ALL | OF_SHOW | OF_WHY, "GROUP", false,
	    "say what stands in the way of a slot of GROUP"},
	{"limit", ctl_limit, OF_ALL | OF_SHOW | OF_LIVE | OF_FOR | OF_LIMIT, "GROUP [N|none]", false,
	    "show or set the limit that counts on all hosts"},
	{"pause", ctl_pause, OF_ALL | OF_SHOW | OF_LIVE | OF_FOR, "GROUP", false,
	    "grant nothing more in GROUP, on all hosts"},
	{"resume", ctl_resume, OF_ALL | OF_SHOW | OF_LIVE, "GROUP", false, "end its pause"},
	{"history", ctl_history, OF_ALL | OF_SHOW, "GROUP", false,
	    "show who has set its limit, or paused it"},
	{"evict", ctl_evict, OF_ALL | OF_SHOW | OF_EVICT, "GROUP SLOT", false,
	    "take a slot from its holder, on whatever host"},
	{"audit", ctl_audit, OF_ALL | OF_SHOW | OF_AUDIT, NULL, false,
	    "show what in Redis no slotd answers for"},
	{"drain", ctl_drain, OF_ALL | OF_SHOW, "[on|off]", false,
	    "show whether this host is taken out, or take it out"},
	{"reload", ctl_reload, OF_ALL | OF_SHOW, NULL, false, "let slotd read its configuration again"},
	{"grace", ctl_grace, OF_ALL | OF_SHOW | OF_GRACE, "[end]", false,
	    "show how long nothing is granted yet, or end that"},
	{"metrics", ctl_metrics, OF_ALL | OF_METRICS, NULL, false,
	    "print all that is counted, for Prometheus"},
};

#define N_COMMANDS (sizeof commands / sizeof commands[0])

/* Options without a letter are known by a number behind those of letters. */
enum {
	OPT_SOCKET = 256, OPT_LABEL, OPT_COUNT, OPT_HOLD, OPT_ON_LOST, OPT_STRICT, OPT_KILL_AFTER,
	OPT_JSON, OPT_NAMES, OPT_YES, OPT_WATCH, OPT_INTERVAL, OPT_OUTPUT, OPT_NO_COLOR, OPT_TOKEN,
	OPT_FIX, OPT_FOR, OPT_WHY, OPT_CLEAR,
	OPT_OF_TOP = 1024,      /* and a letter that means something else to another command */
};

static const struct option_help {
	const char *name;
	int value;
	const char *arg;        /* NULL: none */
	unsigned of;
	const char *help;
} options[] = {
	{"limit", 'l', "N", OF_HOLD | OF_WHY, "at most N slots in use; capped by the configured limit"},
	{"wait", 'w', "TIME", OF_HOLD, "give up after TIME (250ms, 10s, 2m, 1h); default: forever"},
	{"nonblock", 'n', NULL, OF_HOLD, "now or never"},
	{"conflict-exit-code", 'E', "CODE", OF_HOLD,
	    "exit with CODE if there is no slot in time (75)"},
	{"count", OPT_COUNT, "K", OF_HOLD | OF_WHY, "take K slots at once, all or none"},
	{"label", OPT_LABEL, "TEXT", OF_HOLD, "what holders and waiters show"},
	{"hold", OPT_HOLD, "TIME", OF_HOLD, "let slotd take the slot back after TIME"},
	{"close", 'o', NULL, OF_RUN, "keep the connection from the command"},
	{"on-lost", OPT_ON_LOST, "term|warn", OF_RUN,
	    "end the command if the slot is lost (term), or go on"},
	{"strict", OPT_STRICT, NULL, OF_RUN,
	    "end the command before the slot can be another's"},
	{"kill-after", OPT_KILL_AFTER, "TIME", OF_RUN,
	    "KILL who is left this long after TERM (lease / 4)"},
	{"quiet", 'q', NULL, OF_HOLD, "say nothing if there is no slot in time"},
	{"verbose", 'v', NULL, OF_HOLD, "say on stderr what happens"},
	{"batch", 'b', NULL, OF_TOP, "as text, one table below the other, without end"},
	{"once", '1', NULL, OF_TOP, "the same, one table"},
	{"delay", 'd', "TIME", OF_TOP, "look so often (1s)"},
	{"count", OPT_OF_TOP | 'n', "N", OF_TOP, "end after N looks"},
	{"no-color", OPT_NO_COLOR, NULL, OF_TOP, "as with NO_COLOR in the environment"},
	{"json", OPT_JSON, NULL, OF_SHOW, "for programs"},
	{"names", OPT_NAMES, NULL, OF_LIST, "names only, one a line"},
	{"watch", OPT_WATCH, NULL, OF_WATCH, "go on with what changes, until ^C"},
	{"interval", OPT_INTERVAL, "TIME", OF_WATCH, "look so often with --watch (1s)"},
	{"output", OPT_OUTPUT, "FILE", OF_METRICS, "into FILE, which is replaced all at once"},
	{"token", OPT_TOKEN, "TOKEN", OF_EVICT, "only of the hold with this token"},
	{"fix", OPT_FIX, NULL, OF_AUDIT, "free what no lease protects"},
	{"yes", OPT_YES, NULL, OF_GRACE, "do not ask whether nothing is held"},
	{"for", OPT_FOR, "TIME", OF_FOR, "it ends by itself after TIME (10s, 2m, 1h)"},
	{"why", OPT_WHY, "TEXT", OF_LIVE, "what others are told"},
	{"clear", OPT_CLEAR, NULL, OF_LIMIT, "take the live limit away; the same as none"},
	{"socket", OPT_SOCKET, "PATH", OF_ALL, "default: $SLOTD_SOCKET, else " SLOT_SOCKET},
	{"help", 'h', NULL, OF_ALL, "print this"},
	{"version", 'V', NULL, OF_ALL, "print the version"},
};

#define N_OPTIONS (sizeof options / sizeof options[0])

/* '\0': none */
static char
letter_of(int value)
{
	return value < 256 || (value & OPT_OF_TOP) != 0 ? (char)(value & 0xFF) : '\0';
}

/* What a letter stands for with a command that takes such options. */
static int
value_of(int letter, unsigned of)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if ((options[i].of & of) != 0 && letter_of(options[i].value) == letter)
			return options[i].value;
	return letter;
}

static void
help_options(unsigned of)
{
	char text[64];

	printf("\n");
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_help *o = &options[i];

		if ((o->of & of) == 0)
			continue;
		snprintf(text, sizeof text, "--%s%s%s", o->name, o->arg != NULL ? " " : "",
		    o->arg != NULL ? o->arg : "");
		if (letter_of(o->value) != '\0')
			printf("  -%c, %-26s %s\n", letter_of(o->value), text, o->help);
		else
			printf("      %-26s %s\n", text, o->help);
	}
}

static int
help(const struct command *command)
{
	char words[64];

	if (command != NULL) {
		printf("usage: slotctl %s%s%s [option...]%s\n\n%c%s.\n", command->word,
		    command->arg != NULL ? " " : "", command->arg != NULL ? command->arg : "",
		    command->has_rest ? " [--] command [argument...]" : "",
		    command->help[0] - 'a' + 'A', command->help + 1);
		help_options(command->options);
		return ctl_printed();
	}
	printf("usage: slotctl [option...] command [argument...]\n\n"
	       "Takes slots of slotd for other programs, and shows who has them.\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		const struct command *cmd = &commands[i];

		snprintf(words, sizeof words, "%s%s%s", cmd->word, cmd->arg != NULL ? " " : "",
		    cmd->arg != NULL ? cmd->arg : "");
		printf("  %-20s %s\n", words, cmd->help);
	}
	help_options(OF_ALL);
	printf("\nslotctl COMMAND --help says more; so does slotctl(1).\n");
	return ctl_printed();
}

static int
version(void)
{
	printf("slotctl " SLOTD_VERSION "\n");
	return ctl_printed();
}

static int
bad_usage(const struct command *command, const char *what, const char *which)
{
	ctl_say("%s%s%s (try slotctl %s%s--help)", which != NULL ? which : "",
	    which != NULL ? ": " : "", what, command != NULL ? command->word : "",
	    command != NULL ? " " : "");
	return CTL_USAGE;
}

static int
bad_value(const struct command *command, int option, const char *value, const char *wrong)
{
	char which[256];

	for (size_t i = 0; i < N_OPTIONS; i++)
		if (options[i].value == option)
			snprintf(which, sizeof which, "--%s %s", options[i].name, value);
	return bad_usage(command, wrong, which);
}

/* Takes the value of one option.  NULL, or what is wrong with it. */
static const char *
take_option(struct ctl *c, int value, const char *arg)
{
	static const char no_unit_text[] = "a time needs a unit: ms, s, m or h "
	    "(seconds or milliseconds?)";
	static const char time_text[] = "not a time such as 250ms, 10s, 2m or 1h";
	static const char zero_text[] = "it must be more than 0";
	bool no_unit;
	uint32_t number;
	int64_t ms;

	switch (value) {
	case 'l':
		return ctl_number(arg, 1, 1000000, &c->limit) ? NULL :
		    "not a number from 1 to 1000000";
	case OPT_COUNT:
		return ctl_number(arg, 1, SLOT_N_MAX, &c->count) ? NULL :
		    "not a number from 1 to 64";
	case 'E':
		if (!ctl_number(arg, 0, 255, &number))
			return "not an exit code from 0 to 255";
		c->no_slot_exit = (int)number;
		return NULL;
	case 'n':
		c->wait_ms = SLOT_WAIT_NOW;
		return NULL;
	case 'w':
		if (strcmp(arg, "forever") == 0) {
			c->wait_ms = SLOT_WAIT_FOREVER;
			return NULL;
		}
		if (!ctl_time(arg, &ms, &no_unit))
			return no_unit ? no_unit_text : time_text;
		c->wait_ms = ms;
		return NULL;
	case 'b':
		c->batch = true;
		return NULL;
	case '1':
		c->batch = true;
		c->times = 1;
		return NULL;
	case OPT_OF_TOP | 'n':
		return ctl_number(arg, 1, 1000000000, &c->times) ? NULL : "not a number from 1";
	case OPT_NO_COLOR:
		c->no_color = true;
		return NULL;
	case 'd':
	case OPT_INTERVAL:
		if (!ctl_time(arg, &ms, &no_unit))
			return no_unit ? no_unit_text : time_text;
		if (ms == 0)
			return zero_text;
		c->interval_ms = ms;
		return NULL;
	case OPT_HOLD:
		if (!ctl_time(arg, &ms, &no_unit))
			return no_unit ? no_unit_text : time_text;
		if (ms == 0)
			return zero_text;
		c->hold_ms = ms;
		return NULL;
	case OPT_KILL_AFTER:
		if (!ctl_time(arg, &ms, &no_unit))
			return no_unit ? no_unit_text : time_text;
		c->kill_after_ms = ms;
		return NULL;
	case OPT_ON_LOST:
		c->warn_on_loss = strcmp(arg, "warn") == 0;
		return c->warn_on_loss || strcmp(arg, "term") == 0 ? NULL : "neither term nor warn";
	case OPT_STRICT:
		c->strict = true;
		return NULL;
	case OPT_LABEL:
		c->label = arg;
		return NULL;
	case OPT_SOCKET:
		c->socket = arg;
		return NULL;
	case 'o':
		c->close = true;
		return NULL;
	case 'q':
		c->quiet = true;
		return NULL;
	case 'v':
		c->verbose = true;
		return NULL;
	case OPT_JSON:
		c->json = true;
		return NULL;
	case OPT_FOR:
		if (!ctl_time(arg, &ms, &no_unit))
			return no_unit ? no_unit_text : time_text;
		if (ms == 0)
			return zero_text;
		c->for_ms = ms;
		return NULL;
	case OPT_WHY:
		c->why = arg;
		return NULL;
	case OPT_CLEAR:
		c->clear = true;
		return NULL;
	case OPT_WATCH:
		c->watch = true;
		return NULL;
	case OPT_OUTPUT:
		c->output = arg;
		return NULL;
	case OPT_TOKEN:
		c->token = arg;
		return NULL;
	case OPT_FIX:
		c->fix = true;
		return NULL;
	case OPT_YES:
		c->yes = true;
		return NULL;
	default:
		c->names = true;
		return NULL;
	}
}

/* Parses options up to the first word that is none, in POSIX order: those of a wrapped command are
 * its own.  -> -1 to go on, or an exit status. */
static int
parse(struct ctl *c, const struct command *command, int argc, char **argv)
{
	struct option longs[N_OPTIONS + 1] = {{0}};
	char shorts[2 * N_OPTIONS + 3] = "+:", *s = shorts + 2;
	unsigned of = command != NULL ? command->options : OF_ALL;
	size_t n = 0;
	int value;

	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_help *o = &options[i];

		if ((o->of & of) == 0)
			continue;
		longs[n++] = (struct option){o->name, o->arg != NULL, NULL, o->value};
		if (letter_of(o->value) != '\0') {
			*s++ = letter_of(o->value);
			if (o->arg != NULL)
				*s++ = ':';
		}
	}
	*s = '\0';

	for (;;) {
		const char *wrong, *given = argv[optind > 0 ? optind : 1];

		if ((value = getopt_long(argc, argv, shorts, longs, NULL)) == -1)
			return -1;
		if (value == 'h')
			return help(command);
		if (value == 'V')
			return version();
		if (value == ':')
			return bad_usage(command, "a value is missing", given);
		if (value == '?')
			return bad_usage(command, "no such option here", given);
		value = value < 256 ? value_of(value, of) : value;
		wrong = take_option(c, value, optarg);
		if (wrong != NULL)
			return bad_value(command, value, optarg, wrong);
	}
}

static int
run_command(struct ctl *c, const struct command *command, int argc, char **argv)
{
	int status;

	optind = 0;
	if ((status = parse(c, command, argc, argv)) >= 0)
		return status;
	if (command->arg != NULL && optind < argc) {
		c->arg = argv[optind++];
		if ((status = parse(c, command, argc, argv)) >= 0)
			return status;
	}
	if (command->arg != NULL && strchr(command->arg, ' ') != NULL && optind < argc) {
		c->second = argv[optind++];
		if ((status = parse(c, command, argc, argv)) >= 0)
			return status;
	}
	if (command->arg != NULL && command->arg[0] != '[' && (c->arg == NULL || c->arg[0] == '\0'))
		return bad_usage(command, "the group is missing", NULL);
	if (command->arg != NULL && strchr(command->arg, ' ') != NULL &&
	    strstr(command->arg, " [") == NULL && c->second == NULL)
		return bad_usage(command, "a word is missing", NULL);
	if (command->has_rest && optind == argc)
		return bad_usage(command, "the command to run is missing", NULL);
	if (!command->has_rest && optind < argc)
		return bad_usage(command, "one word too many", argv[optind]);
	if (c->strict && c->warn_on_loss)
		return bad_usage(command, "not with --on-lost=warn", "--strict");
	if (c->watch && c->names)
		return bad_usage(command, "not with --names", "--watch");
	c->rest = argv + optind;
	c->wants_slot = (command->options & OF_HOLD) != 0;
	if (command->arg != NULL && strstr(command->arg, "G") != NULL)
		c->group = c->arg;      /* GROUP, or [GLOB] */
	return command->function(c);
}

/* A descriptor below 3 that we were started without would be given to a socket, and messages would
 * go to slotd.  What stands there instead can be neither read nor written, and exec closes it. */
static void
fill_standard_descriptors(void)
{
	int fd;

	while ((fd = open("/", O_PATH | O_CLOEXEC)) >= 0 && fd < 3)
		;
	if (fd >= 3)
		close(fd);
}

int
main(int argc, char **argv)
{
	const char *from_env = getenv("SLOTD_SOCKET");
	struct ctl c = {
		.socket = from_env != NULL && *from_env != '\0' ? from_env : SLOT_SOCKET,
		.count = 1,
		.wait_ms = SLOT_WAIT_FOREVER,
		.kill_after_ms = -1,
		.interval_ms = 1000,
		.no_slot_exit = CTL_NO_SLOT,
	};
	int status;

	fill_standard_descriptors();
	setlocale(LC_CTYPE, "");
	if ((status = parse(&c, NULL, argc, argv)) >= 0)
		return status;
	if (optind == argc)
		return bad_usage(NULL, "the command is missing", NULL);
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].word, argv[optind]) == 0)
			return run_command(&c, &commands[i], argc - optind, argv + optind);
	return bad_usage(NULL, "no such command", argv[optind]);
}
