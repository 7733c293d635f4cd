/* What a program hears of its slots. */
#include "tests/unit/lib/diary.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static void
write_down(struct diary *diary, const char *entry)
{
	size_t len = strlen(diary->text);

	snprintf(diary->text + len, sizeof diary->text - len, "%s ", entry);
	diary->n++;
}

void
diary_lost(struct slot_conn *conn, struct slot_hold *hold, const char *reason, void *userdata)
{
	char entry[64];

	(void)conn;
	ck_assert_int_eq(slot_hold_state(hold), SLOT_STATE_LOST);
	ck_assert_int_eq(slot_valid(hold), 0);
	ck_assert_int_eq(slot_hold_left_ms(hold), 0);
	snprintf(entry, sizeof entry, "lost %s%u (%s)", slot_hold_group(hold),
	    (unsigned)slot_hold_slot(hold), reason);
	write_down(userdata, entry);
}

static void
changed(struct slot_conn *conn, struct slot_hold *hold, enum slot_state state, void *userdata)
{
	char entry[64];

	(void)conn;
	ck_assert_int_eq(slot_hold_state(hold), state);
	snprintf(entry, sizeof entry, "%s%u %s", slot_hold_group(hold), (unsigned)slot_hold_slot(hold),
	    state == SLOT_STATE_PROVEN ? "proven" : "unproven");
	write_down(userdata, entry);
}

static void
acquired(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	char entry[64];

	(void)conn;
	if (code != 0) {
		write_down(userdata, slot_error_word(code));
		return;
	}
	snprintf(entry, sizeof entry, "got %s%u", slot_hold_group(hold), (unsigned)slot_hold_slot(hold));
	write_down(userdata, entry);
	slot_release_nowait(hold);
}

struct slot_conn *
diary_connect(struct diary *diary, struct peer *peer)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;

	o.lost = diary_lost;
	o.state = changed;
	o.userdata = diary;
	return peer_connect(peer, &o);
}

struct slot_request *
diary_start(struct diary *diary, struct slot_conn *conn, const char *group,
    struct slot_acquire_options o)
{
	struct slot_request *request;

	ck_assert_int_eq(slot_acquire_start(conn, group, &o, acquired, diary, &request), 0);
	return request;
}

static void
process_readable(struct slot_conn *conn)
{
	struct pollfd pfd = {.fd = slot_fd(conn), .events = POLLIN};

	ck_assert_int_eq(poll(&pfd, 1, -1), 1);
	ck_assert_int_eq(slot_process(conn), 0);
}

void
diary_watch(const struct diary *diary, struct slot_conn *conn, int n)
{
	while (diary->n < n)
		process_readable(conn);
}

void
watch_connected(struct slot_conn *conn, int connected)
{
	while (slot_connected(conn) != connected)
		process_readable(conn);
}

/* ------------------------------------------------------------------ scripts' words */

void
grant_proven(struct peer *peer, const char *group, int cell, int64_t left_ms)
{
	char line[64];

	snprintf(line, sizeof line, "ACQUIRE %s limit=1", group);
	peer_expect(peer, line);
	peer_cell(peer, cell, group, 1, 7, left_ms);
	peer_answer(peer, "OK 1 7 limit=1 cell=%d", cell);
}

void
come_back(struct peer *peer)
{
	peer_close(peer);
	peer_greet_strict(peer);
	peer_cell(peer, 3, "g", 1, 7, PROVEN_MS);
}

void
release_ok(struct peer *peer, const char *line)
{
	peer_expect(peer, line);
	peer_answer(peer, "OK");
}
