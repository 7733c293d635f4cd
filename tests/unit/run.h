/* One Check program out of many suites. */
#ifndef UNIT_RUN_H
#define UNIT_RUN_H

#include <check.h>

/* Runs them all; CK_FORK, CK_RUN_SUITE and CK_RUN_CASE of the environment apply.  The array ends
 * with NULL.  -> the exit status. */
int run_suites(Suite *(*const suites[])(void));

#endif
