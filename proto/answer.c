/* What slotd sends, as a client reads it, and the words of the errors.
 * The request side is wire.c. */
#include "proto/wire.h"

#include <assert.h>
#include <string.h>

static const struct {
	const char *word, *todo, *text;
} codes[WIRE_NCODES] = {
	[WIRE_OK] = {"ok", "told", "done"},
#define ERR(name, word, todo, text) [WIRE_ERR_##name] = {word, todo, text},
#include "proto/errors.def"
#undef ERR
};

const char *
wire_code_word(enum wire_code code)
{
	assert(code < WIRE_NCODES);
	return codes[code].word;
}

const char *
wire_code_text(enum wire_code code)
{
	assert(code < WIRE_NCODES);
	return codes[code].text;
}

const char *
wire_code_todo(enum wire_code code)
{
	assert(code < WIRE_NCODES);
	return codes[code].todo;
}

static bool
word_is(const char *word, size_t len, const char *what)
{
	return len == strlen(what) && memcmp(word, what, len) == 0;
}

static enum wire_code
code_find(const char *word, size_t len)
{
	enum wire_code code;

	for (code = WIRE_OK + 1; code < WIRE_NCODES; code++)
		if (word_is(word, len, codes[code].word))
			break;
	return code;
}

int
wire_parse_answer(const char *line, size_t len, struct wire_answer *answer)
{
	const char *word;
	size_t pos = 0, n = wire_word(line, len, &pos, &word);

	answer->tag[0] = '\0';
	answer->code = WIRE_OK;
	if (n > 1 && word[0] == '!') {
		answer->kind = WIRE_KIND_EVENT;
		answer->rest = word + 1;
		answer->rest_len = (size_t)(line + len - answer->rest);
		return 0;
	}
	if (n > 0 && word[0] == '#') {
		if (wire_parse_tag(word + 1, n - 1, answer->tag) == -1)
			return -1;
		n = wire_word(line, len, &pos, &word);
	}
	if (word_is(word, n, "OK")) {
		answer->kind = WIRE_KIND_OK;
	} else if (word_is(word, n, "ERR")) {
		answer->kind = WIRE_KIND_ERR;
		if ((n = wire_word(line, len, &pos, &word)) == 0)
			return -1;
		answer->code = code_find(word, n);
	} else {
		return -1;
	}
	wire_word(line, len, &pos, &answer->rest);
	answer->rest_len = (size_t)(line + len - answer->rest);
	return 0;
}

int
wire_parse_grant(const char *rest, size_t len, uint32_t slots[WIRE_N_MAX], uint64_t *token)
{
	const char *word;
	size_t pos = 0, word_len = wire_word(rest, len, &pos, &word);
	int n = wire_parse_slots(word, word_len, slots);

	word_len = wire_word(rest, len, &pos, &word);
	if (wire_parse_number(word, word_len, WIRE_TOKEN_MAX, token) == -1 || *token == 0)
		return -1;
	return n;
}

int
wire_value(const char *text, size_t len, const char *key, char *buf, size_t size)
{
	const char *word;
	size_t key_len = strlen(key), pos = 0, n;

	while ((n = wire_word(text, len, &pos, &word)) > 0) {
		if (n > key_len && word[key_len] == '=' && memcmp(word, key, key_len) == 0) {
			int value_len = wire_unescape(word + key_len + 1, n - key_len - 1, buf, size);

			return value_len < 0 ? -1 : value_len;
		}
	}
	return -1;
}
