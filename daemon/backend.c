/* The backend as the loop sees it: requests in, replies out, each an event for the arbiter. */
#include "daemon/backend.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#include "daemon/clock.h"
#include "daemon/core/alloc.h"
#include "daemon/core/memory.h"

struct backend {
	struct mem *mem;
	const struct xch_request **asked;       /* not answered yet; the arbiter's */
	size_t n_asked, size;
	size_t n_answered;                      /* of asked, from its beginning */
};

struct backend *
backend_new(void)
{
	struct backend *backend = calloc(1, sizeof *backend);
	uint64_t sid;

	if (backend == NULL)
		return NULL;
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
	free(backend->asked);
	free(backend);
}

void
backend_ask(struct backend *backend, const struct xch_request *request)
{
	ALLOC_ROOM(backend->asked, backend->n_asked, backend->size, 1);
	backend->asked[backend->n_asked++] = request;
}

bool
backend_next(struct backend *backend, struct arb_event *event)
{
	const struct xch_request *request;
	const struct xch_push *pushes;
	uint32_t n_pushes;

	if (backend->n_answered == backend->n_asked) {
		backend->n_answered = backend->n_asked = 0;
		return false;
	}
	request = backend->asked[backend->n_answered++];
	*event = (struct arb_event){.type = ARB_REPLY, .reply.group = request->group};
	event->reply.reply = mem_exchange(backend->mem, clock_server(), request, &pushes, &n_pushes);
	assert(n_pushes == 0);  /* they are for other daemons, and there is none */
	return true;
}
