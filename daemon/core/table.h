/* A hash table of things that embed a node each and are known by a number, or by the key of their
 * name: then more than one may have the same key, and the caller compares.
 *
 * The table never frees what is in it.  A few need no memory but their own; more of them take an
 * array that is given back with the last.  Where there is no memory for a larger one, finding takes
 * longer, so nothing here can fail.  The order of a walk says nothing; the item that it is at may be
 * removed. */
#ifndef TABLE_H
#define TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
	struct table_node *next;        /* in its chain */
	uint64_t key;
};

struct table {
	union {
		struct table_node *one; /* bits is 0: the only chain */
		struct table_node **many; /* 1 << bits of them; owned */
	} chains;
	uint32_t n;
	uint16_t offset;                /* of the node in an item */
	uint8_t bits;
};

/* For items of that type, by that member. */
#define TABLE_OF(type, member) ((struct table){.offset = offsetof(type, member)})

void table_add(struct table *table, void *item, uint64_t key);
void table_remove(struct table *table, void *item);

/* NULL: none. */
void *table_find(const struct table *table, uint64_t key);
void *table_find_next(const struct table *table, const void *item); /* another one with its key */

void *table_first(const struct table *table);
void *table_next(const struct table *table, const void *item);

/* Nothing may be added meanwhile, and nothing removed but `item`. */
#define TABLE_FOREACH(item, after, table)                                                       \
	for ((item) = table_first(table);                                                       \
	    (item) != NULL && ((after) = table_next((table), (item)), 1); (item) = (after))

#endif
