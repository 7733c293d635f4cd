/* Rows: what there is to say of each group that is counted apart, and of all others together. */
#include "daemon/metrics/rows.h"

#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/loop.h"
#include "daemon/serve/live.h"
#include "daemon/serve/report.h"
#include "daemon/serve/server.h"

static void
add_group(void *arg, const struct arb_group_status *status)
{
	struct rows *rows = arg;
	struct row *row = &rows->rows[status->tally->index];
	nsec waited = status->waiting > 0 ? rows->now - status->oldest : 0;

	row->is_known = true;
	row->held += status->held;
	row->idle += status->idle;
	row->ending += status->ending;
	row->unproven += status->unproven;
	row->open += status->open;
	row->waiting += status->waiting;
	row->in_use += status->in_use;
	row->n_differs += status->n_differs;
	if (waited > row->oldest)
		row->oldest = waited;
}

bool
rows_make(struct rows *rows, const struct server *server)
{
	struct tallies *tallies = loop_tallies(server->loop);
	const struct arb *arb = loop_arb(server->loop);
	struct arb_group_status status;
	const struct tally *tally;
	struct live_view live;
	const char *from;

	*rows = (struct rows){.now = clock_now(), .n = tallies->n};
	if ((rows->rows = calloc(tallies->n, sizeof *rows->rows)) == NULL)
		return false;
	STAILQ_FOREACH (tally, &tallies->all, next) {
		struct row *row = &rows->rows[tally->index];

		row->tally = tally;
		row->limit = -1;
		label_add(row->labels, "group", tally->name);
		if (tally == &tallies->other)
			continue;
		arb_status(arb, tally->name, &status);
		row->limit = report_limit(server, &status, &from);
		live = live_view(server, tally->name);
		row->is_live = live.counts != NULL;
		row->is_paused = live.pause != NULL;
	}
	arb_groups(arb, add_group, rows);
	return true;
}

void
rows_free(struct rows *rows)
{
	free(rows->rows);
}
