/* Requests: parsing a line into a struct wire_request, and writing it back.
 * Two tables say which words and keys each request takes; answers are in answer.c. */
#include "proto/wire.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum key {
	KEY_LIMIT, KEY_WAIT, KEY_N, KEY_HOLD, KEY_LABEL, KEY_TOKEN, KEY_EVENTS, KEY_DETAIL, KEY_PAGE,
	KEY_LIVE_LIMIT, KEY_PAUSE, KEY_FOR, KEY_WHY, NKEYS
};

static const struct {
	const char *word;
	const char *want;       /* what a good value is, for the text of ERR badvalue */
} keys[NKEYS] = {
	[KEY_LIMIT] = {"limit", "a limit is a number from 1 to 1000000"},
	[KEY_WAIT] = {"wait", "a time is ms, or has a unit (250ms 10s 2m 1h), or is: forever"},
	[KEY_N] = {"n", "n is a number from 1 to 64"},
	[KEY_HOLD] = {"hold", "a time is ms, or has a unit (250ms 10s 2m 1h), and is not 0"},
	[KEY_LABEL] = {"label", "a label is 1 to 64 bytes of UTF-8 without control characters"},
	[KEY_TOKEN] = {"token", "a token is a number from 1 to 9223372036854775807"},
	[KEY_EVENTS] = {"events", "on or off"},
	[KEY_DETAIL] = {"detail", "on or off"},
	[KEY_PAGE] = {"page", "on or off"},
	[KEY_LIVE_LIMIT] = {"limit", "a live limit is a number from 0 to 1000000, or is: none"},
	[KEY_PAUSE] = {"pause", "on or off"},
	[KEY_FOR] = {"for", "a time is ms, or has a unit (250ms 10s 2m 1h), and is not 0"},
	[KEY_WHY] = {"why", "a reason is 1 to 100 bytes of UTF-8 without control characters"},
};

#define KEY(name) (1u << KEY_##name)

/* The words that stand directly behind the verb, before any key. */
enum words {
	NOTHING, GROUP, GLOB_OR_NOTHING, SLOTS_OR_ALL, SLOTS_AND_TOKEN, SLOT, TAG, END_OR_NOTHING,
	FIX_OR_NOTHING, SWITCH_OR_NOTHING
};

static const struct {
	const char *word;
	enum words words;
	unsigned keys;
} verbs[WIRE_NVERBS] = {
	[WIRE_HELLO] = {"HELLO", NOTHING, KEY(LABEL) | KEY(EVENTS) | KEY(DETAIL) | KEY(PAGE)},
	[WIRE_ACQUIRE] = {"ACQUIRE", GROUP, KEY(LIMIT) | KEY(WAIT) | KEY(N) | KEY(HOLD) | KEY(LABEL)},
	[WIRE_RELEASE] = {"RELEASE", SLOTS_OR_ALL, KEY(TOKEN)},
	[WIRE_CANCEL] = {"CANCEL", TAG, 0},
	[WIRE_RESUME] = {"RESUME", SLOTS_AND_TOKEN, KEY(LIMIT) | KEY(LABEL)},
	[WIRE_LIST] = {"LIST", GLOB_OR_NOTHING, 0},
	[WIRE_STATUS] = {"STATUS", GROUP, 0},
	[WIRE_HOLDERS] = {"HOLDERS", GROUP, 0},
	[WIRE_WAITERS] = {"WAITERS", GROUP, 0},
	[WIRE_STATS] = {"STATS", NOTHING, 0},
	[WIRE_METRICS] = {"METRICS", NOTHING, 0},
	[WIRE_PING] = {"PING", NOTHING, 0},
	[WIRE_VERSION] = {"VERSION", NOTHING, 0},
	[WIRE_HELP] = {"HELP", NOTHING, 0},
	[WIRE_QUIT] = {"QUIT", NOTHING, 0},
	[WIRE_GRACE] = {"GRACE", END_OR_NOTHING, 0},
	[WIRE_PS] = {"PS", GLOB_OR_NOTHING, 0},
	[WIRE_EVICT] = {"EVICT", SLOT, KEY(TOKEN)},
	[WIRE_AUDIT] = {"AUDIT", FIX_OR_NOTHING, 0},
	[WIRE_WHY] = {"WHY", GROUP, KEY(LIMIT) | KEY(N)},
	[WIRE_RELOAD] = {"RELOAD", NOTHING, 0},
	[WIRE_DRAIN] = {"DRAIN", SWITCH_OR_NOTHING, 0},
	[WIRE_LIVE] = {"LIVE", GROUP, KEY(LIVE_LIMIT) | KEY(PAUSE) | KEY(FOR) | KEY(WHY)},
	[WIRE_HISTORY] = {"HISTORY", GROUP, 0},
};

