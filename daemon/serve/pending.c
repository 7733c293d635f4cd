/* Pending requests: those of a client whose answer is not written yet. */
#include "daemon/serve/pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"

void
pending_init(struct pendings *pendings)
{
	*pendings = (struct pendings){0};
	TAILQ_INIT(&pendings->ordered);
}

bool
pending_is_any(const struct pendings *pendings)
{
	return pendings->n_ordered + pendings->n_tagged > 0;
}

struct pending *
pending_by_tag(const struct pendings *pendings, const char *tag)
{
	struct pending *pending;

	HASH_FIND(hh_tag, pendings->by_tag, tag, strlen(tag), pending);
	return pending;
}

struct pending *
pending_by_id(const struct server *server, uint64_t id)
{
	struct pending *pending;

	HASH_FIND(hh_id, server->waiting, &id, sizeof id, pending);
	return pending;
}

bool
pending_is_full(const struct client *client, bool tagged, uint32_t *max)
{
	const struct pendings *all = &client->pendings;

	if (!tagged && (all->n_ordered > PENDING_ORDERED_MAX || all->held > PENDING_HELD_MAX)) {
		*max = PENDING_ORDERED_MAX;
		return true;
	}
	*max = PENDING_MAX;
	return all->n_ordered + all->n_tagged >= PENDING_MAX;
}

static struct pending *
pending_new(struct client *client, enum wire_verb verb, const char *tag)
{
	struct server *server = client->server;
	struct pending *pending = server->spare;

	if (pending != NULL)
		server->spare = pending->next_spare;
	else
		pending = alloc_try(NULL, sizeof *pending);
	if (pending == NULL)
		return NULL;
	pending->id = 0;
	pending->client = client;
	pending->verb = verb;
	pending->times = 0;
	pending->answer = NULL;
	pending->answer_len = 0;
	memcpy(pending->tag, tag, strlen(tag) + 1);
	return pending;
}

/* One is kept, the next request will need it; a crowd of waiters gives its memory back. */
static void
pending_free(struct server *server, struct pending *pending)
{
	free(pending->answer);
	if (server->spare != NULL) {
		free(pending);
		return;
	}
	pending->next_spare = NULL;
	server->spare = pending;
}

struct pending *
pending_take(struct client *client, const struct wire_request *request)
{
	struct pending *pending = pending_new(client, request->verb, request->tag);

	if (pending != NULL)
		pending->id = ++client->server->last_request;
	return pending;
}

static void
append(struct pending *pending)
{
	struct pendings *all = &pending->client->pendings;

	TAILQ_INSERT_TAIL(&all->ordered, pending, next);
	all->n_ordered++;
}

void
pending_wait(struct pending *pending)
{
	struct client *client = pending->client;

	HASH_ADD(hh_id, client->server->waiting, id, sizeof pending->id, pending);
	if (pending->tag[0] == '\0') {
		append(pending);
		return;
	}
	HASH_ADD(hh_tag, client->pendings.by_tag, tag, strlen(pending->tag), pending);
	client->pendings.n_tagged++;
}

static bool
set_answer(struct pending *pending, const char *lines, size_t len)
{
	pending->answer = alloc_try(NULL, len);
	if (pending->answer == NULL) {
		session_break(pending->client, "no memory to hold its answers back");
		return false;
	}
	memcpy(pending->answer, lines, len);
	pending->answer_len = len;
	pending->times = 1;
	pending->client->pendings.held += len;
	return true;
}

static void
write_tagged(struct client *client, const char *tag, const char *lines, size_t len)
{
	char head[WIRE_TAG_MAX + 3], *h = head;
	size_t n = strlen(tag);

	if (lines[0] == SESSION_MARK) { /* it stays the first */
		*h++ = *lines++;
		len--;
	}
	*h++ = '#';
	memcpy(h, tag, n);
	h += n;
	*h++ = ' ';
	session_write(client, head, (size_t)(h - head));
	session_write(client, lines, len);
}

void
pending_answer_now(struct client *client, const char *tag, const char *lines, size_t len)
{
	struct pending *pending;

	if (tag[0] != '\0') {
		write_tagged(client, tag, lines, len);
	} else if (TAILQ_EMPTY(&client->pendings.ordered)) {
		session_write(client, lines, len);
	} else if ((pending = pending_new(client, WIRE_PING, "")) == NULL) {
		session_break(client, "no memory to hold its answers back");
	} else if (set_answer(pending, lines, len)) {
		append(pending);
	} else {
		pending_free(client->server, pending);
	}
}

void
pending_answer(struct pending *pending, const char *line, size_t len)
{
	struct client *client = pending->client;
	struct server *server = client->server;
	bool waited = server->current != pending;

	if (waited)
		HASH_DELETE(hh_id, server->waiting, pending);
	else
		server->current = NULL;
	if (waited && pending->tag[0] == '\0') {
		if (set_answer(pending, line, len))
			pending_advance(client);
		return;
	}
	if (waited) {
		HASH_DELETE(hh_tag, client->pendings.by_tag, pending);
		client->pendings.n_tagged--;
	}
	pending_answer_now(client, pending->tag, line, len);
	pending_free(server, pending);
}

/* Answers in a row that are all the same refusal stand as one: a client that goes on asking behind
 * a full queue costs nothing. */
void
pending_refuse(struct client *client, const char *tag, const char *line, size_t len)
{
	struct pendings *all = &client->pendings;
	struct pending *last = TAILQ_LAST(&all->ordered, pending_queue);

	if (tag[0] == '\0' && last != NULL && last->answer_len == len &&
	    memcmp(last->answer, line, len) == 0)
		last->times++;
	else
		pending_answer_now(client, tag, line, len);
}

void
pending_advance(struct client *client)
{
	struct pendings *all = &client->pendings;
	struct pending *first;

	while ((first = TAILQ_FIRST(&all->ordered)) != NULL && first->times > 0 &&
	    output_len(&client->out) < SESSION_OUTPUT_MAX) {
		session_write(client, first->answer, first->answer_len);
		if (--first->times > 0)
			continue;
		TAILQ_REMOVE(&all->ordered, first, next);
		all->n_ordered--;
		all->held -= first->answer_len;
		pending_free(client->server, first);
	}
}

void
pending_drop_all(struct client *client)
{
	struct server *server = client->server;
	struct pendings *all = &client->pendings;
	struct pending *pending, *tmp;

	HASH_ITER(hh_tag, all->by_tag, pending, tmp) {
		HASH_DELETE(hh_tag, all->by_tag, pending);
		HASH_DELETE(hh_id, server->waiting, pending);
		pending_free(server, pending);
	}
	while ((pending = TAILQ_FIRST(&all->ordered)) != NULL) {
		TAILQ_REMOVE(&all->ordered, pending, next);
		if (pending->times == 0)
			HASH_DELETE(hh_id, server->waiting, pending);
		pending_free(server, pending);
	}
	pending_init(all);
}

void
pending_free_spares(struct server *server)
{
	free(server->spare);
	server->spare = NULL;
}
