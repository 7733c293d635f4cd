/* A rig for arbiters under test: some daemons, one memory backend, a clock that tests move.
 *
 * Exchanges are answered and pushes delivered at once, unless the test holds them back.  Every
 * request's answer is kept; after each step every invariant of the arbiter is checked. */
#ifndef RIG_H
#define RIG_H

#include <check.h>

#include "daemon/core/arbiter.h"
#include "daemon/core/memory/memory.h"

#define RIG_DAEMONS 3
#define RIG_REQUESTS 4096
#define RIG_LOSTS 256
#define RIG_CELLS 1000
#define MS NSEC_MS

struct rig_answer {
	bool is_there;
	enum wire_code code;
	uint32_t n_slots, slots[XCH_N_MAX];
	uint64_t token;
	uint32_t limit, n, m, cell;
	const char *why;
	nsec waited, at;
};

struct rig {
	struct arb *arb[RIG_DAEMONS];
	struct mem *mem;
	nsec now;
	uint64_t next_request;
	bool hold_exchanges;            /* ARB_EXCHANGE actions wait for rig_exchange() */
	bool lose_pushes;
	const struct xch_request *held[RIG_DAEMONS];
	unsigned exchanges, hang_ups, recalls, cells_set, cells_ended, unproven, kept, differs;
	struct rig_answer answers[RIG_REQUESTS];
	struct {
		uint64_t client, token;
		uint32_t slot;
		enum arb_lost reason;
		nsec at;
	} losts[RIG_LOSTS];
	unsigned n_losts;
	struct rig_cell {
		uint64_t token;
		nsec deadline;
		uint32_t slot, uid;
	} cells[RIG_DAEMONS][RIG_CELLS]; /* the lease pages */
};

/* The defaults of slotd; sole is false. */
struct arb_conf rig_conf(void);
struct rig *rig_new(unsigned daemons, const struct arb_conf *conf);
void rig_free(struct rig *r);

void rig_step(struct rig *r, unsigned d, struct arb_event *e);
void rig_advance(struct rig *r, nsec by);       /* ticks at each deadline on the way */
void rig_exchange(struct rig *r, unsigned d);   /* what was held back */

void rig_open(struct rig *r, unsigned d, uint64_t client);
void rig_strict(struct rig *r, unsigned d, uint64_t client, bool strict);
void rig_gone(struct rig *r, unsigned d, uint64_t client);
/* -> the request's number.  wait in ns. */
uint64_t rig_acquire(struct rig *r, unsigned d, uint64_t client, const char *group, int64_t limit,
    uint32_t n, nsec wait);
uint64_t rig_acquire_as(struct rig *r, unsigned d, uint64_t client, struct arb_acquire a);
uint64_t rig_release(struct rig *r, unsigned d, uint64_t client, const char *group, uint32_t slot,
    uint64_t token);
void rig_link(struct rig *r, unsigned d, bool up);

/* The answer to a request; fails the test if it is not (yet) there. */
const struct rig_answer *rig_answer(struct rig *r, uint64_t request);
bool rig_waits(struct rig *r, uint64_t request);

#define rig_expect_slot(r, request, slot) do {                                                   \
		const struct rig_answer *a_ = rig_answer(r, request);                            \
		ck_assert_msg(a_->code == WIRE_OK, "ERR %s", wire_code_word(a_->code));          \
		ck_assert_uint_eq(a_->slots[0], slot);                                           \
	} while (0)
#define rig_expect_error(r, request, want) do {                                                  \
		const struct rig_answer *a_ = rig_answer(r, request);                            \
		ck_assert_str_eq(wire_code_word(a_->code), wire_code_word(want));                \
	} while (0)

#endif
