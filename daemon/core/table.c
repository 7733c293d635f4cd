/* A hash table of things that embed a node each. */
#include "daemon/core/table.h"

#include <assert.h>
#include <stdlib.h>

#define LENGTH_MAX 2            /* of a chain, on average */
#define FIRST_BITS 3            /* of the first array; until there are as many, one chain will do */

/* Fibonacci hashing: numbers that are given in a row are spread evenly, and so are hashes. */
static size_t
place(uint64_t key, unsigned bits)
{
	return (size_t)(key * 0x9e3779b97f4a7c15 >> (64 - bits));
}

static struct table_node *
chain_at(const struct table *table, size_t i)
{
	return table->bits == 0 ? table->chains.one : table->chains.many[i];
}

static size_t
chain_of(const struct table *table, uint64_t key)
{
	return table->bits == 0 ? 0 : place(key, table->bits);
}

static struct table_node **
chain_ref(struct table *table, uint64_t key)
{
	return table->bits == 0 ? &table->chains.one : &table->chains.many[place(key, table->bits)];
}

static struct table_node *
node_of(const struct table *table, const void *item)
{
	return (struct table_node *)((char *)item + table->offset);
}

static void *
item_of(const struct table *table, struct table_node *node)
{
	return node != NULL ? (char *)node - table->offset : NULL;
}

/* From the i-th chain on. */
static struct table_node *
first_from(const struct table *table, size_t i)
{
	struct table_node *node = NULL;

	for (; node == NULL && i < (size_t)1 << table->bits; i++)
		node = chain_at(table, i);
	return node;
}

static void
grow(struct table *table)
{
	unsigned bits = table->bits == 0 ? FIRST_BITS : table->bits + 1u;
	struct table_node **many = calloc((size_t)1 << bits, sizeof *many);

	if (many == NULL)
		return;
	for (size_t i = 0; i < (size_t)1 << table->bits; i++) {
		struct table_node *node = chain_at(table, i), *next;

		for (; node != NULL; node = next) {
			size_t to = place(node->key, bits);

			next = node->next;
			node->next = many[to];
			many[to] = node;
		}
	}
	if (table->bits != 0)
		free(table->chains.many);
	table->chains.many = many;
	table->bits = (uint8_t)bits;
}

void
table_add(struct table *table, void *item, uint64_t key)
{
	struct table_node *node = node_of(table, item), **chain;

	if (table->n >= (table->bits == 0 ? 1u << FIRST_BITS : (uint32_t)LENGTH_MAX << table->bits))
		grow(table);
	chain = chain_ref(table, key);
	node->key = key;
	node->next = *chain;
	*chain = node;
	table->n++;
}

void
table_remove(struct table *table, void *item)
{
	struct table_node *node = node_of(table, item), **ref = chain_ref(table, node->key);

	while (*ref != node) {
		assert(*ref != NULL);
		ref = &(*ref)->next;
	}
	*ref = node->next;
	if (--table->n > 0 || table->bits == 0)
		return;
	free(table->chains.many);
	table->chains.one = NULL;
	table->bits = 0;
}

static void *
find_from(const struct table *table, struct table_node *node, uint64_t key)
{
	while (node != NULL && node->key != key)
		node = node->next;
	return item_of(table, node);
}

void *
table_find(const struct table *table, uint64_t key)
{
	return find_from(table, chain_at(table, chain_of(table, key)), key);
}

void *
table_find_next(const struct table *table, const void *item)
{
	const struct table_node *node = node_of(table, item);

	return find_from(table, node->next, node->key);
}

void *
table_first(const struct table *table)
{
	return item_of(table, first_from(table, 0));
}

void *
table_next(const struct table *table, const void *item)
{
	const struct table_node *node = node_of(table, item);

	return item_of(table, node->next != NULL ? node->next :
	    first_from(table, chain_of(table, node->key) + 1));
}
