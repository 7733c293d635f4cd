/* Which cells of the lease page are free.
 *
 * The search goes on from where it last ended, so a cell rests as long as it can before it is
 * another hold's. */
#ifndef CELLS_H
#define CELLS_H

#include <stdbool.h>
#include <stdint.h>

#define CELL_NONE UINT32_MAX

struct cells {
	uint64_t *used;         /* bit per cell, and those beyond the last are set; owned */
	uint32_t n, n_used;
	uint32_t next;          /* where the search begins */
};

bool cells_init(struct cells *cells, uint32_t n);       /* false: no memory */
void cells_fini(struct cells *cells);

/* -> the first of n in a row, or CELL_NONE */
uint32_t cells_take(struct cells *cells, uint32_t n);
void cells_give_back(struct cells *cells, uint32_t cell);

#endif
