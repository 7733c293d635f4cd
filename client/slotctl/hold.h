/* Taking a slot, with all the patience that the command line asks for. */
#ifndef SLOTCTL_HOLD_H
#define SLOTCTL_HOLD_H

#include "client/slot.h"
#include "client/slotctl/slotctl.h"
#include "client/slotctl/child.h"

/* What has been taken, and by which connection.  Both NULL: nothing, or no longer. */
struct taken {
	struct slot_conn *conn;
	struct slot_hold *hold;
	bool was_there;                 /* slotd: it has answered once */
	bool is_away, away_was_said;
	int64_t away_since;             /* as ctl_now_ms() */
	bool is_unproven;               /* the slot, and that was said */
};

/* Waits for a slot as c says.  True: *t is the caller's to give back.  False: *status is the exit
 * status (0 with -E 0), and why was said on stderr. */
bool taken_wait(struct taken *t, const struct ctl *c, struct signals *signals, int *status);

/* NULL while the slot is ours as far as we have heard; else why it is lost, one word.  Reads what
 * has arrived; does not block. */
const char *taken_lost(struct taken *t);

/* Says that slotd has gone (at once with -v, else if it stays away) and that it is back; and, but
 * with --strict, which does not go on then, that the slot is unproven, and proven again. */
void taken_say_news(struct taken *t, const struct ctl *c);

/* "1,2,3".  The buffer is enough for any hold. */
#define TAKEN_SLOTS_SIZE (SLOT_N_MAX * 8)
void taken_slots(const struct taken *t, char buf[TAKEN_SLOTS_SIZE]);

/* Tells slotd that the slot is free.  False: it had been lost before. */
bool taken_give_back(struct taken *t);

/* Only closes our side: if somebody has inherited the connection, he keeps the slot. */
void taken_close(struct taken *t);

#endif
