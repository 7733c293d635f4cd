/* What slotd sends, as a client takes it apart. */
#include "tests/unit/core/suites.h"

#include "proto/wire.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(answers)
{
	static const struct {
		const char *line;
		int rc;
		enum wire_kind kind;
		const char *tag;
		enum wire_code code;
		const char *rest;
	} rows[] = {
		{"OK", 0, WIRE_KIND_OK, "", WIRE_OK, ""},
		{"OK 1 7", 0, WIRE_KIND_OK, "", WIRE_OK, "1 7"},
		{"#a OK", 0, WIRE_KIND_OK, "a", WIRE_OK, ""},
		{"#a  OK  pong", 0, WIRE_KIND_OK, "a", WIRE_OK, "pong"},
		{"ERR full limit=3 all taken", 0, WIRE_KIND_ERR, "", WIRE_ERR_FULL, "limit=3 all taken"},
		{"#9 ERR cancelled", 0, WIRE_KIND_ERR, "9", WIRE_ERR_CANCELLED, ""},
		{"ERR ok", 0, WIRE_KIND_ERR, "", WIRE_NCODES, ""},
		{"ERR fulls x", 0, WIRE_KIND_ERR, "", WIRE_NCODES, "x"},
		{"!LOST g 1 7 hold", 0, WIRE_KIND_EVENT, "", WIRE_OK, "LOST g 1 7 hold"},
		{"", -1, 0, "", 0, ""},
		{"ok", -1, 0, "", 0, ""},
		{"OKAY", -1, 0, "", 0, ""},
		{"ERR", -1, 0, "", 0, ""},
		{"!", -1, 0, "", 0, ""},
		{"#a", -1, 0, "", 0, ""},
		{"# OK", -1, 0, "", 0, ""},
		{"#a/ OK", -1, 0, "", 0, ""},
		{"slot=1 token=7", -1, 0, "", 0, ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wire_answer a;

		ck_assert_msg(wire_parse_answer(rows[i].line, strlen(rows[i].line), &a) == rows[i].rc,
		    "<%s>", rows[i].line);
		if (rows[i].rc == -1)
			continue;
		ck_assert_msg(a.kind == rows[i].kind && a.code == rows[i].code, "<%s>", rows[i].line);
		ck_assert_str_eq(a.tag, rows[i].tag);
		ck_assert_msg(a.rest_len == strlen(rows[i].rest) &&
		    memcmp(a.rest, rows[i].rest, a.rest_len) == 0, "<%s>: <%.*s>", rows[i].line,
		    (int)a.rest_len, a.rest);
	}
}
END_TEST

START_TEST(grants)
{
	static const char *const wrong[] = {"", "1", "0,1 7", "1 0", "1, 7", "x 7", "1 9223372036854775808",
	    "1,1 7", "1000001 7"};
	uint32_t slots[WIRE_N_MAX];
	uint64_t token;

	ck_assert_int_eq(wire_parse_grant("2,4,5 9223372036854775807 limit=5", 33, slots, &token), 3);
	ck_assert_uint_eq(slots[0], 2);
	ck_assert_uint_eq(slots[2], 5);
	ck_assert_uint_eq(token, WIRE_TOKEN_MAX);
	for (size_t i = 0; i < COUNT(wrong); i++)
		ck_assert_msg(wire_parse_grant(wrong[i], strlen(wrong[i]), slots, &token) == -1, "<%s>",
		    wrong[i]);
}
END_TEST

START_TEST(values)
{
	static const char text[] = "limits=9 limit=5 waited=10 label=a%20b empty= limit=7 bad=%zz text limit";
	char buf[8];

	ck_assert_int_eq(wire_value(text, strlen(text), "limit", buf, sizeof(buf)), 1);
	ck_assert_str_eq(buf, "5");
	ck_assert_int_eq(wire_value(text, strlen(text), "label", buf, sizeof(buf)), 3);
	ck_assert_str_eq(buf, "a b");
	ck_assert_int_eq(wire_value(text, strlen(text), "label", buf, 4), 3);
	ck_assert_int_eq(wire_value(text, strlen(text), "label", buf, 3), -1);
	ck_assert_int_eq(wire_value(text, strlen(text), "empty", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "");
	ck_assert_int_eq(wire_value(text, strlen(text), "bad", buf, sizeof(buf)), -1);
	ck_assert_int_eq(wire_value(text, strlen(text), "text", buf, sizeof(buf)), -1);
	ck_assert_int_eq(wire_value(text, strlen(text), "lim", buf, sizeof(buf)), -1);
}
END_TEST

Suite *
answer_suite(void)
{
	Suite *suite = suite_create("answer");
	TCase *tests = tcase_create("answer");

	tcase_add_test(tests, answers);
	tcase_add_test(tests, grants);
	tcase_add_test(tests, values);
	suite_add_tcase(suite, tests);
	return suite;
}
