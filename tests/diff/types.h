/* What the script does about keys that somebody else has put where its own belong. */
#ifndef DIFF_TYPES_H
#define DIFF_TYPES_H

#include "tests/diff/server.h"

/* With the script as slotd has it.  Ends the test if a key of the wrong type is not refused by
 * name, or if anything has been written by then. */
void check_types(redisContext *link);

#endif
