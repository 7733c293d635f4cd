/* The log: what reaches standard error, byte for byte. */
#include "tests/unit/daemon/suites.h"

#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char output[4096];

/* Runs say() with a file as standard error, which is the journal's or not. */
static void
capture(void (*say)(void), bool journal)
{
	FILE *file = tmpfile();
	char stream[64];
	struct stat st;
	ssize_t n;

	ck_assert_ptr_nonnull(file);
	fcntl(fileno(file), F_SETFL, O_APPEND);
	ck_assert_int_eq(fstat(fileno(file), &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino + !journal);
	setenv("JOURNAL_STREAM", stream, 1);
	dup2(fileno(file), STDERR_FILENO);
	say();
	n = pread(STDERR_FILENO, output, sizeof(output) - 1, 0);
	ck_assert_int_ge(n, 0);
	output[n] = '\0';
}

static void
say_all(void)
{
	errno = ENOENT;
	log_error("one %d", 1);
	log_warn("two");
	log_warnx("three");
	log_info("four");
	log_debug("five");
	ck_assert_int_eq(errno, ENOENT);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("peer says \x1b[2J\n%s%%", "\xff");
	log_set_level(LOG_LEVEL_ERROR);
	log_warnx("six");
}

START_TEST(for_the_journal)
{
	capture(say_all, true);
	ck_assert_str_eq(output, "<3>one 1\n"
				 "<4>two: No such file or directory\n"
				 "<4>three\n"
				 "<6>four\n"
				 "<7>peer says %1B[2J%0A%FF%\n");
}
END_TEST

START_TEST(for_people)
{
	char end[64];
	const char *line;

	capture(say_all, false);
	snprintf(end, sizeof(end), "Z slotd[%d] error: one 1\n", (int)getpid());
	line = strchr(output, '\n');
	ck_assert_ptr_nonnull(line);
	ck_assert_int_eq(line + 1 - output, (long)(strlen("2026-11-24T08:31:00.123") + strlen(end)));
	ck_assert_int_eq(strncmp(line + 1 - strlen(end), end, strlen(end)), 0);
}
END_TEST

static void
say_much(void)
{
	char much[4000];

	memset(much, '\x01', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	log_info("%s", much);
}

START_TEST(long_lines_are_cut)
{
	capture(say_much, true);
	ck_assert_uint_gt(strlen(output), 1500);
	ck_assert_uint_lt(strlen(output), 2300);
	ck_assert_ptr_eq(strchr(output, '\n'), output + strlen(output) - 1);
}
END_TEST

Suite *
log_suite(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, for_the_journal);
	tcase_add_test(tc, for_people);
	tcase_add_test(tc, long_lines_are_cut);
	return s;
}
