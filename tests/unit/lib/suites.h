/* The suites of libslot: one line each, NAME for `Suite *NAME_suite(void)` in test_NAME.c. */
#ifndef UNIT_LIB_SUITES_H
#define UNIT_LIB_SUITES_H

#include <check.h>

#define SUITES(SUITE) \
	SUITE(connect) \
	SUITE(acquire) \
	SUITE(loop) \
	SUITE(loss) \
	SUITE(page) \
	SUITE(proof) \
	SUITE(resume) \
	SUITE(reconnect) \
	SUITE(query) \
	SUITE(garbage) \
	SUITE(fork) \
	SUITE(memory) \
	SUITE(fault)

#define DECLARE(name) Suite *name##_suite(void);
SUITES(DECLARE)
#undef DECLARE

#endif
