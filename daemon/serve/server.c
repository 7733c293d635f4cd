/* The server: all clients, and what a turn of the loop has still to write. */
#include "daemon/serve/server.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/metrics/metrics.h"
#include "daemon/serve/answer.h"
#include "daemon/serve/hosts.h"
#include "daemon/serve/live.h"
#include "daemon/serve/session.h"
#include "daemon/serve/users.h"

#define LAST_MS 1000            /* for the last answers to be read, when slotd ends */

static struct client *
client_find(struct server *server, uint64_t id)
{
	if (server->asking != NULL && client_id(server->asking) == id)
		return server->asking;
	return table_find(&server->clients, id);
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
	if (pending == NULL || pending_id(pending) != action->request)
		pending = pending_by_id(&client->pendings, action->request);
	assert(pending != NULL);
	pending_answer(client, pending, line, answer_to(pending->verb, client->detail, action, line));
}

void
server_answer(struct server *server, uint64_t client_number, uint64_t request, const char *lines,
    size_t len)
{
	struct client *client = client_find(server, client_number);
	struct pending *pending = client != NULL ? pending_by_id(&client->pendings, request) : NULL;

	if (pending != NULL)
		pending_answer(client, pending, lines, len);
}

static void
set_stop_timer(struct server *server, long long ms)
{
	const struct timeval timeout = {ms / 1000, ms % 1000 * 1000};

	if (event_add(server->stop_timer, &timeout) < 0)
		fatalx("no timer");
}

/* Who has said goodbye already, and waits for answers, gives back what it holds. */
static void
finish(struct server *server)
{
	struct client *client, *after;

	server->is_finishing = true;
	TABLE_FOREACH (client, after, &server->clients) {
		client->is_left = client->state != SESSION_ENDING;
		session_finish(client);
	}
	set_stop_timer(server, LAST_MS);
}

static uint32_t
n_held(const struct server *server)
{
	struct arb_stats stats;

	arb_stats(loop_arb(server->loop), &stats);
	return stats.holds + stats.open;
}

/* True if everything that we waited for has ended just now. */
static bool
finish_if_done(struct server *server)
{
	if (!server->is_stopping || server->is_finishing || n_held(server) > 0)
		return false;
	finish(server);
	return true;
}

/* Closing one client can make others dirty, and more come to the end of the list. */
static void
on_turn(void *arg)
{
	struct server *server = arg;
	struct client *client;

	do {
		while ((client = STAILQ_FIRST(&server->dirty)) != NULL) {
			STAILQ_REMOVE_HEAD(&server->dirty, next_dirty);
			session_flush(client);
		}
	} while (finish_if_done(server));
	while ((client = STAILQ_FIRST(&server->closed)) != NULL) {
		STAILQ_REMOVE_HEAD(&server->closed, next_closed);
		free(client);
	}
	if (server->is_finishing && server->n_clients == 0)
		server->is_running = false;
}

void
server_limit_clients(struct server *server)
{
	uint32_t wanted = (uint32_t)server->config->max_clients;

	server->max_clients = wanted < server->most_clients ? wanted : server->most_clients;
	if (server->max_clients < wanted && config_is_given(server->config, "max_clients"))
		log_warnx("max_clients is %u, not %u: more file descriptors are not allowed "
		    "(RLIMIT_NOFILE)", server->max_clients, wanted);
}

void
server_init(struct server *server, struct loop *loop, struct config *config,
    uint32_t most_clients)
{
	const struct loop_hooks hooks = {.action = on_action, .turn = on_turn, .live = live_on_done,
	    .arg = server};

	*server = (struct server){
	    .loop = loop,
	    .config = config,
	    .started = clock_now(),
	    .started_at = clock_date(),
	    .most_clients = most_clients,
	    .is_running = true,
	    .clients = TABLE_OF(struct client, by_id),
	};
	server->reload.at = server->started_at;
	server_limit_clients(server);
	users_init(&server->users);
	STAILQ_INIT(&server->dirty);
	STAILQ_INIT(&server->closed);
	loop_set_hooks(loop, &hooks);
	metrics_keep(loop_tallies(loop), config);
	hosts_init(server);
}

void
server_close_all(struct server *server, const char *why)
{
	struct client *client, *after;

	TABLE_FOREACH (client, after, &server->clients)
		session_close(client, why);
	on_turn(server);
}

/* ---------------------------------------------------------------- the end */

static void
leave_all(struct server *server)
{
	struct client *client, *after;

	log_warnx("%u clients have not read their last answers", server->n_clients);
	TABLE_FOREACH (client, after, &server->clients) {
		if (client->is_left)
			session_leave(client);
		else
			session_close(client, "stopped");
	}
}

static void
on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)what;
	if (server->is_finishing)
		leave_all(server);
	else
		finish(server);
}

void
server_stop(struct server *server)
{
	const struct arb_event stop = {.type = ARB_STOP};
	long long stop_ms = server->config->stop_ms;

	if (server->is_finishing)
		return;
	if (server->is_stopping) {
		finish(server);
		return;
	}
	server->is_stopping = true;
	loop_step(server->loop, &stop);
	server->stop_timer = evtimer_new(loop_base(server->loop), on_stop_timer, server);
	if (server->stop_timer == NULL)
		fatalx("no timer");
	if (stop_ms == 0) {
		finish(server);
	} else if (n_held(server) > 0) {
		log_info("waiting for the end of %u holds, for %lld ms at most", n_held(server),
		    stop_ms);
		set_stop_timer(server, stop_ms);
	}
}

void
server_fini(struct server *server)
{
	server_close_all(server, "stopped");
	if (server->stop_timer != NULL)
		event_free(server->stop_timer);
	free(server->spare);
	output_free_spares();
}
