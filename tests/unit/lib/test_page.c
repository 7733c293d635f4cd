/* The lease page: one that cannot be believed is not used, and slotd is told so. */
#include "tests/unit/lib/suites.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/lib/peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------ good */

static void
grant_strict(struct peer *peer)
{
	peer_greet_strict(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_cell(peer, 7, "g", 1, 77, 60000);
	peer_answer(peer, "OK 1 77 limit=1 cell=7");
	peer_expect(peer, "RELEASE g 1 token=77");
	peer_answer(peer, "OK");
	peer_expect_eof(peer);
}

START_TEST(good)
{
	struct peer *peer = peer_start(grant_strict);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_hold *hold = take(conn, "g");

	ck_assert_int_eq(slot_lease_ms(conn), PEER_LEASE_MS);
	ck_assert_int_eq(slot_margin_ms(conn), PEER_MARGIN_MS);
	ck_assert_int_eq(slot_left_ms(conn), PEER_LEFT_MS);
	ck_assert_int_ne(slot_valid(hold), 0);
	ck_assert_int_gt(slot_hold_left_ms(hold), 0);
	ck_assert_int_le(slot_hold_left_ms(hold), 60000);
	ck_assert_int_eq(slot_hold_state(hold), SLOT_STATE_PROVEN);
	ck_assert_int_ge(slot_timeout_ms(conn), 0);     /* looks again at the deadline */
	ck_assert_int_le(slot_timeout_ms(conn), 60000);
	ck_assert_int_eq(slot_release(hold), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ damaged */

/* An OK that speaks of a page; damage: what is wrong with it. */
#define LEASE "lease=10000 margin=1000 left=6500 now="

static const struct {
	const char *what;
	size_t offset;          /* of a field of the header, which gets another value */
	const char *ok;         /* or what the OK says, instead; %: the clock is right */
	int size;               /* or how much longer the file is than it says */
	int n_passed;
} damages[] = {
	{"magic", offsetof(struct page_header, magic), LEASE "%", 0, 1},
	{"version", offsetof(struct page_header, version), LEASE "%", 0, 1},
	{"header_size", offsetof(struct page_header, header_size), LEASE "%", 0, 1},
	{"cell_size", offsetof(struct page_header, cell_size), LEASE "%", 0, 1},
	{"n_cells", offsetof(struct page_header, n_cells), LEASE "%", 0, 1},
	{"n_inherited", offsetof(struct page_header, n_inherited), LEASE "%", 0, 1},
	{"boot_id", offsetof(struct page_header, boot_id), LEASE "%", 0, 1},
	{"too short", SIZE_MAX, LEASE "%", -1, 1},
	{"too long", SIZE_MAX, LEASE "%", 1, 1},
	{"empty", SIZE_MAX, LEASE "%",
	    -(PAGE_HEADER_SIZE + (PEER_CELLS + 1) * (int)sizeof(struct page_cell)), 1},
	{"no file", SIZE_MAX, LEASE "%", 0, -1},
	{"nothing passed", SIZE_MAX, LEASE "%", 0, 0},
	{"another clock", SIZE_MAX, LEASE "1", 0, 1},
	{"a clock ahead", SIZE_MAX, LEASE "9223372036854775807", 0, 1},
	{"no clock", SIZE_MAX, "lease=10000 margin=1000 left=6500", 0, 1},
	{"no margin", SIZE_MAX, "lease=10000 left=6500 now=%", 0, 1},
	{"no left", SIZE_MAX, "lease=10000 margin=1000 now=%", 0, 1},
	{"no lease", SIZE_MAX, "lease=0 margin=1000 left=6500 now=%", 0, 1},
	{"a long number", SIZE_MAX, LEASE "11111111111111111111111111", 0, 1},
};

static int damage;

static void
pass_damaged(struct peer *peer)
{
	char line[256], now[32] = "";
	const char *percent = strchr(damages[damage].ok, '%');
	struct timespec ts;
	int pipes[2];

	peer_page_make(peer);
	if (damages[damage].offset != SIZE_MAX)
		*((uint8_t *)peer->page + damages[damage].offset) ^= 1;
	ck_assert_int_eq(ftruncate(peer->page_fd,
	    (off_t)page_size(PEER_CELLS, 1) + damages[damage].size), 0);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	clock_gettime(CLOCK_BOOTTIME, &ts);
	if (percent != NULL)
		snprintf(now, sizeof now, "%" PRId64, ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec);
	snprintf(line, sizeof line, "OK protocol=1 %.*s%s", (int)strcspn(damages[damage].ok, "%"),
	    damages[damage].ok, now);
	if (damages[damage].n_passed == 0) {
		peer_answer(peer, "%s", line);
	} else if (damages[damage].n_passed == 1) {
		peer_pass_fds(peer, &peer->page_fd, 1, line);
	} else {
		ck_assert_int_eq(pipe(pipes), 0);
		peer_pass_fds(peer, &pipes[0], 1, line);
		close(pipes[0]);
		close(pipes[1]);
	}
	peer_expect(peer, "HELLO events=on detail=on page=off");
	peer_answer(peer, "OK protocol=1");
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "OK 1 7 limit=1 cell=0");
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_answer(peer, "OK");
	peer_expect_eof(peer);
}

static void
check_raw(struct slot_conn *conn, struct slot_hold *hold)
{
	(void)conn;
	ck_assert_int_eq(slot_valid(hold), 0);
	ck_assert_int_eq(slot_hold_left_ms(hold), -1);
	ck_assert_int_eq(slot_hold_state(hold), SLOT_STATE_PROVEN);
	ck_assert_int_eq(slot_release(hold), 0);
}

START_TEST(damaged)
{
	struct peer *peer;
	struct slot_conn *conn;

	damage = _i;
	peer = peer_start(pass_damaged);
	conn = peer_connect(peer, NULL);
	ck_assert_msg(slot_lease_ms(conn) == 0, "%s", damages[_i].what);
	ck_assert_int_eq(slot_margin_ms(conn), 0);
	ck_assert_int_eq(slot_left_ms(conn), 0);
	check_raw(conn, take(conn, "g"));
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ cells that are not the hold's */

static void
grant_elsewhere(struct peer *peer)
{
	static const char *const cells[] = {"", " cell=8", " cell=4294967295", " cell=x", " cell=1", " cell=2"};

	peer_greet_strict(peer);
	peer_cell(peer, 0, "g", 1, 7, 60000);
	peer_cell(peer, 1, "h", 1, 7, 60000);            /* another group's */
	peer_cell(peer, 2, "g", 2, 7, 60000);            /* another slot */
	for (size_t i = 0; i < COUNT(cells); i++) {
		peer_expect(peer, "ACQUIRE g limit=1");
		peer_answer(peer, "OK 1 7 limit=1%s", cells[i]);
		peer_expect(peer, "RELEASE g 1 token=7");
		peer_answer(peer, "OK");
	}
	peer_expect_eof(peer);
}

START_TEST(no_cell)
{
	struct peer *peer = peer_start(grant_elsewhere);
	struct slot_conn *conn = peer_connect(peer, NULL);

	for (int i = 0; i < 6; i++)
		check_raw(conn, take(conn, "g"));
	slot_close(conn);
	peer_join(peer);
}
END_TEST

/* ------------------------------------------------------------------ descriptors */

static int surplus[2];

static void
pass_many(struct peer *peer)
{
	char line[128];
	struct timespec ts;

	peer_page_make(peer);
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	clock_gettime(CLOCK_BOOTTIME, &ts);
	snprintf(line, sizeof line, "OK protocol=1 " LEASE "%" PRId64,
	    ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec);
	peer_pass_fds(peer, (int[]){peer->page_fd, surplus[1], surplus[1], surplus[1]}, 4, line);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_cell(peer, 0, "g", 1, 7, 60000);
	peer_pass_fds(peer, (int[]){surplus[1], surplus[1]}, 2, "OK 1 7 limit=1 cell=0");
	peer_pass(peer);
	close(surplus[1]);
	peer_expect_eof(peer);
}

/* The end of the pipe is seen only if every copy has been closed. */
START_TEST(surplus_descriptors)
{
	struct peer *peer;
	struct slot_conn *conn;
	struct slot_hold *hold;
	char byte;

	ck_assert_int_eq(pipe(surplus), 0);
	peer = peer_start(pass_many);
	conn = peer_connect(peer, NULL);
	hold = take(conn, "g");
	ck_assert_int_ne(slot_valid(hold), 0);
	peer_next(peer);
	ck_assert_int_eq(read(surplus[0], &byte, 1), 0);
	slot_close(conn);
	slot_release(hold);
	close(surplus[0]);
	peer_join(peer);
}
END_TEST

static void
pass_nothing_asked_for(struct peer *peer)
{
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_pass_fds(peer, &surplus[1], 1, "OK protocol=1");
	close(surplus[1]);
	peer_expect_eof(peer);
}

START_TEST(descriptor_without_lease)
{
	struct peer *peer;
	struct slot_conn *conn;
	char byte;

	ck_assert_int_eq(pipe(surplus), 0);
	peer = peer_start(pass_nothing_asked_for);
	conn = peer_connect(peer, NULL);
	ck_assert_int_eq(slot_lease_ms(conn), 0);
	ck_assert_int_eq(read(surplus[0], &byte, 1), 0);
	slot_close(conn);
	close(surplus[0]);
	peer_join(peer);
}
END_TEST

static void
know_no_page(struct peer *peer)
{
	peer_accept(peer);
	peer_expect(peer, "HELLO events=on detail=on page=on");
	peer_answer(peer, "ERR badkey key=page no such key");
	peer_expect(peer, "HELLO events=on detail=on");
	peer_answer(peer, "OK protocol=1");
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_answer(peer, "OK 1 7 limit=1");
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_answer(peer, "OK");
	peer_expect_eof(peer);
}

START_TEST(older_slotd)
{
	struct peer *peer = peer_start(know_no_page);
	struct slot_conn *conn = peer_connect(peer, NULL);

	check_raw(conn, take(conn, "g"));
	slot_close(conn);
	peer_join(peer);
}
END_TEST

Suite *
page_suite(void)
{
	Suite *suite = suite_create("page");
	TCase *tc = tcase_create("page");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, good);
	tcase_add_loop_test(tc, damaged, 0, COUNT(damages));
	tcase_add_test(tc, no_cell);
	tcase_add_test(tc, surplus_descriptors);
	tcase_add_test(tc, descriptor_without_lease);
	tcase_add_test(tc, older_slotd);
	return suite;
}
