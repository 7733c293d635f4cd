/* Questions and answers as texts. */
#include "tests/unit/daemon/suites.h"

#include <string.h>

#include "daemon/redis/talk.h"

#define SELF {0x1f, 2, 0xfedcba9876543210}
#define SELF_TEXT "000000000000001f.0000000000000002.fedcba9876543210"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(names)
{
	struct xch_daemon self = SELF, again;
	char channel[EXCHANGE_CHANNEL_MAX], name[TALK_DAEMON_MAX];

	talk_channel(channel, "p:");
	ck_assert_str_eq(channel, "p:1:fleet");
	talk_daemon(name, &self);
	ck_assert_str_eq(name, SELF_TEXT);
	ck_assert_int_eq(talk_parse_daemon(name, strlen(name), &again), 0);
	ck_assert_mem_eq(&again, &self, sizeof self);
	ck_assert_int_eq(talk_parse_daemon(name, strlen(name) - 1, &again), -1);
	ck_assert_int_eq(talk_parse_daemon(SELF_TEXT "0", strlen(name) + 1, &again), -1);
}
END_TEST

START_TEST(questions)
{
	struct xch_daemon self = SELF;
	struct talk_question q;
	char text[TALK_HEAD_MAX + 8];
	size_t len = talk_encode_question(text, &self, 0xab);

	strcpy(text + len, "PS g*");
	ck_assert_str_eq(text, "Q " SELF_TEXT " 00000000000000ab PS g*");
	ck_assert_int_eq(talk_decode_question(text, strlen(text), &q), 0);
	ck_assert_mem_eq(&q.from, &self, sizeof self);
	ck_assert_uint_eq(q.id, 0xab);
	ck_assert_str_eq(q.line, "PS g*");
}
END_TEST

START_TEST(answers)
{
	struct talk_answer a = {.from = SELF, .id = UINT64_MAX, .number = 7, .is_last = true,
	    .host = "h"}, again;
	char text[TALK_HEAD_MAX + 8];
	size_t len = talk_encode_answer(text, &a);

	memcpy(text + len, "a\nb\0c", 5);
	ck_assert_int_eq(talk_decode_answer(text, len + 5, &again), 0);
	ck_assert_mem_eq(&again.from, &a.from, sizeof a.from);
	ck_assert(again.id == a.id && again.number == 7 && again.is_last);
	ck_assert_str_eq(again.host, "h");
	ck_assert_uint_eq(again.len, 5);
	ck_assert_mem_eq(again.text, "a\nb\0c", 5);
	ck_assert_int_eq(talk_decode_answer(text, len, &again), 0);     /* an empty one */
	ck_assert_uint_eq(again.len, 0);
	ck_assert_int_eq(talk_decode_answer(text, len - 1, &again), -1);
}
END_TEST

/* The longest that can be encoded has room. */
START_TEST(long_ones)
{
	struct talk_answer a = {.id = UINT64_MAX, .number = UINT32_MAX}, again;
	char text[TALK_HEAD_MAX];
	size_t len;

	memset(a.host, 'h', XCH_HOST_MAX);
	len = talk_encode_answer(text, &a);
	ck_assert_uint_lt(len, sizeof text);
	ck_assert_int_eq(talk_decode_answer(text, len, &again), 0);
	ck_assert_str_eq(again.host, a.host);
}
END_TEST

static const char *const bad[] = {
	"", "Q", "Q ", "A", "x", "Q " SELF_TEXT, "Q " SELF_TEXT " 0000000000000001",
	"Q " SELF_TEXT " 0000000000000001 ", "Q " SELF_TEXT " 000000000000001 PS",
	"Q " SELF_TEXT " 00000000000000AB PS", "Q " SELF_TEXT "  0000000000000001 PS",
	"Q " SELF_TEXT " 0000000000000001 PS\n", "Q " SELF_TEXT " 0000000000000001 P\tS",
	"Q " SELF_TEXT " 0000000000000001 PS \x7f", "Q " SELF_TEXT " 0000000000000001 \xc3\xbc",
	"A " SELF_TEXT " 0000000000000001 00000000 1 h", "A " SELF_TEXT " 0000000000000001 00000000 2 h\n",
	"A " SELF_TEXT " 0000000000000001 00000000 1 \n", "A " SELF_TEXT " 0000000000000001 00000000 1 h h\n",
	"A " SELF_TEXT " 0000000000000001 000000000 1 h\n", "A " SELF_TEXT " 0000000000000001 00000000  h\n",
};

START_TEST(nonsense)
{
	struct talk_question q;
	struct talk_answer a;

	ck_assert_int_eq(talk_decode_question(bad[_i], strlen(bad[_i]), &q), -1);
	ck_assert_int_eq(talk_decode_answer(bad[_i], strlen(bad[_i]), &a), -1);
}
END_TEST

START_TEST(too_long)
{
	char text[2 * TALK_QUESTION_MAX] = "Q " SELF_TEXT " 0000000000000001 ";
	size_t head = strlen(text);
	struct talk_question q;
	struct talk_answer a;

	memset(text + head, 'x', TALK_QUESTION_MAX);
	ck_assert_int_eq(talk_decode_question(text, head + TALK_QUESTION_MAX - 1, &q), 0);
	ck_assert_int_eq(talk_decode_question(text, head + TALK_QUESTION_MAX, &q), -1);
	strcpy(text, "A " SELF_TEXT " 0000000000000001 00000000 1 ");
	head = strlen(text);
	memset(text + head, 'h', XCH_HOST_MAX + 1);
	text[head + XCH_HOST_MAX + 1] = '\n';
	ck_assert_int_eq(talk_decode_answer(text, head + XCH_HOST_MAX + 2, &a), -1);
	text[head + XCH_HOST_MAX] = '\n';
	ck_assert_int_eq(talk_decode_answer(text, head + XCH_HOST_MAX + 1, &a), 0);
}
END_TEST

Suite *
talk_suite(void)
{
	Suite *s = suite_create("talk");
	TCase *tc = tcase_create("talk");

	tcase_add_test(tc, names);
	tcase_add_test(tc, questions);
	tcase_add_test(tc, answers);
	tcase_add_test(tc, long_ones);
	tcase_add_loop_test(tc, nonsense, 0, COUNT(bad));
	tcase_add_test(tc, too_long);
	suite_add_tcase(s, tc);
	return s;
}
