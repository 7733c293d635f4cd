/* The small change of the protocol: words, numbers, times, tags, slots, %XX and names.
 * Everything here looks at (pointer, length) and knows nothing of requests or answers. */
#include "proto/wire.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

size_t
wire_word(const char *text, size_t len, size_t *pos, const char **word)
{
	size_t start = *pos;

	while (start < len && is_blank(text[start]))
		start++;
	*pos = start;
	while (*pos < len && !is_blank(text[*pos]))
		(*pos)++;
	*word = text + start;
	return *pos - start;
}

bool
wire_is_blank(const char *line, size_t len)
{
	if (len > 0 && line[len - 1] == '\r')
		len--;
	for (size_t i = 0; i < len; i++)
		if (!is_blank(line[i]))
			return false;
	return true;
}

int
wire_parse_number(const char *s, size_t len, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;

	if (len == 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(unsigned char)s[i] - '0';

		if (digit > 9 || digit > max || sum > (max - digit) / 10)
			return -1;
		sum = 10 * sum + digit;
	}
	*value = sum;
	return 0;
}

int
wire_parse_time(const char *s, size_t len, int64_t *ms, bool *has_unit)
{
	static const struct {
		const char *word;
		uint64_t ms;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}};
	size_t digits = 0;
	uint64_t value;

	while (digits < len && s[digits] >= '0' && s[digits] <= '9')
		digits++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].word) != len - digits ||
		    memcmp(units[i].word, s + digits, len - digits) != 0)
			continue;
		if (wire_parse_number(s, digits, WIRE_TIME_MAX / units[i].ms, &value) == -1)
			return -1;
		*ms = (int64_t)(value * units[i].ms);
		if (has_unit != NULL)
			*has_unit = len > digits;
		return 0;
	}
	return -1;
}

int
wire_parse_tag(const char *s, size_t len, char tag[WIRE_TAG_MAX + 1])
{
	if (len == 0 || len > WIRE_TAG_MAX)
		return -1;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '.' || c == ':' || c == '-'))
			return -1;
	}
	memcpy(tag, s, len);
	tag[len] = '\0';
	return 0;
}

int
wire_parse_slots(const char *s, size_t len, uint32_t slots[WIRE_N_MAX])
{
	const char *end = s + len;
	int n = 0;

	for (;;) {
		const char *comma = memchr(s, ',', (size_t)(end - s));
		size_t digits = (size_t)((comma != NULL ? comma : end) - s);
		uint64_t slot;

		if (n == WIRE_N_MAX || wire_parse_number(s, digits, WIRE_LIMIT_MAX, &slot) == -1 ||
		    (slot == 0 && (n > 0 || comma != NULL)))
			return -1;
		for (int i = 0; i < n; i++)
			if (slots[i] == slot)
				return -1;
		slots[n++] = (uint32_t)slot;
		if (comma == NULL)
			return n;
		s = comma + 1;
	}
}

int
wire_escape(const char *s, size_t len, bool dash, char *buf, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t out = 0;

	if (dash && len == 0) {
		s = "-";
		len = 1;
		dash = false;
	}
	dash = dash && len == 1 && s[0] == '-';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		bool plain = c > 0x20 && c < 0x7f && c != '%' && !dash;

		if (size - out <= (plain ? 1 : 3))
			return -1;
		if (plain) {
			buf[out++] = (char)c;
		} else {
			buf[out++] = '%';
			buf[out++] = hex[c >> 4];
			buf[out++] = hex[c & 15];
		}
	}
	if (out >= size)
		return -1;
	buf[out] = '\0';
	return (int)out;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int
wire_unescape(const char *s, size_t len, char *buf, size_t size)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(s[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (out + 1 >= size)
			return -2;
		buf[out++] = c;
	}
	if (out >= size)
		return -2;
	buf[out] = '\0';
	return (int)out;
}

/* Bytes of the UTF-8 sequence at s, or 0: it is none, or stands for a control character. */
static size_t
utf8_sequence(const unsigned char *s, size_t len)
{
	static const uint32_t lowest[] = {0, 0, 0xa0, 0x800, 0x10000}; /* from 0x80 on: C1 controls */
	size_t n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	uint32_t code;

	if (n == 0 || n > len)
		return 0;
	code = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < lowest[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return n;
}

bool
wire_name_ok(const char *s, size_t len, size_t max, bool blanks)
{
	const unsigned char *u = (const unsigned char *)s;

	if (len == 0 || len > max)
		return false;
	for (size_t i = 0, n; i < len; i += n) {
		if (u[i] >= 0x80)
			n = utf8_sequence(u + i, len - i);
		else
			n = u[i] > 0x20 && u[i] < 0x7f ? 1 : u[i] == ' ' && blanks ? 1 : 0;
		if (n == 0)
			return false;
	}
	return true;
}
