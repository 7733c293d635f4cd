/* A histogram of times: how many were no longer than each of some bounds, and their sum. */
#include "daemon/core/histogram.h"

#define US (NSEC_MS / 1000)
#define SECOND (1000 * NSEC_MS)

const nsec histogram_long[HISTOGRAM_BOUNDS] = {
    NSEC_MS, 5 * NSEC_MS, 25 * NSEC_MS, 100 * NSEC_MS, 500 * NSEC_MS,
    2500 * NSEC_MS, 10 * SECOND, 60 * SECOND, 600 * SECOND, 3600 * SECOND,
};

const nsec histogram_short[HISTOGRAM_BOUNDS] = {
    100 * US, 250 * US, 500 * US, NSEC_MS, 2500 * US,
    5 * NSEC_MS, 10 * NSEC_MS, 50 * NSEC_MS, 250 * NSEC_MS, SECOND,
};

void
histogram_add(struct histogram *histogram, nsec time)
{
	unsigned i = 0;

	while (i < HISTOGRAM_BOUNDS && time > histogram->bounds[i])
		i++;
	histogram->n[i]++;
	histogram->sum += (uint64_t)time / US;
}
