/* Holds: what they are, that they are lost, and giving them back.
 *
 * Nothing that slotd granted may be forgotten: a hold that nobody takes, and one whose RELEASE
 * cannot be said, go back at the latest with the connection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/libslot/connection.h"

/* ------------------------------------------------------------------ one hold */

struct slot_hold *
hold_new(const char *group, uint32_t n)
{
	struct slot_hold *hold = calloc(1, sizeof *hold + n * sizeof hold->slots[0]);

	if (hold != NULL) {
		hold->n = n;
		strcpy(hold->group, group);
	}
	return hold;
}

static void
hold_free(struct slot_hold *hold)
{
	if (hold->claim != NULL)
		hold->claim->resumes = NULL;
	if (hold->page != NULL)
		page_unuse(hold->page);
	free(hold);
}

static void
hold_unlink(struct slot_hold *hold)
{
	struct slot_conn *conn = hold->conn;

	if (conn != NULL)
		TAILQ_REMOVE(&conn->holds, hold, link);
	if (hold->has_news)
		TAILQ_REMOVE(&conn->news, hold, news_link);
	hold->has_news = false;
	hold->conn = NULL;
}

/* What stands behind the OK of an ACQUIRE or RESUME: "slot[,slot...] token limit=N [cell=N]".  A
 * hold that was let in without a slot, as slotd's backend was away, has the number 0 and is never
 * proven. */
int
hold_read_ok(struct slot_conn *conn, struct slot_hold *hold, const char *rest)
{
	uint32_t slots[WIRE_N_MAX];
	const struct page_cell *cell;
	uint64_t token;
	int64_t limit = answer_number(rest, "limit"), number = answer_number(rest, "cell");
	int n = wire_parse_grant(rest, strlen(rest), slots, &token);
	bool is_open = n == 1 && slots[0] == 0;

	if (n < 1 || (n != (int)hold->n && !is_open) || limit > WIRE_LIMIT_MAX ||
	    (limit < 1 && !is_open))
		return -1;
	if (hold->token == 0) {
		hold->n = (uint32_t)n;
		memcpy(hold->slots, slots, hold->n * sizeof slots[0]);
		hold->token = token;    /* written once: slot_valid() reads it in any thread */
	} else if (hold->token != token || is_open ||
	    memcmp(hold->slots, slots, hold->n * sizeof slots[0]) != 0) {
		return -1;              /* not what was to be resumed */
	}
	if (limit > 0)
		hold->limit = (uint32_t)limit;
	hold->is_ours = true;
	if (is_open) {
		hold->told = SLOT_STATE_UNPROVEN;
		proof_end(hold);
		return 0;
	}
	cell = number >= 0 ? page_cell(conn->page, (uint64_t)number, hold) : NULL;
	proof_set(hold, cell != NULL ? conn->page : NULL, cell);
	return 0;
}

int
hold_grant(struct slot_conn *conn, struct slot_hold *hold, const char *rest)
{
	if (hold_read_ok(conn, hold, rest) != 0)
		return -1;
	hold->conn = conn;
	TAILQ_INSERT_TAIL(&conn->holds, hold, link);
	proof_check(conn, hold);
	return 0;
}

/* ------------------------------------------------------------------ losing */

void
hold_tell(struct slot_conn *conn, struct slot_hold *hold)
{
	if (hold->has_news || (hold->lost[0] != '\0' ? conn->lost_fn == NULL : conn->state_fn == NULL))
		return;
	hold->has_news = true;
	TAILQ_INSERT_TAIL(&conn->news, hold, news_link);
}

void
hold_lose(struct slot_hold *hold, const char *reason)
{
	if (hold->lost[0] != '\0')
		return;
	snprintf(hold->lost, sizeof hold->lost, "%.15s", reason);
	proof_end(hold);
	hold_tell(hold->conn, hold);
}

static struct slot_hold *
hold_find(struct slot_conn *conn, const char *group, uint32_t slot, uint64_t token)
{
	struct slot_hold *hold;

	TAILQ_FOREACH(hold, &conn->holds, link) {
		if (hold->token != token || strcmp(hold->group, group) != 0)
			continue;
		for (uint32_t i = 0; i < hold->n; i++)
			if (hold->slots[i] == slot)
				return hold;
	}
	return NULL;
}

static bool
word_is(const char *word, size_t len, const char *what)
{
	return len == strlen(what) && memcmp(word, what, len) == 0;
}

/* "LOST group slot[,slot...] token reason", and UNPROVEN and KEPT without a reason; events of later
 * versions are ignored.  That a hold is unproven or kept stands in the page; one that has no place
 * there ends with its lease. */
void
hold_event(struct slot_conn *conn, const char *rest)
{
	size_t len = strlen(rest), pos = 0, n;
	const char *word;
	char group[WIRE_GROUP_MAX + 1], reason[16] = "";
	uint32_t slots[WIRE_N_MAX];
	uint64_t token;
	bool is_lost, is_unproven;
	struct slot_hold *hold;

	n = wire_word(rest, len, &pos, &word);
	is_lost = word_is(word, n, "LOST");
	is_unproven = word_is(word, n, "UNPROVEN");
	if (!is_lost && !is_unproven && !word_is(word, n, "KEPT"))
		return;
	n = wire_word(rest, len, &pos, &word);
	if (wire_unescape(word, n, group, sizeof group) <= 0)
		goto garbage;
	n = wire_word(rest, len, &pos, &word);
	if (wire_parse_slots(word, n, slots) <= 0)
		goto garbage;
	n = wire_word(rest, len, &pos, &word);
	if (wire_parse_number(word, n, WIRE_TOKEN_MAX, &token) != 0)
		goto garbage;
	n = wire_word(rest, len, &pos, &word);
	if (is_lost && n == 0)
		goto garbage;
	memcpy(reason, word, n < sizeof reason ? n : sizeof reason - 1);
	hold = hold_find(conn, group, slots[0], token);
	if (hold == NULL)               /* released meanwhile */
		return;
	if (is_lost)
		hold_lose(hold, reason);
	else if (is_unproven && hold->cell == NULL)
		hold_lose(hold, "lease");
	else
		proof_check(conn, hold);
	return;

garbage:
	conn_end(conn, SLOT_EPROTOCOL, NULL);
}

