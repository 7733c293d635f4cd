/* Taking and giving back, blocking. */
#include "tests/unit/lib/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"
#include "tests/unit/lib/peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OPTIONS(...) {sizeof(struct slot_acquire_options), __VA_ARGS__}

/* ------------------------------------------------------------------ requests */

static const struct {
	struct slot_acquire_options options;
	const char *line;
} asked[] = {
	{SLOT_ACQUIRE_OPTIONS_INIT, "ACQUIRE g"},
	{OPTIONS(5, 1, SLOT_WAIT_NOW, 0, NULL), "ACQUIRE g limit=5 wait=0"},
	{OPTIONS(1000000, 1, SLOT_WAIT_FOREVER, 0, "a b"),
	    "ACQUIRE g limit=1000000 wait=forever label=a%20b"},
	{OPTIONS(0, 1, 31622400000, 31622400000, NULL), "ACQUIRE g wait=31622400000 hold=31622400000"},
	{OPTIONS(0, 1, SLOT_WAIT_DEFAULT, 1, "%"), "ACQUIRE g hold=1 label=%25"},
	/* of a header that ended behind the limit */
	{{offsetof(struct slot_acquire_options, n), 5, 0, 0, -1, NULL}, "ACQUIRE g limit=5"},
};

static void
grant_each(struct peer *peer)
{
	peer_greet(peer);
	for (size_t i = 0; i < COUNT(asked); i++) {
		char release[64];

		peer_expect(peer, asked[i].line);
		peer_answer(peer, "OK %zu 9223372036854775807 limit=7 later=x", i + 1);
		snprintf(release, sizeof release, "RELEASE g %zu token=9223372036854775807", i + 1);
		peer_expect(peer, release);
		peer_answer(peer, "OK");
	}
	peer_expect_eof(peer);
}