static const char *const help[] = {
	"HELLO [label=TEXT] [events=on|off] [detail=on|off] [page=on|off]",
	"ACQUIRE group [limit=N] [wait=TIME] [n=K] [hold=TIME] [label=TEXT]",
	"RELEASE group slot[,slot...] [token=T]",
	"RELEASE *",
	"CANCEL #tag",
	"RESUME group slot[,slot...] token [limit=N] [label=TEXT]",
	"LIST [glob]",
	"STATUS group",
	"HOLDERS group",
	"WAITERS group",
	"STATS",
	"METRICS",
	"PS [glob]",
	"EVICT group slot [token=T]",
	"AUDIT [fix]",
	"GRACE [end]",
	"WHY group [limit=N] [n=K]",
	"RELOAD",
	"DRAIN [on|off]",
	"LIVE group [limit=N|none] [pause=on|off] [for=TIME] [why=TEXT]",
	"HISTORY group",
	"PING",
	"VERSION",
	"HELP",
	"QUIT",
	NULL,
};

const char *const *
wire_help(void)
{
	return help;
}

const char *
wire_verb_word(enum wire_verb verb)
{
	assert(verb < WIRE_NVERBS);
	return verbs[verb].word;
}

/* ------------------------------------------------------------------ parsing */

static int
fail(struct wire_fault *fault, enum wire_code code, const char *what)
{
	fault->code = code;
	fault->what = what;
	fault->key[0] = '\0';
	return -1;
}

static int
fail_key(struct wire_fault *fault, enum wire_code code, const char *what, const char *key, size_t len)
{
	size_t n = 0;

	/* What a peer wrote goes into the answer: only what needs no escape. */
	for (; n < len && n < sizeof(fault->key) - 1; n++) {
		if (key[n] <= ' ' || key[n] > '~' || key[n] == '%')
			break;
		fault->key[n] = key[n];
	}
	fault->key[n] = '\0';
	fault->code = code;
	fault->what = what;
	return -1;
}

static bool
is_control(char c)
{
	unsigned char u = (unsigned char)c;

	return (u < 0x20 && u != '\t') || u == 0x7f;
}

static enum wire_verb
verb_find(const char *word, size_t len)
{
	enum wire_verb verb;
	size_t i;

	for (verb = 0; verb < WIRE_NVERBS; verb++) {
		const char *name = verbs[verb].word;

		for (i = 0; i < len && name[i] != '\0'; i++) {
			char c = word[i];

			if ((c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) != name[i])
				break;
		}
		if (i == len && name[i] == '\0')
			break;
	}
	return verb;
}

static int
parse_group(const char *s, size_t len, struct wire_request *req, struct wire_fault *fault)
{
	int n = wire_unescape(s, len, req->group, sizeof(req->group));

	if (n == -1)
		return fail(fault, WIRE_ERR_SYNTAX, "behind a % stand two hexadecimal digits");
	if (n < 0 || !wire_name_ok(req->group, (size_t)n, WIRE_GROUP_MAX, false))
		return fail(fault, WIRE_ERR_BADGROUP, "a group's name is 1 to 128 bytes of UTF-8 "
		    "without blanks or control characters");
	return 0;
}

static int
parse_slots(const char *line, size_t len, size_t *pos, struct wire_request *req,
    struct wire_fault *fault)
{
	const char *word;
	size_t n = wire_word(line, len, pos, &word);
	int n_slots;

	if (n == 0)
		return fail(fault, WIRE_ERR_SYNTAX, "a word is missing");
	n_slots = wire_parse_slots(word, n, req->slots);
	if (n_slots == -1)
		return fail_key(fault, WIRE_ERR_BADVALUE,
		    "slots are up to 64 different numbers from 1 to 1000000, with commas between",
		    "slot", 4);
	req->n_slots = (uint32_t)n_slots;
	return 0;
}

/* That of a hold that was let in without a slot. */
static bool
is_slotless(const struct wire_request *req)
{
	return req->n_slots == 1 && req->slots[0] == 0;
}

static bool
parse_token(const char *s, size_t len, uint64_t *token)
{
	return wire_parse_number(s, len, WIRE_TOKEN_MAX, token) == 0 && *token > 0;
}

static bool
parse_switch(const char *s, size_t len, bool *has, bool *on)
{
	*has = true;
	*on = len == 2 && memcmp(s, "on", 2) == 0;
	return *on || (len == 3 && memcmp(s, "off", 3) == 0);
}

