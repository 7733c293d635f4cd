/* What is asked of both backends: made up at random by daemons that mostly behave.
 *
 * A daemon of the plan believes what it is told, so that its requests make sense; and now and then
 * it claims, releases, cancels or adopts what is not its own, repeats itself, comes late, comes
 * back as its own successor, or loses a reply.  The server's clock steps, and it forgets. */
#ifndef DIFF_PLAN_H
#define DIFF_PLAN_H

#include "daemon/core/live.h"

struct plan;

enum plan_what {
	PLAN_EXCHANGE, /* request */
	PLAN_TOUCH, /* request's from, era, grace, at the shard of its group */
	PLAN_END, /* the same, and the grace ends */
	PLAN_LIVE, /* request's limit is the live limit of its group now, or pauses it */
	PLAN_SERVER, /* it is another process, sid, with the same data */
	PLAN_FLUSH, /* and without data */
};

struct plan_step {
	enum plan_what what;
	usec now;
	uint64_t sid;
	struct xch_request request;
	enum live_kind kind;    /* PLAN_LIVE */
	usec length;
};

struct plan *plan_new(uint64_t seed);
void plan_free(struct plan *plan);

/* The step lives until the next one. */
const struct plan_step *plan_next(struct plan *plan);
/* What came of it, if it was an exchange. */
void plan_heard(struct plan *plan, const struct xch_reply *reply, const struct xch_push *pushes,
    uint32_t n_pushes);

#endif
