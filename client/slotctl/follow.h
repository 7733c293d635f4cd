/* --watch: an answer of slotd, and then what changes in it. */
#ifndef SLOTCTL_FOLLOW_H
#define SLOTCTL_FOLLOW_H

#include "client/slotctl/slotctl.h"
#include "client/slotctl/table.h"

/* Asks for it once an interval, also through a new start of slotd, and ends only at SIGINT.  As a
 * table, or, with n 0, as "name  value" pairs.  -> exit status */
int ctl_follow(const struct ctl *c, const char *verb, const struct column *columns, int n);

#endif
