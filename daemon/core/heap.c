/* A binary heap whose elements know their place. */
#include "daemon/core/heap.h"

#include <assert.h>

#include "daemon/core/alloc.h"

void
heap_init(struct heap *heap, bool (*before)(const struct heap_node *, const struct heap_node *))
{
	*heap = (struct heap){.before = before};
}

void
heap_fini(struct heap *heap)
{
	free(heap->v);
	heap->v = NULL;
	heap->n = heap->cap = 0;
}

static void
put(struct heap *heap, size_t i, struct heap_node *node)
{
	heap->v[i] = node;
	node->pos = (uint32_t)(i + 1);
}

static void
sift_up(struct heap *heap, size_t i, struct heap_node *node)
{
	while (i > 0 && heap->before(node, heap->v[(i - 1) / 2])) {
		put(heap, i, heap->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(heap, i, node);
}

static void
sift_down(struct heap *heap, size_t i, struct heap_node *node)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n && heap->before(heap->v[child + 1], heap->v[child]))
			child++;
		if (!heap->before(heap->v[child], node))
			break;
		put(heap, i, heap->v[child]);
		i = child;
	}
	put(heap, i, node);
}

static void
settle(struct heap *heap, size_t i, struct heap_node *node)
{
	if (i > 0 && heap->before(node, heap->v[(i - 1) / 2]))
		sift_up(heap, i, node);
	else
		sift_down(heap, i, node);
}

void
heap_add(struct heap *heap, struct heap_node *node)
{
	assert(!heap_has(node));
	ALLOC_ROOM(heap->v, heap->n, heap->cap, 1);
	heap->n++;
	sift_up(heap, heap->n - 1, node);
}

void
heap_remove(struct heap *heap, struct heap_node *node)
{
	size_t i = node->pos - 1;
	struct heap_node *last;

	assert(heap_has(node) && heap->v[i] == node);
	node->pos = 0;
	last = heap->v[--heap->n];
	if (last != node)
		settle(heap, i, last);
}

void
heap_moved(struct heap *heap, struct heap_node *node)
{
	assert(heap_has(node) && heap->v[node->pos - 1] == node);
	settle(heap, node->pos - 1, node);
}
