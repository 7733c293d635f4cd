/* How much two words differ, for "did you mean". */
#ifndef CLOSEST_H
#define CLOSEST_H

#include <stddef.h>

/* The most similar word so far; set word to what was not found, the rest to 0. */
struct closest {
	const char *word;
	const char *best;       /* borrowed; NULL: nothing is near */
	size_t distance;        /* of best */
};

/* Takes candidate as the best if it is near and nearer than the best so far. */
void closest_try(struct closest *closest, const char *candidate);

#endif
