/* The backend that is in memory: requests in, replies out. */
#include "daemon/backend.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#include "daemon/clock.h"
#include "daemon/core/alloc.h"
#include "daemon/core/memory/memory.h"
#include "daemon/page.h"

struct memory {
	struct backend backend;
	struct mem *mem;
	const struct xch_request **asked;       /* not answered yet; the arbiter's */
	size_t n_asked, size;
	size_t n_answered;                      /* of asked, from its beginning */
	unsigned n_said;                        /* of what is said at first */
	struct xch_push push;                   /* while has_push */
	bool has_push;
	uint64_t *high;                         /* the page's: for the one after us */
};

static void
memory_ask(struct backend *backend, unsigned link, const struct xch_request *request)
{
	struct memory *memory = (struct memory *)backend;

	(void)link;
	ALLOC_ROOM(memory->asked, memory->n_asked, memory->size, 1);
	memory->asked[memory->n_asked++] = request;
}

static void
memory_hang_up(struct backend *backend, unsigned link)
{
	(void)backend;
	(void)link;
	assert(!"memory answers at once");
}

/* It could answer when it is asked, but a reply is made when it is taken. */
static bool
memory_next(struct backend *backend, struct arb_event *event)
{
	static const enum arb_event_type first[] = {ARB_LINK_UP, ARB_SUB_UP};
	struct memory *memory = (struct memory *)backend;
	const struct xch_request *request;
	const struct xch_push *pushes;
	uint32_t n_pushes;

	if (memory->n_said < sizeof first / sizeof first[0]) {
		*event = (struct arb_event){.type = first[memory->n_said++]};
		return true;
	}
	if (memory->has_push) {
		memory->has_push = false;
		*event = (struct arb_event){.type = ARB_PUSH, .push = &memory->push};
		return true;
	}
	if (memory->n_answered == memory->n_asked) {
		memory->n_answered = memory->n_asked = 0;
		return false;
	}
	request = memory->asked[memory->n_answered++];
	*event = (struct arb_event){.type = ARB_REPLY, .reply.group = request->group};
	event->reply.reply = mem_exchange(memory->mem, clock_server(), request, &pushes, &n_pushes);
	assert(n_pushes == 0);  /* they are for other daemons, and there is none */
	if (event->reply.reply->last > *memory->high)
		*memory->high = event->reply.reply->last;
	return true;
}

static nsec
memory_grace(const struct backend *backend, const char *group, nsec now)
{
	(void)backend;
	(void)group;
	(void)now;
	return 0;
}

/* There is never one. */
static void
memory_end_grace(struct backend *backend, uint64_t client, uint64_t request)
{
	backend->ended(backend->loop_arg, client, request, BACKEND_END_DONE);
}

/* ------------------------------------------------------------------ live limits */

static const struct lives *
memory_lives(const struct backend *backend, usec *now)
{
	const struct memory *memory = (const struct memory *)backend;

	*now = clock_server();
	return mem_lives(memory->mem);
}

/* Whoever is on record is told: of those only the arbiter that we speak to listens. */
static void
memory_set_live(struct backend *backend, uint64_t client, uint64_t request, const char *group,
    enum live_kind kind, const struct live_setting *setting, usec length)
{
	struct memory *memory = (struct memory *)backend;
	const struct live_done done = {.client = client, .request = request, .group = group};
	struct live_setting set = *setting;
	const struct xch_push *pushes;
	uint32_t n;

	mem_set_live(memory->mem, clock_server(), group, kind, &set, length, &pushes, &n);
	if (n > 0)
		memory->push = pushes[0];
	memory->has_push = n > 0;
	backend->live_done(backend->loop_arg, &done, BACKEND_END_DONE);
}

