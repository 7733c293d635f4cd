/* Holds and a slotd that goes and comes back: what the next one is told of them, and what becomes of
 * the handles. */
#include "tests/unit/lib/suites.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/lib/diary.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
resume(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, PROVEN_MS);
	peer_expect(peer, "ACQUIRE raw limit=1");
	peer_answer(peer, "OK 1 9 limit=1");
	peer_close(peer);
	peer_pass(peer);
	come_back(peer);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "OK 1 7 limit=1 cell=3");
	release_ok(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

START_TEST(resumed)
{
	struct peer *peer = peer_start(resume);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *g = take(conn, "g"), *raw = take(conn, "raw");
	int fd = slot_fd(conn);

	ck_assert_int_ge(slot_socket_fd(conn), 0);
	watch_connected(conn, 0);
	ck_assert_int_lt(slot_socket_fd(conn), 0);
	ck_assert_str_eq(diary.text, "lost raw1 (disconnected) ");
	ck_assert_int_eq(slot_release(raw), SLOT_ELOST);
	ck_assert_ptr_null(slot_hold_lost(g));
	ck_assert_int_ne(slot_valid(g), 0);
	ck_assert_int_gt(slot_timeout_ms(conn), -1);
	peer_next(peer);
	watch_connected(conn, 1);
	ck_assert_int_ge(slot_socket_fd(conn), 0);
	ck_assert_int_eq(slot_fd(conn), fd);
	ck_assert_int_eq(slot_release(g), 0);
	ck_assert_int_eq(diary.n, 1);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* What is said to the RESUME, and what that means.  The first try is always "not just now"; the
 * loss of another hold, m, tells that all has been read. */
#define M_LOST "lost m1 (disconnected) "

static const struct {
	const char *answer;
	const char *diary;
	int valid, state;
} answers[] = {
	{"OK 1 7 limit=1 cell=3", M_LOST, 1, SLOT_STATE_PROVEN},
	{"OK 1 7 limit=1", M_LOST, 0, SLOT_STATE_PROVEN},       /* no room in the page: a raw hold */
	{"ERR lost no such hold", "lost g1 (disconnected) " M_LOST, 0, SLOT_STATE_LOST},
	{"ERR unknown no such request", "lost g1 (disconnected) " M_LOST, 0, SLOT_STATE_LOST},
};

static void
answer_resume(struct peer *peer)
{
	char m[40];

	for (size_t i = 0; i < COUNT(answers); i++) {
		peer_greet_strict(peer);
		grant_proven(peer, "g", 0, PROVEN_MS);
		grant_proven(peer, "m", 1, PROVEN_MS);
		come_back(peer);
		peer_expect(peer, "RESUME g 1 7 limit=1");
		peer_answer(peer, "ERR nomem not just now");
		peer_expect(peer, "RESUME m 1 7 limit=1");
		strcpy(m, peer->tag);
		peer_expect(peer, "RESUME g 1 7 limit=1");
		peer_answer(peer, "%s", answers[i].answer);
		peer_say(peer, "%s ERR lost", m);
		if (answers[i].state == SLOT_STATE_PROVEN)
			release_ok(peer, "RELEASE g 1 token=7");
		peer_expect_eof(peer);
		peer_close(peer);
	}
}

START_TEST(answers_to_resume)
{
	struct peer *peer = peer_start(answer_resume);

	for (size_t i = 0; i < COUNT(answers); i++) {
		struct diary diary = {.n = 0};
		struct slot_conn *conn = diary_connect(&diary, peer);
		struct slot_hold *g = take(conn, "g"), *m = take(conn, "m");

		diary_watch(&diary, conn, answers[i].state == SLOT_STATE_LOST ? 2 : 1);
		ck_assert_str_eq(diary.text, answers[i].diary);
		ck_assert_int_eq(slot_valid(g) != 0, answers[i].valid);
		ck_assert_int_eq(slot_hold_state(g), answers[i].state);
		ck_assert_int_eq(slot_release(g), answers[i].state == SLOT_STATE_LOST ? SLOT_ELOST : 0);
		ck_assert_int_eq(slot_release(m), SLOT_ELOST);
		slot_close(conn);
	}
	peer_join(peer);
}
END_TEST

static void
resume_wrongly(struct peer *peer)
{
	static const char *const wrong[] = {"OK", "OK 2 7", "OK 1,2 7 limit=1",
	    "OK 1 8 limit=1 cell=3", "OK 2 7 limit=1 cell=3", "OK 0 7"};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		peer_greet_strict(peer);
		grant_proven(peer, "g", 0, PROVEN_MS);
		come_back(peer);
		peer_expect(peer, "RESUME g 1 7 limit=1");
		peer_answer(peer, "%s", wrong[i]);
		peer_expect_eof(peer);
		peer_close(peer);
	}
}

START_TEST(nonsense_to_resume)
{
	struct peer *peer = peer_start(resume_wrongly);

	for (int i = 0; i < 6; i++) {
		struct diary diary = {.n = 0};
		struct slot_conn *conn = diary_connect(&diary, peer);
		struct slot_hold *g = take(conn, "g");

		ck_assert_int_eq(process_to_end(conn), SLOT_EPROTOCOL);
		ck_assert_str_eq(diary.text, "lost g1 (disconnected) ");
		ck_assert_int_eq(slot_release(g), SLOT_EPROTOCOL);
		slot_close(conn);
	}
	peer_join(peer);
}
END_TEST

/* Killed again before it has answered, and again before it has greeted. */
static void
die_twice(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, PROVEN_MS);
	come_back(peer);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_close(peer);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_close(peer);
	peer_accept(peer);
	peer_say(peer, "ERR clients max=1 too many");
	peer_close(peer);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_answer(peer, "ERR nomem not just now");
	come_back(peer);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "OK 1 7 limit=1 cell=3");
	release_ok(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

START_TEST(again_and_again)
{
	struct peer *peer = peer_start(die_twice);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);

	ck_assert_int_eq(slot_release(take(conn, "g")), 0);     /* blocks through it all */
	ck_assert_int_eq(diary.n, 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* Connections are accepted by the backlog, and nobody answers: at the deadline the hold is lost. */
static void
stay_away(struct peer *peer)
{
	peer_greet_strict(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_cell(peer, 0, "g", 1, 7, 150);
	peer_answer(peer, "OK 1 7 limit=1 cell=0");
	peer_close(peer);
	peer_pass(peer);
}

START_TEST(deadline_while_away)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;
	struct peer *peer = peer_start(stay_away);
	struct diary diary = {.n = 0};
	struct slot_conn *conn;
	struct slot_hold *g;

	o.lost = diary_lost;
	o.userdata = &diary;
	conn = peer_connect(peer, &o);
	g = take(conn, "g");
	diary_watch(&diary, conn, 1);
	ck_assert_str_eq(diary.text, "lost g1 (lease) ");
	ck_assert_int_eq(slot_release(g), SLOT_ELOST);
	slot_close(conn);
	peer_next(peer);
	peer_join(peer);
}
END_TEST

/* The RESUME is said in time and answered late: unproven meanwhile, and proven again. */
static void
answer_late(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, PROVEN_MS);
	peer_close(peer);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_hello_ok(peer);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_cell(peer, 0, "g", 1, 7, -1);
	peer_say(peer, "!UNPROVEN g 1 7");
	peer_pass(peer);
	peer_cell(peer, 3, "g", 1, 7, PROVEN_MS);
	peer_answer(peer, "OK 1 7 limit=1 cell=3");
	release_ok(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

START_TEST(deadline_while_resuming)
{
	struct peer *peer = peer_start(answer_late);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *g = take(conn, "g");

	diary_watch(&diary, conn, 1);
	peer_next(peer);
	diary_watch(&diary, conn, 2);
	ck_assert_str_eq(diary.text, "g1 unproven g1 proven ");
	ck_assert_int_eq(slot_release(g), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
meet_older(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, PROVEN_MS);
	peer_close(peer);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_answer(peer, "ERR badkey key=page no such key");
	peer_expect(peer, "HELLO events=on detail=on");
	peer_answer(peer, "OK protocol=1");
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "ERR unknown no such request");
	peer_expect_eof(peer);
}

START_TEST(older_slotd)
{
	struct peer *peer = peer_start(meet_older);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *g = take(conn, "g");

	diary_watch(&diary, conn, 1);
	ck_assert_str_eq(diary.text, "lost g1 (disconnected) ");
	ck_assert_int_eq(slot_lease_ms(conn), 0);
	slot_close(conn);
	ck_assert_int_eq(slot_release(g), SLOT_EDISCONNECTED);
	peer_join(peer);
}
END_TEST

/* A label that makes the line too long is left out. */
static void
resume_64(struct peer *peer)
{
	char slots[600] = "", line[1100], group[400] = "", name[129] = "";

	for (int i = 0; i < 64; i++)
		sprintf(slots + strlen(slots), "%s%d", i > 0 ? "," : "", 100000 + i);
	for (int i = 0; i < 128 / 2; i++) {
		strcat(name, "\xc3\xbc");
		strcat(group, "%C3%BC");
	}
	peer_greet_strict(peer);
	peer_read(peer);
	peer_cell(peer, 0, name, 100000, 7, PROVEN_MS);
	peer_answer(peer, "OK %s 7 limit=1000000 cell=0", slots);
	peer_close(peer);
	peer_greet_strict(peer);
	snprintf(line, sizeof line, "RESUME %s %s 7 limit=1000000", group, slots);
	peer_expect(peer, line);
	peer_answer(peer, "ERR lost");
	peer_expect_eof(peer);
}

START_TEST(long_resume)
{
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct peer *peer = peer_start(resume_64);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *hold;
	char group[129] = "", label[65];

	for (int i = 0; i < 64; i++)
		strcat(group, "\xc3\xbc");
	memset(label, '%', 64);
	label[64] = '\0';
	o.n = 64;
	o.label = label;
	ck_assert_int_eq(slot_acquire(conn, group, &o, &hold), 0);
	diary_watch(&diary, conn, 1);
	ck_assert_int_eq(slot_release(hold), SLOT_ELOST);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ releases */

static void
resume_and_release(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, PROVEN_MS);
	grant_proven(peer, "h", 1, PROVEN_MS);
	grant_proven(peer, "i", 2, PROVEN_MS);
	peer_expect(peer, "RELEASE g 1 token=7");       /* not answered */
	peer_close(peer);
	peer_pass(peer);
	come_back(peer);
	peer_expect(peer, "RESUME i 1 7 limit=1");
	peer_answer(peer, "ERR lost");
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "ERR lost");                  /* the RELEASE was carried out */
	peer_expect(peer, "RESUME h 1 7 limit=1");
	peer_pass(peer);
	peer_answer(peer, "OK 1 7 limit=1 cell=1000");
	release_ok(peer, "RELEASE h 1 token=7");           /* not before it is ours */
	peer_close(peer);
}

/* One with the answer under way, one while away, one while it is being resumed. */
START_TEST(released_meanwhile)
{
	struct peer *peer = peer_start(resume_and_release);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *g = take(conn, "g"), *h = take(conn, "h"), *i = take(conn, "i");

	ck_assert_int_eq(slot_release_nowait(g), 0);
	watch_connected(conn, 0);
	ck_assert_int_eq(slot_release_nowait(h), 0);
	peer_next(peer);
	diary_watch(&diary, conn, 1);
	ck_assert_str_eq(diary.text, "lost i1 (disconnected) ");
	ck_assert_int_eq(slot_release(i), SLOT_ELOST);
	peer_next(peer);
	watch_connected(conn, 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

static void
release_lost(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, PROVEN_MS);
	peer_expect(peer, "RELEASE g 1 token=7");
	come_back(peer);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "ERR lost");
	peer_expect_eof(peer);
}

/* It was good when it was released, and is free now: that is success. */
START_TEST(release_goes_on)
{
	struct peer *peer = peer_start(release_lost);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);

	ck_assert_int_eq(slot_release(take(conn, "g")), 0);
	ck_assert_int_eq(diary.n, 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ others that look on */

#define ROUNDS 10

static void
come_and_go(struct peer *peer)
{
	peer_greet_strict(peer);
	grant_proven(peer, "g", 0, PROVEN_MS);
	for (int i = 0; i < ROUNDS; i++) {
		come_back(peer);
		peer_expect(peer, "RESUME g 1 7 limit=1");
		peer_answer(peer, "OK 1 7 limit=1 cell=3");
	}
	release_ok(peer, "RELEASE g 1 token=7");
	peer_expect_eof(peer);
}

struct onlooker {
	const struct slot_hold *hold;
	int stop, n_invalid;
};

static void *
look_on(void *arg)
{
	struct onlooker *o = arg;

	while (!__atomic_load_n(&o->stop, __ATOMIC_ACQUIRE))
		o->n_invalid += slot_valid(o->hold) == 0 || slot_hold_left_ms(o->hold) <= 0;
	return NULL;
}

/* In another thread the hold is proven all the while, though the page is another each time. */
START_TEST(valid_in_another_thread)
{
	struct peer *peer = peer_start(come_and_go);
	struct diary diary = {.n = 0};
	struct slot_conn *conn = diary_connect(&diary, peer);
	struct slot_hold *g = take(conn, "g");
	struct onlooker onlooker = {.hold = g};
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, look_on, &onlooker), 0);
	for (int i = 0; i < ROUNDS; i++) {
		watch_connected(conn, 0);
		watch_connected(conn, 1);
	}
	__atomic_store_n(&onlooker.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	ck_assert_int_eq(onlooker.n_invalid, 0);
	ck_assert_int_eq(slot_release(g), 0);
	ck_assert_int_eq(diary.n, 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

Suite *
resume_suite(void)
{
	Suite *suite = suite_create("resume");
	TCase *tc = tcase_create("resume");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, resumed);
	tcase_add_test(tc, answers_to_resume);
	tcase_add_test(tc, nonsense_to_resume);
	tcase_add_test(tc, again_and_again);
	tcase_add_test(tc, deadline_while_away);
	tcase_add_test(tc, deadline_while_resuming);
	tcase_add_test(tc, older_slotd);
	tcase_add_test(tc, long_resume);
	tcase_add_test(tc, released_meanwhile);
	tcase_add_test(tc, release_goes_on);
	tcase_add_test(tc, valid_in_another_thread);
	return suite;
}