/* The words behind the verb. */
static int
parse_words(const char *line, size_t len, size_t *pos, struct wire_request *req,
    struct wire_fault *fault)
{
	enum words words = verbs[req->verb].words;
	const char *word;
	size_t n;

	if (words == NOTHING)
		return 0;
	n = wire_word(line, len, pos, &word);
	if (n == 0 && (words == GLOB_OR_NOTHING || words == END_OR_NOTHING ||
	    words == FIX_OR_NOTHING || words == SWITCH_OR_NOTHING))
		return 0;
	if (n == 0)
		return fail(fault, WIRE_ERR_SYNTAX, "a word is missing");
	if (words == TAG) {
		if (word[0] != '#')
			return fail(fault, WIRE_ERR_SYNTAX, "a tag begins with #");
		if (wire_parse_tag(word + 1, n - 1, req->cancel) == -1)
			return fail(fault, WIRE_ERR_TAG, "a tag is 1 to 32 of A-Z a-z 0-9 _ . : -");
		return 0;
	}
	if (words == FIX_OR_NOTHING) {
		req->fix = n == 3 && memcmp(word, "fix", 3) == 0;
		return req->fix ? 0 : fail(fault, WIRE_ERR_SYNTAX, "the word is: fix");
	}
	if (words == END_OR_NOTHING) {
		req->end = n == 3 && memcmp(word, "end", 3) == 0;
		return req->end ? 0 : fail(fault, WIRE_ERR_SYNTAX, "the word is: end");
	}
	if (words == SWITCH_OR_NOTHING)
		return parse_switch(word, n, &req->has_drain, &req->drain) ? 0 :
		    fail(fault, WIRE_ERR_SYNTAX, "the word is: on, or off");
	req->all = words == SLOTS_OR_ALL && n == 1 && word[0] == '*';
	if (req->all)
		return 0;
	if (parse_group(word, n, req, fault) == -1)
		return -1;
	if (words != SLOTS_OR_ALL && words != SLOTS_AND_TOKEN && words != SLOT)
		return 0;
	if (parse_slots(line, len, pos, req, fault) == -1)
		return -1;
	if (words == SLOT && (req->n_slots != 1 || req->slots[0] == 0))
		return fail_key(fault, WIRE_ERR_BADVALUE, "a slot is one number from 1 to 1000000",
		    "slot", 4);
	if (words != SLOTS_AND_TOKEN)
		return 0;
	n = wire_word(line, len, pos, &word);
	if (n == 0)
		return fail(fault, WIRE_ERR_SYNTAX, "a word is missing");
	if (!parse_token(word, n, &req->token))
		return fail_key(fault, WIRE_ERR_BADVALUE, keys[KEY_TOKEN].want, "token", 5);
	return 0;
}

static bool
parse_count(const char *s, size_t len, uint32_t max, uint32_t *count)
{
	uint64_t value = 0;

	if (wire_parse_number(s, len, max, &value) == -1)
		return false;
	*count = (uint32_t)value;
	return value > 0;
}

static bool
parse_live_limit(const char *s, size_t len, int64_t *limit)
{
	uint64_t value;

	if (len == strlen("none") && memcmp(s, "none", len) == 0) {
		*limit = WIRE_NONE;
		return true;
	}
	if (wire_parse_number(s, len, WIRE_LIMIT_MAX, &value) == -1)
		return false;
	*limit = (int64_t)value;
	return true;
}

/* A text that may have blanks.  WIRE_OK, or what is wrong with it. */
static enum wire_code
parse_text(const char *s, size_t len, char *buf, size_t max)
{
	int n = wire_unescape(s, len, buf, max + 1);

	if (n == -1)
		return WIRE_ERR_SYNTAX;
	return n >= 0 && wire_name_ok(buf, (size_t)n, max, true) ? WIRE_OK : WIRE_ERR_BADVALUE;
}

static bool
parse_wait(const char *s, size_t len, int64_t *ms)
{
	if (len == strlen("forever") && memcmp(s, "forever", len) == 0) {
		*ms = WIRE_FOREVER;
		return true;
	}
	return wire_parse_time(s, len, ms, NULL) == 0;
}

