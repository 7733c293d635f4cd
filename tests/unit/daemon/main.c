/* Unit tests of the daemon around its core: linked with everything but daemon/main.c. */
#include "tests/unit/daemon/suites.h"

#include "tests/unit/run.h"

#define ENTRY(name) name##_suite,
static Suite *(*const suites[])(void) = {SUITES(ENTRY) NULL};

int
main(void)
{
	return run_suites(suites);
}
