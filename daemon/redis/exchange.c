/* An exchange as Redis speaks it: requests to commands, texts to replies and pushes. */
#include "daemon/redis/exchange.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FORMAT EXCHANGE_FORMAT

static const char *const key_names[] = {"live", "records", "leases", "lengths", "limits",
    "unaware", "recalls", "owners", "slots", "free", "queue", "wants", "nows", "inbox"};

#define NUMBER_MAX (UINT64_MAX >> 17) /* so that a token stays below 2^63 */
#define N_KEYS (sizeof key_names / sizeof key_names[0])

/* ------------------------------------------------------------------ commands */

static void
add_borrowed(struct exchange_command *cmd, const char *arg, size_t len)
{
	if ((size_t)cmd->argc == cmd->cap) {
		cmd->cap = cmd->cap ? cmd->cap * 2 : 64;
		cmd->argv = alloc_resize(cmd->argv, cmd->cap * sizeof *cmd->argv);
		cmd->lens = alloc_resize(cmd->lens, cmd->cap * sizeof *cmd->lens);
	}
	cmd->argv[cmd->argc] = arg;
	cmd->lens[cmd->argc++] = len;
}

static void
add(struct exchange_command *cmd, const char *arg)
{
	size_t len = strlen(arg);
	char *copy = arena_take(&cmd->text, len + 1);

	add_borrowed(cmd, memcpy(copy, arg, len + 1), len);
}

static void __attribute__((format(printf, 2, 3)))
addf(struct exchange_command *cmd, const char *format, ...)
{
	char buf[512];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(buf, sizeof buf, format, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof buf)
		abort();
	add(cmd, buf);
}

static void
add_number(struct exchange_command *cmd, int64_t n)
{
	addf(cmd, "%" PRId64, n);
}

static void
add_id(struct exchange_command *cmd, uint64_t id)
{
	addf(cmd, "%016" PRIx64, id);
}

static void
add_daemon(struct exchange_command *cmd, const struct xch_daemon *d)
{
	addf(cmd, "%016" PRIx64 ".%016" PRIx64 ".%016" PRIx64, d->install, d->generation, d->nonce);
}

static void
begin(struct exchange_command *cmd, const char *sha, int n_keys)
{
	arena_reset(&cmd->text);
	cmd->argc = 0;
	add_borrowed(cmd, "EVALSHA", strlen("EVALSHA"));
	add_borrowed(cmd, sha, strlen(sha));
	add_number(cmd, n_keys);
}

/* The marker's is of no group; a group's name may hold colons, the last part of a key does not. */
static void
add_key(struct exchange_command *cmd, const char *prefix, unsigned shard, const char *group,
    const char *name)
{
	addf(cmd, "%s" FORMAT ":{s%02u}:%s%s%s", prefix, shard, group, *group ? ":" : "", name);
}

void
exchange_encode_touch(struct exchange_command *cmd, const char *sha, const char *prefix,
    unsigned shard, const struct xch_daemon *self, uint64_t era, usec grace, bool end)
{
	begin(cmd, sha, 1);
	add_key(cmd, prefix, shard, "", "marker");
	add_daemon(cmd, self);
	add_id(cmd, era);
	add_number(cmd, grace);
	if (end)
		add(cmd, "end");
}

static void
add_channels(struct exchange_command *cmd, const char *prefix)
{
	addf(cmd, "%s" FORMAT ":d:", prefix);
}

void
exchange_encode_limit(struct exchange_command *cmd, const char *sha, const char *prefix,
    const char *group, int64_t limit, const char *by, const char *why)
{
	unsigned shard = exchange_shard(group);

	begin(cmd, sha, 2);
	add_key(cmd, prefix, shard, group, "live");
	add_key(cmd, prefix, shard, group, "records");
	add_channels(cmd, prefix);
	add(cmd, group);
	add_number(cmd, limit);
	add(cmd, by);
	add(cmd, why);
}

static void
add_slots(struct exchange_command *cmd, const struct xch_slot *v, uint32_t n)
{
	add_number(cmd, n);
	for (; n > 0; n--, v++) {
		add_number(cmd, v->slot);
		add_number(cmd, (int64_t)v->number);
	}
}

static void
add_wants(struct exchange_command *cmd, const struct xch_want *v, uint32_t n)
{
	add_number(cmd, n);
	for (; n > 0; n--, v++) {
		add_id(cmd, v->id);
		add_number(cmd, v->n);
		add_number(cmd, v->now);
		add_number(cmd, v->limit);
		add_number(cmd, v->age);
	}
}

