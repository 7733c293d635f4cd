/* An arena: memory that does not move and is given back all at once. */
#include "daemon/core/alloc.h"

#include <stdalign.h>
#include <stdint.h>

#define CHUNK_SIZE ((size_t)16384)

struct arena_chunk {
	struct arena_chunk *older;
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

void *
arena_take(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunk;
	void *p;

	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (chunk == NULL || chunk->size - arena->used < size) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;

		chunk = alloc_resize(NULL, sizeof *chunk + room);
		chunk->older = arena->chunk;
		chunk->size = room;
		arena->chunk = chunk;
		arena->used = 0;
	}
	p = chunk->bytes + arena->used;
	arena->used += size;
	return p;
}

/* Keeps the newest chunk unless it was made for something large: the next step will need one. */
void
arena_reset(struct arena *arena)
{
	struct arena_chunk *keep = arena->chunk;

	if (keep != NULL && keep->size == CHUNK_SIZE) {
		arena->chunk = keep->older;
		keep->older = NULL;
	} else {
		keep = NULL;
	}
	arena_fini(arena);
	arena->chunk = keep;
}

void
arena_fini(struct arena *arena)
{
	while (arena->chunk != NULL) {
		struct arena_chunk *older = arena->chunk->older;

		free(arena->chunk);
		arena->chunk = older;
	}
	arena->used = 0;
}
