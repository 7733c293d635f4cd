/* Taking apart the texts that Redis sends: words parted by blanks.
 *
 * Anybody may have written them: nothing is believed. */
#ifndef REDIS_SCAN_H
#define REDIS_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/core/exchange.h"

/* Redis counts in doubles; in ns it is as long as int64_t can say, but for some years of uptime. */
#define SCAN_USEC_MAX 9007199254740991

/* Words parted by single blanks.  After the first that is wrong everything is. */
struct scan {
	const char *at, *end;
	bool is_bad;
};

const char *scan_word(struct scan *s, size_t *len);             /* or an empty one */
uint64_t scan_number(struct scan *s, uint64_t max);             /* decimal; 0 if it is wrong */
int64_t scan_number_or_none(struct scan *s, uint64_t max);      /* likewise, or -1 */
usec scan_usec(struct scan *s);
usec scan_usec_or_never(struct scan *s);                        /* -1: never */
uint64_t scan_id(struct scan *s);                               /* 16 hex digits */
bool scan_is(struct scan *s, const char *expected);

/* How many items follow, of at least `least` bytes each: no more than the rest has room for. */
uint32_t scan_count(struct scan *s, size_t least);

/* 0, or -1: something was wrong, or something is left. */
int scan_close(const struct scan *s);

#endif
