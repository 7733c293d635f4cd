/* Holds: taking slots, giving them back, and hearing that they are lost.
 *
 * Nothing that slotd granted may be forgotten: a hold that nobody takes, and one whose RELEASE
 * cannot be said, go back at the latest with the connection. */
#include <stdlib.h>
#include <string.h>

#include "client/connection.h"

/* ------------------------------------------------------------------ one hold */

static struct slot_hold *
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
hold_unlink(struct slot_hold *hold)
{
	struct slot_conn *conn = hold->conn;

	if (conn != NULL)
		TAILQ_REMOVE(hold->is_on_lost ? &conn->lost : &conn->holds, hold, link);
	hold->conn = NULL;
}

/* rest: what stands behind the OK of an ACQUIRE. */
int
hold_grant(struct slot_conn *conn, struct slot_hold *hold, const char *rest)
{
	uint32_t slots[WIRE_N_MAX];
	uint64_t limit;
	char buf[16];
	int n = wire_parse_grant(rest, strlen(rest), slots, &hold->token);
	int len = wire_value(rest, strlen(rest), "limit", buf, sizeof buf);

	if (n != (int)hold->n || len < 0 ||
	    wire_parse_number(buf, (size_t)len, WIRE_LIMIT_MAX, &limit) != 0)
		return -1;
	memcpy(hold->slots, slots, hold->n * sizeof slots[0]);
	hold->limit = (uint32_t)limit;
	hold->conn = conn;
	TAILQ_INSERT_TAIL(&conn->holds, hold, link);
	return 0;
}

/* Asks slotd to take the slots back. */
static int
hold_say_release(struct slot_conn *conn, const struct slot_hold *hold,
    struct slot_request **request)
{
	struct wire_request wire;
	int code;

	request_init(&wire, WIRE_RELEASE);
	strcpy(wire.group, hold->group);
	wire.n_slots = hold->n;
	memcpy(wire.slots, hold->slots, hold->n * sizeof hold->slots[0]);
	wire.token = hold->token;
	code = request_start(conn, &wire, deadline_in(conn->answer_ms), request);
	if (code != 0)
		conn_end(conn, code, NULL);
	return code;
}

void
hold_discard(struct slot_hold *hold)
{
	struct slot_request *request;
	struct slot_conn *conn;

	if (hold == NULL)
		return;
	conn = hold->conn;
	hold_unlink(hold);
	if (conn != NULL && !conn->ended && hold_say_release(conn, hold, &request) == 0)
		request_over(request);
	free(hold);
}

void
hold_lose(struct slot_hold *hold, const char *reason)
{
	struct slot_conn *conn = hold->conn;

	if (hold->lost[0] != '\0')
		return;
	strncat(hold->lost, reason, sizeof hold->lost - 1);
	if (conn->lost_fn == NULL)
		return;
	TAILQ_REMOVE(&conn->holds, hold, link);
	TAILQ_INSERT_TAIL(&conn->lost, hold, link);
	hold->is_on_lost = true;
}

static bool
hold_has(const struct slot_hold *hold, const char *group, uint32_t slot, uint64_t token)
{
	if (hold->token != token || strcmp(hold->group, group) != 0)
		return false;
	for (uint32_t i = 0; i < hold->n; i++)
		if (hold->slots[i] == slot)
			return true;
	return false;
}

/* "LOST group slot[,slot...] token reason"; events of later versions are ignored. */
void
hold_event(struct slot_conn *conn, const char *rest)
{
	size_t len = strlen(rest), pos = 0, n;
	const char *word;
	char group[WIRE_GROUP_MAX + 1], reason[16] = "";
	uint32_t slots[WIRE_N_MAX];
	uint64_t token;
	struct slot_hold *hold;

	n = wire_word(rest, len, &pos, &word);
	if (n != strlen("LOST") || memcmp(word, "LOST", n) != 0)
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
	if (n == 0)
		goto garbage;
	memcpy(reason, word, n < sizeof reason ? n : sizeof reason - 1);
	TAILQ_FOREACH(hold, &conn->holds, link) {
		if (hold_has(hold, group, slots[0], token)) {
			hold_lose(hold, reason);
			return;
		}
	}
	return;         /* released meanwhile */

garbage:
	conn_end(conn, SLOT_EPROTOCOL, NULL);
}

/* ------------------------------------------------------------------ taking */

/* What is out of range, as slotd would say it; or NULL. */
static const char *
acquire_wrong(const struct slot_acquire_options *o)
{
	if (o->n < 1 || o->n > SLOT_N_MAX)
		return "key=n n is not from 1 to 64";
	if (o->limit > WIRE_LIMIT_MAX)
		return "key=limit limit is above 1000000";
	if (o->wait_ms < SLOT_WAIT_DEFAULT || o->wait_ms > WIRE_TIME_MAX)
		return "key=wait wait_ms is neither 0 to 366 days nor a SLOT_WAIT constant";
	if (o->hold_ms < 0 || o->hold_ms > WIRE_TIME_MAX)
		return "key=hold hold_ms is not from 0 to 366 days";
	if (o->label != NULL && !wire_name_ok(o->label, strlen(o->label), WIRE_LABEL_MAX, true))
		return "key=label label is not 1 to 64 bytes of UTF-8 without control characters";
	return NULL;
}

