/* What an answer of all hosts says of itself. */
#ifndef SLOTCTL_FLEET_H
#define SLOTCTL_FLEET_H

#include <stdbool.h>

#include "client/slotctl/answer.h"

/* Says on standard error what is missing in it, if anything.  -> whether it is complete; one that is
 * not of all hosts is. */
bool fleet_say(const struct answer *answer);

#endif
