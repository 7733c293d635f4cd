/* How much two words differ: the number of bytes to insert, drop, change, or swap with their
 * neighbour. */
#include "daemon/closest.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 256            /* longer words are near to none */

static size_t
min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* -> the distance, or any number above bound. */
static size_t
distance(const char *a, size_t a_len, const char *b, size_t b_len, size_t bound)
{
	uint16_t rows[3][WORD_MAX + 1];
	uint16_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= b_len; j++)
		above[j] = (uint16_t)j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t least = row[0] = (uint16_t)i;

		for (size_t j = 1; j <= b_len; j++) {
			size_t d = above[j - 1] + (a[i - 1] != b[j - 1]);

			d = min(d, (size_t)above[j] + 1);
			d = min(d, (size_t)row[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = min(d, (size_t)before[j - 2] + 1);
			row[j] = (uint16_t)d;
			least = min(least, d);
		}
		/* Rows only grow, but for a swap, which reaches back over two. */
		if (least > bound + 1)
			return least;
		spare = before, before = above, above = row, row = spare;
	}
	return above[b_len];
}

/* Near: at most a third of the word, so that "db" does not become "web", and at most 3. */
void
closest_try(struct closest *closest, const char *candidate)
{
	size_t len = strlen(closest->word), c_len = strlen(candidate);
	size_t bound = min(3, (len + 2) / 3), d;

	if (closest->best != NULL && closest->distance <= bound)
		bound = closest->distance - (closest->distance > 0);
	if (len > WORD_MAX || c_len > WORD_MAX || c_len > len + bound || len > c_len + bound)
		return;
	d = distance(closest->word, len, candidate, c_len, bound);
	if (d <= bound && (closest->best == NULL || d < closest->distance)) {
		closest->best = candidate;
		closest->distance = d;
	}
}
