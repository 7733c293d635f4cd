/* --strict: the command ends before its slot can be another's.  That needs a slotd that proves each
 * hold up to a moment which is known here, and that leaves, when all goes well, always more time up
 * to that moment than the command may take to end: else it would be ended for nothing. */
#include "client/slotctl/strict.h"

#define KILL_AFTER_MS 5000      /* where there is no lease to go by */

int64_t
strict_kill_after_ms(const struct ctl *c, const struct slot_conn *conn)
{
	int64_t quarter = slot_lease_ms(conn) / 4, left = slot_left_ms(conn);

	if (c->kill_after_ms >= 0)
		return c->kill_after_ms;
	if (quarter <= 0)
		return KILL_AFTER_MS;
	return quarter < left ? quarter : left;
}

int
strict_check_conn(const struct ctl *c, const struct slot_conn *conn)
{
	char most[CTL_AGE_SIZE];

	if (!c->strict || !slot_connected(conn))
		return 0;
	if (slot_lease_ms(conn) == 0) {
		ctl_say("%s: --strict: this slotd has no lease page to prove a slot by", c->socket);
		return CTL_UNAVAILABLE;
	}
	if (c->kill_after_ms > slot_left_ms(conn)) {
		ctl_age(slot_left_ms(conn), most);
		ctl_say("--kill-after: with --strict and this slotd's lease at most %s", most);
		return CTL_USAGE;
	}
	return 0;
}

int
strict_check_hold(const struct ctl *c, const struct slot_hold *hold)
{
	if (!c->strict || slot_hold_left_ms(hold) > 0)
		return 0;
	ctl_say("%s: --strict: slotd does not prove this slot", c->arg);
	return CTL_UNAVAILABLE;
}
