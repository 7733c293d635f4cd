/* Live limits as Redis is asked for them and tells of them. */
#include "tests/unit/daemon/suites.h"

#include <string.h>

#include "daemon/redis/live.h"

static struct exchange_command cmd;

static void
teardown(void)
{
	exchange_command_fini(&cmd);
}

static const struct live_setting setting = {.limit = 3, .until = USEC_NEVER, .at = 1795532603613,
    .uid = 1000, .by = "alice@web1", .why = "too%20slow"};

/* All words but the script. */
static void
expect(const char *const *words)
{
	int i;

	for (i = 0; words[i] != NULL; i++) {
		ck_assert_int_lt(i, cmd.argc);
		ck_assert_uint_eq(strlen(cmd.argv[i]), cmd.lens[i]);
		if (strcmp(words[i], "SCRIPT") == 0)
			ck_assert_str_eq(cmd.argv[i], live_script);
		else
			ck_assert_str_eq(cmd.argv[i], words[i]);
	}
	ck_assert_int_eq(i, cmd.argc);
}

#define EXPECT(...) expect((const char *const[]){__VA_ARGS__, NULL})

START_TEST(commands)
{
	live_encode_set(&cmd, "p:", "group:0", LIVE_LIMIT, &setting, USEC_NEVER);
	EXPECT("EVAL", "SCRIPT", "3", "p:1:{s10}:live", "p:1:{s10}:group:0:leases",
	    "p:1:{s10}:group:0:history", "p:1:fleet", "limit group:0", "3", "-1", "1000", "alice@web1",
	    "too%20slow", "p:1:d:", "group:0");
	live_encode_set(&cmd, "p:", "group:0", LIVE_PAUSE,
	    &(struct live_setting){.limit = 0, .by = "-", .why = "-"}, 5000000);
	EXPECT("EVAL", "SCRIPT", "3", "p:1:{s10}:live", "p:1:{s10}:group:0:leases",
	    "p:1:{s10}:group:0:history", "p:1:fleet", "pause group:0", "0", "5000000", "0", "-", "-",
	    "p:1:d:", "group:0");
	live_encode_put(&cmd, "p:", "group:0", LIVE_LIMIT, &setting);
	EXPECT("EVAL", "SCRIPT", "1", "p:1:{s10}:live", "p:1:fleet", "limit group:0", "3",
	    "9007199254740991", "1795532603613", "1000", "alice@web1", "too%20slow");
	live_encode_load(&cmd, "p:", 7);
	EXPECT("HGETALL", "p:1:{s07}:live");
	live_encode_history(&cmd, "p:", "group:0");
	EXPECT("LRANGE", "p:1:{s10}:group:0:history", "0", "19");
}
END_TEST

START_TEST(news)
{
	static const char text[] =
	    "V limit group:0 3 9007199254740991 1795532603613 1000 alice@web1 too%20slow";
	static const char *const bad[] = {"V", "V other g 3 4 5 6 a -", "V limit  3 4 5 6 a -",
	    "V limit g -2 4 5 6 a -", "V limit g 1000001 4 5 6 a -", "V limit g 3 x 5 6 a -",
	    "V limit g 3 4 9007199254740992 6 a -", "V limit g 3 4 5 4294967296 a -",
	    "V limit g 3 4 5 6 a\n -", "V limit g 3 4 5 6 a \xc3\xa9", "V limit g\t 3 4 5 6 a -",
	    "R limit g 3 4 5 6 a -"};
	struct live_news n;

	ck_assert_int_eq(live_decode(text, strlen(text), &n), 0);
	ck_assert_str_eq(n.group, "group:0");
	ck_assert_int_eq(n.said.kind, LIVE_LIMIT);
	ck_assert_int_eq(n.said.setting.limit, 3);
	ck_assert_int_eq(n.said.setting.until, USEC_NEVER);
	ck_assert_int_eq(n.said.setting.at, 1795532603613);
	ck_assert_uint_eq(n.said.setting.uid, 1000);
	ck_assert_str_eq(n.said.setting.by, "alice@web1");
	ck_assert_str_eq(n.said.setting.why, "too%20slow");
	ck_assert_int_eq(live_decode_field("pause \xc3\xa9", 8, "-1 7 6 0 - -", 12, &n), 0);
	ck_assert_str_eq(n.group, "\xc3\xa9");
	ck_assert_int_eq(n.said.kind, LIVE_PAUSE);
	ck_assert_int_eq(n.said.setting.limit, XCH_NO_LIMIT);
	ck_assert_int_eq(n.said.setting.until, 7);
	for (size_t len = 0; len <= strlen("V limit group:0 3 9007199254740991 1795532603613 1000 a");
	     len++)
		ck_assert_int_eq(live_decode(text, len, &n), -1);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(live_decode(bad[i], strlen(bad[i]), &n) == -1, "<%s>", bad[i]);
}
END_TEST

/* What is longer than slotd would set it. */
START_TEST(too_long)
{
	char text[2000] = "V limit g 3 4 5 6 a ";
	struct live_news n;

	memset(text + 20, 'x', sizeof n.said.setting.why - 1);
	ck_assert_int_eq(live_decode(text, strlen(text), &n), 0);
	text[strlen(text)] = 'x';
	ck_assert_int_eq(live_decode(text, strlen(text), &n), -1);
	memset(text, 'x', sizeof text);
	ck_assert_int_eq(live_decode_field(text, 1000, text, 1000, &n), -1);
}
END_TEST

Suite *
live_suite(void)
{
	Suite *s = suite_create("live");
	TCase *tc = tcase_create("texts");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, commands);
	tcase_add_test(tc, news);
	tcase_add_test(tc, too_long);
	suite_add_tcase(s, tc);
	return s;
}