static void
add_adopts(struct exchange_command *cmd, const struct xch_adopt *v, uint32_t n)
{
	add_number(cmd, n);
	for (; n > 0; n--, v++) {
		add_id(cmd, v->id);
		add_number(cmd, (int64_t)v->number);
		add_number(cmd, v->limit);
		add_number(cmd, v->n);
		for (uint32_t i = 0; i < v->n; i++)
			add_number(cmd, v->slots[i]);
	}
}

void
exchange_encode(
    struct exchange_command *cmd, const char *sha, const char *prefix, const struct xch_request *q)
{
	unsigned shard = exchange_shard(q->group);

	begin(cmd, sha, N_KEYS + 1);
	add_key(cmd, prefix, shard, "", "marker");
	for (size_t i = 0; i < N_KEYS; i++)
		add_key(cmd, prefix, shard, q->group, key_names[i]);
	add_daemon(cmd, &q->from);
	add_number(cmd, (int64_t)q->seq);
	addf(cmd, "-%s%s%s", q->full ? "f" : "", q->lapsed ? "l" : "", q->keep ? "k" : "");
	add_number(cmd, (int64_t)q->incarnation);
	add_number(cmd, q->lease);
	add_number(cmd, q->grace);
	add_id(cmd, q->era);
	add_number(cmd, (int64_t)q->high);
	add_number(cmd, q->limit);
	add(cmd, q->host);
	add_channels(cmd, prefix);
	add(cmd, q->group);
	if (q->full)
		add_slots(cmd, q->claim, q->n_claim);
	else
		add_slots(cmd, q->release, q->n_release);
	add_number(cmd, q->n_cancel);
	for (uint32_t i = 0; i < q->n_cancel; i++)
		add_id(cmd, q->cancel[i]);
	add_wants(cmd, q->want, q->n_want);
	add_adopts(cmd, q->adopt, q->n_adopt);
}

void
exchange_encode_survey(struct exchange_command *cmd, const char *sha, const char *prefix,
    const char *group, bool is_check, const char *from, const char *but, size_t size, size_t n)
{
	static const char *const names[] = {
	    "records", "leases", "owners", "slots", "queue", "wants", "nows", "inbox"};
	unsigned shard = exchange_shard(group);

	begin(cmd, sha, sizeof names / sizeof names[0]);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		add_key(cmd, prefix, shard, group, names[i]);
	add(cmd, is_check ? "check" : "list");
	add(cmd, from);
	for (; n > 0; n--, but += size)
		add(cmd, but);
}

void
exchange_command_fini(struct exchange_command *cmd)
{
	free(cmd->argv);
	free(cmd->lens);
	arena_fini(&cmd->text);
	*cmd = (struct exchange_command){0};
}

/* ------------------------------------------------------------------ names */

unsigned
exchange_shard(const char *group)
{
	uint32_t hash = 2166136261; /* FNV-1a, folded: the low bits alone are uneven */

	for (; *group != '\0'; group++)
		hash = (hash ^ (unsigned char)*group) * 16777619;
	return (hash ^ hash >> 16) % EXCHANGE_SHARDS;
}

void
exchange_channel(
    char channel[EXCHANGE_CHANNEL_MAX], const char *prefix, const struct xch_daemon *self)
{
	snprintf(channel, EXCHANGE_CHANNEL_MAX,
	    "%s" FORMAT ":d:%016" PRIx64 ".%016" PRIx64 ".%016" PRIx64, prefix, self->install,
	    self->generation, self->nonce);
}

/* ------------------------------------------------------------------ texts */

/* Words parted by single blanks.  After the first that is wrong everything is. */
struct scan {
	const char *at, *end;
	bool is_bad;
};

/* The next word, or an empty one. */
static const char *
scan_word(struct scan *s, size_t *len)
{
	const char *word = s->at, *blank;

	if (s->at >= s->end) {
		s->is_bad = true;
		*len = 0;
		return word;
	}
	blank = memchr(s->at, ' ', (size_t)(s->end - s->at));
	*len = (size_t)((blank ? blank : s->end) - word);
	s->at = blank ? blank + 1 : s->end;
	if (*len == 0 || (blank != NULL && s->at == s->end))
		s->is_bad = true;
	return word;
}

