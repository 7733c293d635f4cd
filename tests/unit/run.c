/* Runs the suites of one unit test program and prints Check's closing line, which tests/run.py
 * adds up. */
#include "tests/unit/run.h"

#include <stdlib.h>

int
run_suites(Suite *(*const suites[])(void))
{
	SRunner *runner = srunner_create(NULL);
	int failed;

	for (; *suites != NULL; suites++)
		srunner_add_suite(runner, (*suites)());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
