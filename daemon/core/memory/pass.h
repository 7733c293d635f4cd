/* One exchange on its way through the memory backend.  Private to this folder.
 *
 * memory.c opens the pass (time, era, admission, lease), inherit.c fills a new group with what
 * was held before, sync.c hears what the daemon says, serve.c decides what that makes possible, out.c
 * says it to whom it concerns. */
#ifndef MEMORY_PASS_H
#define MEMORY_PASS_H

#include "daemon/core/alloc.h"
#include "daemon/core/live.h"
#include "daemon/core/memory/memory.h"
#include "daemon/core/memory/group.h"
#include "daemon/core/rules.h"

#define ERAS_MAX 16

#define CLOCK_ENDED INT64_MAX

struct marker {
	bool exists;
	uint64_t sid;
	uint64_t eras[ERAS_MAX];        /* the newest last */
	uint32_t n_eras;
	enum xch_began began;           /* how the last era did */
	usec clock;                     /* since the last era began; CLOCK_ENDED: its grace is over */
	usec looked;                    /* the server's time then */
};

/* See mem_inherit(). */
struct inherited {
	struct xch_daemon from;
	uint64_t group;
	struct xch_slot slot;
	usec until;
};

struct mem {
	struct table groups;            /* by name */
	struct inherited *inherited;    /* of groups that nobody has named yet */
	size_t n_inherited, cap_inherited;
	TAILQ_HEAD(, mem_group) sweep;  /* where to look for groups to forget */
	struct marker marker;
	struct lives lives;
	uint64_t sid;
	uint64_t n_eras_made;
	usec longest_lease;
	uint64_t last_forgotten;        /* highest number of a group that is forgotten, or of before */
	bool keeps_all, is_steady;

	struct arena arena;             /* what the reply and the pushes point to */
	struct xch_reply reply;
	struct xch_grant *granted;
	struct xch_slot *lost;
	uint64_t *full, *refused;
	struct xch_push *pushes;
	uint32_t n_pushes;
	size_t cap_granted, cap_lost, cap_full, cap_refused, cap_pushes;
};

/* One exchange on its way through the steps. */
struct pass {
	struct mem *mem;
	struct mem_group *g;
	struct mem_record *rec;         /* of the daemon that asks */
	const struct xch_request *q;
	bool grace;
	int64_t live;                   /* limit, or XCH_NO_LIMIT */
	usec live_left;                 /* how long it stays so; or USEC_NEVER */
};

/* ---- inherit.c: what was held before */
void pass_inherit(struct pass *p, usec now);    /* the group has just been named for the first time */

/* ---- sync.c: what the daemon says */
void pass_sync(struct pass *p);
void pass_deltas(struct pass *p);
void pass_adopt(struct pass *p);

/* ---- serve.c: who is served, and who must know of whom */
void pass_serve(struct pass *p);
void pass_now_or_never(struct pass *p);
void pass_recall(struct pass *p);
uint32_t pass_others_queued(const struct mem_group *g, const struct mem_record *r);

/* ---- out.c: the reply, inboxes, pushes */
void pass_deliver(struct pass *p);
void pass_reply(struct pass *p);
void pass_reply_granted(struct mem *m, uint64_t id, uint32_t n, const uint32_t *slots, uint64_t number,
    uint32_t limit);
void pass_reply_lost(struct mem *m, struct xch_slot slot);
void pass_reply_full(struct mem *m, uint64_t id);
void pass_reply_refused(struct mem *m, uint64_t id);
struct xch_push *pass_push_new(struct pass *p, const struct mem_record *to, enum xch_push_type type);
void pass_notify_grant(struct pass *p, struct mem_record *to, const struct xch_grant *grant);
void pass_notify_full(struct pass *p, struct mem_record *to, uint64_t id);
void pass_notify_lost(struct pass *p, const struct mem_slot *s);

#endif
