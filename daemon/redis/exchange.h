/* An exchange as Redis speaks it: a request to the arguments of EVALSHA, and back to structs what
 * the script answers and publishes.
 *
 * Pure: no I/O, no clock.  What the words mean is said on top of script/01-head.lua. */
#ifndef REDIS_EXCHANGE_H
#define REDIS_EXCHANGE_H

#include <stddef.h>

#include "daemon/core/alloc.h"
#include "daemon/core/exchange.h"

#define EXCHANGE_FORMAT "1" /* of keys and channels: daemons of another one keep apart */
#define EXCHANGE_SHARDS 64
#define EXCHANGE_CHANNEL_MAX 128 /* bytes of a channel's name, the NUL included */
#define EXCHANGE_PREFIX_MAX 64 /* of a prefix, likewise */

/* The script, for SCRIPT LOAD. */
extern const char exchange_script[];

/* One command, as redisAsyncCommandArgv takes it.  Zeroed it is empty; it can be encoded anew. */
struct exchange_command {
	int argc;
	const char **argv;
	size_t *lens;
	size_t cap;
	struct arena text;
};

/* sha is what SCRIPT LOAD answered, prefix what all keys and channels begin with.  The command
 * lives until it is encoded anew, and borrows nothing but sha. */
void exchange_encode(struct exchange_command *cmd, const char *sha, const char *prefix,
    const struct xch_request *request);
/* Looks at the marker of a shard alone: what the server is, and how long its grace still lasts; or
 * ends that. */
void exchange_encode_touch(struct exchange_command *cmd, const char *sha, const char *prefix,
    unsigned shard, const struct xch_daemon *self, uint64_t era, usec grace, bool end);
/* Reads what is on record of a group (survey.lua), from where a run before has left off.  `but`
 * are n names of daemons, `size` bytes apart. */
void exchange_encode_survey(struct exchange_command *cmd, const char *sha, const char *prefix,
    const char *group, bool is_check, const char *from, const char *but, size_t size, size_t n);
/* Any command, word by word; whole ones are borrowed, the others are at most 1023 bytes. */
void exchange_begin(struct exchange_command *cmd, const char *word);
void exchange_add(struct exchange_command *cmd, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void exchange_add_whole(struct exchange_command *cmd, const char *arg);
void exchange_command_fini(struct exchange_command *cmd);

unsigned exchange_shard(const char *group);
/* The channel on which this daemon is told. */
void exchange_channel(
    char channel[EXCHANGE_CHANNEL_MAX], const char *prefix, const struct xch_daemon *self);

/* What a shard's marker says: which era it is, how it began, and what is left of the grace that it
 * began with. */
struct exchange_touched {
	uint64_t era;
	usec grace, longest_lease;
	enum xch_began began;
};

/* Each takes a text of len bytes that need not end with NUL.  -> 0, or -1 if it is not what the
 * script says.  What the result points to is in the arena; `to`, and seq where the status is not
 * XCH_OK, are for the caller to fill in. */
int exchange_decode(struct arena *arena, const char *text, size_t len, struct xch_reply *reply);
int exchange_decode_touch(const char *text, size_t len, struct exchange_touched *touched);
int exchange_decode_push(struct arena *arena, const char *text, size_t len, struct xch_push *push);

#endif
