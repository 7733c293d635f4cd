/* Shows that the simulator is not blind: each rule of the core is switched off, and what then goes
 * wrong must be found.
 *
 * usage: mutants [--seeds N] [--profile NAME] [RULE...]
 *
 * Each rule has a process of its own, since what a broken core does may be an assertion as well. */
#include "tests/sim/sim.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_SECONDS 600         /* a broken core may loop */

enum rule rule_off;

static const struct {
	const char *name, *what;
} rules[N_RULES] = {
#define RULE_ENTRY(id, text) [RULE_##id] = {#id, text},
    RULES(RULE_ENTRY)
#undef RULE_ENTRY
};

static struct options options = {.check_every = 1};
static uint64_t seed_now;
static int report;              /* the pipe to the parent */

static void
say(const char *what)
{
	char text[512];
	int n = snprintf(text, sizeof text, "seed %llu: %s", (unsigned long long)seed_now, what);

	if (write(report, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1) < 0)
		_exit(3);
}

static void
on_abort(int sig)
{
	(void)sig;
	say("an assertion");
	_exit(1);
}

/* Where a rule is hunted whose finding is rare elsewhere; NULL: anywhere. */
static const char *
hunting_ground(enum rule rule)
{
	switch (rule) {
	case RULE_LAPSED_CLAIMS:
	case RULE_LAPSED_IN_GRACE:
	case RULE_MARGIN:
	case RULE_SENT_AT:
		return "apart";
	case RULE_MARKER_CLOCK:
		return "reset";
	case RULE_IDLE_ORDER:
		return "keep";
	case RULE_LIVE_TOLD:
	case RULE_LIVE_ENDS:
	case RULE_LIVE_DRAINS:
		return "limits";
	case RULE_LIVE_NEWER:
		return "lives";
	case RULE_OLD_LEASE:
		return "calm";
	case RULE_STALE_REPLY:
		return "storm";
	case RULE_LEAVE_ADOPTED:
		return "anew";
	case RULE_CANCEL_FREES:
	case RULE_ADOPT_DEADLINE:
		return "some";
	default:
		return NULL;
	}
}

/* The child. */
static void
hunt(enum rule rule, uint64_t seeds)
{
	struct world w;

	rule_off = rule;
	if (options.profile == NULL && hunting_ground(rule) != NULL)
		options.profile = profile_find(hunting_ground(rule));
	alarm(RUN_SECONDS);
	signal(SIGABRT, on_abort);
	if (freopen("/dev/null", "w", stderr) == NULL)
		_exit(3);
	for (seed_now = 1; seed_now <= seeds; seed_now++) {
		if (!world_run(&w, &options, seed_now)) {
			say(w.failure);
			_exit(1);
		}
		world_fini(&w);
	}
	_exit(0);
}

/* -> true: caught */
static bool
try(enum rule rule, uint64_t seeds)
{
	char text[512];
	ssize_t n;
	int ends[2], status;
	pid_t pid;
	bool caught;

	fflush(stdout);
	if (pipe(ends) != 0 || (pid = fork()) < 0) {
		perror("mutants");
		exit(3);
	}
	if (pid == 0) {
		close(ends[0]);
		report = ends[1];
		hunt(rule, seeds);
	}
	close(ends[1]);
	while ((n = read(ends[0], text, sizeof text - 1)) < 0 && errno == EINTR)
		;
	close(ends[0]);
	text[n > 0 ? n : 0] = '\0';
	waitpid(pid, &status, 0);
	caught = n > 0 || WIFSIGNALED(status);
	printf("%s %-20s %s\n", caught ? "caught    " : "NOT CAUGHT", rules[rule].name,
	    n > 0 ? text : WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : rules[rule].what);
	return caught;
}

static enum rule
rule_find(const char *name)
{
	for (int i = RULE_NONE + 1; i < N_RULES; i++)
		if (strcmp(rules[i].name, name) == 0)
			return (enum rule)i;
	fprintf(stderr, "mutants: no rule %s\n", name);
	exit(64);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {{"seeds", required_argument, NULL, 'n'},
	    {"profile", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
	uint64_t seeds = 5000;
	int opt, n = 0, missed = 0;

	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (opt == 'n' && (seeds = strtoull(optarg, NULL, 10)) > 0)
			continue;
		if (opt == 'p' && (options.profile = profile_find(optarg)) != NULL)
			continue;
		fprintf(stderr, "usage: mutants [--seeds N] [--profile NAME] [RULE...]\n");
		return 64;
	}
	printf("mutants: each rule off, %llu seeds to find that\n", (unsigned long long)seeds);
	if (optind < argc)
		for (; optind < argc; optind++, n++)
			missed += !try(rule_find(argv[optind]), seeds);
	else
		for (int i = RULE_NONE + 1; i < N_RULES; i++, n++)
			missed += !try((enum rule)i, seeds);
	printf("mutants: %d of %d caught\n", n - missed, n);
	printf("%d%%: Checks: %d, Failures: %d, Errors: 0\n", (n - missed) * 100 / n, n, missed);
	return missed != 0;
}
