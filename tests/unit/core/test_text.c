/* Numbers, times, %XX and blanks. */
#include "tests/unit/core/suites.h"

#include "proto/wire.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(numbers)
{
	uint64_t v = 77;

	ck_assert_int_eq(wire_parse_number("18446744073709551615", 20, UINT64_MAX, &v), 0);
	ck_assert(v == UINT64_MAX);
	ck_assert_int_eq(wire_parse_number("18446744073709551616", 20, UINT64_MAX, &v), -1);
	ck_assert_int_eq(wire_parse_number("99999999999999999999999", 23, UINT64_MAX, &v), -1);
	ck_assert_int_eq(wire_parse_number("5", 1, 5, &v), 0);
	ck_assert_int_eq(wire_parse_number("6", 1, 5, &v), -1);
	ck_assert_int_eq(wire_parse_number("0", 1, 0, &v), 0);
	ck_assert_int_eq(wire_parse_number("1", 1, 0, &v), -1);
	ck_assert_int_eq(wire_parse_number("", 0, 5, &v), -1);
	ck_assert_int_eq(wire_parse_number(" 1", 2, 5, &v), -1);
	ck_assert_int_eq(wire_parse_number("1\0", 2, 5, &v), -1);
}
END_TEST

START_TEST(times)
{
	int64_t ms;
	bool has_unit;

	ck_assert_int_eq(wire_parse_time("15", 2, &ms, &has_unit), 0);
	ck_assert(ms == 15 && !has_unit);
	ck_assert_int_eq(wire_parse_time("15ms", 4, &ms, &has_unit), 0);
	ck_assert(ms == 15 && has_unit);
	ck_assert_int_eq(wire_parse_time("15m", 3, &ms, &has_unit), 0);
	ck_assert(ms == 15 * 60 * 1000 && has_unit);
	ck_assert_int_eq(wire_parse_time("31622400s", 9, &ms, NULL), 0);
	ck_assert(ms == WIRE_TIME_MAX);
	ck_assert_int_eq(wire_parse_time("31622401s", 9, &ms, NULL), -1);
	ck_assert_int_eq(wire_parse_time("ms", 2, &ms, NULL), -1);
	ck_assert_int_eq(wire_parse_time("", 0, &ms, NULL), -1);
	ck_assert_int_eq(wire_parse_time("1 s", 3, &ms, NULL), -1);
}
END_TEST

START_TEST(escapes)
{
	static const struct {
		const char *plain;
		bool dash;
		const char *escaped;
	} rows[] = {
		{"abc~!", false, "abc~!"}, {"a b%", false, "a%20b%25"}, {"\x7f\x1f", true, "%7F%1F"},
		{"\xc3\xbc", false, "%C3%BC"}, {"", false, ""}, {"", true, "-"}, {"-", true, "%2D"},
		{"-", false, "-"}, {"--", true, "--"}, {"a=b,c", true, "a=b,c"},
	};
	char escaped[32], plain[32];

	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].escaped);

		for (size_t size = 0; size <= len; size++)
			ck_assert_msg(wire_escape(rows[i].plain, strlen(rows[i].plain), rows[i].dash, escaped,
			    size) == -1, "<%s> in %zu", rows[i].plain, size);
		ck_assert_int_eq(wire_escape(rows[i].plain, strlen(rows[i].plain), rows[i].dash, escaped,
		    len + 1), (int)len);
		ck_assert_str_eq(escaped, rows[i].escaped);
		if (rows[i].plain[0] == '\0')
			continue;
		ck_assert_int_eq(wire_unescape(escaped, len, plain, strlen(rows[i].plain)), -2);
		ck_assert_int_eq(wire_unescape(escaped, len, plain, strlen(rows[i].plain) + 1),
		    (int)strlen(rows[i].plain));
		ck_assert_str_eq(plain, rows[i].plain);
	}
	ck_assert_int_eq(wire_unescape("%4", 2, plain, sizeof(plain)), -1);
	ck_assert_int_eq(wire_unescape("%41", 2, plain, sizeof(plain)), -1);
	ck_assert_int_eq(wire_unescape("%-1", 3, plain, sizeof(plain)), -1);
}
END_TEST

START_TEST(blank_lines)
{
	ck_assert(wire_is_blank("", 0));
	ck_assert(wire_is_blank(" \t \r", 4));
	ck_assert(wire_is_blank("\r", 1));
	ck_assert(!wire_is_blank("\r\r", 2));
	ck_assert(!wire_is_blank(" x", 2));
	ck_assert(!wire_is_blank("\0", 1));
}
END_TEST

Suite *
text_suite(void)
{
	Suite *suite = suite_create("text");
	TCase *tests = tcase_create("text");

	tcase_add_test(tests, numbers);
	tcase_add_test(tests, times);
	tcase_add_test(tests, escapes);
	tcase_add_test(tests, blank_lines);
	suite_add_tcase(suite, tests);
	return suite;
}
