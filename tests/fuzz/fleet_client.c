/* The fleet's clients: what they ask, what they are told, and whether that can be true.
 *
 * A raw client believes in its hold until it is told otherwise, as long as its daemon has nothing
 * overdue: one that sleeps cannot tell.  A strict one believes while its cell's deadline is ahead,
 * whatever becomes of the daemon. */
#include "tests/fuzz/fleet.h"

#include <string.h>

/* ------------------------------------------------------------------ beliefs */

/* What the page says; a page whose writer has ended stays as it is. */
static nsec
cell_deadline(const struct fleet *f, const struct fleet_belief *b)
{
	const struct fleet_cell *cell = &f->daemons[b->daemon].cells[b->cells[0]];

	if (b->is_orphan)
		return b->until;
	return cell->token == b->token ? cell->deadline : 0;
}

static bool
is_valid(const struct fleet *f, const struct fleet_belief *b)
{
	if (!b->held)
		return false;
	if (b->cells[0] != ARB_NO_CELL)
		return cell_deadline(f, b) > f->now;
	return arb_deadline(f->daemons[b->daemon].arb) > f->now;
}

/* Never two for one slot, and never more than the greatest limit among them. */
void
fleet_judge(const struct fleet *f)
{
	for (unsigned group = 0; group < FLEET_GROUPS; group++) {
		uint64_t taken = 0;
		uint32_t total = 0, top = 0;

		for (unsigned i = 0; i < FLEET_BELIEFS; i++) {
			const struct fleet_belief *b = &f->beliefs[i];

			if (b->group != group || !is_valid(f, b))
				continue;
			for (uint32_t k = 0; k < b->n; k++) {
				MUST(b->slots[k] < 64 && (taken >> b->slots[k] & 1) == 0);
				taken |= UINT64_C(1) << b->slots[k];
			}
			total += b->n;
			top = b->limit > top ? b->limit : top;
		}
		MUST(total <= top);
	}
}

static struct fleet_belief *
belief_room(struct fleet *f)
{
	for (unsigned i = 0; i < FLEET_BELIEFS; i++)
		if (!f->beliefs[i].held && f->beliefs[i].asks == 0)
			return &f->beliefs[i];
	return NULL;
}

static struct fleet_belief *
belief_of(struct fleet *f, uint64_t client, unsigned group, uint64_t token)
{
	for (unsigned i = 0; i < FLEET_BELIEFS; i++) {
		struct fleet_belief *b = &f->beliefs[i];

		if (b->held && b->client == client && b->group == group && b->token == token)
			return b;
	}
	return NULL;
}

static struct fleet_client *
client_of(struct fleet *f, uint64_t id)
{
	for (unsigned i = 0; i < FLEET_CLIENTS; i++)
		if (f->clients[i].id == id)
			return &f->clients[i];
	return NULL;
}

/* ------------------------------------------------------------------ what is heard */

static void
granted(struct fleet *f, const struct fleet_ask *ask, const struct arb_action *act)
{
	const struct fleet_client *c = client_of(f, act->client);
	struct fleet_belief *b = ask->belief != NULL ? ask->belief : belief_room(f);
	unsigned group = fleet_group(act->group);

	MUST(b != NULL && act->n_slots == ask->n);
	for (uint32_t i = 0; i < act->n_slots; i++) {
		uint64_t *last = &f->tokens[group][act->slots[i]];

		MUST(act->slots[i] <= FLEET_SLOTS);
		MUST(ask->belief != NULL ? act->token >= *last : act->token > *last);
		*last = act->token;
	}
	b->held = true;
	b->client = c->id;
	b->daemon = c->daemon;
	b->uid = c->uid;
	b->is_orphan = false;
	if (b->cells[0] != act->cell || ask->belief == NULL)
		for (uint32_t i = 0; i < act->n_slots; i++)
			b->cells[i] = act->cell + (act->cell != ARB_NO_CELL ? i : 0);
	if (ask->belief != NULL)
		return;
	b->group = group;
	b->n = act->n_slots;
	memcpy(b->slots, act->slots, b->n * sizeof *b->slots);
	b->token = act->token;
	b->limit = act->limit;
}

static void
answered(struct fleet *f, unsigned daemon, const struct arb_action *act)
{
	const struct fleet_client *c = client_of(f, act->client);
	struct fleet_ask *ask = f->asks, was;

	while (ask->id != act->request)
		MUST(++ask < f->asks + FLEET_ASKS);
	MUST(c != NULL && c->daemon == daemon && ask->client == act->client);
	was = *ask;
	*ask = (struct fleet_ask){0};
	if (was.belief != NULL) {
		was.belief->asks--;
		if (act->code != WIRE_OK && client_of(f, was.belief->client) == NULL)
			was.belief->held = false;
	}
	if (act->code == WIRE_OK && (was.type == ARB_ACQUIRE || was.type == ARB_RESUME))
		granted(f, &was, act);
}