/* WIRE_OK, or what is wrong with the value. */
static enum wire_code
parse_value(enum key key, const char *s, size_t len, struct wire_request *req)
{
	bool ok = false;

	switch (key) {
	case KEY_LIMIT:
		ok = parse_count(s, len, WIRE_LIMIT_MAX, &req->limit);
		break;
	case KEY_N:
		ok = parse_count(s, len, WIRE_N_MAX, &req->n);
		break;
	case KEY_WAIT:
		ok = parse_wait(s, len, &req->wait_ms);
		break;
	case KEY_HOLD:
		ok = wire_parse_time(s, len, &req->hold_ms, NULL) == 0 && req->hold_ms > 0;
		break;
	case KEY_TOKEN:
		ok = parse_token(s, len, &req->token);
		break;
	case KEY_EVENTS:
		ok = parse_switch(s, len, &req->has_events, &req->events);
		break;
	case KEY_DETAIL:
		ok = parse_switch(s, len, &req->has_detail, &req->detail);
		break;
	case KEY_PAGE:
		ok = parse_switch(s, len, &req->has_page, &req->page);
		break;
	case KEY_LABEL:
		return parse_text(s, len, req->label, WIRE_LABEL_MAX);
	case KEY_LIVE_LIMIT:
		ok = parse_live_limit(s, len, &req->live_limit);
		break;
	case KEY_PAUSE:
		ok = parse_switch(s, len, &req->has_pause, &req->pause);
		break;
	case KEY_FOR:
		ok = wire_parse_time(s, len, &req->for_ms, NULL) == 0 && req->for_ms > 0;
		break;
	case KEY_WHY:
		return parse_text(s, len, req->why, WIRE_WHY_MAX);
	case NKEYS:
		break;
	}
	return ok ? WIRE_OK : WIRE_ERR_BADVALUE;
}

/* One key=value; `seen` has the bits of the keys before it. */
static int
parse_key(const char *word, size_t len, unsigned *seen, struct wire_request *req,
    struct wire_fault *fault)
{
	const char *equals = memchr(word, '=', len);
	size_t key_len;
	enum key key;
	enum wire_code code;

	if (equals == NULL || equals == word)
		return fail(fault, WIRE_ERR_SYNTAX, "a word too many");
	key_len = (size_t)(equals - word);
	for (key = 0; key < NKEYS; key++)
		if ((verbs[req->verb].keys & 1u << key) != 0 &&
		    strlen(keys[key].word) == key_len && memcmp(keys[key].word, word, key_len) == 0)
			break;
	if (key == NKEYS || req->all)
		return fail_key(fault, WIRE_ERR_BADKEY, "this request has no such key", word, key_len);
	if (*seen & 1u << key)
		return fail_key(fault, WIRE_ERR_BADKEY, "the key is given twice", word, key_len);
	*seen |= 1u << key;

	code = parse_value(key, equals + 1, len - key_len - 1, req);
	if (code == WIRE_ERR_SYNTAX)
		return fail(fault, code, "behind a % stand two hexadecimal digits");
	if (code != WIRE_OK)
		return fail_key(fault, code, keys[key].want, word, key_len);
	return 0;
}

/* LIVE: one thing is set at a time, and only what is set has an end. */
static int
check_live(const struct wire_request *req, struct wire_fault *fault)
{
	bool is_limit = req->live_limit != WIRE_ABSENT;

	if (is_limit && req->has_pause)
		return fail_key(fault, WIRE_ERR_BADKEY, "limit= or pause=, not both", "pause", 5);
	if (req->why[0] != '\0' && !is_limit && !req->has_pause)
		return fail_key(fault, WIRE_ERR_BADKEY, "goes with limit= or pause=", "why", 3);
	if (req->for_ms != WIRE_ABSENT && !(is_limit && req->live_limit != WIRE_NONE) && !req->pause)
		return fail_key(fault, WIRE_ERR_BADKEY, "goes with limit=N or pause=on", "for", 3);
	return 0;
}

int
wire_parse(const char *line, size_t len, struct wire_request *req, struct wire_fault *fault)
{
	const char *word;
	size_t pos = 0, n;
	unsigned seen = 0;

	memset(req, 0, sizeof(*req));
	req->n = 1;
	req->wait_ms = WIRE_ABSENT;
	req->hold_ms = WIRE_ABSENT;
	req->for_ms = WIRE_ABSENT;
	req->live_limit = WIRE_ABSENT;

	if (len > WIRE_LINE_MAX - 1)
		return fail(fault, WIRE_ERR_TOOLONG, wire_code_text(WIRE_ERR_TOOLONG));
	if (len > 0 && line[len - 1] == '\r')
		len--;
	n = wire_word(line, len, &pos, &word);
	if (n > 0 && word[0] == '#') {
		if (wire_parse_tag(word + 1, n - 1, req->tag) == -1)
			return fail(fault, WIRE_ERR_TAG, "a tag is 1 to 32 of A-Z a-z 0-9 _ . : -");
		n = wire_word(line, len, &pos, &word);
	}
	for (const char *c = word; c < line + len; c++)
		if (is_control(*c))
			return fail(fault, WIRE_ERR_SYNTAX, "a control byte");
	if (n == 0)
		return fail(fault, WIRE_ERR_SYNTAX, "the verb is missing");
	req->verb = verb_find(word, n);
	if (req->verb == WIRE_NVERBS)
		return fail(fault, WIRE_ERR_UNKNOWN, "no such request; HELP lists them");

	if (parse_words(line, len, &pos, req, fault) == -1)
		return -1;
	while ((n = wire_word(line, len, &pos, &word)) > 0)
		if (parse_key(word, n, &seen, req, fault) == -1)
			return -1;
	if (req->verb == WIRE_RELEASE && is_slotless(req) && req->token == 0)
		return fail_key(fault, WIRE_ERR_BADVALUE, "a hold of slot 0 is named by its token",
		    "slot", 4);
	return check_live(req, fault);
}