static void
memory_history(struct backend *backend, uint64_t client, uint64_t request, const char *group)
{
	struct memory *memory = (struct memory *)backend;
	const struct live *live = lives_find(mem_lives(memory->mem), group);

	const struct live_done done = {.client = client, .request = request, .group = group,
	    .is_history = true, .said = live != NULL ? live->said : NULL,
	    .n_said = live != NULL ? live->n_said : 0};

	backend->live_done(backend->loop_arg, &done, BACKEND_END_DONE);
}

static enum backend_said
memory_say(struct backend *backend, uint64_t id, const char *question)
{
	(void)backend;
	(void)id;
	(void)question;
	return BACKEND_NOBODY;
}

static void
memory_reply(struct backend *backend, const struct xch_daemon *to, uint64_t id, uint32_t number,
    bool is_last, const char *text, size_t len)
{
	(void)backend;
	(void)to;
	(void)id;
	(void)number;
	(void)is_last;
	(void)text;
	(void)len;
	assert(!"nobody else asks");
}

static bool
memory_survey(struct backend *backend, uint64_t id, bool is_check, const char *glob,
    const struct xch_daemon *but, size_t n_but)
{
	(void)backend;
	(void)id;
	(void)is_check;
	(void)glob;
	(void)but;
	(void)n_but;
	return false;
}

/* Its one link is up before anybody can ask. */
static bool
memory_why_down(const struct backend *backend, const char **reason, const char **text)
{
	(void)backend;
	(void)reason;
	(void)text;
	return false;
}

static void
memory_stats(const struct backend *backend,
    void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	(void)backend;
	(void)fn;
	(void)arg;
}

static bool
memory_redis(const struct backend *backend, struct backend_redis *redis)
{
	(void)backend;
	(void)redis;
	return false;
}

static bool
memory_is_busy(const struct backend *backend)
{
	const struct memory *memory = (const struct memory *)backend;

	return memory->n_answered < memory->n_asked;
}

static void
memory_free(struct backend *backend)
{
	struct memory *memory = (struct memory *)backend;

	mem_free(memory->mem);
	free(memory->asked);
	free(memory);
}

/* What the clients of the daemons before us may believe in, and what was taken from them just now. */
static void
inherit(struct mem *mem, const struct page *page, nsec margin)
{
	struct xch_daemon from;
	uint32_t n;
	const struct page_cell *cells = page_inherited(page, &n, &from);
	nsec now = clock_now();

	for (uint32_t i = 0; i < n; i++) {
		const struct xch_slot slot = {cells[i].slot, cells[i].token >> XCH_TOKEN_BITS};
		nsec left = cells[i].deadline + (cells[i].token != 0 ? margin : 0) - now;

		mem_inherit(mem, &from, cells[i].group, slot, clock_server() + left / 1000);
	}
}

struct backend *
backend_memory_new(struct page *page, nsec margin)
{
	struct memory *memory = calloc(1, sizeof *memory);
	uint64_t sid;

	if (memory == NULL)
		return NULL;
	memory->backend = (struct backend){
	    .ask = memory_ask,
	    .hang_up = memory_hang_up,
	    .next = memory_next,
	    .grace = memory_grace,
	    .end_grace = memory_end_grace,
	    .say = memory_say,
	    .reply = memory_reply,
	    .survey = memory_survey,
	    .lives = memory_lives,
	    .set_live = memory_set_live,
	    .history = memory_history,
	    .why_down = memory_why_down,
	    .stats = memory_stats,
	    .redis = memory_redis,
	    .is_busy = memory_is_busy,
	    .free = memory_free,
	};
	memory->mem = mem_new();
	if (memory->mem == NULL || getrandom(&sid, sizeof sid, 0) != sizeof sid) {
		memory_free(&memory->backend);
		return NULL;
	}
	mem_set_identity(memory->mem, sid);
	mem_set_steady(memory->mem);
	memory->high = page_high(page);
	mem_set_high(memory->mem, *memory->high);
	inherit(memory->mem, page, margin);
	return &memory->backend;
}
