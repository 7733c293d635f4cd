/* Holds that outlive a connection: RESUME makes them those of the next one. */
#include <string.h>

#include "client/libslot/connection.h"

/* Only what stands in a page can be proven to the next slotd.  A hold that is being given back is
 * resumed too: it must be this connection's before it can be released. */
bool
hold_can_resume(const struct slot_hold *hold)
{
	return hold->page != NULL;
}

/* 0, SLOT_ENOMEM. */
int
hold_resume(struct slot_conn *conn, struct slot_hold *hold)
{
	struct slot_request *r;
	struct wire_request wire;
	int code;

	request_init(&wire, WIRE_RESUME);
	strcpy(wire.group, hold->group);
	strcpy(wire.label, hold->label);
	wire.n_slots = hold->n;
	memcpy(wire.slots, hold->slots, hold->n * sizeof hold->slots[0]);
	wire.token = hold->token;
	wire.limit = hold->limit;
	code = request_start(conn, &wire, NEVER, &r);
	if (code != 0)
		return code;
	r->resumes = hold;
	hold->claim = r;
	request_over(r);
	return 0;
}

void
hold_resumed(struct slot_request *r, const char *rest)
{
	struct slot_hold *hold = r->resumes;
	struct slot_conn *conn = r->conn;

	request_finish(r, 0, NULL);
	if (hold == NULL)
		return;
	if (hold_read_ok(conn, hold, rest) != 0)
		conn_end(conn, SLOT_EPROTOCOL, NULL);
	else if (hold->release == NULL)
		proof_check(conn, hold);
	else if (hold_say_release(hold->release) != 0)
		conn_say_later(conn);
}

/* One that was to be given back is free anyway: it was good when its holder let go. */
void
hold_not_resumed(struct slot_request *r, int code)
{
	struct slot_hold *hold = r->resumes;
	struct slot_conn *conn = r->conn;

	request_finish(r, code, NULL);
	if (hold == NULL)
		return;
	if (code != SLOT_ELOST && code != SLOT_EUNKNOWN && code != SLOT_EDENIED)
		conn_say_later(conn);   /* that says nothing of the hold */
	else if (hold->release == NULL)
		hold_lose(hold, "disconnected");
	else
		request_finish(hold->release, hold->release->good, NULL);
}
