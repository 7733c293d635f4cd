/* No memory: the k-th allocation fails, for every k.  Nothing crashes, no slot is forgotten. */
#include "tests/unit/lib/suites.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/lib/fault.h"
#include "tests/unit/lib/peer.h"

/* Answers all that comes; grants slot after slot, and keeps the account of what is held. */
static void
serve(struct peer *peer)
{
	const char *line;
	int n_held = 0;

	peer_accept(peer);
	for (int slot = 1; (line = peer_read(peer)) != NULL;) {
		if (strncmp(line, "HELLO", 5) == 0) {
			peer_answer(peer, "OK protocol=1");
		} else if (strncmp(line, "ACQUIRE full", 12) == 0) {
			peer_answer(peer, "ERR full limit=1 no");
		} else if (strncmp(line, "ACQUIRE", 7) == 0) {
			n_held++;
			peer_answer(peer, "OK %d %d limit=100", slot, slot);
			slot++;
		} else if (strncmp(line, "RELEASE", 7) == 0) {
			n_held--;
			peer_answer(peer, "OK");
		} else if (strncmp(line, "CANCEL", 6) == 0) {
			peer_answer(peer, "ERR notag");
		} else {
			/* the end of a story: all must have been given back */
			peer_answer(peer, "OK %d", n_held);
		}
	}
}

static int n_called;

static void
acquired(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	(void)conn, (void)userdata;
	if (code == 0)
		slot_release_nowait(hold);
	n_called++;
}

static void
note_held(const char *line, void *userdata)
{
	*(int *)userdata = atoi(line);
}

/* Everything that allocates; -> whether the countdown ran out. */
static bool
story(struct peer *peer, int k)
{
	struct slot_connect_options c = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_hold *hold;
	struct slot_request *request;
	struct slot_conn *conn;
	bool failed;
	int n_started = 0, n_held = -1, code;

	c.path = peer->path;
	c.reconnect_ms = 0;
	n_called = 0;
	fault_in(k, FAULT_MEMORY);
	code = slot_connect(&conn, &c);
	if (code == 0) {
		code = slot_acquire(conn, "g", NULL, &hold);
		if (code == 0)
			code = slot_release(hold);
		ck_assert_int_ne(slot_acquire(conn, "full", NULL, &hold), 0);
		for (int i = 0; i < 40; i++)
			n_started += slot_acquire_start(conn, "g", NULL, acquired, NULL, NULL) == 0;
		if (slot_acquire_start(conn, "g", NULL, acquired, NULL, &request) == 0)
			slot_cancel(request);
		if (process_until(conn, &n_called, n_started) == 0 && code == 0)
			code = slot_query(conn, "PING", NULL, NULL, NULL);     /* what was late is read */
		while (code == 0 && n_held != 0)        /* a RELEASE may be said a little later */
			code = slot_query(conn, "STATUS", "g", note_held, &n_held);
		ck_assert_int_eq(n_called, n_started);
		slot_close(conn);
	}
	failed = fault_over();
	ck_assert_msg(code == 0 || (failed && code == SLOT_ENOMEM), "k=%d: %d", k, code);
	return failed;
}

START_TEST(each_allocation)
{
	bool failed = true;
	int k;

	for (k = 0; failed; k++) {
		struct peer *peer = peer_start(serve);

		failed = story(peer, k);
		if (k == 0)     /* nobody connected: there is no memory for a connection */
			slot_close(peer_connect(peer, NULL));
		peer_join(peer);
	}
	ck_assert_int_gt(k, 80);
}
END_TEST

Suite *
memory_suite(void)
{
	Suite *suite = suite_create("memory");
	TCase *tc = tcase_create("memory");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, each_allocation);
	return suite;
}
