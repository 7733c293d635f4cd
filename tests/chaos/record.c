/* The log of the holders.  One write() each: on a local file with O_APPEND no two mix. */
#include "tests/chaos/record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct record) == 40, "as in record.py");

int64_t
record_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int
record_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

void
record_say(int fd, const struct record *r, enum record_what what, int64_t when)
{
	struct record one = *r;

	one.what = (uint8_t)what;
	one.time = when;
	if (write(fd, &one, sizeof one) != sizeof one) {
		perror("the log of the holders");
		exit(1);
	}
}
