/* Rows: what there is to say of each group that is counted apart, and of all others together. */
#ifndef METRICS_ROWS_H
#define METRICS_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/tally.h"
#include "daemon/metrics/exposition.h"

struct server;

struct row {
	const struct tally *tally;
	bool is_known;          /* the arbiter knows the group, or any of those together */
	int64_t limit;          /* -1: none is known, or it is many groups */
	bool is_live, is_paused;        /* it is one that an operator has set; it is a pause */
	uint32_t held, idle, ending, unproven, open, waiting;
	uint32_t in_use, n_differs; /* as last heard */
	nsec oldest;            /* has waited so long; 0: nobody waits */
	char labels[EXPOSITION_LABELS_MAX];     /* group="..." */
};

struct rows {
	nsec now;
	uint32_t n;
	struct row *rows;       /* by the tally's index; owned */
};

bool rows_make(struct rows *rows, const struct server *server);         /* false: no memory */
void rows_free(struct rows *rows);

#endif
