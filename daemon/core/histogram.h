/* A histogram of times: how many were no longer than each of some bounds, and their sum. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#include "daemon/core/arbiter.h"

#define HISTOGRAM_BOUNDS 10

extern const nsec histogram_long[HISTOGRAM_BOUNDS];     /* waits and holds: 1 ms to 1 h */
extern const nsec histogram_short[HISTOGRAM_BOUNDS];    /* what should be short: 100 us to 1 s */

struct histogram {
	const nsec *bounds;                     /* one of the above */
	uint64_t n[HISTOGRAM_BOUNDS + 1];       /* in each bucket alone; the last: above every bound */
	uint64_t sum;                           /* us: in ns, 10,000 holds of a month overflow */
};

void histogram_add(struct histogram *histogram, nsec time);

#endif