static void
write_cells(struct fleet *f, unsigned daemon, const struct arb_action *act)
{
	MUST(act->n_slots > 0 && act->cell < FLEET_CELLS && act->n_slots <= FLEET_CELLS - act->cell);
	for (uint32_t i = 0; i < act->n_slots; i++)
		f->daemons[daemon].cells[act->cell + i] = act->type == ARB_CELL_END ?
		    (struct fleet_cell){0} : (struct fleet_cell){act->token, act->deadline};
}

void
fleet_hear(struct fleet *f, unsigned daemon, const struct arb_action *act)
{
	struct fleet_belief *b;

	if (act->client == f->leaving && act->type != ARB_CELL_SET && act->type != ARB_CELL_END)
		return;
	switch (act->type) {
	case ARB_ANSWER:
		answered(f, daemon, act);
		break;
	case ARB_TELL_LOST:
		b = belief_of(f, act->client, fleet_group(act->group), act->token);
		if (b != NULL)
			b->held = false;
		break;
	case ARB_CELL_SET:
	case ARB_CELL_END:
		write_cells(f, daemon, act);
		break;
	default:
		break;
	}
}

/* ------------------------------------------------------------------ what is asked */

/* -> NULL: the client is not connected, or there is no room */
static struct fleet_ask *
ask_new(struct fleet *f, unsigned c, struct arb_event *e)
{
	struct fleet_ask *ask = NULL;
	unsigned n_free = 0;

	for (unsigned i = 0; i < FLEET_ASKS; i++) {
		if (f->asks[i].id == 0) {
			n_free++;
			ask = &f->asks[i];
		}
	}
	if (f->clients[c].id == 0 || n_free < 2)
		return NULL;
	*ask = (struct fleet_ask){.id = ++f->last_ask, .client = f->clients[c].id, .type = e->type};
	e->client = ask->client;
	e->request = ask->id;
	return ask;
}

void
fleet_open(struct fleet *f, unsigned c, unsigned daemon, uint32_t uid, bool strict)
{
	if (f->clients[c].id != 0)
		return;
	f->clients[c] = (struct fleet_client){.id = ++f->last_client, .daemon = daemon, .uid = uid,
	    .strict = strict};
	fleet_step(f, daemon, &(struct arb_event){.type = ARB_CLIENT_OPEN, .client = f->last_client,
	    .open = {.pid = 1, .uid = uid, .strict = strict}});
}

void
fleet_turn_strict(struct fleet *f, unsigned c, bool strict)
{
	if (f->clients[c].id == 0)
		return;
	f->clients[c].strict = strict;
	fleet_step(f, f->clients[c].daemon, &(struct arb_event){.type = ARB_CLIENT_STRICT,
	    .client = f->clients[c].id, .strict = strict});
}

/* The connection is gone: nothing is answered any more. */
static void
forget_client(struct fleet *f, uint64_t id)
{
	for (unsigned i = 0; i < FLEET_ASKS; i++) {
		if (f->asks[i].client != id)
			continue;
		if (f->asks[i].belief != NULL)
			f->asks[i].belief->asks--;
		f->asks[i] = (struct fleet_ask){0};
	}
	*client_of(f, id) = (struct fleet_client){0};
}

void
fleet_close(struct fleet *f, unsigned c, bool is_kick)
{
	struct fleet_client was = f->clients[c];
	struct arb_event e = {.type = is_kick ? ARB_CLIENT_KICK : ARB_CLIENT_GONE, .client = was.id};

	if (was.id == 0)
		return;
	for (unsigned i = 0; i < FLEET_BELIEFS; i++)
		if (f->beliefs[i].client == was.id)
			f->beliefs[i].held = false;
	f->leaving = was.id;
	fleet_step(f, was.daemon, &e);
	f->leaving = 0;
	forget_client(f, was.id);
}

/* Who reads the page goes on while it says so. */
void
fleet_hung_up(struct fleet *f, unsigned daemon)
{
	for (unsigned i = 0; i < FLEET_BELIEFS; i++) {
		struct fleet_belief *b = &f->beliefs[i];

		if (b->n == 0 || b->daemon != daemon)
			continue;
		if (b->cells[0] == ARB_NO_CELL)
			b->held = false;
		else
			b->until = cell_deadline(f, b);
		b->is_orphan = true;
	}
	for (unsigned i = 0; i < FLEET_CLIENTS; i++)
		if (f->clients[i].id != 0 && f->clients[i].daemon == daemon)
			forget_client(f, f->clients[i].id);
}

