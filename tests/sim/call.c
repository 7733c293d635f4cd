/* What a client says: requests on their way to the daemon, and the list of all that were made. */
#include "tests/sim/sim.h"

#include <string.h>

struct call {
	struct arb_event event;
	uint32_t slots[N_MAX];
};

static void
call_arrives(struct world *w, struct event *e)
{
	struct session *s = e->p;
	struct call *call = e->owned;
	struct arb_event *ev = &call->event;
	struct ask *ask = ev->type >= ARB_ACQUIRE ? &w->asks[ev->request] : NULL;

	if (ev->type == ARB_CLIENT_OPEN)
		s->open = true;
	if (!s->open)
		return;
	if (ev->type == ARB_RELEASE) {
		ev->release.slots = call->slots;
	} else if (ev->type == ARB_RESUME) {
		ev->resume.slots = call->slots;
		ev->resume.until = page_inherited(s->daemon->page, s->client->group,
		    ev->resume.n_slots, call->slots, ev->resume.token, s->client->uid);
	}
	if (ask != NULL)
		ask->since = w->now;
	daemon_step(s->daemon, ev);
	if (ev->type == ARB_CLIENT_GONE && s->open) {
		s->open = false;
		LIST_REMOVE(s, link);
	}
	if (ask != NULL && (ask->kind == ASK_RELEASE || ask->kind == ASK_CANCEL) &&
	    !w->asks[ev->request].answered)
		world_fail(w, "%s is not answered at once", s->client->name);
}

/* Makes the event; the caller fills it in. */
static struct call *
call_send(struct client *c, enum arb_event_type type)
{
	struct world *w = c->w;
	struct session *s = c->session;
	struct call *call = alloc_resize(NULL, sizeof *call);
	nsec at = w->now + rng_between(&w->rng, MS / 50, MS * 3 / 10);
	struct event *e;

	s->c2d = at > s->c2d ? at : s->c2d + 1;
	e = world_in(w, s->daemon, 16 + s->id, s->c2d, call_arrives);
	e->p = s;
	e->owned = call;
	*call = (struct call){.event = {.type = type, .client = s->id}};
	return call;
}

static uint64_t
ask_new(struct client *c, enum ask_kind kind)
{
	struct world *w = c->w;

	ALLOC_ROOM(w->asks, w->n_asks, w->cap_asks, 1);
	w->asks[w->n_asks] = (struct ask){.kind = kind, .session = c->session, .group = c->group};
	return w->n_asks++;
}

/* Of the first n that it believes in, after a shuffle: any n of them. */
void
call_release(struct client *c, uint32_t n)
{
	struct world *w = c->w;
	struct belief *b = &c->belief;
	bool all = n == b->n && rng_chance(&w->rng, 50);
	struct call *call = call_send(c, all ? ARB_RELEASE_ALL : ARB_RELEASE);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = (uint32_t)rng_between(&w->rng, i, b->n), slot = b->slots[i], cell = b->cells[i];

		b->slots[i] = b->slots[k];
		b->slots[k] = slot;
		b->cells[i] = b->cells[k];
		b->cells[k] = cell;
	}
	TRACE(w, "%s > RELEASE %s %s", c->name, group_names[b->group], show_slots(n, b->slots));
	call->event.request = ask_new(c, ASK_RELEASE);
	if (!all) {
		call->event.release.group = group_names[b->group];
		call->event.release.n_slots = n;
		call->event.release.token = rng_chance(&w->rng, 800) ? b->token : 0;
		memcpy(call->slots, b->slots, n * sizeof *b->slots);
	}
}

void
call_release_open(struct client *c)
{
	struct call *call = call_send(c, ARB_RELEASE);

	TRACE(c->w, "%s > RELEASE %s 0", c->name, group_names[c->group]);
	call->event.request = ask_new(c, ASK_RELEASE);
	call->event.release.group = group_names[c->group];
	call->event.release.n_slots = 1;
	call->event.release.token = c->open;
	call->slots[0] = 0;
}

static bool
covers(const struct belief *b, uint32_t slot)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (b->slots[i] == slot)
			return true;
	return false;
}

