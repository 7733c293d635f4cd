/* Pending requests: those of a client whose answer is not written yet. */
#include "daemon/serve/pending.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/core/name.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"

void
pending_init(struct pendings *pendings)
{
	*pendings = (struct pendings){
	    .by_id = TABLE_OF(struct pending, by_id),
	    .by_tag = TABLE_OF(struct pending, by_tag),
	};
	TAILQ_INIT(&pendings->ordered);
}

bool
pending_is_any(const struct pendings *pendings)
{
	return pendings->n_ordered + pendings->by_tag.n > 0;
}

struct pending *
pending_by_tag(const struct pendings *pendings, const char *tag)
{
	struct pending *pending = table_find(&pendings->by_tag, name_key(tag));

	while (pending != NULL && strcmp(pending->tag, tag) != 0)
		pending = table_find_next(&pendings->by_tag, pending);
	return pending;
}

struct pending *
pending_by_id(const struct pendings *pendings, uint64_t id)
{
	return table_find(&pendings->by_id, id);
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
	return all->n_ordered + all->by_tag.n >= PENDING_MAX;
}

static size_t
size_with(const char *tag)
{
	return offsetof(struct pending, tag) + strlen(tag) + 1;
}

static void
pending_free(struct pending *pending)
{
	free(pending->answer);
	free(pending);
}

struct pending *
pending_take(struct client *client, const struct wire_request *request)
{
	struct server *server = client->server;
	struct pending *pending = server->spare;

	if (pending == NULL)
		pending = alloc_try(NULL, sizeof *pending + WIRE_TAG_MAX + 1);
	if (pending == NULL)
		return NULL;
	server->spare = pending;
	pending->by_id.key = ++server->last_request;
	pending->answer = NULL;
	pending->verb = request->verb;
	memcpy(pending->tag, request->tag, strlen(request->tag) + 1);
	return pending;
}

static void
append(struct pendings *all, struct pending *pending)
{
	TAILQ_INSERT_TAIL(&all->ordered, pending, next);
	all->n_ordered++;
}

/* Without memory of its own size it takes the spare one with it: it must not fail any more. */
void
pending_wait(struct client *client, struct pending *pending)
{
	struct pendings *all = &client->pendings;
	struct pending *own = malloc(size_with(pending->tag));

	if (own == NULL) {
		client->server->spare = NULL;
		own = pending;
	} else {
		memcpy(own, pending, size_with(pending->tag));
	}
	table_add(&all->by_id, own, pending_id(own));
	if (own->tag[0] == '\0')
		append(all, own);
	else
		table_add(&all->by_tag, own, name_key(own->tag));
}

static bool
set_answer(struct client *client, struct pending *pending, const char *lines, size_t len)
{
	struct pending_answer *answer = alloc_try(NULL, sizeof *answer + len);

	pending->answer = answer;
	if (answer == NULL) {
		session_break(client, "no memory to hold its answers back");
		return false;
	}
	answer->times = 1;
	answer->len = (uint32_t)len;
	memcpy(answer->lines, lines, len);
	client->pendings.held += len;
	return true;
}

/* An answer behind one that waits. */
static void
hold_back(struct client *client, const char *lines, size_t len)
{
	struct pending *pending = alloc_try(NULL, size_with(""));

	if (pending == NULL) {
		session_break(client, "no memory to hold its answers back");
		return;
	}
	pending->tag[0] = '\0';
	if (set_answer(client, pending, lines, len))
		append(&client->pendings, pending);
	else
		free(pending);
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
	if (tag[0] != '\0')
		write_tagged(client, tag, lines, len);
	else if (TAILQ_EMPTY(&client->pendings.ordered))
		session_write(client, lines, len);
	else
		hold_back(client, lines, len);
}

void
pending_answer(struct client *client, struct pending *pending, const char *line, size_t len)
{
	struct server *server = client->server;
	struct pendings *all = &client->pendings;

	if (pending == server->current) {
		server->current = NULL;
		pending_answer_now(client, pending->tag, line, len);
		return;
	}
	table_remove(&all->by_id, pending);
	if (pending->tag[0] == '\0') {
		if (set_answer(client, pending, line, len))
			pending_advance(client);
		return;
	}
	table_remove(&all->by_tag, pending);
	write_tagged(client, pending->tag, line, len);
	pending_free(pending);
}

/* Answers in a row that are all the same refusal stand as one: a client that goes on asking behind
 * a full queue costs nothing. */
void
pending_refuse(struct client *client, const char *tag, const char *line, size_t len)
{
	struct pending *last = TAILQ_LAST(&client->pendings.ordered, pending_queue);
	struct pending_answer *answer = last != NULL ? last->answer : NULL;

	if (tag[0] == '\0' && answer != NULL && answer->len == len &&
	    memcmp(answer->lines, line, len) == 0)
		answer->times++;
	else
		pending_answer_now(client, tag, line, len);
}

void
pending_advance(struct client *client)
{
	struct pendings *all = &client->pendings;
	struct pending *first;

	while ((first = TAILQ_FIRST(&all->ordered)) != NULL && first->answer != NULL &&
	    output_len(&client->out) < SESSION_OUTPUT_MAX) {
		session_write(client, first->answer->lines, first->answer->len);
		if (--first->answer->times > 0)
			continue;
		TAILQ_REMOVE(&all->ordered, first, next);
		all->n_ordered--;
		all->held -= first->answer->len;
		pending_free(first);
	}
}

void
pending_drop_all(struct client *client)
{
	struct pendings *all = &client->pendings;
	struct pending *pending, *after;

	TABLE_FOREACH (pending, after, &all->by_id) {
		table_remove(&all->by_id, pending);
		if (pending->tag[0] == '\0')
			TAILQ_REMOVE(&all->ordered, pending, next);
		else
			table_remove(&all->by_tag, pending);
		pending_free(pending);
	}
	while ((pending = TAILQ_FIRST(&all->ordered)) != NULL) {
		TAILQ_REMOVE(&all->ordered, pending, next);
		pending_free(pending);
	}
	pending_init(all);
}