START_TEST(options_on_the_wire)
{
	struct peer *peer = peer_start(grant_each);
	struct slot_conn *conn = peer_connect(peer, NULL);

	for (size_t i = 0; i < COUNT(asked); i++) {
		struct slot_hold *hold;

		ck_assert_int_eq(slot_acquire(conn, "g", i == 0 ? NULL : &asked[i].options, &hold), 0);
		ck_assert_uint_eq(slot_hold_slot(hold), i + 1);
		ck_assert_uint_eq(slot_hold_n(hold), 1);
		ck_assert_uint_eq(slot_hold_token(hold), INT64_MAX);
		ck_assert_uint_eq(slot_hold_limit(hold), 7);
		ck_assert_str_eq(slot_hold_group(hold), "g");
		ck_assert_ptr_null(slot_hold_lost(hold));
		ck_assert_ptr_null(slot_hold_userdata(hold));
		slot_hold_set_userdata(hold, conn);
		ck_assert_ptr_eq(slot_hold_userdata(hold), conn);
		ck_assert_int_eq(slot_release(hold), 0);
	}
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
grant_64(struct peer *peer)
{
	char slots[400] = "1000000", line[500];

	for (int i = 1; i < 64; i++)
		sprintf(slots + strlen(slots), ",%d", i);
	peer_greet(peer);
	peer_expect(peer, "ACQUIRE Z%C3%BCrich limit=100 n=64");
	peer_answer(peer, "OK %s 12 limit=100", slots);
	snprintf(line, sizeof line, "RELEASE Z%%C3%%BCrich %s token=12", slots);
	peer_expect(peer, line);
	peer_answer(peer, "OK");
	peer_expect_eof(peer);
}

START_TEST(many_at_once)
{
	struct slot_acquire_options o = OPTIONS(100, 64, SLOT_WAIT_DEFAULT, 0, NULL);
	struct peer *peer = peer_start(grant_64);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_hold *hold;

	ck_assert_int_eq(slot_acquire(conn, "Z\xc3\xbcrich", &o, &hold), 0);
	ck_assert_uint_eq(slot_hold_n(hold), 64);
	ck_assert_uint_eq(slot_hold_slots(hold)[0], 1000000);
	ck_assert_uint_eq(slot_hold_slots(hold)[63], 63);
	ck_assert_int_eq(slot_release(hold), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ arguments */

static void
say_nothing(struct peer *peer)
{
	peer_greet(peer);
	peer_expect_eof(peer);
}

START_TEST(bad_arguments)
{
	static const struct {
		const char *group;
		struct slot_acquire_options options;
		int code;
		const char *key;        /* that the error names */
	} rows[] = {
		{NULL, SLOT_ACQUIRE_OPTIONS_INIT, SLOT_EBADGROUP, NULL},
		{"", SLOT_ACQUIRE_OPTIONS_INIT, SLOT_EBADGROUP, NULL},
		{"a b", SLOT_ACQUIRE_OPTIONS_INIT, SLOT_EBADGROUP, NULL},
		{"a\n", SLOT_ACQUIRE_OPTIONS_INIT, SLOT_EBADGROUP, NULL},
		{"\xff", SLOT_ACQUIRE_OPTIONS_INIT, SLOT_EBADGROUP, NULL},
		{"g", OPTIONS(1000001, 1, 0, 0, NULL), SLOT_EBADVALUE, "limit"},
		{"g", OPTIONS(1, 0, 0, 0, NULL), SLOT_EBADVALUE, "n"},
		{"g", OPTIONS(1, 65, 0, 0, NULL), SLOT_EBADVALUE, "n"},
		{"g", OPTIONS(1, 1, -3, 0, NULL), SLOT_EBADVALUE, "wait"},
		{"g", OPTIONS(1, 1, 31622400001, 0, NULL), SLOT_EBADVALUE, "wait"},
		{"g", OPTIONS(1, 1, 0, -1, NULL), SLOT_EBADVALUE, "hold"},
		{"g", OPTIONS(1, 1, 0, 31622400001, NULL), SLOT_EBADVALUE, "hold"},
		{"g", OPTIONS(1, 1, 0, 0, ""), SLOT_EBADVALUE, "label"},
		{"g", OPTIONS(1, 1, 0, 0, "a\tb"), SLOT_EBADVALUE, "label"},
		{"g", {1, 1, 1, 0, 0, NULL}, SLOT_EINVAL, NULL},
	};
	struct peer *peer = peer_start(say_nothing);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_hold *hold;
	char name[130];

	for (size_t i = 0; i < COUNT(rows); i++) {
		int code = slot_acquire(conn, rows[i].group, &rows[i].options, &hold);

		ck_assert_msg(code == rows[i].code, "row %zu: %d", i, code);
		if (rows[i].key == NULL) {
			ck_assert_str_eq(slot_error_text(conn), slot_strerror(code));
			continue;
		}
		ck_assert_int_gt(slot_error_value(conn, "key", name, sizeof name), 0);
		ck_assert_str_eq(name, rows[i].key);
		ck_assert_ptr_eq(strstr(slot_error_text(conn), rows[i].key), slot_error_text(conn));
	}
	memset(name, 'x', 129);
	name[129] = '\0';
	ck_assert_int_eq(slot_acquire(conn, name, NULL, &hold), SLOT_EBADGROUP);
	ck_assert_int_eq(slot_acquire(conn, "g", NULL, NULL), SLOT_EINVAL);
	ck_assert_int_eq(slot_acquire(NULL, "g", NULL, &hold), SLOT_EINVAL);
	ck_assert_int_eq(slot_acquire(NULL, "g", NULL, NULL), SLOT_EINVAL);
	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, NULL, NULL, NULL), SLOT_EINVAL);
	ck_assert_int_eq(slot_process(NULL), SLOT_EINVAL);
	ck_assert_int_eq(slot_release(NULL), 0);
	ck_assert_int_eq(slot_release_nowait(NULL), 0);
	slot_cancel(NULL);
	slot_close(NULL);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ errors */

static const char *const words[] = {
#define ERR(name, word, todo, text) word,
#include "proto/errors.def"
#undef ERR
};
static const int codes[] = {
#define ERR(name, word, todo, text) SLOT_E##name,
#include "proto/errors.def"
#undef ERR
};

static void
refuse_each(struct peer *peer)
{
	peer_greet(peer);
	for (size_t i = 0; i < COUNT(words); i++) {
		peer_expect(peer, "ACQUIRE g limit=1");
		peer_answer(peer, "ERR %s limit=5 waited=10000 closest=a%%20b all 5 are taken, x=y", words[i]);
	}
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "ERR tired");
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "ERR full limit=5");
	peer_expect_eof(peer);
}

