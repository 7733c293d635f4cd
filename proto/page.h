/* The lease page: shared memory in which clients read how long they may believe in their holds.
 *
 * slotd writes it, clients have a read-only descriptor of it (HELLO page=on).  PROTOCOL.txt has the
 * layout in words, for readers in other languages.  Pure, as all of proto/. */
#ifndef PAGE_H
#define PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_MAGIC       "slotpage"     /* without a NUL */
#define PAGE_VERSION     1
#define PAGE_HEADER_SIZE 4096
#define PAGE_SHARDS      64
#define PAGE_CELLS_MAX   1000000        /* of one kind */
#define PAGE_NO_CELL     UINT32_MAX

/* Everything in the page has the byte order of the host. */
struct page_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size;   /* where the cells begin */
	uint32_t cell_size;
	uint32_t n_cells;       /* those of this slotd's holds: cell=0 to n_cells - 1 */
	uint32_t n_inherited;   /* behind them: holds of the slotds before it, for the one after it */
	uint32_t reserved;
	uint8_t boot_id[16];    /* of the kernel: a deadline of before a reboot means nothing */
	uint64_t install, generation;
	uint64_t eras[PAGE_SHARDS]; /* the last heard of each shard of the backend; 0: none */
	uint64_t high;          /* highest number that slotd's own backend has given; 0: none */
};

/* One slot that is held; one of n slots has n cells in a row.
 *
 * The writer of a new hold stores group, slot and uid, then the deadline, then the token; of one that
 * ends, token 0 before anything else is done, and then as the deadline, for the next slotd, until when
 * its slot rests, or 0; of one that is renewed, the deadline alone.  A reader loads the deadline before
 * the token, so the deadline of a later hold is never taken for its own. */
struct page_cell {
	uint64_t token;         /* 0: no hold */
	int64_t deadline;       /* CLOCK_BOOTTIME, ns */
	uint64_t group;         /* page_group_hash() of its name */
	uint32_t slot;
	uint32_t uid;           /* of the client */
};

_Static_assert(sizeof(struct page_header) <= PAGE_HEADER_SIZE, "the header has its place");
_Static_assert(sizeof(struct page_cell) == 32, "part of the contract");

/* The first of the inherited cells stands directly behind the last of the others. */
static inline struct page_cell *
page_cells(void *page)
{
	return (struct page_cell *)((char *)page + PAGE_HEADER_SIZE);
}

static inline size_t
page_size(uint32_t n_cells, uint32_t n_inherited)
{
	return PAGE_HEADER_SIZE + ((size_t)n_cells + n_inherited) * sizeof(struct page_cell);
}

/* The deadline of the hold with that token, or 0 if the cell is not (or no longer) its.  The hold is
 * proven if a clock that is read after this call has not reached it. */
static inline int64_t
page_deadline(const struct page_cell *cell, uint64_t token)
{
	int64_t deadline = __atomic_load_n(&cell->deadline, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&cell->token, __ATOMIC_ACQUIRE) == token ? deadline : 0;
}

/* FNV-1a, 64 bits, of a group's name as it is (decoded), without its NUL. */
uint64_t page_group_hash(const char *name);

/* The text of /proc/sys/kernel/random/boot_id, with or without a line end, as bytes.  False: it is
 * none. */
bool page_parse_boot_id(const char *text, size_t len, uint8_t boot_id[16]);

/* NULL if a file of that size with this header, of which there are PAGE_HEADER_SIZE bytes, is a page
 * of this boot; else what is wrong with it.  Whoever calls it has at least that many bytes. */
const char *page_check(const struct page_header *header, uint64_t size, const uint8_t boot_id[16]);

#endif
