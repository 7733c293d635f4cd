/* The server: all clients, and what a turn of the loop has still to write. */
#include "daemon/serve/server.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/serve/answer.h"
#include "daemon/serve/session.h"

#define STOP_MS 1000            /* for the last answers to be read, when slotd is stopped */

static struct client *
client_find(struct server *server, uint64_t id)
{
	struct client *client;

	if (server->current != NULL && server->current->client->id == id)
		return server->current->client;
	HASH_FIND(hh, server->clients, &id, sizeof id, client);
	return client;
}

static void
on_action(void *arg, const struct arb_action *action)
{
	struct server *server = arg;
	struct client *client = client_find(server, action->client);
	struct pending *pending = server->current;
	char line[ANSWER_MAX];

	if (client == NULL)     /* what the clock had ended before we heard that it has gone */
		return;
	if (action->type != ARB_ANSWER) {
		if (client->events)
			session_write(client, line, answer_event(action, line));
		return;
	}
	if (pending == NULL || pending->id != action->request)
		pending = pending_by_id(server, action->request);
	assert(pending != NULL && pending->client == client);
	pending_answer(pending, line, answer_to(pending->verb, client->detail, action, line));
}

/* Closing one client can make others dirty, and more come to the end of the list. */
static void
on_turn(void *arg)
{
	struct server *server = arg;
	struct client *client;

	while ((client = STAILQ_FIRST(&server->dirty)) != NULL) {
		STAILQ_REMOVE_HEAD(&server->dirty, next_dirty);
		session_flush(client);
	}
	while ((client = STAILQ_FIRST(&server->closed)) != NULL) {
		STAILQ_REMOVE_HEAD(&server->closed, next_closed);
		free(client);
	}
	if (server->is_stopping && server->n_clients == 0)
		server->is_running = false;
}

void
server_init(struct server *server, struct loop *loop, const struct config *config,
    uint32_t max_clients)
{
	const struct loop_hooks hooks = {.action = on_action, .turn = on_turn, .arg = server};

	*server = (struct server){
	    .loop = loop,
	    .config = config,
	    .started = clock_now(),
	    .max_clients = max_clients,
	    .is_running = true,
	};
	STAILQ_INIT(&server->dirty);
	STAILQ_INIT(&server->closed);
	loop_set_hooks(loop, &hooks);
}

void
server_close_all(struct server *server, const char *why)
{
	struct client *client, *tmp;

	HASH_ITER(hh, server->clients, client, tmp)
		session_close(client, why);
	on_turn(server);
}

static void
on_stop_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)what;
	log_warnx("%u clients have not read their last answers", server->n_clients);
	server_close_all(server, "stopped");
}

void
server_stop(struct server *server)
{
	const struct arb_event stop = {.type = ARB_STOP};
	const struct timeval timeout = {STOP_MS / 1000, STOP_MS % 1000 * 1000};
	struct client *client, *tmp;

	if (server->is_stopping)
		return;
	server->is_stopping = true;
	loop_step(server->loop, &stop);
	HASH_ITER(hh, server->clients, client, tmp)
		session_finish(client);
	event_base_once(loop_base(server->loop), -1, EV_TIMEOUT, on_stop_timeout, server,
	    &timeout);
}

void
server_fini(struct server *server)
{
	server_close_all(server, "stopped");
	pending_free_spares(server);
	output_free_spares();
}
