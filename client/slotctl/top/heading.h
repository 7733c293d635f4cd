/* What stands above the table of slotctl top: the daemon, its sums, and what it shares with. */
#ifndef SLOTCTL_TOP_HEADING_H
#define SLOTCTL_TOP_HEADING_H

#include <stddef.h>
#include <stdint.h>

#include "client/slotctl/top/picture.h"

#define HEADING_LINES 3
#define HEADING_SIZE  1024

/* One of these lines, as the terminal can show it.  -> how bad it is */
enum mood heading_line(const struct ctl *c, const struct picture *picture, int line,
    char text[HEADING_SIZE]);

#endif
