/* Escapes: names and labels as text in HTML, in JSON and in a URL. */
#include "daemon/http/escape.h"

#include <stdio.h>
#include <string.h>

static const char *
html_entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

/* Bytes of a letter of no width by which what follows is shown in another order, so that a name would
 * not be what it seems: U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069.  0: it is none. */
static size_t
turning(const char *s)
{
	unsigned char last;

	if (strncmp(s, "\xd8\x9c", 2) == 0)
		return 2;
	if (strncmp(s, "\xe2\x80", 2) != 0 && strncmp(s, "\xe2\x81", 2) != 0)
		return 0;
	last = (unsigned char)s[2];
	if ((unsigned char)s[1] == 0x81)
		return last >= 0xa6 && last <= 0xa9 ? 3 : 0;
	return last == 0x8e || last == 0x8f || (last >= 0xaa && last <= 0xae) ? 3 : 0;
}

static bool
escape_html(struct output *out, const char *text, bool for_people)
{
	const char *plain = text, *entity;
	bool done = true;
	size_t len;

	while (*text != '\0' && done) {
		entity = html_entity(*text);
		len = for_people ? turning(text) : 0;
		if (entity == NULL && len == 0) {
			text++;
			continue;
		}
		done = output_add(out, plain, (size_t)(text - plain));
		if (entity != NULL)
			done = done && output_add(out, entity, strlen(entity));
		for (size_t i = 0; i < len && done; i++)
			done = output_printf(out, "%%%02X", (unsigned char)text[i]);
		text += len > 0 ? len : 1;
		plain = text;
	}
	return done && output_add(out, plain, (size_t)(text - plain));
}

bool
escape_attribute(struct output *out, const char *text)
{
	return escape_html(out, text, false);
}

bool
escape_text(struct output *out, const char *text)
{
	return escape_html(out, text, true);
}

/* "<" too, so that JSON could stand in a page. */
bool
escape_json(struct output *out, const char *text)
{
	const char *plain = text;
	bool done = output_add(out, "\"", 1);

	for (; *text != '\0' && done; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= ' ' && c != '"' && c != '\\' && c != '<' && c != 0x7f)
			continue;
		done = output_add(out, plain, (size_t)(text - plain)) &&
		    output_printf(out, "\\u%04x", c);
		plain = text + 1;
	}
	return done && output_add(out, plain, (size_t)(text - plain)) && output_add(out, "\"", 1);
}

bool
escape_url(struct output *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	bool done = true;

	for (; *text != '\0' && done; text++) {
		size_t len = strspn(text, plain);

		done = output_add(out, text, len);
		text += len;
		if (*text == '\0')
			break;
		done = done && output_printf(out, "%%%02X", (unsigned char)*text);
	}
	return done;
}
