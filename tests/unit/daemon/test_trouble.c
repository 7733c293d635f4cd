/* Error replies, and which of them are of the server as a whole. */
#include "tests/unit/daemon/suites.h"

#include "daemon/redis/trouble.h"

static const struct {
	const char *error;
	enum trouble trouble;
} errors[] = {
    {"LOADING Redis is loading the dataset in memory", TROUBLE_LOADING},
    {"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", TROUBLE_BUSY},
    {"UNKILLABLE Sorry the script already executed write commands", TROUBLE_BUSY},
    {"READONLY You can't write against a read only replica.", TROUBLE_READONLY},
    {"OOM command not allowed when used memory > 'maxmemory'.", TROUBLE_OOM},
    {"NOAUTH Authentication required.", TROUBLE_NOAUTH},
    {"NOAUTH", TROUBLE_NOAUTH},
    {"WRONGPASS invalid username-password pair or user is disabled.", TROUBLE_NOAUTH},
    {"ERR AUTH <password> called without any password configured for the default user.", TROUBLE_NOAUTH},
    {"DENIED Redis is running in protected mode", TROUBLE_NOAUTH},
    {"NOPERM this user has no permissions to run the 'publish' command", TROUBLE_NOPERM},
    {"ERR ACL failure in script: ...", TROUBLE_NOPERM},
    {"ERR The user executing the script can't run this command or subcommand: KEY", TROUBLE_NOPERM},
    {"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to", TROUBLE_MISCONF},
    {"MISCONF Errors writing to the AOF file: No space left on device", TROUBLE_MISCONF},
    {"NOREPLICAS Not enough good replicas to write.", TROUBLE_NOREPLICAS},
    {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", TROUBLE_MASTERDOWN},
    {"CLUSTERDOWN Hash slot not served", TROUBLE_CLUSTER},
    {"MOVED 3999 127.0.0.1:6381", TROUBLE_CLUSTER},
    {"ASK 3999 127.0.0.1:6381", TROUBLE_CLUSTER},
    {"CROSSSLOT Keys in request don't hash to the same slot", TROUBLE_CLUSTER},
    {"TRYAGAIN Multiple keys request during rehashing of slot", TROUBLE_CLUSTER},
    {"ERR max number of clients reached", TROUBLE_MAXCLIENTS},
    {"NOSCRIPT No matching script. Please use EVAL.", TROUBLE_UNFIT},
    {"WRONGTYPE Operation against a key holding the wrong kind of value", TROUBLE_NONE},
    {"ERR slotd: not a marker", TROUBLE_NONE},
    {"ERR ACLS x", TROUBLE_NONE},
    {"READONLYISH x", TROUBLE_NONE},
    {"", TROUBLE_NONE},
};

START_TEST(error)
{
	ck_assert_str_eq(trouble_word(trouble_of_error(errors[_i].error)),
	    trouble_word(errors[_i].trouble));
}
END_TEST

START_TEST(words)
{
	for (enum trouble i = TROUBLE_NONE; i < TROUBLE_N; i++) {
		ck_assert_ptr_nonnull(trouble_text(i));
		for (enum trouble j = i + 1; j < TROUBLE_N; j++)
			ck_assert_str_ne(trouble_word(i), trouble_word(j));
	}
}
END_TEST

Suite *
trouble_suite(void)
{
	Suite *s = suite_create("trouble");
	TCase *tc = tcase_create("trouble");

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, error, 0, sizeof(errors) / sizeof(errors[0]));
	tcase_add_test(tc, words);
	return s;
}
