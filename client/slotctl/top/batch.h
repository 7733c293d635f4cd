/* slotctl top without a screen: for logs, pipes and programs. */
#ifndef SLOTCTL_TOP_BATCH_H
#define SLOTCTL_TOP_BATCH_H

#include "client/slotctl/slotctl.h"

/* c->times pictures (0: no end), c->interval_ms apart; also through a new start of slotd.
 * -> exit status */
int batch(const struct ctl *c);

#endif
