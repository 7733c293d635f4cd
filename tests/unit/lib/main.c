/* Unit tests of libslot, through slot.h alone, against a made-up slotd (peer.h). */
#include "tests/unit/lib/suites.h"

#include "tests/unit/run.h"

#define ENTRY(name) name##_suite,
static Suite *(*const suites[])(void) = {SUITES(ENTRY) NULL};

int
main(void)
{
	return run_suites(suites);
}