/* A decimal number up to max; 0 if it is wrong. */
static uint64_t
scan_number(struct scan *s, uint64_t max)
{
	size_t len;
	const char *word = scan_word(s, &len);
	uint64_t n = 0;

	for (size_t i = 0; i < len && !s->is_bad; i++) {
		unsigned digit = (unsigned)(word[i] - '0');

		if (digit > 9 || digit > max || n > (max - digit) / 10)
			s->is_bad = true;
		else
			n = n * 10 + digit;
	}
	return s->is_bad ? 0 : n;
}

/* Likewise, or -1. */
static int64_t
scan_number_or_none(struct scan *s, uint64_t max)
{
	if (s->end - s->at >= 2 && s->at[0] == '-' && s->at[1] == '1' &&
	    (s->end - s->at == 2 || s->at[2] == ' ')) {
		size_t len;

		scan_word(s, &len);
		return -1;
	}
	return (int64_t)scan_number(s, max);
}

static usec
scan_usec(struct scan *s)
{
	return (usec)scan_number(s, INT64_MAX);
}

/* 16 hex digits */
static uint64_t
scan_id(struct scan *s)
{
	size_t len;
	const char *word = scan_word(s, &len);
	uint64_t id = 0;

	if (len != 16)
		s->is_bad = true;
	for (size_t i = 0; i < len && !s->is_bad; i++) {
		const char *digits = "0123456789abcdef", *digit = memchr(digits, word[i], 16);

		if (digit == NULL)
			s->is_bad = true;
		else
			id = id << 4 | (uint64_t)(digit - digits);
	}
	return s->is_bad ? 0 : id;
}

/* How many items follow, of at least `least` bytes each: no more than the rest has room for. */
static uint32_t
scan_count(struct scan *s, size_t least)
{
	uint64_t n = scan_number(s, UINT32_MAX);

	if (n > ((size_t)(s->end - s->at) + 1) / least)
		s->is_bad = true;
	return s->is_bad ? 0 : (uint32_t)n;
}

static bool
scan_is(struct scan *s, const char *expected)
{
	size_t len;
	const char *word = scan_word(s, &len);

	return !s->is_bad && len == strlen(expected) && memcmp(word, expected, len) == 0;
}

static int
scan_close(const struct scan *s)
{
	return s->is_bad || s->at != s->end ? -1 : 0;
}

static struct xch_slot
scan_slot(struct scan *s)
{
	struct xch_slot slot;

	slot.slot = (uint32_t)scan_number(s, UINT32_MAX);
	slot.number = scan_number(s, NUMBER_MAX);
	return slot;
}

static struct xch_grant
scan_grant(struct scan *s, struct arena *arena)
{
	struct xch_grant grant;
	uint32_t *slots;

	grant.id = scan_id(s);
	grant.number = scan_number(s, NUMBER_MAX);
	grant.limit = (uint32_t)scan_number(s, UINT32_MAX);
	grant.n = scan_count(s, 2);
	if (grant.n > XCH_N_MAX) {
		s->is_bad = true;
		grant.n = 0;
	}
	grant.slots = slots = arena_take(arena, grant.n * sizeof *slots);
	for (uint32_t i = 0; i < grant.n; i++)
		slots[i] = (uint32_t)scan_number(s, UINT32_MAX);
	return grant;
}

static struct xch_peer
scan_peer(struct scan *s)
{
	struct xch_peer peer = {0};
	size_t len;
	const char *host = scan_word(s, &len);

	if (len > XCH_HOST_MAX || memchr(host, '\0', len) != NULL)
		s->is_bad = true;
	else
		memcpy(peer.host, host, len);
	peer.limit = scan_number_or_none(s, UINT32_MAX);
	peer.lease = scan_usec(s);
	peer.install = scan_id(s);
	return peer;
}

static const uint64_t *
scan_ids(struct scan *s, struct arena *arena, uint32_t *n)
{
	uint64_t *ids;

	*n = scan_count(s, 17);
	ids = arena_take(arena, *n * sizeof *ids);
	for (uint32_t i = 0; i < *n; i++)
		ids[i] = scan_id(s);
	return ids;
}

