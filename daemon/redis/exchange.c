/* What the script says and publishes, as structs; names that it shares with us. */
#include "daemon/redis/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/redis/scan.h"

#define FORMAT EXCHANGE_FORMAT
#define NUMBER_MAX (UINT64_MAX >> 17) /* so that a token stays below 2^63 */

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
	re->live_left = scan_usec_or_never(&s);
	re->in_use = (uint32_t)scan_number(&s, UINT32_MAX);
	re->others = (uint32_t)scan_number(&s, UINT32_MAX);
	re->version = scan_number(&s, INT64_MAX);
	re->hot = scan_usec(&s);
	re->look = scan_usec_or_never(&s);
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
