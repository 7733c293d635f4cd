/* Live limits and pauses as Redis has them. */
#include "daemon/redis/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/redis/scan.h"
#include "daemon/redis/talk.h"

#define NEVER SCAN_USEC_MAX     /* how Redis says USEC_NEVER */
#define TEXT_MAX 1200           /* bytes of a setting, with the longest group, name and reason */

static const char *const kind_words[N_LIVE_KINDS] = {[LIVE_PAUSE] = "pause", [LIVE_LIMIT] = "limit"};

/* ------------------------------------------------------------------ commands */

static void
add_live_key(struct exchange_command *cmd, const char *prefix, unsigned shard)
{
	exchange_add(cmd, "%s" EXCHANGE_FORMAT ":{s%02u}:live", prefix, shard);
}

static void
add_key(struct exchange_command *cmd, const char *prefix, const char *group, const char *name)
{
	exchange_add(cmd, "%s" EXCHANGE_FORMAT ":{s%02u}:%s:%s", prefix, exchange_shard(group), group,
	    name);
}

static void
begin(struct exchange_command *cmd, const char *prefix, const char *group, int n_keys)
{
	exchange_begin(cmd, "EVAL");
	exchange_add_whole(cmd, live_script);
	exchange_add(cmd, "%d", n_keys);
	add_live_key(cmd, prefix, exchange_shard(group));
}

static void
add_setting(struct exchange_command *cmd, const char *prefix, const char *group,
    enum live_kind kind, const struct live_setting *s)
{
	char channel[EXCHANGE_CHANNEL_MAX];

	talk_channel(channel, prefix);
	exchange_add(cmd, "%s", channel);
	exchange_add(cmd, "%s %s", kind_words[kind], group);
	exchange_add(cmd, "%" PRId64, s->limit);
}

static void
add_who(struct exchange_command *cmd, const struct live_setting *s)
{
	exchange_add(cmd, "%" PRIu32, s->uid);
	exchange_add(cmd, "%s", s->by);
	exchange_add(cmd, "%s", s->why);
}

void
live_encode_set(struct exchange_command *cmd, const char *prefix, const char *group,
    enum live_kind kind, const struct live_setting *s, usec length)
{
	begin(cmd, prefix, group, 3);
	add_key(cmd, prefix, group, "leases");
	add_key(cmd, prefix, group, "history");
	add_setting(cmd, prefix, group, kind, s);
	exchange_add(cmd, "%" PRId64, length == USEC_NEVER ? -1 : length);
	add_who(cmd, s);
	exchange_add(cmd, "%s" EXCHANGE_FORMAT ":d:", prefix);
	exchange_add(cmd, "%s", group);
}

void
live_encode_put(struct exchange_command *cmd, const char *prefix, const char *group,
    enum live_kind kind, const struct live_setting *s)
{
	begin(cmd, prefix, group, 1);
	add_setting(cmd, prefix, group, kind, s);
	exchange_add(cmd, "%" PRId64, s->until == USEC_NEVER ? NEVER : s->until);
	exchange_add(cmd, "%" PRId64, s->at);
	add_who(cmd, s);
}

void
live_encode_load(struct exchange_command *cmd, const char *prefix, unsigned shard)
{
	exchange_begin(cmd, "HGETALL");
	add_live_key(cmd, prefix, shard);
}

void
live_encode_history(struct exchange_command *cmd, const char *prefix, const char *group)
{
	exchange_begin(cmd, "LRANGE");
	add_key(cmd, prefix, group, "history");
	exchange_add(cmd, "0");
	exchange_add(cmd, "%d", LIVE_SAID_MAX - 1);
}

/* ------------------------------------------------------------------ texts */

/* Printable ASCII without blanks, as words of our answers are. */
static void
scan_copy(struct scan *s, char *buf, size_t size)
{
	size_t len;
	const char *word = scan_word(s, &len);

	if (len >= size)
		s->is_bad = true;
	for (size_t i = 0; i < len && !s->is_bad; i++)
		if (word[i] <= ' ' || word[i] > '~')
			s->is_bad = true;
	if (s->is_bad)
		len = 0;
	memcpy(buf, word, len);
	buf[len] = '\0';
}

static void
scan_group(struct scan *s, char group[WIRE_GROUP_MAX + 1])
{
	size_t len;
	const char *word = scan_word(s, &len);

	if (!s->is_bad && wire_name_ok(word, len, WIRE_GROUP_MAX, false))
		memcpy(group, word, len);
	else
		s->is_bad = true;
	group[s->is_bad ? 0 : len] = '\0';
}

static enum live_kind
scan_kind(struct scan *s)
{
	size_t len;
	const char *word = scan_word(s, &len);

	for (enum live_kind kind = 0; kind < N_LIVE_KINDS; kind++)
		if (len == strlen(kind_words[kind]) && memcmp(word, kind_words[kind], len) == 0)
			return kind;
	s->is_bad = true;
	return LIVE_LIMIT;
}

int
live_decode(const char *text, size_t len, struct live_news *news)
{
	struct scan s = {text, text + len, false};
	struct live_setting *set = &news->said.setting;

	if (!scan_is(&s, "V"))
		return -1;
	news->said.kind = scan_kind(&s);
	scan_group(&s, news->group);
	set->limit = scan_number_or_none(&s, WIRE_LIMIT_MAX);
	set->until = scan_usec(&s);
	if (set->until == NEVER)
		set->until = USEC_NEVER;
	set->at = scan_usec(&s);
	set->uid = (uint32_t)scan_number(&s, UINT32_MAX);
	scan_copy(&s, set->by, sizeof set->by);
	scan_copy(&s, set->why, sizeof set->why);
	return scan_close(&s);
}

int
live_decode_field(const char *field, size_t field_len, const char *value, size_t len,
    struct live_news *news)
{
	char text[TEXT_MAX];

	if (field_len + len + 4 > sizeof text)
		return -1;
	memcpy(text, "V ", 2);
	memcpy(text + 2, field, field_len);
	text[2 + field_len] = ' ';
	memcpy(text + 3 + field_len, value, len);
	return live_decode(text, 3 + field_len + len, news);
}
