/* The suites of the daemon around its core: one line each, NAME for `Suite *NAME_suite(void)` in
 * test_NAME.c. */
#ifndef UNIT_DAEMON_SUITES_H
#define UNIT_DAEMON_SUITES_H

#include <check.h>

#define SUITES(SUITE) \
	SUITE(config) \
	SUITE(config_pages) \
	SUITE(exchange) \
	SUITE(gather) \
	SUITE(http) \
	SUITE(listener) \
	SUITE(live) \
	SUITE(lock) \
	SUITE(log) \
	SUITE(metrics) \
	SUITE(page) \
	SUITE(ps) \
	SUITE(resolve) \
	SUITE(server) \
	SUITE(session) \
	SUITE(talk) \
	SUITE(trouble) \
	SUITE(url)

#define DECLARE(name) Suite *name##_suite(void);
SUITES(DECLARE)
#undef DECLARE

#endif
