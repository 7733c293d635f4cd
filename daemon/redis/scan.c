/* Taking apart the texts that Redis sends: words parted by blanks. */
#include "daemon/redis/scan.h"

#include <string.h>

/* The next word, or an empty one. */
const char *
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
uint64_t
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
int64_t
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

usec
scan_usec(struct scan *s)
{
	return (usec)scan_number(s, SCAN_USEC_MAX);
}

usec
scan_usec_or_never(struct scan *s)
{
	usec t = scan_number_or_none(s, SCAN_USEC_MAX);

	return t == -1 ? USEC_NEVER : t;
}

/* 16 hex digits */
uint64_t
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
uint32_t
scan_count(struct scan *s, size_t least)
{
	uint64_t n = scan_number(s, UINT32_MAX);

	if (n > ((size_t)(s->end - s->at) + 1) / least)
		s->is_bad = true;
	return s->is_bad ? 0 : (uint32_t)n;
}

bool
scan_is(struct scan *s, const char *expected)
{
	size_t len;
	const char *word = scan_word(s, &len);

	return !s->is_bad && len == strlen(expected) && memcmp(word, expected, len) == 0;
}

int
scan_close(const struct scan *s)
{
	return s->is_bad || s->at != s->end ? -1 : 0;
}