/* Of one's own with a token that it has not, or of one that somebody else may have. */
void
call_wrong_release(struct client *c)
{
	struct belief *b = &c->belief;
	struct call *call = call_send(c, ARB_RELEASE);
	uint64_t request = ask_new(c, ASK_RELEASE);
	bool token = rng_chance(&c->w->rng, 500);

	c->w->asks[request].wrong = true;
	call->event.request = request;
	call->event.release.group = group_names[b->group];
	call->event.release.n_slots = 1;
	call->event.release.token = token ? b->token + 1 : 0;
	call->slots[0] = b->slots[0];
	if (!token)
		while (covers(b, call->slots[0]))
			call->slots[0]++;
}

void
call_resume(struct client *c)
{
	struct belief *b = &c->belief;
	struct call *call = call_send(c, ARB_RESUME);

	TRACE(c->w, "%s > RESUME %s %s %s at %s", c->name, group_names[b->group],
	    show_slots(b->n, b->slots), show_token(c->w, b->token), c->session->daemon->name);
	c->state = CLIENT_RESUME;
	c->request = call->event.request = ask_new(c, ASK_RESUME);
	call->event.resume.group = group_names[b->group];
	call->event.resume.n_slots = b->n;
	call->event.resume.token = b->token;
	call->event.resume.limit = b->limit;
	call->event.resume.hold = NSEC_NEVER;
	call->event.resume.drop_on_lapse = c->w->drop;
	memcpy(call->slots, b->slots, b->n * sizeof *b->slots);
}

/* Of what another client, of another user, believes in: every token can be read in HOLDERS. */
void
call_wrong_resume(struct client *c)
{
	struct belief *b;
	struct call *call;

	LIST_FOREACH (b, &c->w->beliefs[c->group], link)
		if (b->client->host == c->host && b->client->uid != c->uid)
			break;
	if (b == NULL)
		return;
	TRACE(c->w, "%s > RESUME %s %s, which is %s's", c->name, group_names[b->group],
	    show_slots(b->n, b->slots), b->client->name);
	call = call_send(c, ARB_RESUME);
	call->event.request = ask_new(c, ASK_RESUME);
	c->w->asks[call->event.request].wrong = true;
	call->event.resume.group = group_names[b->group];
	call->event.resume.n_slots = b->n;
	call->event.resume.token = b->token;
	call->event.resume.limit = b->limit;
	call->event.resume.hold = NSEC_NEVER;
	call->event.resume.drop_on_lapse = c->w->drop;
	memcpy(call->slots, b->slots, b->n * sizeof *b->slots);
}

void
call_open(struct client *c)
{
	struct call *call = call_send(c, ARB_CLIENT_OPEN);

	call->event.open.uid = c->uid;
	if (c->strict)
		call_send(c, ARB_CLIENT_STRICT)->event.strict = true;
}

void
call_gone(struct client *c)
{
	call_send(c, ARB_CLIENT_GONE);
}

/* It waits no more: by CANCEL, or by RELEASE *, which gives back what has just been granted too. */
void
call_give_up(struct client *c, bool all)
{
	struct call *call = call_send(c, all ? ARB_RELEASE_ALL : ARB_CANCEL);

	TRACE(c->w, "%s > %s", c->name, all ? "RELEASE *" : "CANCEL");
	call->event.request = ask_new(c, all ? ASK_RELEASE : ASK_CANCEL);
	if (!all)
		call->event.cancel.request = c->request;
	else
		c->given_up = c->request;
}

void
call_acquire(struct client *c, int64_t n, int64_t own, nsec wait)
{
	struct world *w = c->w;
	struct call *call = call_send(c, ARB_ACQUIRE);
	struct ask *ask;

	c->state = CLIENT_WAIT;
	c->request = call->event.request = ask_new(c, ASK_ACQUIRE);
	ask = &w->asks[c->request];
	ask->n = (uint32_t)n;
	ask->own = own;
	call->event.acquire = (struct arb_acquire){.group = group_names[c->group],
	    .n = (uint32_t)n, .limit = own, .configured = c->host->configured, .wait = wait,
	    .hold = NSEC_NEVER, .max_waiters = w->max_waiters, .drop_on_lapse = w->drop,
	    .on_down = w->on_down};
	if (rng_chance(&w->rng, w->p_hold))
		call->event.acquire.hold = rng_between(&w->rng, 1 * MS, w->hold_max);
	TRACE(w, "%s > ACQUIRE %s n=%lld limit=%lld wait=%lld ms", c->name, group_names[c->group],
	    (long long)n, (long long)own, wait == NSEC_NEVER ? -1LL : (long long)(wait / MS));
}
