/* What a hold is worth: proven, unproven or lost. */
#include "client/connection.h"

int
slot_valid(const struct slot_hold *hold)
{
	return slot_hold_left_ms(hold) > 0;
}

int64_t
slot_hold_left_ms(const struct slot_hold *hold)
{
	return hold->lost[0] != '\0' ? 0 : -1;
}

enum slot_state
slot_hold_state(const struct slot_hold *hold)
{
	return hold->lost[0] != '\0' ? SLOT_STATE_LOST : SLOT_STATE_PROVEN;
}

int64_t
slot_lease_ms(const struct slot_conn *conn)
{
	return conn != NULL ? conn->lease_ms : 0;
}

int64_t
slot_margin_ms(const struct slot_conn *conn)
{
	return conn != NULL ? conn->margin_ms : 0;
}