START_TEST(errors)
{
	struct slot_acquire_options o = OPTIONS(1, 1, SLOT_WAIT_DEFAULT, 0, NULL);
	struct peer *peer = peer_start(refuse_each);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_hold *hold = NULL;
	char buf[8];

	for (size_t i = 0; i < COUNT(words); i++) {
		ck_assert_int_eq(slot_acquire(conn, "g", &o, &hold), codes[i]);
		ck_assert_ptr_null(hold);
		ck_assert_str_eq(slot_error_word(codes[i]), words[i]);
		ck_assert_str_eq(slot_error_text(conn), "all 5 are taken, x=y");
		ck_assert_int_eq(slot_error_number(conn, "limit"), 5);
		ck_assert_int_eq(slot_error_number(conn, "waited"), 10000);
		ck_assert_int_eq(slot_error_number(conn, "closest"), -1);
		ck_assert_int_eq(slot_error_number(conn, "max"), -1);
		ck_assert_int_eq(slot_error_value(conn, "closest", buf, sizeof buf), 3);
		ck_assert_str_eq(buf, "a b");
		ck_assert_int_eq(slot_error_value(conn, "closest", buf, 3), -1);
	}
	ck_assert_int_eq(slot_acquire(conn, "g", &o, &hold), SLOT_EOTHER);
	ck_assert_str_eq(slot_error_text(conn), slot_strerror(SLOT_EOTHER));
	ck_assert_int_eq(slot_acquire(conn, "g", &o, &hold), SLOT_EFULL);
	ck_assert_str_eq(slot_error_text(conn), slot_strerror(SLOT_EFULL));
	ck_assert_int_eq(slot_error_number(NULL, "limit"), -1);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* Each code has a word and a sentence of its own, and the right advice. */
START_TEST(codes_are_explained)
{
	static const int ours[] = {0, SLOT_EINVAL, SLOT_EFORK, SLOT_EBUSY, SLOT_ENOACCESS, SLOT_ENODAEMON,
	    SLOT_ESYSTEM, SLOT_EUNANSWERED, SLOT_EDISCONNECTED, SLOT_EPROTOCOL, SLOT_EOTHER,
	    SLOT_EUNPROVEN};

	for (size_t i = 0; i < COUNT(ours); i++)
		ck_assert_str_ne(slot_error_word(ours[i]), slot_error_word(1));
	for (size_t i = 0; i < COUNT(codes); i++) {
		ck_assert_str_ne(slot_strerror(codes[i]), slot_strerror(1));
		ck_assert_ptr_null(strstr(slot_strerror(codes[i]), "=:"));
		ck_assert_int_eq(codes[i], -(int)(i + 1));
	}
	ck_assert_int_ne(slot_error_again(SLOT_EFULL), 0);
	ck_assert_int_ne(slot_error_again(SLOT_ESHUTDOWN), 0);
	ck_assert_int_ne(slot_error_again(SLOT_EDISCONNECTED), 0);
	ck_assert_int_eq(slot_error_again(SLOT_ENOLIMIT), 0);
	ck_assert_int_eq(slot_error_again(SLOT_EDENIED), 0);
	ck_assert_int_eq(slot_error_again(SLOT_ENOACCESS), 0);
	ck_assert_int_eq(slot_error_again(1), 0);
	ck_assert_str_eq(slot_version(), SLOTD_VERSION);
}
END_TEST

/* ------------------------------------------------------------------ nonsense */

static const char *const no_grants[] = {"OK", "OK 1", "OK 1 5", "OK 1 0 limit=1", "OK 1,2 5 limit=2",
    "OK 0,1 5 limit=2", "OK 1 5 limit=x", "OK x 5 limit=1", "OK 1 9223372036854775808 limit=1"};

static void
grant_nonsense(struct peer *peer)
{
	for (size_t i = 0; i < COUNT(no_grants); i++) {
		peer_greet(peer);
		peer_expect(peer, "ACQUIRE g limit=1");
		peer_answer(peer, "%s", no_grants[i]);
		peer_expect_eof(peer);
		peer_close(peer);
	}
}

START_TEST(nonsense)
{
	struct slot_acquire_options o = OPTIONS(1, 1, SLOT_WAIT_DEFAULT, 0, NULL);
	struct peer *peer = peer_start(grant_nonsense);
	struct slot_hold *hold;

	for (size_t i = 0; i < COUNT(no_grants); i++) {
		struct slot_conn *conn = peer_connect(peer, NULL);

		ck_assert_msg(slot_acquire(conn, "g", &o, &hold) == SLOT_EPROTOCOL, "%s", no_grants[i]);
		ck_assert_int_eq(slot_acquire(conn, "g", &o, &hold), SLOT_EPROTOCOL);
		ck_assert_int_eq(slot_process(conn), SLOT_EPROTOCOL);
		slot_close(conn);
	}
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ late */

static void
grant_late(struct peer *peer)
{
	char acquire[40], next[40];

	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g wait=0");
	strcpy(acquire, peer->tag);
	peer_expect(peer, "CANCEL #0");
	ck_assert_str_eq(acquire, "#0");
	ck_assert_str_ne(peer->tag, acquire);
	peer_say(peer, "%s OK 4 44 limit=9", acquire);
	peer_answer(peer, "ERR notag granted before");

	peer_expect(peer, "ACQUIRE g limit=1");
	ck_assert_str_ne(peer->tag, acquire);
	strcpy(next, peer->tag);
	peer_expect(peer, "RELEASE g 4 token=44");
	ck_assert_str_ne(peer->tag, next);
	peer_answer(peer, "OK");
	peer_say(peer, "%s OK 1 50 limit=1", next);
	peer_expect_eof(peer);
}

/* The late answer is not taken for that of the next acquire. */
START_TEST(late_grant_goes_back)
{
	struct slot_connect_options c = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_acquire_options o = OPTIONS(0, 1, 0, 0, NULL);
	struct peer *peer = peer_start(grant_late);
	struct slot_conn *conn;
	struct slot_hold *hold;

	c.answer_ms = 50;
	conn = peer_connect(peer, &c);
	ck_assert_int_eq(slot_acquire(conn, "g", &o, &hold), SLOT_EUNANSWERED);
	hold = take(conn, "g");
	ck_assert_uint_eq(slot_hold_token(hold), 50);
	slot_close(conn);
	ck_assert_str_eq(slot_hold_lost(hold), "closed");
	ck_assert_int_eq(slot_release(hold), SLOT_EDISCONNECTED);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ release */

static void
release_outcomes(struct peer *peer)
{
	static const char *const answers[] = {"ERR lost ended before", "ERR nothold not yours"};

	peer_greet(peer);
	for (size_t i = 0; i < COUNT(answers); i++) {
		peer_expect(peer, "ACQUIRE g limit=1");
		peer_answer(peer, "OK 1 7 limit=1");
		peer_expect(peer, "RELEASE g 1 token=7");
		peer_answer(peer, "%s", answers[i]);
	}
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "OK 1 8 limit=1");
	peer_expect(peer, "RELEASE g 1 token=8");
	peer_answer(peer, "ERR nomem sorry");
	peer_expect_eof(peer);
	peer_tell(peer);
}

/* A RELEASE that fails must not leave the slot taken: the connection ends. */
START_TEST(releases)
{
	struct peer *peer = peer_start(release_outcomes);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_hold *hold;

	ck_assert_int_eq(slot_release(take(conn, "g")), SLOT_ELOST);
	ck_assert_str_eq(slot_error_text(conn), "ended before");
	ck_assert_int_eq(slot_release(take(conn, "g")), SLOT_ENOTHOLD);
	ck_assert_int_eq(slot_release(take(conn, "g")), SLOT_ENOMEM);
	ck_assert_int_eq(slot_acquire(conn, "g", NULL, &hold), SLOT_ENOMEM);
	peer_await(peer);               /* even before the close */
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
unanswered_release(struct peer *peer)
{
	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "OK 1 7 limit=1");
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_pass(peer);
	peer_answer(peer, "OK");
	peer_expect(peer, "ACQUIRE h limit=1");
	peer_answer(peer, "OK 1 8 limit=1");
	peer_expect(peer, "RELEASE h 1 token=8");
	peer_expect_eof(peer);
}

START_TEST(release_without_answer)
{
	struct slot_connect_options c = SLOT_CONNECT_OPTIONS_INIT;
	struct peer *peer = peer_start(unanswered_release);
	struct slot_conn *conn;

	c.answer_ms = 50;
	conn = peer_connect(peer, &c);
	ck_assert_int_eq(slot_release(take(conn, "g")), SLOT_EUNANSWERED);
	peer_next(peer);
	ck_assert_int_eq(slot_release_nowait(take(conn, "h")), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
nowait(struct peer *peer)
{
	peer_greet(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "OK 1 7 limit=1");
	peer_expect(peer, "RELEASE g 1 token=7");       /* and no answer */
	peer_expect_eof(peer);
}

START_TEST(release_nowait)
{
	struct peer *peer = peer_start(nowait);
	struct slot_conn *conn = peer_connect(peer, NULL);

	ck_assert_int_eq(slot_release_nowait(take(conn, "g")), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

Suite *
acquire_suite(void)
{
	Suite *suite = suite_create("acquire");
	TCase *tc = tcase_create("acquire");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, options_on_the_wire);
	tcase_add_test(tc, many_at_once);
	tcase_add_test(tc, bad_arguments);
	tcase_add_test(tc, errors);
	tcase_add_test(tc, codes_are_explained);
	tcase_add_test(tc, nonsense);
	tcase_add_test(tc, late_grant_goes_back);
	tcase_add_test(tc, releases);
	tcase_add_test(tc, release_without_answer);
	tcase_add_test(tc, release_nowait);
	return suite;
}