static bool
text_is(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

int
exchange_decode(struct arena *arena, const char *text, size_t len, struct xch_reply *re)
{
	struct scan s = {text, text + len, false};
	struct xch_grant *granted;
	struct xch_slot *lost;
	struct xch_peer *peers;

	*re = (struct xch_reply){.status = XCH_OK};
	if (text_is(text, len, "STALE"))
		re->status = XCH_STALE;
	else if (text_is(text, len, "RESYNC"))
		re->status = XCH_RESYNC;
	else if (text_is(text, len, "GONE"))
		re->status = XCH_GONE;
	if (re->status != XCH_OK)
		return 0;
	if (!scan_is(&s, "OK"))
		return -1;
	re->seq = scan_number(&s, INT64_MAX);
	re->live_limit = scan_number_or_none(&s, UINT32_MAX);
	re->live_left = USEC_NEVER;
	re->in_use = (uint32_t)scan_number(&s, UINT32_MAX);
	re->others = (uint32_t)scan_number(&s, UINT32_MAX);
	re->version = scan_number(&s, INT64_MAX);
	re->hot = scan_usec(&s);
	re->look = scan_number_or_none(&s, INT64_MAX);
	if (re->look == -1)
		re->look = USEC_NEVER;
	re->last = scan_number(&s, NUMBER_MAX);
	re->era = scan_id(&s);
	re->grace = scan_usec(&s);
	re->longest_lease = scan_usec(&s);

	re->n_granted = scan_count(&s, 25); /* id, number, limit, n, a slot, at one digit each */
	re->granted = granted = arena_take(arena, re->n_granted * sizeof *granted);
	for (uint32_t i = 0; i < re->n_granted; i++)
		granted[i] = scan_grant(&s, arena);
	re->n_lost = scan_count(&s, 4);
	re->lost = lost = arena_take(arena, re->n_lost * sizeof *lost);
	for (uint32_t i = 0; i < re->n_lost; i++)
		lost[i] = scan_slot(&s);
	re->full = scan_ids(&s, arena, &re->n_full);
	re->refused = scan_ids(&s, arena, &re->n_refused);
	re->n_peers = scan_count(&s, 23); /* host, limit, lease, at one byte each; install */
	if (re->n_peers > XCH_PEERS_MAX)
		return -1;
	re->peers = peers = arena_take(arena, re->n_peers * sizeof *peers);
	for (uint32_t i = 0; i < re->n_peers; i++)
		peers[i] = scan_peer(&s);
	return scan_close(&s);
}

static enum xch_began
scan_began(struct scan *s)
{
	static const char *const words[XCH_N_BEGAN] = {
	    [XCH_BEGAN_FIRST] = "first",
	    [XCH_BEGAN_WIPED] = "wiped",
	    [XCH_BEGAN_OLD] = "old",
	    [XCH_BEGAN_OTHER] = "other",
	};
	size_t len;
	const char *word = scan_word(s, &len);

	for (enum xch_began began = 0; began < XCH_N_BEGAN; began++)
		if (text_is(word, len, words[began]))
			return began;
	s->is_bad = true;
	return XCH_BEGAN_FIRST;
}

int
exchange_decode_touch(const char *text, size_t len, struct exchange_touched *touched)
{
	struct scan s = {text, text + len, false};

	if (!scan_is(&s, "OK"))
		return -1;
	touched->era = scan_id(&s);
	touched->grace = scan_usec(&s);
	touched->longest_lease = scan_usec(&s);
	touched->began = scan_began(&s);
	return scan_close(&s);
}

int
exchange_decode_push(struct arena *arena, const char *text, size_t len, struct xch_push *push)
{
	struct scan s = {text, text + len, false};
	const char *type = scan_word(&s, &len), *word;
	char *group;

	*push = (struct xch_push){.type = XCH_RECALL};
	if (s.is_bad || len != 1)
		return -1;
	push->incarnation = scan_number(&s, INT64_MAX);
	push->version = scan_number(&s, INT64_MAX);
	push->others = scan_number(&s, 1) == 1;
	switch (*type) {
	case 'R':
		break;
	case 'G':
		push->type = XCH_GRANT;
		push->grant = scan_grant(&s, arena);
		push->id = push->grant.id;
		break;
	case 'F':
		push->type = XCH_FULL;
		push->id = scan_id(&s);
		break;
	case 'L':
		push->type = XCH_LOST;
		push->slot = scan_slot(&s);
		break;
	default:
		return -1;
	}
	word = scan_word(&s, &len);
	group = arena_take(arena, len + 1);
	memcpy(group, word, len);
	group[len] = '\0';
	push->group = group;
	return memchr(group, '\0', len) != NULL ? -1 : scan_close(&s);
}
