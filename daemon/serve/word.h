/* The values of words in answers: "-" where there is none. */
#ifndef WORD_H
#define WORD_H

#include <stdbool.h>
#include <stdio.h>

struct word {
	char text[24];
};

static inline struct word
number_or_dash(bool is_known, long long value)
{
	struct word word = {"-"};

	if (is_known)
		snprintf(word.text, sizeof word.text, "%lld", value);
	return word;
}

#endif
