/* The clocks. */
#include "daemon/clock.h"

#include <time.h>

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

nsec
clock_now(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

usec
clock_server(void)
{
	static nsec ahead;      /* of CLOCK_REALTIME at the first call */

	if (ahead == 0)
		ahead = read_clock(CLOCK_REALTIME) - clock_now();
	return (clock_now() + ahead) / 1000;
}

int64_t
clock_date(void)
{
	return time(NULL);
}
