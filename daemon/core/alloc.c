/* Memory that must not fail: behind it stands a reserve. */
#include "daemon/core/alloc.h"

#include <stdio.h>

/* For what is under way to come to its end: some thousands of slots, timers and answers. */
#define RESERVE_SIZE ((size_t)1 << 20)

static void *reserve;

bool
alloc_is_short(void)
{
	if (reserve == NULL)
		reserve = malloc(RESERVE_SIZE);
	return reserve == NULL;
}

void *
alloc_try(void *p, size_t size)
{
	void *resized = realloc(p, size);

	if (resized == NULL && reserve != NULL) {
		free(reserve);
		reserve = NULL;
		resized = realloc(p, size);
	}
	return resized;
}

void *
alloc_resize(void *p, size_t size)
{
	void *resized = alloc_try(p, size);

	if (resized == NULL) {
		fprintf(stderr, "slotd: no memory for %zu bytes more, and no reserve is left\n", size);
		abort();
	}
	return resized;
}

void *
alloc_new(size_t size)
{
	return alloc_resize(NULL, size);
}
