/* The indexed heap against a plain search, under random adds, removes and moves. */
#include "tests/unit/core/suites.h"

#include "daemon/core/heap.h"

struct item {
	struct heap_node node;
	unsigned key;
};

static bool
item_before(const struct heap_node *a, const struct heap_node *b)
{
	return HEAP_OF(a, struct item, node)->key < HEAP_OF(b, struct item, node)->key;
}

static unsigned
lowest(const struct item *v, unsigned n, const struct item *but)
{
	unsigned best = ~0u;

	for (unsigned i = 0; i < n; i++)
		if (heap_has(&v[i].node) && &v[i] != but && v[i].key < best)
			best = v[i].key;
	return best;
}

static unsigned
key_of(const struct heap_node *node)
{
	return node != NULL ? HEAP_OF(node, const struct item, node)->key : ~0u;
}

START_TEST(random_use)
{
	enum { N = 60 };
	struct item v[N] = {{{0}, 0}};
	struct heap heap;
	uint32_t x = 12345;

	heap_init(&heap, item_before);
	for (int round = 0; round < 50000; round++) {
		struct item *it;

		x = x * 1664525 + 1013904223;
		it = &v[(x >> 8) % N];
		if (!heap_has(&it->node)) {
			it->key = x >> 20;
			heap_add(&heap, &it->node);
		} else if (x >> 31) {
			heap_remove(&heap, &it->node);
		} else {
			it->key = x >> 20;
			heap_moved(&heap, &it->node);
		}
		ck_assert_uint_eq(key_of(heap_first(&heap)), lowest(v, N, NULL));
		ck_assert_uint_eq(key_of(heap_first_but(&heap, &it->node)), lowest(v, N, it));
	}
	heap_fini(&heap);
}
END_TEST

Suite *
heap_suite(void)
{
	Suite *s = suite_create("heap");
	TCase *tc = tcase_create("heap");

	tcase_add_test(tc, random_use);
	suite_add_tcase(s, tc);
	return s;
}
