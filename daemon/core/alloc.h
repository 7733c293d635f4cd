/* Memory for the daemon's bookkeeping: growable arrays, and an arena that is emptied at each step.
 *
 * Where one request can be refused its memory, calloc() is called directly and ERR nomem is the
 * answer.  What stands here is for the rest, where there is nobody left to tell: a grant that has
 * arrived, a timer, an answer.  A reserve is kept for that.  While it is used up, new clients and
 * requests are refused (alloc_is_short), so that what is held can be kept and given back.  When it
 * does not suffice either, what one client needs ends that client, all else ends slotd, loudly. */
#ifndef ALLOC_H
#define ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* realloc(), with the reserve behind it; NULL: even that does not suffice. */
void *alloc_try(void *p, size_t size);

/* Never NULL. */
void *alloc_new(size_t size);
void *alloc_resize(void *p, size_t size);

/* True if the reserve is used up, and cannot be had again. */
bool alloc_is_short(void);

/* Makes room in v (n used of cap) for `more` further elements. */
#define ALLOC_ROOM(v, n, cap, more)                                                             \
	do {                                                                                    \
		if ((size_t)(n) + (more) > (cap)) {                                             \
			(cap) = ((size_t)(n) + (more)) * 2;                                     \
			(v) = alloc_resize((v), (cap) * sizeof *(v));                           \
		}                                                                               \
	} while (0)

/* Hands out memory that does not move and is given back all at once. */
struct arena_chunk;

struct arena {
	struct arena_chunk *chunk;      /* the newest; older ones behind it */
	size_t used;
};

void *arena_take(struct arena *arena, size_t size);     /* aligned for anything */
void arena_reset(struct arena *arena);
void arena_fini(struct arena *arena);

#endif
