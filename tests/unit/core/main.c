/* Unit tests of the pure core.  Linked with the core's objects and nothing else: a call into
 * libevent, inih or the shell from there fails this link. */
#include "tests/unit/core/suites.h"

#include "tests/unit/run.h"

#define ENTRY(name) name##_suite,
static Suite *(*const suites[])(void) = {SUITES(ENTRY) NULL};

int
main(void)
{
	return run_suites(suites);
}
