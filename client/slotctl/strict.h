/* How long the wrapped command may have to end, and what --strict asks of slotd for that. */
#ifndef SLOTCTL_STRICT_H
#define SLOTCTL_STRICT_H

#include <stdint.h>

#include "client/slot.h"
#include "client/slotctl/slotctl.h"

/* From SIGTERM to SIGKILL: as the command line says, or what suits slotd's lease. */
int64_t strict_kill_after_ms(const struct ctl *c, const struct slot_conn *conn);

/* Whether this slotd proves its holds, and for long enough.  -> 0, or an exit status, explained.
 * 0 also while slotd has not answered. */
int strict_check_conn(const struct ctl *c, const struct slot_conn *conn);

/* Whether it proves this one.  -> 0, or an exit status, explained. */
int strict_check_hold(const struct ctl *c, const struct slot_hold *hold);

#endif
