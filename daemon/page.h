/* The lease page: the file beside the socket in which clients read how long they may believe.
 *
 * Made new at each start.  The holds that the one before it still vouches for are copied as
 * inherited: that is how their clients can RESUME them.  See proto/page.h for what stands in it. */
#ifndef DAEMON_PAGE_H
#define DAEMON_PAGE_H

#include "daemon/core/arbiter.h"
#include "proto/page.h"

struct page;

/* Makes <socket>.page.  Where that is not possible, says so; the page is then in memory of our own,
 * works as the other, and has no descriptor: clients are raw ones.  Never NULL.  Only for one who
 * has the socket's lock. */
struct page *page_new(const char *socket, const struct xch_daemon *self, uint32_t n_cells);

/* Another one under a new identity, in its place: nothing of the old is inherited but the eras and the highest number. */
void page_renew(struct page *page, const struct xch_daemon *self);

void page_free(struct page *page);      /* the file stays */

/* For clients, read-only; -1: there is none. */
int page_fd(const struct page *page);

/* Writes the cells of n slots of one hold, or their new deadline.  If an inherited cell stands for
 * such a slot it is over: whoever has the slot now speaks for it. */
void page_set(struct page *page, uint32_t cell, const char *group, uint32_t n, const uint32_t *slots,
    uint64_t token, uint32_t uid, nsec deadline);
/* rest: until when the slots are nobody's; 0: they are free.  The next slotd hears of that, unless the
 * cells are another hold's by then. */
void page_end(struct page *page, uint32_t cell, uint32_t n, nsec rest);

/* Until when the hold of just these slots is inherited, that client's; 0: it is not. */
nsec page_inherited_until(const struct page *page, const char *group, uint32_t n,
    const uint32_t *slots, uint64_t token, uint32_t uid);

/* All that is inherited, by group and slot, one cell for each; and from whom.  Slots that rest until
 * the deadline have a cell with token 0. */
const struct page_cell *page_inherited(const struct page *page, uint32_t *n,
    struct xch_daemon *from);

/* PAGE_SHARDS numbers, which stay from one start to the next: the backend's to read and write. */
uint64_t *page_eras(struct page *page);

/* Another such number: the highest of a grant that the backend in memory has made. */
uint64_t *page_high(struct page *page);

#endif
