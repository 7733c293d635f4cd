/* The backend as the loop sees it: requests in, replies out, each an event for the arbiter. */
#include "daemon/backend.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/clock.h"
#include "daemon/core/alloc.h"
#include "daemon/core/memory.h"

struct answer {
	struct answer *next;
	const char *group;
	struct xch_reply reply;
};

struct backend {
	struct mem *mem;
	struct answer *head, **tail;
	struct arena arena;     /* the answers; emptied when all are taken */
};

struct backend *
backend_new(void)
{
	struct backend *backend = calloc(1, sizeof *backend);
	uint64_t sid;

	if (backend == NULL)
		return NULL;
	backend->tail = &backend->head;
	backend->mem = mem_new();
	if (backend->mem == NULL || getrandom(&sid, sizeof sid, 0) != sizeof sid) {
		backend_free(backend);
		return NULL;
	}
	mem_set_identity(backend->mem, sid);
	return backend;
}

void
backend_free(struct backend *backend)
{
	if (backend == NULL)
		return;
	mem_free(backend->mem);
	arena_fini(&backend->arena);
	free(backend);
}

static const void *
copy(struct backend *backend, const void *array, size_t n, size_t size)
{
	if (n == 0)
		return NULL;
	return memcpy(arena_take(&backend->arena, n * size), array, n * size);
}

/* The memory backend's own reply lives only until it is asked again. */
static struct answer *
copy_reply(struct backend *backend, const char *group, const struct xch_reply *reply)
{
	struct answer *answer = arena_take(&backend->arena, sizeof *answer);
	struct xch_grant *granted;
	uint32_t i;

	answer->next = NULL;
	answer->group = copy(backend, group, strlen(group) + 1, 1);
	answer->reply = *reply;
	if (reply->status != XCH_OK)
		return answer;
	granted = (struct xch_grant *)copy(backend, reply->granted, reply->n_granted,
	    sizeof *granted);
	for (i = 0; i < reply->n_granted; i++)
		granted[i].slots = copy(backend, granted[i].slots, granted[i].n,
		    sizeof *granted[i].slots);
	answer->reply.granted = granted;
	answer->reply.lost = copy(backend, reply->lost, reply->n_lost, sizeof *reply->lost);
	answer->reply.full = copy(backend, reply->full, reply->n_full, sizeof *reply->full);
	answer->reply.refused = copy(backend, reply->refused, reply->n_refused,
	    sizeof *reply->refused);
	return answer;
}

void
backend_ask(struct backend *backend, const struct xch_request *request)
{
	const struct xch_reply *reply;
	const struct xch_push *pushes;
	struct answer *answer;
	uint32_t n_pushes;

	reply = mem_exchange(backend->mem, clock_server(), request, &pushes, &n_pushes);
	assert(n_pushes == 0);  /* they are for other daemons, and there is none */
	answer = copy_reply(backend, request->group, reply);
	*backend->tail = answer;
	backend->tail = &answer->next;
}

bool
backend_next(struct backend *backend, struct arb_event *event)
{
	struct answer *answer = backend->head;

	if (answer == NULL) {
		backend->tail = &backend->head;
		arena_reset(&backend->arena);
		return false;
	}
	backend->head = answer->next;
	if (answer->next == NULL)
		backend->tail = &backend->head;
	*event = (struct arb_event){
	    .type = ARB_REPLY, .reply = {.group = answer->group, .reply = &answer->reply}};
	return true;
}
