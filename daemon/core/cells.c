/* Which cells of the lease page are free. */
#include "daemon/core/cells.h"

#include <assert.h>
#include <stdlib.h>

#define WORD_BITS 64

static bool
is_used(const struct cells *cells, uint32_t cell)
{
	return (cells->used[cell / WORD_BITS] >> cell % WORD_BITS & 1) != 0;
}

static void
mark_used(struct cells *cells, uint32_t cell)
{
	cells->used[cell / WORD_BITS] |= UINT64_C(1) << cell % WORD_BITS;
}

bool
cells_init(struct cells *cells, uint32_t n)
{
	uint32_t words = n / WORD_BITS + 1;

	*cells = (struct cells){.n = n};
	if ((cells->used = calloc(words, sizeof *cells->used)) == NULL)
		return false;
	for (uint32_t cell = n; cell < words * WORD_BITS; cell++)
		mark_used(cells, cell);
	return true;
}

void
cells_fini(struct cells *cells)
{
	free(cells->used);
	cells->used = NULL;
}

/* Goes round once, and n further: a run may lie across the place where it began. */
uint32_t
cells_take(struct cells *cells, uint32_t n)
{
	uint32_t at = cells->next, run = 0, seen = 0;

	if (n > cells->n - cells->n_used)
		return CELL_NONE;
	while (seen < cells->n + n) {
		if (at >= cells->n)
			at = run = 0;
		if (at % WORD_BITS == 0 && cells->used[at / WORD_BITS] == UINT64_MAX) {
			run = 0;
			seen += cells->n - at < WORD_BITS ? cells->n - at : WORD_BITS;
			at += WORD_BITS;
			continue;
		}
		run = is_used(cells, at) ? 0 : run + 1;
		at++;
		seen++;
		if (run < n)
			continue;
		for (uint32_t cell = at - n; cell < at; cell++)
			mark_used(cells, cell);
		cells->n_used += n;
		cells->next = at;
		return at - n;
	}
	return CELL_NONE;
}

void
cells_give_back(struct cells *cells, uint32_t cell)
{
	assert(cell < cells->n && is_used(cells, cell));
	cells->used[cell / WORD_BITS] &= ~(UINT64_C(1) << cell % WORD_BITS);
	cells->n_used--;
}