/* ------------------------------------------------------------------ writing */

struct out {
	char *buf;
	size_t size, len;       /* len >= size: it did not fit */
};

static void put(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
put(struct out *out, const char *format, ...)
{
	va_list args;

	if (out->len >= out->size)
		return;
	va_start(args, format);
	out->len += (size_t)vsnprintf(out->buf + out->len, out->size - out->len, format, args);
	va_end(args);
}

static void
put_text(struct out *out, const char *key, const char *text)
{
	char escaped[WIRE_ESCAPED(WIRE_WHY_MAX)];

	if (text[0] == '\0')
		return;
	wire_escape(text, strlen(text), false, escaped, sizeof(escaped));
	put(out, " %s=%s", key, escaped);
}

static void
put_live(struct out *out, const struct wire_request *req)
{
	if (req->live_limit == WIRE_NONE)
		put(out, " limit=none");
	else if (req->live_limit != WIRE_ABSENT)
		put(out, " limit=%lld", (long long)req->live_limit);
	if (req->has_pause)
		put(out, " pause=%s", req->pause ? "on" : "off");
	if (req->for_ms != WIRE_ABSENT)
		put(out, " for=%lld", (long long)req->for_ms);
	put_text(out, "why", req->why);
}

static void
put_words(struct out *out, const struct wire_request *req)
{
	char escaped[WIRE_ESCAPED(WIRE_GROUP_MAX)];

	if (req->all) {
		put(out, " *");
		return;
	}
	if (req->end)
		put(out, " end");
	if (req->fix)
		put(out, " fix");
	if (req->has_drain)
		put(out, req->drain ? " on" : " off");
	if (req->cancel[0] != '\0')
		put(out, " #%s", req->cancel);
	if (req->group[0] != '\0') {
		wire_escape(req->group, strlen(req->group), false, escaped, sizeof(escaped));
		/* a group of that name, not everything */
		put(out, " %s", req->n_slots > 0 && strcmp(escaped, "*") == 0 ? "%2A" : escaped);
	}
	for (uint32_t i = 0; i < req->n_slots; i++)
		put(out, "%c%u", i == 0 ? ' ' : ',', (unsigned)req->slots[i]);
	if (verbs[req->verb].words == SLOTS_AND_TOKEN)
		put(out, " %llu", (unsigned long long)req->token);
}

int
wire_format(const struct wire_request *req, char *buf, size_t size)
{
	struct out out = {buf, size, 0};

	if (req->tag[0] != '\0')
		put(&out, "#%s ", req->tag);
	put(&out, "%s", wire_verb_word(req->verb));
	put_words(&out, req);
	if (req->limit != 0)
		put(&out, " limit=%u", (unsigned)req->limit);
	if (req->wait_ms == WIRE_FOREVER)
		put(&out, " wait=forever");
	else if (req->wait_ms != WIRE_ABSENT)
		put(&out, " wait=%lld", (long long)req->wait_ms);
	if (req->n > 1)
		put(&out, " n=%u", (unsigned)req->n);
	if (req->hold_ms != WIRE_ABSENT)
		put(&out, " hold=%lld", (long long)req->hold_ms);
	put_text(&out, "label", req->label);
	if (verbs[req->verb].keys & KEY(TOKEN) && req->token != 0)
		put(&out, " token=%llu", (unsigned long long)req->token);
	if (req->has_events)
		put(&out, " events=%s", req->events ? "on" : "off");
	if (req->has_detail)
		put(&out, " detail=%s", req->detail ? "on" : "off");
	if (req->has_page)
		put(&out, " page=%s", req->page ? "on" : "off");
	put_live(&out, req);
	put(&out, "\n");
	return out.len < size ? (int)out.len : -1;
}
