/* Live limits and pauses as Redis has them: commands that set, put back and ask, and the texts that
 * answer.
 *
 * Pure: no I/O, no clock.  What the words mean is said on top of live.lua. */
#ifndef REDIS_LIVE_H
#define REDIS_LIVE_H

#include "daemon/core/live.h"
#include "daemon/redis/exchange.h"

/* What runs in Redis, for EVAL. */
extern const char live_script[];

/* One setting of one group. */
struct live_news {
	char group[WIRE_GROUP_MAX + 1];
	struct live_said said;
};

/* Each as exchange_encode().  length is that of lives_set(). */
void live_encode_set(struct exchange_command *cmd, const char *prefix, const char *group,
    enum live_kind kind, const struct live_setting *setting, usec length);
void live_encode_put(struct exchange_command *cmd, const char *prefix, const char *group,
    enum live_kind kind, const struct live_setting *setting);
void live_encode_load(struct exchange_command *cmd, const char *prefix, unsigned shard);
void live_encode_history(struct exchange_command *cmd, const char *prefix, const char *group);

/* "V what limit until at uid by why".  0, or -1: it is none. */
int live_decode(const char *text, size_t len, struct live_news *news);
/* A field of the hash and its value. */
int live_decode_field(const char *field, size_t field_len, const char *value, size_t len,
    struct live_news *news);

#endif
