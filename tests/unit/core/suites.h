/* The suites of the pure core: one line each, NAME for `Suite *NAME_suite(void)` in test_NAME.c. */
#ifndef UNIT_CORE_SUITES_H
#define UNIT_CORE_SUITES_H

#include <check.h>

#define SUITES(SUITE) \
	SUITE(adopt) \
	SUITE(answer) \
	SUITE(arbiter) \
	SUITE(cells) \
	SUITE(configure) \
	SUITE(fleet) \
	SUITE(heap) \
	SUITE(live) \
	SUITE(memory) \
	SUITE(open) \
	SUITE(operator) \
	SUITE(page) \
	SUITE(proof) \
	SUITE(resume) \
	SUITE(table) \
	SUITE(tally) \
	SUITE(text) \
	SUITE(wire)

#define DECLARE(name) Suite *name##_suite(void);
SUITES(DECLARE)
#undef DECLARE

#endif