/* Room for what may be granted is there before it is asked for. */
static bool
is_room(const struct fleet *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FLEET_BELIEFS; i++)
		n += f->beliefs[i].held || f->beliefs[i].asks > 0;
	for (unsigned i = 0; i < FLEET_ASKS; i++)
		n += f->asks[i].type == ARB_ACQUIRE && f->asks[i].id != 0;
	return n < FLEET_BELIEFS;
}

void
fleet_acquire(struct fleet *f, unsigned c, unsigned group, const struct arb_acquire *a)
{
	struct arb_event e = {.type = ARB_ACQUIRE, .acquire = *a};
	struct fleet_ask *ask = is_room(f) ? ask_new(f, c, &e) : NULL;

	if (ask == NULL)
		return;
	ask->n = a->n;
	e.acquire.group = fleet_groups[group];
	e.acquire.configured = fleet_configured[group];
	fleet_step(f, f->clients[c].daemon, &e);
}

/* From the moment on at which it says so it believes no more. */
void
fleet_release(struct fleet *f, unsigned belief, uint32_t n)
{
	struct fleet_belief *b = &f->beliefs[belief];
	const struct fleet_client *c = client_of(f, b->client);
	struct arb_event e = {.type = ARB_RELEASE};
	uint32_t slots[XCH_N_MAX];

	if (!b->held || b->asks > 0 || c == NULL || ask_new(f, (unsigned)(c - f->clients), &e) == NULL)
		return;
	n = n < b->n ? n : b->n;
	memcpy(slots, b->slots, n * sizeof *slots);
	b->n -= n;
	memmove(b->slots, b->slots + n, b->n * sizeof *b->slots);
	memmove(b->cells, b->cells + n, b->n * sizeof *b->cells);
	b->held = b->n > 0;
	e.release.group = fleet_groups[b->group];
	e.release.n_slots = n;
	e.release.slots = slots;
	e.release.token = b->token;
	fleet_step(f, c->daemon, &e);
}

void
fleet_release_any(struct fleet *f, unsigned c, unsigned group, uint32_t slot, uint64_t token)
{
	struct arb_event e = {.type = ARB_RELEASE};

	for (unsigned i = 0; i < FLEET_BELIEFS; i++) {
		const struct fleet_belief *b = &f->beliefs[i];

		for (uint32_t k = 0; b->held && b->client == f->clients[c].id && k < b->n; k++)
			if (b->group == group && b->slots[k] == slot)
				return;
	}
	if (ask_new(f, c, &e) == NULL)
		return;
	e.release.group = fleet_groups[group];
	e.release.n_slots = 1;
	e.release.slots = &slot;
	e.release.token = token;
	fleet_step(f, f->clients[c].daemon, &e);
}

void
fleet_release_all(struct fleet *f, unsigned c)
{
	struct arb_event e = {.type = ARB_RELEASE_ALL};

	if (ask_new(f, c, &e) == NULL)
		return;
	for (unsigned i = 0; i < FLEET_BELIEFS; i++)
		if (f->beliefs[i].client == f->clients[c].id)
			f->beliefs[i].held = false;
	fleet_step(f, f->clients[c].daemon, &e);
}

void
fleet_cancel(struct fleet *f, unsigned c, unsigned ask)
{
	struct arb_event e = {.type = ARB_CANCEL};

	if (ask_new(f, c, &e) == NULL)
		return;
	e.cancel.request = f->asks[ask % FLEET_ASKS].id;
	fleet_step(f, f->clients[c].daemon, &e);
}

/* At a daemon that was started anew the cell of the former one is the proof. */
void
fleet_resume(struct fleet *f, unsigned c, unsigned belief)
{
	struct fleet_belief *b = &f->beliefs[belief];
	const struct fleet_client *client = &f->clients[c];
	struct arb_event e = {.type = ARB_RESUME};
	struct fleet_ask *ask;

	if (b->n == 0 || client->daemon != b->daemon || (ask = ask_new(f, c, &e)) == NULL)
		return;
	ask->n = b->n;
	ask->belief = b;
	b->asks++;
	e.resume.group = fleet_groups[b->group];
	e.resume.n_slots = b->n;
	e.resume.slots = b->slots;
	e.resume.token = b->token;
	e.resume.limit = b->limit;
	e.resume.hold = NSEC_NEVER;
	if (b->uid == client->uid && b->is_orphan && b->cells[0] != ARB_NO_CELL)
		e.resume.until = b->until;
	fleet_step(f, client->daemon, &e);
}
