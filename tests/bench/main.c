/* make bench: what slotd costs, beside what the machine allows.
 *
 * usage: bench SLOTD [SECTION...]
 * Without sections all of them; those that measure time also where the kernel places everything. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"

static const struct {
	const char *name;
	void (*run)(void);
	bool also_free;         /* measured where the kernel chooses the cores, too */
} sections[] = {
    {"pair", bench_pair, true},
    {"watched", bench_watched, false},
    {"throughput", bench_throughput, true},
    {"handoff", bench_handoff, true},
    {"hostile", bench_hostile, true},
    {"order", bench_order, false},
    {"commands", bench_commands, false},
    {"memory", bench_memory, false},
    {"growth", bench_growth, false},
    {"script", bench_script, false},
    {"fleet", bench_fleet, false},
};

#define N_SECTIONS (sizeof sections / sizeof sections[0])

static bool
is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 2;
}

/* such as "AMD EPYC, 2 cores, Linux 6.1" */
static void
describe(char *text, size_t size)
{
	char line[256], model[128] = "a processor", release[128] = "";
	FILE *file = fopen("/proc/cpuinfo", "r");

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "model name : %127[^\n]", model) == 1)
			break;
	if (file != NULL)
		fclose(file);
	if ((file = fopen("/proc/sys/kernel/osrelease", "r")) != NULL) {
		if (fscanf(file, "%127s", release) != 1)
			release[0] = '\0';
		fclose(file);
	}
	snprintf(text, size, "%s, %ld cores, Linux %s", model, sysconf(_SC_NPROCESSORS_ONLN),
	    release);
}

int
main(int argc, char **argv)
{
	char machine[320];
	cpu_set_t all, one;
	int cpu = 0;

	if (argc < 2)
		fail("usage: bench SLOTD [SECTION...]");
	slotd_program = argv[1];
	describe(machine, sizeof machine);
	table_open(machine);
	if (sched_getaffinity(0, sizeof all, &all) < 0)
		fail("sched_getaffinity");
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	for (int is_free = 0; is_free < 2; is_free++) {
		sched_setaffinity(0, sizeof all, is_free ? &all : &one);
		table_placement(is_free ? "free" : "pinned");
		for (size_t i = 0; i < N_SECTIONS; i++)
			if (is_wanted(sections[i].name, argc, argv) && (!is_free || sections[i].also_free))
				sections[i].run();
	}
	table_close();
	return 0;
}
