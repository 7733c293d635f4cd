/* What the memory backend keeps for one group: slots, records, queue, inboxes.
 *
 * Private to memory*.c.  Every operation is O(log n) in slots, waiters and daemons. */
#ifndef MEMORY_GROUP_H
#define MEMORY_GROUP_H

#include <sys/queue.h>

#include "daemon/core/exchange.h"
#include "daemon/core/heap.h"
#include "daemon/core/table.h"

/* A slot number that has been used: owned, or waiting among the free ones. */
struct mem_slot {
	struct heap_node free;          /* in group->free while rec is NULL */
	struct mem_record *rec;         /* its owner, or NULL */
	uint64_t number;                /* of its grant */
	uint64_t synced;                /* seq of the full sync that named it */
	uint32_t slot;
	LIST_ENTRY(mem_slot) owned;     /* in rec->slots */
};

/* Waiters with the same own and configured limit; they are served in order. */
struct mem_class {
	int64_t own, configured;
	struct heap entries;            /* by (key, daemon, id) */
	uint32_t n_passed;              /* entries that are out of the heap for a moment */
	LIST_ENTRY(mem_class) link;
};

struct mem_entry {
	struct heap_node node;          /* in cls->entries */
	struct mem_class *cls;
	struct mem_record *rec;
	uint64_t id;
	usec key;                       /* when it asked, in the group's clock */
	uint32_t n;
	bool now;
	uint64_t synced;
	struct table_node by_id;        /* rec->entries */
	TAILQ_ENTRY(mem_entry) nows;    /* group->nows, if now */
	TAILQ_ENTRY(mem_entry) rec_nows;
};

struct mem_notice {
	enum xch_push_type type;        /* XCH_GRANT, XCH_FULL, XCH_LOST */
	struct xch_grant grant;         /* its slots stand behind the notice */
	struct xch_slot slot;
	uint64_t id;
	TAILQ_ENTRY(mem_notice) link;
};

/* All daemons of one install that are on record in a group. */
struct mem_install {
	uint64_t generation, nonce;     /* of the latest */
	LIST_HEAD(, mem_record) records;
	struct table_node by_install;   /* group->installs */
};

/* Where a daemon may stand out by how it is configured. */
enum mem_extreme { SHORT_LEASE, LONG_LEASE, LOW_LIMIT, HIGH_LIMIT, N_EXTREMES };

/* What is known of one daemon in one group. */
struct mem_record {
	struct xch_daemon id;
	struct mem_install *install;
	usec end, lease;
	int64_t limit;                  /* configured there, or XCH_NO_LIMIT */
	char host[XCH_HOST_MAX + 1];
	uint64_t seq, incarnation;
	usec aware;                     /* knows until then that others wait; USEC_NEVER: without end */
	usec recall;                    /* may be recalled (again) from then on */
	bool keep;
	bool dead;                      /* a later daemon of its install has been here */
	uint32_t n_slots, n_entries;
	LIST_HEAD(, mem_slot) slots;
	struct table entries;
	TAILQ_HEAD(, mem_entry) nows;
	TAILQ_HEAD(, mem_notice) inbox;
	struct heap_node by_end;        /* group->ends */
	struct heap_node by_extreme[N_EXTREMES]; /* group->extremes; by limit only with one */
	struct heap_node by_aware;      /* group->unaware: living, with slots */
	struct heap_node by_recall;     /* group->recalls: those that may have idle slots to recall */
	LIST_ENTRY(mem_record) same;    /* install->records */
	struct table_node by_daemon;    /* group->records */
};

struct mem_group {
	char *name;
	uint64_t era;
	usec gt;                        /* the group's own clock: only ever advances */
	usec wall;                      /* the server's time at the last exchange */
	usec grace_end;                 /* in gt */
	usec hot_until;                 /* in gt */
	uint64_t last;                  /* highest number given or heard of */
	struct mem_slot **slots;        /* [slot - 1], for every number that was ever used */
	uint32_t n_slots, in_use;
	size_t cap_slots;
	struct heap free;               /* slots below the high-water mark that nobody owns */
	struct table records, installs;
	struct heap ends, unaware, recalls;
	struct heap extremes[N_EXTREMES];
	LIST_HEAD(, mem_class) classes; /* only those with entries */
	TAILQ_HEAD(, mem_entry) nows;
	uint32_t n_queued;
	TAILQ_ENTRY(mem_group) link;    /* mem->sweep */
	struct table_node by_name;      /* mem->groups */
};

struct mem_group *mem_group_new(const char *name);
void mem_group_free(struct mem_group *g);
struct mem_group *mem_group_clone(struct mem_group *g);

int mem_daemon_cmp(const struct xch_daemon *a, const struct xch_daemon *b);

/* Slots: NULL if nobody owns it. */
struct mem_slot *mem_slot_find(const struct mem_group *g, uint32_t slot);
void mem_slot_take(struct mem_group *g, uint32_t slot, struct mem_record *rec, uint64_t number);
uint32_t mem_slot_lowest(struct mem_group *g);
void mem_slot_free(struct mem_group *g, struct mem_slot *s);

struct mem_record *mem_record_find(struct mem_group *g, const struct xch_daemon *id);
struct mem_record *mem_record_new(struct mem_group *g, const struct xch_daemon *id);
/* Its slots are free, its queue entries and inbox gone; and it. */
void mem_record_free(struct mem_group *g, struct mem_record *rec);
/* Puts it where its end, slots and awareness say; after any change of those. */
void mem_record_place(struct mem_group *g, struct mem_record *rec);
/* What it is configured with; host is not NULL. */
void mem_record_configure(struct mem_group *g, struct mem_record *rec, usec lease, int64_t limit,
    const char *host);
/* The first at this extreme; NULL: nobody has such a value. */
struct mem_record *mem_record_extreme(const struct mem_group *g, enum mem_extreme extreme);
void mem_record_leave_queue(struct mem_group *g, struct mem_record *rec);

/* Queues a want, or changes the one that is queued already; it keeps its key unless rekey. */
void mem_entry_put(struct mem_group *g, struct mem_record *rec, const struct xch_want *want,
    int64_t configured, bool rekey, uint64_t synced);
void mem_entry_free(struct mem_group *g, struct mem_entry *e);

/* The notice is appended to the inbox and owned by it. */
struct mem_notice *mem_notice_new(struct mem_record *rec, enum xch_push_type type, uint32_t n_slots);
void mem_notice_free(struct mem_record *rec, struct mem_notice *notice);
void mem_inbox_clear(struct mem_record *rec);

#endif
