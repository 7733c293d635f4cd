/* The lock file: one at a time, and an identity that stays. */
#include "tests/unit/daemon/suites.h"

#include "daemon/lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/slotd-lock-XXXXXX";
static char socket_path[64], lock_path[64];

/* Unchecked fixtures run in the parent: the directory outlives the test's process. */
static void
make_directory(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(socket_path, sizeof(socket_path), "%s/s", directory);
	snprintf(lock_path, sizeof(lock_path), "%s/s.lock", directory);
}

static void
remove_directory(void)
{
	unlink(lock_path);
	rmdir(lock_path);
	rmdir(directory);
	memcpy(strchr(directory, '\0') - 6, "XXXXXX", 6);
}

START_TEST(identity_stays)
{
	struct lock first = lock_take(socket_path), second;
	struct stat st;

	ck_assert_int_eq(stat(lock_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_ne(first.install, 0);
	ck_assert_uint_eq(first.generation, 1);
	close(first.fd);
	second = lock_take(socket_path);
	ck_assert_uint_eq(second.install, first.install);
	ck_assert_uint_eq(second.generation, 2);
}
END_TEST

START_TEST(new_identity_for_nonsense)
{
	FILE *file = fopen(lock_path, "w");
	struct lock lock;

	ck_assert_ptr_nonnull(file);
	fputs("nonsense that is longer than what will stand here, which must not shine through, "
	      "or so it is hoped by the one who reads it after us\n", file);
	fclose(file);
	lock = lock_take(socket_path);
	ck_assert_uint_eq(lock.generation, 1);
	close(lock.fd);
	ck_assert_uint_eq(lock_take(socket_path).install, lock.install);
}
END_TEST

/* Each of these ends in fatal(), with status 1. */

START_TEST(second_is_refused)
{
	lock_take(socket_path);
	lock_take(socket_path);
}
END_TEST

START_TEST(symbolic_link)
{
	ck_assert_int_eq(symlink("/dev/null", lock_path), 0);
	lock_take(socket_path);
}
END_TEST

START_TEST(not_a_file)
{
	ck_assert_int_eq(mkfifo(lock_path, 0600), 0);
	lock_take(socket_path);
}
END_TEST

START_TEST(no_directory)
{
	lock_take("/nowhere/at/all/s");
}
END_TEST

Suite *
lock_suite(void)
{
	const TTest *const ends[] = {second_is_refused, symbolic_link, not_a_file, no_directory};
	Suite *s = suite_create("lock");
	const char *fork = getenv("CK_FORK");
	TCase *tc;

	tc = tcase_create("identity");
	suite_add_tcase(s, tc);
	tcase_add_unchecked_fixture(tc, make_directory, remove_directory);
	tcase_add_test(tc, identity_stays);
	tc = tcase_create("nonsense");
	suite_add_tcase(s, tc);
	tcase_add_unchecked_fixture(tc, make_directory, remove_directory);
	tcase_add_test(tc, new_identity_for_nonsense);
	if (fork != NULL && strcmp(fork, "no") == 0)
		return s;       /* in a debugger: these would end the whole program */
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		tc = tcase_create("refused");
		suite_add_tcase(s, tc);
		tcase_add_unchecked_fixture(tc, make_directory, remove_directory);
		tcase_add_exit_test(tc, ends[i], 1);
	}
	return s;
}
