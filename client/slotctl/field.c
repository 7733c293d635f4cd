/* key=value words: split, decoded, and printed without harm to terminals or readers of JSON. */
#include "client/slotctl/field.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEFabcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	if (at == NULL)
		return -1;
	return at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* %XX becomes its byte; what is no such thing stays as it is.  False: it does not fit. */
static bool
decode(const char *s, size_t length, char *buf, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		int high = s[i] == '%' && i + 2 < length ? hex_digit(s[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

		if (n + 1 >= size)
			return false;
		buf[n++] = s[i];
		if (low >= 0) {
			buf[n - 1] = (char)(high * 16 + low);
			i += 2;
		}
	}
	buf[n] = '\0';
	return true;
}

bool
field_next(const char **line, struct field *f)
{
	for (;;) {
		const char *word = *line + strspn(*line, " ");
		size_t length = strcspn(word, " "), key = strcspn(word, "= ");

		if (length == 0)
			return false;
		*line = word + length;
		if (key == length || key >= sizeof f->key)
			continue;
		memcpy(f->key, word, key);
		f->key[key] = '\0';
		word += key + 1;
		length -= key + 1;
		f->none = length == 1 && *word == '-';
		if (decode(word, length, f->value, sizeof f->value))
			return true;
	}
}

bool
field_find(const char *line, const char *key, struct field *f)
{
	while (field_next(&line, f))
		if (strcmp(f->key, key) == 0)
			return true;
	return false;
}

int
utf8_length(const char *s)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};   /* of that length */
	unsigned char first = (unsigned char)*s;
	int length = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 :
	    first < 0xF8 ? 4 : 0;
	uint32_t code = first & (0xFFu >> (length + 1));

	for (int i = 1; i < length; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3Fu);
	}
	if (length > 1 && (code < least[length] || (code >= 0xD800 && code <= 0xDFFF)))
		return 0;
	return code > 0x10FFFF ? 0 : length;
}

void
json_print_string(const char *text)
{
	putchar('"');
	while (*text != '\0') {
		int length = utf8_length(text);

		if (length == 0)
			printf("\\ufffd");
		else if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7F)
			printf("\\u%04x", *text);
		else
			printf("%.*s", length, text);
		text += length > 0 ? length : 1;
	}
	putchar('"');
}

static bool
is_json_number(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length <= 19 && strspn(text, "0123456789") == length &&
	    (text[0] != '0' || length == 1);
}

void
field_print_json(const struct field *f)
{
	static const char *const strings[] = {"token", "group", "label", "version", "host", "command",
	    "daemon", "text", "by", "why", "live_by", "live_why"};
	bool is_string = !is_json_number(f->value);

	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
		is_string = is_string || strcmp(f->key, strings[i]) == 0;
	json_print_string(f->key);
	printf(": ");
	if (f->none)
		printf("null");
	else if (is_string)
		json_print_string(f->value);
	else
		printf("%s", f->value);
}

/* Letters of no width by which the rest of a line is shown in another order: what stands in a table
 * would not be what it seems. */
static bool
turns_line(wchar_t wide)
{
	return wide == 0x61C || wide == 0x200E || wide == 0x200F ||
	    (wide >= 0x202A && wide <= 0x202E) || (wide >= 0x2066 && wide <= 0x2069);
}

int
text_format(const char *text, char *buf, size_t size)
{
	size_t left = strlen(text), used = 0, length;
	mbstate_t state = {0};
	int width = 0;
	wchar_t wide;

	buf[0] = '\0';
	while (left > 0 && used + 4 < size) {
		length = mbrtowc(&wide, text, left, &state);
		if (length >= 1 && length <= left && iswprint((wint_t)wide) &&
		    wcwidth(wide) >= 0 && !turns_line(wide)) {
			if (used + length >= size)
				break;
			memcpy(buf + used, text, length);
			used += length;
			width += wcwidth(wide);
		} else {
			state = (mbstate_t){0};
			length = 1;
			used += (size_t)snprintf(buf + used, size - used, "%%%02X",
			    (unsigned char)*text);
			width += 3;
		}
		text += length;
		left -= length;
	}
	buf[used] = '\0';
	return width;
}

int
text_cut(char *text, int width)
{
	size_t left = strlen(text), length;
	mbstate_t state = {0};
	char *end = text;               /* of what fits beside a "+" */
	int used = 0, kept = 0;
	wchar_t wide;

	for (char *at = text; left > 0; at += length, left -= length) {
		length = mbrtowc(&wide, at, left, &state);
		if (length == 0 || length > left)
			break;
		used += wcwidth(wide);
		if (used > width) {
			strcpy(end, width > 0 ? "+" : "");
			return kept + (width > 0);
		}
		if (used < width) {
			end = at + length;
			kept = used;
		}
	}
	return used;
}

void
text_escape(const char *text, char *buf, size_t size)
{
	*buf = '\0';
	for (; *text != '\0' && size > 3; text++) {
		bool is_plain = *text > ' ' && *text <= '~' && *text != '%';
		int n = snprintf(buf, size, is_plain ? "%c" : "%%%02X", (unsigned char)*text);

		buf += n;
		size -= (size_t)n;
	}
}
