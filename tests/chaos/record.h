/* The log of the holders, for clients in C: one file that all append to, of records of one size.
 * record.py says what each field and word means, and is the same for Python. */
#ifndef TESTS_CHAOS_RECORD_H
#define TESTS_CHAOS_RECORD_H

#include <stdbool.h>
#include <stdint.h>

enum record_client { RECORD_LIBSLOT, RECORD_RUN = 3, RECORD_RUN_STRICT };

enum record_what {
	RECORD_ASK = 1,
	RECORD_REFUSED,
	RECORD_ENTER,
	RECORD_STILL,
	RECORD_GAP,
	RECORD_LEAVE,
	RECORD_LOST,
	RECORD_GONE,
	RECORD_STALE,
};

struct record {
	int64_t time;           /* CLOCK_BOOTTIME, ns */
	uint64_t token;
	uint64_t slots;         /* bit n-1: slot n */
	uint32_t pid;
	uint32_t turn;
	uint8_t what;
	uint8_t client;
	uint8_t host;
	uint8_t group;
	uint8_t limit;
	uint8_t is_strict;
	uint8_t unused[2];
};

int64_t record_now(void);

/* Opens the log; ends the program if that fails. */
int record_open(const char *path);

/* Appends one record: `r` with that word and time. */
void record_say(int fd, const struct record *r, enum record_what what, int64_t when);

#endif
