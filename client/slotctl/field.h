/* The words of a line of slotd, and how to print them for people and for programs. */
#ifndef SLOTCTL_FIELD_H
#define SLOTCTL_FIELD_H

#include <stdbool.h>
#include <stddef.h>

/* key=value, decoded.  "-" as it comes means that there is no value. */
struct field {
	char key[64];
	char value[256];
	bool none;
};

/* Takes the next key=value of a line; *line moves behind it.  Other words are passed over, and so
 * is what is longer than slotd's names are.  False: there is none left. */
bool field_next(const char **line, struct field *f);

/* The field with that key.  False: the line has none. */
bool field_find(const char *line, const char *key, struct field *f);

/* One member of a JSON object: "key": value.  Numbers are numbers, but for tokens: they have 63
 * bits, which many a reader of JSON would round. */
void field_print_json(const struct field *f);

/* The length of the UTF-8 character that s begins with, or 0: it is none. */
int utf8_length(const char *s);

void json_print_string(const char *text);

/* What cannot be a part of a word of a request, as %XX; cut to size. */
void text_escape(const char *text, char *buf, size_t size);

/* A text as the terminal may have it: what its character set cannot print is %XX, as on the wire.
 * -> its width in columns. */
int text_format(const char *text, char *buf, size_t size);

/* Shortens what text_format() has made to so many columns, the last of them then a "+".
 * -> its width. */
int text_cut(char *text, int width);

#endif
