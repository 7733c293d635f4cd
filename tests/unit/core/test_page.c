/* PROTOCOL.txt, slotd-protocol(7) and the README say what the code does: errors, requests, numbers. */
#include "tests/unit/core/suites.h"

#include "proto/wire.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char page[1 << 16];

static void
read_file(const char *path)
{
	FILE *file = fopen(path, "r");

	ck_assert_msg(file != NULL, "%s: run this from the top of the source", path);
	page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
	fclose(file);
}

static void
read_page(void)
{
	read_file("proto/PROTOCOL.txt");
}

/* The table of errors in section 4, row for row what errors.def says. */
START_TEST(lists_the_errors)
{
	const char *at = strstr(page, "  code        what to do  meaning\n");

	ck_assert_ptr_nonnull(at);
	at = strchr(at, '\n') + 1;
	for (enum wire_code code = WIRE_OK + 1; code < WIRE_NCODES; code++) {
		char word[16] = "", todo[16] = "", text[256] = "";
		int n = 0;

		ck_assert_int_eq(sscanf(at, "  %15[a-z] %15[a-z] %n", word, todo, &n), 2);
		ck_assert_str_eq(word, wire_code_word(code));
		ck_assert_str_eq(todo, wire_code_todo(code));
		/* its text goes on in lines that are indented further */
		for (at += n;; at += strspn(at, " ")) {
			size_t len = strcspn(at, "\n"), have = strlen(text);

			snprintf(text + have, sizeof(text) - have, "%s%.*s", have ? " " : "", (int)len, at);
			at += len + 1;
			if (strncmp(at, "     ", 5) != 0)
				break;
		}
		ck_assert_str_eq(text, wire_code_text(code));
	}
	ck_assert_int_eq(*at, '\n');
}
END_TEST

/* Every line of HELP is a form that the page shows, and each verb has one. */
START_TEST(shows_the_requests)
{
	const char *const *help = wire_help();
	enum wire_verb verb = 0;

	for (; *help != NULL; help++) {
		const char *word = wire_verb_word(verb);

		ck_assert_msg(strstr(page, *help) != NULL, "PROTOCOL.txt: no <%s>", *help);
		if (strncmp(*help, word, strlen(word)) != 0)
			word = wire_verb_word(--verb); /* a second form of the verb before */
		ck_assert_msg(strncmp(*help, word, strlen(word)) == 0, "<%s> is no %s", *help, word);
		verb++;
	}
	ck_assert_int_eq(verb, WIRE_NVERBS);
}
END_TEST

START_TEST(gives_the_numbers)
{
	static const struct {
		const char *format;
		long long number;
	} rows[] = {
		{"  a line            at most %lld bytes", WIRE_LINE_MAX},
		{"  group name        1 to %lld bytes", WIRE_GROUP_MAX},
		{"  label             1 to %lld bytes", WIRE_LABEL_MAX},
		{"  why    with limit= and pause=: 1 to %lld bytes", WIRE_WHY_MAX},
		{"  tag               1 to %lld of", WIRE_TAG_MAX},
		{"  limit             1 to %lld\n", WIRE_LIMIT_MAX},
		{"  n (slots at once) 1 to %lld\n", WIRE_N_MAX},
		{"  slot              1 to %lld\n", WIRE_LIMIT_MAX},
		{"  token             1 to %lld (63 bits", WIRE_TOKEN_MAX},
		{"At most %lld days", WIRE_TIME_MAX / (24 * 3600 * 1000)},
		{"version %lld\n", WIRE_PROTOCOL},
	};
	char text[80];

	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text), rows[i].format, rows[i].number);
		ck_assert_msg(strstr(page, text) != NULL, "PROTOCOL.txt: no <%s>", text);
	}
}
END_TEST

/* The summary has each error with its text, in the same order, and each request. */
START_TEST(summed_up_for_man)
{
	const char *at = page;
	char item[512];

	read_file("proto/slotd-protocol.7");
	for (enum wire_code code = WIRE_OK + 1; code < WIRE_NCODES; code++) {
		snprintf(item, sizeof(item), ".It Cm %s Pq Em %s\n%s\n", wire_code_word(code),
		    wire_code_todo(code), wire_code_text(code));
		at = strstr(at, item);
		ck_assert_msg(at != NULL, "slotd-protocol.7: not, or not here: %s", item);
	}
	for (enum wire_verb verb = 0; verb < WIRE_NVERBS; verb++) {
		snprintf(item, sizeof(item), "\n.It Cm %s", wire_verb_word(verb));
		ck_assert_msg(strstr(page, item) != NULL, "slotd-protocol.7: no %s", item);
	}
}
END_TEST

/* The README's table, in the same order. */
START_TEST(listed_in_the_readme)
{
	const char *at = page;
	char row[512];

	read_file("README.md");
	for (enum wire_code code = WIRE_OK + 1; code < WIRE_NCODES; code++) {
		snprintf(row, sizeof(row), "| %s | %s | %s |\n", wire_code_word(code),
		    wire_code_todo(code), wire_code_text(code));
		at = strstr(at, row);
		ck_assert_msg(at != NULL, "README.md: not, or not here: %s", row);
	}
}
END_TEST

Suite *
page_suite(void)
{
	Suite *suite = suite_create("page");
	TCase *tests = tcase_create("page");

	tcase_add_checked_fixture(tests, read_page, NULL);
	tcase_add_test(tests, lists_the_errors);
	tcase_add_test(tests, shows_the_requests);
	tcase_add_test(tests, gives_the_numbers);
	tcase_add_test(tests, summed_up_for_man);
	tcase_add_test(tests, listed_in_the_readme);
	suite_add_tcase(suite, tests);
	return suite;
}
