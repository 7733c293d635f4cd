/* A child that inherits handles: nothing works, everything can be freed, and slotd hears nothing. */
#include "tests/unit/lib/suites.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/lib/peer.h"

static void
hold_and_wait(struct peer *peer)
{
	peer_greet(peer);
	for (int i = 1; i <= 3; i++) {
		peer_expect(peer, "ACQUIRE g limit=1");
		peer_answer(peer, "OK %d 7 limit=1", i);
	}
	peer_expect(peer, "ACQUIRE g");
	peer_answer(peer, "OK 4 7 limit=4");
	peer_expect(peer, "ACQUIRE g");
	peer_tell(peer);
	peer_expect(peer, "RELEASE g 1 token=7");       /* the parent's: nothing of the child's before */
	peer_answer(peer, "OK");
	peer_expect_eof(peer);
}

static void
never(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	(void)conn, (void)code, (void)hold, (void)userdata;
	_exit(9);
}

#define REQUIRE(what) do { if (!(what)) return __LINE__ % 256; } while (0)

/* By exec(): so valgrind does not call what the parent will free a leak of the child. */
static void
child_exit(int status)
{
	char command[16];

	snprintf(command, sizeof command, "exit %d", status);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* -> 0, or the line that failed: Check's own assertions do not belong into a child. */
static int
child(struct slot_conn *conn, struct slot_hold *holds[3], struct slot_request *requests[2])
{
	struct slot_group_status status = {.size = sizeof status};
	struct slot_hold *hold;

	REQUIRE(slot_acquire(conn, "g", NULL, &hold) == SLOT_EFORK);
	REQUIRE(slot_acquire_start(conn, "g", NULL, never, NULL, NULL) == SLOT_EFORK);
	REQUIRE(slot_query(conn, "PING", NULL, NULL, NULL) == SLOT_EFORK);
	REQUIRE(slot_status(conn, "g", &status) == SLOT_EFORK);
	REQUIRE(slot_process(conn) == SLOT_EFORK);
	REQUIRE(strcmp(slot_hold_lost(holds[0]), "fork") == 0);
	REQUIRE(slot_release(holds[0]) == SLOT_EFORK);
	REQUIRE(slot_release_nowait(holds[1]) == SLOT_EFORK);
	slot_cancel(requests[0]);
	slot_cancel(requests[1]);
	REQUIRE(fcntl(slot_fd(conn), F_GETFD) == FD_CLOEXEC);
	slot_close(conn);
	REQUIRE(slot_release(holds[2]) == SLOT_EDISCONNECTED);
	return 0;
}

START_TEST(inherited)
{
	struct peer *peer = peer_start(hold_and_wait);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_hold *holds[3] = {take(conn, "g"), take(conn, "g"), take(conn, "g")};
	struct slot_request *requests[2];
	int status;
	pid_t pid;

	/* one granted whose callback is due, one that waits */
	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, never, NULL, &requests[0]), 0);
	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, never, NULL, &requests[1]), 0);
	peer_await(peer);
	ck_assert_ptr_null(slot_hold_lost(holds[0]));   /* reads */
	ck_assert_int_eq(slot_timeout_ms(conn), 0);

	pid = fork();
	if (pid == 0)
		child_exit(child(conn, holds, requests));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "%s:%d (mod 256)", __FILE__, WEXITSTATUS(status));

	ck_assert_int_eq(slot_release(holds[0]), 0);
	slot_close(conn);
	slot_release(holds[1]);
	slot_release(holds[2]);
	peer_join(peer);
}
END_TEST

/* Whatever the child calls first notices. */
START_TEST(close_first)
{
	struct peer *peer = peer_start(hold_and_wait);
	struct slot_conn *conn = peer_connect(peer, NULL);
	struct slot_hold *holds[3] = {take(conn, "g"), take(conn, "g"), take(conn, "g")};
	struct slot_request *requests[2];
	int status;
	pid_t pid;

	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, never, NULL, &requests[0]), 0);
	ck_assert_int_eq(slot_acquire_start(conn, "g", NULL, never, NULL, &requests[1]), 0);
	peer_await(peer);
	pid = fork();
	if (pid == 0) {
		slot_cancel(requests[1]);
		slot_close(conn);
		child_exit(slot_release(holds[0]) == SLOT_EDISCONNECTED ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(slot_release(holds[0]), 0);
	slot_close(conn);
	slot_release(holds[1]);
	slot_release(holds[2]);
	peer_join(peer);
}
END_TEST

static void
go_and_come(struct peer *peer)
{
	peer_greet_strict(peer);
	peer_expect(peer, "ACQUIRE g limit=1");
	peer_cell(peer, 0, "g", 1, 7, 60000);
	peer_answer(peer, "OK 1 7 limit=1 cell=0");
	peer_close(peer);
	peer_pass(peer);
	peer_greet_strict(peer);
	peer_cell(peer, 0, "g", 1, 7, 60000);
	peer_expect(peer, "RESUME g 1 7 limit=1");
	peer_answer(peer, "OK 1 7 limit=1 cell=0");
	peer_expect(peer, "RELEASE g 1 token=7");
	peer_answer(peer, "OK");
	peer_expect_eof(peer);
}

static int
child_while_away(struct slot_conn *conn, struct slot_hold *hold)
{
	REQUIRE(slot_process(conn) == SLOT_EFORK);
	REQUIRE(!slot_valid(hold));
	REQUIRE(slot_release(hold) == SLOT_EFORK);
	slot_close(conn);
	return 0;
}

/* Its end changes nothing for the parent, which is about to connect anew. */
START_TEST(while_away)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;
	struct peer *peer = peer_start(go_and_come);
	struct slot_conn *conn = peer_connect(peer, &o);
	struct slot_hold *hold = take(conn, "g");
	int status;
	pid_t pid;

	while (slot_connected(conn))
		ck_assert_int_eq(process_once(conn), 0);
	pid = fork();
	if (pid == 0)
		child_exit(child_while_away(conn, hold));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "%s:%d (mod 256)", __FILE__, WEXITSTATUS(status));
	peer_next(peer);
	ck_assert_int_eq(slot_release(hold), 0);
	slot_close(conn);
	peer_join(peer);
}
END_TEST

Suite *
fork_suite(void)
{
	Suite *suite = suite_create("fork");
	TCase *tc = tcase_create("fork");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, inherited);
	tcase_add_test(tc, close_first);
	tcase_add_test(tc, while_away);
	return suite;
}
