/* The clocks: the only place that reads them. */
#ifndef CLOCK_H
#define CLOCK_H

#include "daemon/core/arbiter.h"
#include "daemon/core/exchange.h"

/* CLOCK_BOOTTIME: never steps, and counts suspend. */
nsec clock_now(void);

/* The time of the memory backend, as a server would tell it: wall time at the first call, and from
 * there on by CLOCK_BOOTTIME, so it never steps either. */
usec clock_server(void);

/* What people call the time: s since 1970.  It steps, so it is for them and nothing else. */
int64_t clock_date(void);

#endif
