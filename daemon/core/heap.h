/* A binary heap whose elements know their place, so that any of them can be moved or removed.
 *
 * A node is embedded in what it orders; the heap never frees it.  `before` says which of two comes
 * out first and must be a strict order.  Each operation is O(log n), heap_first O(1). */
#ifndef HEAP_H
#define HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint32_t pos;           /* 1-based; 0: in no heap */
};

struct heap {
	struct heap_node **v;
	uint32_t n, cap;
	bool (*before)(const struct heap_node *a, const struct heap_node *b);
};

#define HEAP_OF(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

void heap_init(struct heap *heap, bool (*before)(const struct heap_node *, const struct heap_node *));
void heap_fini(struct heap *heap);
void heap_add(struct heap *heap, struct heap_node *node);       /* node is in no heap */
void heap_remove(struct heap *heap, struct heap_node *node);    /* node is in this heap */
void heap_moved(struct heap *heap, struct heap_node *node);     /* its key has changed */

static inline bool
heap_has(const struct heap_node *node)
{
	return node->pos != 0;
}

static inline struct heap_node *
heap_first(const struct heap *heap)
{
	return heap->n > 0 ? heap->v[0] : NULL;
}

/* The first one that is not `other`. */
static inline struct heap_node *
heap_first_but(const struct heap *heap, const struct heap_node *other)
{
	if (heap->n == 0 || heap->v[0] != other)
		return heap_first(heap);
	if (heap->n <= 2)
		return heap->n == 2 ? heap->v[1] : NULL;
	return heap->before(heap->v[1], heap->v[2]) ? heap->v[1] : heap->v[2];
}

#endif
