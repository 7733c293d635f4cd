/* The memory backend: the whole exchange in plain C.
 *
 * It answers slotd when no Redis is configured, stands for the server in the simulator, and is the
 * executable specification of the Redis script.  Pure: the server's time and identity are given
 * from outside. */
#ifndef MEMORY_H
#define MEMORY_H

#include "daemon/core/live.h"

struct mem;

struct mem *mem_new(void);
void mem_free(struct mem *mem);

/* What the server is: its process (a new id at each start that may have lost data). */
void mem_set_identity(struct mem *mem, uint64_t sid);

/* The server's clock never steps: the clocks of groups follow it, however long nobody has spoken. */
void mem_set_steady(struct mem *mem);

/* The highest number that was given before it was there: with the server's clock set back since, its
 * own would be lower. */
void mem_set_high(struct mem *mem, uint64_t number);

/* Never forgets a group in which nothing is left, as Redis does not for a week. */
void mem_keep_all(struct mem *mem);

/* All that it knows, as another one: data kept over a restart, or what a replica has. */
struct mem *mem_clone(const struct mem *mem);

/* What a daemon does as soon as it is connected, and from time to time while any grace is left: so a
 * grace is over before the first user comes.  -> what is left of it */
usec mem_touch(struct mem *mem, usec now, uint64_t heard, usec grace);
uint64_t mem_era(const struct mem *mem);        /* 0: none has begun */
enum xch_began mem_began(const struct mem *mem);        /* the era; there is one */

/* Likewise, and ends the grace that there is, of every group.  Whoever asks for it vouches that
 * nobody holds a slot who has not claimed it. */
void mem_end_grace(struct mem *mem, usec now, uint64_t heard, usec grace);

/* Somebody sets the group's live limit or pause, as lives_set() says.  Every daemon on record is
 * told to exchange again; the pushes live as those of mem_exchange do. */
void mem_set_live(struct mem *mem, usec now, const char *group, enum live_kind kind,
    struct live_setting *setting, usec length, const struct xch_push **pushes, uint32_t *n_pushes);

/* What was set before by another server's time, as a daemon remembers it.  -> whether it is news */
bool mem_put_live(struct mem *mem, const char *group, enum live_kind kind,
    const struct live_setting *setting);
const struct lives *mem_lives(const struct mem *mem);

/* A slot that a daemon before this server's start had granted, and whose holder may believe until then:
 * held by that daemon.  The group is known by page_group_hash() of its name alone. */
void mem_inherit(struct mem *mem, const struct xch_daemon *from, uint64_t group, struct xch_slot slot,
    usec until);

/* One exchange at the server's time `now`.  The reply, the pushes (*n_pushes of them) and what
 * they point to are the backend's and live until its next call. */
const struct xch_reply *mem_exchange(struct mem *mem, usec now, const struct xch_request *request,
    const struct xch_push **pushes, uint32_t *n_pushes);

#endif