/* ------------------------------------------------------------------ giving back */

/* Says RELEASE, or leaves that for when the hold has been resumed. */
int
hold_say_release(struct slot_request *release)
{
	const struct slot_hold *hold = release->hold;
	struct wire_request wire;

	if (!hold->is_ours)
		return 0;
	request_init(&wire, WIRE_RELEASE);
	strcpy(wire.group, hold->group);
	wire.n_slots = hold->n;
	memcpy(wire.slots, hold->slots, hold->n * sizeof hold->slots[0]);
	wire.token = hold->token;
	return request_say(release, &wire);
}

/* Takes the hold in every case.  good: what slotd's OK means.  What there is no memory to remember
 * goes back with the socket. */
static int
hold_release(struct slot_hold *hold, int good, struct slot_request **request)
{
	struct slot_conn *conn = hold->conn;
	struct slot_request *r = request_new(conn, WIRE_RELEASE, deadline_in(conn->answer_ms));

	hold_unlink(hold);
	if (r == NULL) {
		hold_free(hold);
		conn_break(conn, SLOT_ENOMEM, NULL);
		return SLOT_ENOMEM;
	}
	hold->release = r;
	r->hold = hold;
	r->good = good;
	if (hold_say_release(r) != 0)
		conn_say_later(conn);
	*request = r;
	return 0;
}

/* Does slotd have it as ours, or may it, or the one after it? */
static bool
hold_is_known(const struct slot_hold *hold)
{
	return hold->conn != NULL && !hold->conn->ended &&
	    (hold->is_ours || hold->claim != NULL || hold_can_resume(hold));
}

void
hold_discard(struct slot_hold *hold)
{
	struct slot_request *request;

	if (hold == NULL)
		return;
	if (!hold_is_known(hold)) {
		hold_unlink(hold);
		hold_free(hold);
	} else if (hold_release(hold, 0, &request) == 0) {
		request_over(request);
	}
}

/* What is known without asking slotd. */
static int
release_code(struct slot_hold *hold)
{
	struct slot_conn *conn = hold->conn;
	int code = conn != NULL ? conn_ended(conn) : SLOT_EDISCONNECTED;

	if (code != 0)
		return code;
	proof_check(conn, hold);
	switch (slot_hold_state(hold)) {
	case SLOT_STATE_LOST:
		return SLOT_ELOST;
	case SLOT_STATE_UNPROVEN:
		return SLOT_EUNPROVEN;
	default:
		return 0;
	}
}

int
slot_release_nowait(struct slot_hold *hold)
{
	struct slot_conn *conn;
	int code;

	if (hold == NULL)
		return 0;
	conn = hold->conn;
	code = release_code(hold);
	hold_discard(hold);
	loop_watch(conn);
	return code != 0 ? conn_error(conn, code, NULL) : 0;
}

int
slot_release(struct slot_hold *hold)
{
	struct slot_request *request;
	struct slot_conn *conn;
	int code;

	if (hold == NULL)
		return 0;
	conn = hold->conn;
	code = release_code(hold);
	if ((code != 0 && code != SLOT_EUNPROVEN) || conn->is_in_line)
		return slot_release_nowait(hold);
	code = hold_release(hold, code, &request);
	if (code != 0)
		return conn_error(conn, code, NULL);
	code = request_wait(request);
	if (code != 0)
		conn_error(conn, code, request->detail);
	request_over(request);
	loop_watch(conn);
	return code;
}

/* ------------------------------------------------------------------ looking at one */

const char *
slot_hold_lost(struct slot_hold *hold)
{
	struct slot_conn *conn = hold->conn;

	if (conn != NULL && conn_ended(conn) == 0 && !conn->is_in_line) {
		conn_work(conn);
		loop_watch(conn);
	}
	return hold->lost[0] != '\0' ? hold->lost : NULL;
}

const char *
slot_hold_group(const struct slot_hold *hold)
{
	return hold->group;
}

uint32_t
slot_hold_n(const struct slot_hold *hold)
{
	return hold->n;
}

const uint32_t *
slot_hold_slots(const struct slot_hold *hold)
{
	return hold->slots;
}

uint32_t
slot_hold_slot(const struct slot_hold *hold)
{
	return hold->slots[0];
}

uint64_t
slot_hold_token(const struct slot_hold *hold)
{
	return hold->token;
}

uint32_t
slot_hold_limit(const struct slot_hold *hold)
{
	return hold->limit;
}

void
slot_hold_set_userdata(struct slot_hold *hold, void *userdata)
{
	hold->userdata = userdata;
}

void *
slot_hold_userdata(const struct slot_hold *hold)
{
	return hold->userdata;
}