/* The request of an acquire, or why it cannot be made. */
static int
acquire_fill(struct wire_request *wire, const char *group, const struct slot_acquire_options *o,
    const char **detail)
{
	*detail = NULL;
	if (group == NULL || !wire_name_ok(group, strlen(group), WIRE_GROUP_MAX, false))
		return SLOT_EBADGROUP;
	*detail = acquire_wrong(o);
	if (*detail != NULL)
		return SLOT_EBADVALUE;
	request_init(wire, WIRE_ACQUIRE);
	strcpy(wire->group, group);
	strcpy(wire->label, o->label != NULL ? o->label : "");
	wire->limit = o->limit;
	wire->n = o->n;
	wire->wait_ms = o->wait_ms == SLOT_WAIT_DEFAULT ? WIRE_ABSENT
	    : o->wait_ms == SLOT_WAIT_FOREVER ? WIRE_FOREVER : o->wait_ms;
	wire->hold_ms = o->hold_ms > 0 ? o->hold_ms : WIRE_ABSENT;
	return 0;
}

static int
acquire_begin(struct slot_conn *conn, const char *group, const struct slot_acquire_options *options,
    struct slot_request **request)
{
	struct slot_acquire_options o = SLOT_ACQUIRE_OPTIONS_INIT;
	struct wire_request wire;
	struct slot_hold *hold;
	const char *detail;
	int64_t deadline = NEVER;
	int code = conn_check(conn);

	if (code != 0)
		return conn_error(conn, code, NULL);
	if (options != NULL && options_copy(&o, sizeof o, options) != 0)
		return conn_error(conn, SLOT_EINVAL, NULL);
	code = acquire_fill(&wire, group, &o, &detail);
	if (code != 0)
		return conn_error(conn, code, detail);
	if (conn->n_requests >= REQUESTS_MAX)
		return conn_error(conn, SLOT_ETOOMANY, NULL);
	if (o.wait_ms >= 0 && conn->answer_ms >= 0)
		deadline = deadline_in(o.wait_ms + conn->answer_ms);
	hold = hold_new(group, o.n);
	if (hold == NULL)
		return conn_error(conn, SLOT_ENOMEM, NULL);
	code = request_start(conn, &wire, deadline, request);
	if (code != 0) {
		free(hold);
		return conn_error(conn, code, NULL);
	}
	(*request)->hold = hold;
	return 0;
}

int
slot_acquire(struct slot_conn *conn, const char *group, const struct slot_acquire_options *options,
    struct slot_hold **hold)
{
	struct slot_request *request;
	int code;

	if (hold == NULL)
		return conn_error(conn, SLOT_EINVAL, NULL);
	code = acquire_begin(conn, group, options, &request);
	if (code != 0)
		return code;
	code = request_wait(request);
	if (code == 0) {
		*hold = request->hold;
		request->hold = NULL;
	} else {
		conn_error(conn, code, request->detail);
	}
	request_over(request);
	return code;
}

int
slot_acquire_start(struct slot_conn *conn, const char *group,
    const struct slot_acquire_options *options, slot_acquired_fn *callback, void *userdata,
    struct slot_request **request)
{
	struct slot_request *r;
	int code;

	if (callback == NULL)
		return conn_error(conn, SLOT_EINVAL, NULL);
	code = acquire_begin(conn, group, options, &r);
	if (code != 0)
		return code;
	r->callback = callback;
	r->userdata = userdata;
	r->hold->userdata = userdata;
	if (r->deadline < conn->deadline)
		conn->deadline = r->deadline;
	if (request != NULL)
		*request = r;
	return 0;
}

/* ------------------------------------------------------------------ giving back */

/* What is known without asking slotd. */
static int
release_code(const struct slot_hold *hold)
{
	int code = hold->conn != NULL ? conn_ended(hold->conn) : SLOT_EDISCONNECTED;

	return code == 0 && hold->lost[0] != '\0' ? SLOT_ELOST : code;
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
	if (release_code(hold) != 0 || conn->is_in_line)
		return slot_release_nowait(hold);
	code = hold_say_release(conn, hold, &request);
	hold_unlink(hold);
	free(hold);
	if (code != 0)
		return conn_error(conn, code, NULL);
	code = request_wait(request);
	if (code != 0)
		conn_error(conn, code, request->detail);
	request_over(request);
	return code;
}

/* ------------------------------------------------------------------ looking at one */

const char *
slot_hold_lost(struct slot_hold *hold)
{
	struct slot_conn *conn = hold->conn;

	if (conn != NULL && conn_ended(conn) == 0 && !conn->is_in_line)
		conn_exchange(conn);
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
