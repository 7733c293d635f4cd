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

bool
escape_html(struct output *out, const char *text)
{
	const char *plain = text;
	bool done = true;

	for (; *text != '\0' && done; text++) {
		const char *entity = html_entity(*text);

		if (entity == NULL)
			continue;
		done = output_add(out, plain, (size_t)(text - plain)) &&
		    output_add(out, entity, strlen(entity));
		plain = text + 1;
	}
	return done && output_add(out, plain, (size_t)(text - plain));
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
