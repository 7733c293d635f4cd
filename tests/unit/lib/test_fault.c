/* The k-th call that can fail fails, for every k, while slotd goes and comes back: nothing
 * crashes or leaks, and what slotd believes to be held is held. */
#include "tests/unit/lib/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/lib/fault.h"
#include "tests/unit/lib/peer.h"

#define SLOTS 8

/* Slot N is in cell N - 1, with the token N.  What the library has closed over is idle. */
static enum {FREE, IDLE, HELD} slots[SLOTS + 1];

static void
grant(struct peer *peer, const char *group, int slot)
{
	slots[slot] = HELD;
	peer_cell(peer, slot - 1, group, (uint32_t)slot, (uint64_t)slot, 60000);
	peer_answer(peer, "OK %d %d limit=8 cell=%d", slot, slot, slot - 1);
}

/* One connection.  The first slotd goes at the request "break", and leaves a waiter unanswered. */
static void
serve_one(struct peer *peer, bool *has_broken)
{
	const char *line;
	char group[8];
	int slot;

	while ((line = peer_read(peer)) != NULL) {
		if (strstr(line, "page=on") != NULL) {
			peer_hello_ok(peer);
		} else if (strcmp(line, "ACQUIRE break") == 0) {
			if (!*has_broken) {
				*has_broken = true;
				return;
			}
			peer_answer(peer, "ERR full limit=1");
		} else if (strcmp(line, "ACQUIRE wait") == 0) {
			if (*has_broken)
				grant(peer, "wait", 2);
		} else if (strcmp(line, "ACQUIRE hold") == 0) {
			grant(peer, "hold", 1);
		} else if (sscanf(line, "RESUME %4s %d", group, &slot) == 2) {
			if (slots[slot] != FREE)
				grant(peer, group, slot);
			else
				peer_answer(peer, "ERR lost");
		} else if (sscanf(line, "RELEASE %4s %d", group, &slot) == 2) {
			peer_answer(peer, slots[slot] == HELD ? "OK" : "ERR nothold");
			slots[slot] = FREE;
		} else if (strcmp(line, "STATUS g") == 0) {
			peer_answer(peer, "OK %d", (slots[1] == HELD) + (slots[2] == HELD));
		} else {
			peer_answer(peer, "OK protocol=1");
		}
	}
	for (slot = 1; slot <= SLOTS; slot++)
		if (slots[slot] == HELD)
			slots[slot] = IDLE;
}

/* Until the listener is shut down. */
static void
serve(struct peer *peer)
{
	bool has_broken = false;

	memset(slots, 0, sizeof slots);
	for (;;) {
		peer->fd = accept(peer->listener, NULL, NULL);
		if (peer->fd < 0)
			break;
		peer->input_len = 0;
		peer_page_make(peer);
		serve_one(peer, &has_broken);
		peer_close(peer);
	}
}

static int n_started, n_called;

static void
acquired(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	(void)conn, (void)userdata;
	if (code == 0)
		slot_release_nowait(hold);
	n_called++;
}

/* Only one call fails. */
static void
start(struct slot_conn *conn, const char *group)
{
	if (slot_acquire_start(conn, group, NULL, acquired, NULL, NULL) == 0 ||
	    slot_acquire_start(conn, group, NULL, acquired, NULL, NULL) == 0)
		n_started++;
}

static void
note_held(const char *line, void *userdata)
{
	*(int *)userdata = atoi(line);
}

static int
story(struct slot_conn *conn)
{
	struct slot_hold *hold;
	int n_held = -1, code;

	n_started = n_called = 0;
	code = slot_acquire(conn, "hold", NULL, &hold);
	if (code != 0)
		hold = NULL;
	start(conn, "wait");
	start(conn, "break");
	if (code == 0)
		code = process_until(conn, &n_called, n_started);
	if (hold != NULL && slot_valid(hold))
		ck_assert_ptr_null(slot_hold_lost(hold));
	if (code == 0)
		code = slot_release(hold);
	else
		slot_release_nowait(hold);
	/* what was said to slotd last may have been cut off, and is said again */
	while (code == 0 && n_held != 0 && code != SLOT_EUNANSWERED)
		if (slot_query(conn, "STATUS", "g", note_held, &n_held) != 0)
			code = slot_process(conn);
	return code;
}

START_TEST(each_call)
{
	struct slot_connect_options c = SLOT_CONNECT_OPTIONS_INIT;
	bool failed = true;
	int k;

	for (k = 0; failed; k++) {
		struct peer *peer = peer_start(serve);
		struct slot_conn *conn;
		int code;

		c.path = peer->path;
		fault_in(k, FAULT_SYSTEM);
		code = slot_connect(&conn, &c);
		if (code == 0)
			code = story(conn);
		slot_close(conn);
		failed = fault_over();
		ck_assert_msg(code == 0 || failed, "k=%d: %s", k, slot_strerror(code));
		shutdown(peer->listener, SHUT_RDWR);
		peer_join(peer);
	}
	ck_assert_int_gt(k, 40);
}
END_TEST

Suite *
fault_suite(void)
{
	Suite *suite = suite_create("fault");
	TCase *tc = tcase_create("fault");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_call);
	return suite;
}
