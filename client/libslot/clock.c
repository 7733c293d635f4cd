/* Time: deadlines in ns of CLOCK_BOOTTIME, as slotd's, durations in ms at the edges. */
#include <limits.h>
#include <time.h>

#include "client/libslot/connection.h"

int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int64_t
deadline_in(int64_t ms)
{
	int64_t now = now_ns();

	return ms < 0 || ms > (NEVER - now) / MSEC ? NEVER : now + ms * MSEC;
}

/* Rounded up: a poll() that ends too early would only be called again. */
int
timeout_until(int64_t deadline)
{
	int64_t left;

	if (deadline == NEVER)
		return -1;
	left = deadline - now_ns();
	if (left <= 0)
		return 0;
	left = (left - 1) / MSEC + 1;
	return left > INT_MAX ? INT_MAX : (int)left;
}
