/* Players: clients that say and hear the lines of a story. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "daemon/serve/answer.h"
#include "tests/scenario/stage.h"

#define DEFAULT_WAIT (10 * SEC)

struct player *
player_find(struct stage *stage, int host, int number)
{
	struct world *w = &stage->world;
	struct host *h = &w->hosts[host];
	struct player *p;
	struct session *s;
	char name[12];

	snprintf(name, sizeof name, "%s.c%d", h->name, number);
	for (int i = 0; i < w->n_clients; i++)
		if (strcmp(w->clients[i]->name, name) == 0)
			return (struct player *)w->clients[i];
	assert(h->daemon->alive && (size_t)w->n_clients < sizeof w->clients / sizeof *w->clients);
	p = world_alloc(w, sizeof *p);
	p->client = (struct client){.w = w, .host = h, .state = CLIENT_IDLE};
	strcpy(p->client.name, name);
	w->clients[w->n_clients++] = &p->client;
	p->client.session = s = world_alloc(w, sizeof *s);
	*s = (struct session){.id = ++w->n_sessions, .client = &p->client, .daemon = h->daemon,
	    .open = true};
	LIST_INSERT_HEAD(&h->daemon->sessions, s, link);
	daemon_step(s->daemon, &(struct arb_event){.type = ARB_CLIENT_OPEN, .client = s->id});
	return p;
}

static uint64_t
ask_new(struct client *c, enum ask_kind kind, const struct wire_request *req)
{
	struct world *w = c->w;

	ALLOC_ROOM(w->asks, w->n_asks, w->cap_asks, 1);
	w->asks[w->n_asks] = (struct ask){.kind = kind, .session = c->session, .group = c->group,
	    .n = req->n, .own = req->limit > 0 ? (int64_t)req->limit : XCH_NO_LIMIT,
	    .since = w->now};
	return w->n_asks++;
}

static void
acquire(struct client *c, const struct wire_request *req)
{
	struct arb_event e = {.type = ARB_ACQUIRE, .client = c->session->id};
	nsec wait = req->wait_ms == WIRE_FOREVER ? NSEC_NEVER :
	    req->wait_ms == WIRE_ABSENT ? DEFAULT_WAIT : req->wait_ms * MS;

	c->state = CLIENT_WAIT;
	c->request = e.request = ask_new(c, ASK_ACQUIRE, req);
	e.acquire = (struct arb_acquire){.group = req->group, .n = req->n,
	    .limit = c->w->asks[e.request].own, .configured = XCH_NO_LIMIT, .wait = wait,
	    .hold = req->hold_ms == WIRE_ABSENT ? NSEC_NEVER : req->hold_ms * MS};
	daemon_step(c->session->daemon, &e);
}

static void
release(struct client *c, const struct wire_request *req)
{
	struct arb_event e = {.type = req->all ? ARB_RELEASE_ALL : ARB_RELEASE,
	    .client = c->session->id, .request = ask_new(c, ASK_RELEASE, req)};

	if (!req->all) {
		e.release.group = req->group;
		e.release.n_slots = req->n_slots;
		e.release.slots = req->slots;
		e.release.token = req->token;
	}
	daemon_step(c->session->daemon, &e);
}

/* One that waits says nothing more: answers come in order, and this one has no queue for them. */
void
player_say(struct player *p, const char *text)
{
	struct client *c = &p->client;
	struct wire_request req;
	struct wire_fault fault;

	TRACE(c->w, "%s > %s", c->name, text);
	if (c->session == NULL || c->state == CLIENT_WAIT ||
	    wire_parse(text, strlen(text), &req, &fault) < 0 || req.tag[0] != '\0' ||
	    (req.verb != WIRE_ACQUIRE && req.verb != WIRE_RELEASE) ||
	    (!req.all && (req.group[1] != '\0' || (req.group[0] != 'f' && req.group[0] != 'g')))) {
		world_fail(c->w, "%s cannot say this on the stage: %s", c->name, text);
		return;
	}
	c->group = req.all ? 0 : group_index(req.group);
	(req.verb == WIRE_ACQUIRE ? acquire : release)(c, &req);
}

void
player_die(struct player *p)
{
	struct session *s = p->client.session;

	TRACE(p->client.w, "%s dies", p->client.name);
	daemon_step(s->daemon,
	    &(struct arb_event){.type = ARB_CLIENT_GONE, .client = s->id});
	LIST_REMOVE(s, link);
	s->open = false;
	client_eof(s, 0);
}

const char *
player_line(const struct player *p)
{
	return p->n_read < p->n_lines ? p->lines[p->n_read] : NULL;
}

/* ------------------------------------------------------------------ for the simulator's daemons */

/* A raw client without events=on: it is told answers only. */
void
client_hears(struct session *s, const struct arb_action *act)
{
	struct player *p = (struct player *)s->client;
	struct world *w = p->client.w;
	const struct ask *ask = &w->asks[act->request];
	char *line;

	if (act->type != ARB_ANSWER)
		return;
	if (act->request == p->client.request)
		p->client.state = CLIENT_IDLE;
	assert(p->n_lines < STAGE_LINES_MAX);
	p->lines[p->n_lines++] = line = world_alloc(w, ANSWER_MAX);
	answer_to(ask->kind == ASK_ACQUIRE ? WIRE_ACQUIRE : WIRE_RELEASE, false, act, line);
	line[strcspn(line, "\n")] = '\0';
	TRACE(w, "%s < %s", p->client.name, line);
}

void
client_eof(struct session *s, nsec at)
{
	(void)at;
	s->client->session = NULL;
	s->client->state = CLIENT_OFF;
}

/* Nothing is believed here: the story says who holds what. */
bool
belief_is_valid(const struct belief *b)
{
	(void)b;
	return false;
}
