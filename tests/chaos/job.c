/* What `slotctl run` runs: works in its slot for a while, and says so in the log of the holders.
 *
 * usage: chaos_job LOG HOST LIMIT MS WORD...     WORD: strict, stubborn
 *
 * It knows nothing of leases: that it is ended in time is slotctl's to see to.  SIGTERM while
 * slotctl lives says that the slot is lost; a stubborn job notes that and goes on.  When slotctl is
 * gone nobody answers for the job any more, and it ends. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/chaos/record.h"

#define LOOK_NS 5000000         /* between two looks */

static volatile sig_atomic_t is_told;

static void
on_term(int signo)
{
	(void)signo;
	is_told = 1;
}

static uint64_t
number_of(const char *text)
{
	if (text == NULL) {
		fprintf(stderr, "chaos_job: not run by slotctl\n");
		exit(1);
	}
	return strtoull(text, NULL, 10);
}

static uint64_t
slots_of(const char *text)
{
	uint64_t slots = UINT64_C(1) << (number_of(text) - 1);

	while ((text = strchr(text, ',')) != NULL)
		slots |= UINT64_C(1) << (number_of(++text) - 1);
	return slots;
}

int
main(int argc, char **argv)
{
	struct timespec pause = {.tv_nsec = LOOK_NS};
	struct sigaction term = {.sa_handler = on_term};
	struct record r = {.pid = (uint32_t)getpid(), .client = RECORD_RUN};
	enum record_what what = RECORD_ENTER;
	pid_t parent = getppid();
	bool is_stubborn = false, is_noted = false;
	int64_t now, end;
	int log;

	if (argc < 5) {
		fprintf(stderr, "usage: chaos_job LOG HOST LIMIT MS WORD...\n");
		return 1;
	}
	sigaction(SIGTERM, &term, NULL);
	for (int i = 5; i < argc; i++) {
		if (strcmp(argv[i], "stubborn") == 0)
			is_stubborn = true;
		else
			r.client = RECORD_RUN_STRICT, r.is_strict = 1;
	}
	log = record_open(argv[1]);
	r.turn = (uint32_t)parent;
	r.host = (uint8_t)number_of(argv[2]);
	r.limit = (uint8_t)number_of(argv[3]);
	r.group = (uint8_t)number_of(getenv("SLOT_GROUP") == NULL ? NULL : getenv("SLOT_GROUP") + 1);
	r.slots = slots_of(getenv("SLOT_NUMBER"));
	r.token = number_of(getenv("SLOT_TOKEN"));
	end = record_now() + (int64_t)number_of(argv[4]) * 1000000;
	do {
		now = record_now();
		if (getppid() != parent)
			break;
		record_say(log, &r, what, now);
		what = RECORD_STILL;
		nanosleep(&pause, NULL);
		if (is_told && !is_noted && getppid() == parent) {
			record_say(log, &r, RECORD_LOST, record_now());
			is_noted = true;
		}
	} while (now < end && (is_stubborn || !is_told));
	if (!is_noted)
		record_say(log, &r, RECORD_LEAVE, record_now());
	return 0;
}
