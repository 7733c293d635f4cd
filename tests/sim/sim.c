/* The simulator: many arbiters and one backend under made-up clocks and faults, seed by seed.
 *
 * usage: sim [--seeds N] [--seed n] [--from n] [--profile NAME] [--faults a,b,...] [--trace]
 *            [--tail LINES] [--check-every STEPS]
 *
 * A seed says everything about a run, so it is told again with the same seed, byte for byte.  The
 * first one that violates an invariant is run once more and its story is told. */
#include "tests/sim/sim.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct options options = {.check_every = 1, .tail = 150};
static uint64_t seed_now;
static char **arguments;

static void
usage(void)
{
	fprintf(stderr, "usage: sim [--seeds N] [--seed n] [--from n] [--profile NAME] "
	    "[--faults a,b,...] [--trace] [--tail LINES] [--check-every STEPS]\nprofiles:");
	for (const struct profile *p = profiles; p->name != NULL; p++)
		fprintf(stderr, " %s", p->name);
	fprintf(stderr, "\nfaults:");
	for (int i = 0; i < N_FAULTS; i++)
		fprintf(stderr, " %s", fault_names[i]);
	fprintf(stderr, "\n");
	exit(64);
}

static uint32_t
parse_faults(char *list)
{
	uint32_t faults = 0;

	for (char *name = strtok(list, ","); name != NULL; name = strtok(NULL, ",")) {
		int i = 0;

		while (i < N_FAULTS && strcmp(fault_names[i], name) != 0)
			i++;
		if (i == N_FAULTS)
			usage();
		faults |= 1u << i;
	}
	return faults;
}

static uint64_t
parse_number(const char *s)
{
	char *end;
	unsigned long long n = strtoull(s, &end, 10);

	if (*s == '\0' || *end != '\0')
		usage();
	return n;
}

/* An assertion has failed: the run that tells the story ends with it; any other is run again. */
static void
on_abort(int sig)
{
	char seed[24], *args[32];
	int n = 0;

	(void)sig;
	if (tracing) {
		trace_show();
		printf("sim: seed %llu: an assertion failed\n", (unsigned long long)seed_now);
		fflush(stdout);
		_exit(1);
	}
	snprintf(seed, sizeof seed, "%llu", (unsigned long long)seed_now);
	while (arguments[n] != NULL && n < 28) {
		args[n] = arguments[n];
		n++;
	}
	args[n++] = (char *)"--seed";
	args[n++] = seed;
	args[n++] = (char *)"--retell";
	args[n] = NULL;
	execv("/proc/self/exe", args);
	_exit(1);
}

/* -> true: no violation */
static bool
play(uint64_t seed, struct stats *sum)
{
	struct world w;
	bool ok;

	seed_now = seed;
	ok = world_run(&w, &options, seed);
	if (!ok && !tracing) {
		trace_start(false, options.tail);
		world_fini(&w);
		world_run(&w, &options, seed);
	}
	if (!ok) {
		trace_show();
		printf("sim: seed %llu: at %.6f s: %s\n", (unsigned long long)seed,
		    (double)w.failed_at / SEC, w.failure);
	}
	sum->events += w.stats.events;
	sum->exchanges += w.stats.exchanges;
	sum->grants += w.stats.grants;
	sum->local += w.stats.local;
	sum->kept += w.stats.kept;
	sum->lost += w.stats.lost;
	sum->resumed += w.stats.resumed;
	sum->recalls += w.stats.recalls;
	sum->syncs += w.stats.syncs;
	sum->false_full += w.stats.false_full;
	sum->opens += w.stats.opens;
	sum->refused += w.stats.refused;
	world_fini(&w);
	return ok;
}

static void
show(const char *what, uint64_t n)
{
	printf("sim: %12llu %s\n", (unsigned long long)n, what);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"seeds", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'},
	    {"from", required_argument, NULL, 'f'}, {"profile", required_argument, NULL, 'p'},
	    {"faults", required_argument, NULL, 'x'}, {"trace", no_argument, NULL, 't'},
	    {"tail", required_argument, NULL, 'l'}, {"check-every", required_argument, NULL, 'c'},
	    {"retell", no_argument, NULL, 'r'},
	    {NULL, 0, NULL, 0}};
	uint64_t seeds = 200, first = 1, done = 0, failed = 0;
	struct stats sum = {0};
	struct timespec start, end;
	double seconds;
	int opt;

	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (opt == 'n')
			seeds = parse_number(optarg);
		else if (opt == 's' && (seeds = 1))
			first = parse_number(optarg);
		else if (opt == 'f')
			first = parse_number(optarg);
		else if (opt == 'p' && (options.profile = profile_find(optarg)) == NULL)
			usage();
		else if (opt == 'x')
			options.faults = parse_faults(optarg);
		else if (opt == 't')
			options.trace = true;
		else if (opt == 'l')
			options.tail = (unsigned)parse_number(optarg);
		else if (opt == 'c' && (options.check_every = (unsigned)parse_number(optarg)) == 0)
			usage();
		else if (opt == 'r')
			trace_start(false, options.tail);
		else if (opt == '?')
			usage();
	}
	if (optind < argc)
		usage();
	printf("sim: seeds %llu to %llu\n", (unsigned long long)first,
	    (unsigned long long)(first + seeds - 1));
	fflush(stdout);
	arguments = argv;
	signal(SIGABRT, on_abort);
	if (options.trace)
		trace_start(true, 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (; done < seeds && failed == 0; done++)
		failed += !play(first + done, &sum);
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	if (!options.trace)             /* the only line that differs from run to run */
		printf("sim: %.1f s, %.0f events a second\n", seconds,
		    (double)sum.events / seconds);
	show("events", sum.events);
	show("grants", sum.grants);
	show("of them without an exchange", sum.local);
	show("exchanges", sum.exchanges);
	show("of them full", sum.syncs);
	show("recalls heard", sum.recalls);
	show("holds lost", sum.lost);
	show("holds proven again", sum.kept);
	show("holds resumed", sum.resumed);
	show("times full though idle", sum.false_full);
	show("let in while the server was away", sum.opens);
	show("refused since it was away", sum.refused);
	printf("%d%%: Checks: %llu, Failures: %llu, Errors: 0\n", failed == 0 ? 100 : 0,
	    (unsigned long long)done, (unsigned long long)failed);
	return failed != 0;
}
