/* The fleet's daemons, server, links and clock. */
#include "tests/fuzz/fleet.h"

#include <string.h>

#include "tests/sim/message.h"

#define MS NSEC_MS
#define SERVER_START ((usec)1700000000000000)

const char *const fleet_groups[FLEET_GROUPS] = {"a", "b"};
const int64_t fleet_configured[FLEET_GROUPS] = {XCH_NO_LIMIT, 3};

unsigned
fleet_group(const char *name)
{
	unsigned group = 0;

	while (strcmp(fleet_groups[group], name) != 0)
		MUST(++group < FLEET_GROUPS);
	return group;
}

static usec
server_now(const struct fleet *f)
{
	return SERVER_START + f->now / 1000;
}

/* ------------------------------------------------------------------ steps */

static void
ask_server(struct fleet_link *link, const struct xch_request *q)
{
	if (!link->up)
		return;
	MUST(link->n_asked < FLEET_QUEUE);
	link->asked[link->n_asked++] = q;
}

void
fleet_step(struct fleet *f, unsigned daemon, const struct arb_event *e)
{
	struct fleet_daemon *d = &f->daemons[daemon];
	bool hang_up[FLEET_LINKS] = {false};
	struct arb_action act;

	arb_step(d->arb, f->now, e);
	while (arb_next_action(d->arb, &act)) {
		switch (act.type) {
		case ARB_EXCHANGE:
			ask_server(&d->links[act.link], act.xch);
			break;
		case ARB_HANG_UP:
			hang_up[act.link] = true;
			break;
		case ARB_IS_GONE:
			MUST(!"two daemons of one install");
			break;
		case ARB_DIFFERS:
			break;
		default:
			fleet_hear(f, daemon, &act);
		}
	}
	arb_check(d->arb);
	fleet_judge(f);
	for (unsigned link = 0; link < FLEET_LINKS; link++)
		if (hang_up[link])
			fleet_link(f, daemon, link, false);
}

static void
tick(struct fleet *f, unsigned daemon)
{
	fleet_step(f, daemon, &(struct arb_event){.type = ARB_TICK});
}

/* As a daemon does from time to time while it is connected. */
static void
touch(struct fleet *f, unsigned asleep)
{
	for (unsigned d = 0; d < FLEET_DAEMONS; d++)
		if (f->daemons[d].links[0].up && (asleep >> d & 1) == 0)
			mem_touch(f->mem, server_now(f), f->daemons[d].era, f->conf.grace / 1000);
}

void
fleet_advance(struct fleet *f, nsec by, unsigned asleep)
{
	nsec until = f->now + by;

	for (;;) {
		nsec next = until;

		for (unsigned d = 0; d < FLEET_DAEMONS; d++)
			if ((asleep >> d & 1) == 0 && arb_deadline(f->daemons[d].arb) < next)
				next = arb_deadline(f->daemons[d].arb);
		if (next > f->now)
			f->now = next;
		fleet_judge(f);
		for (unsigned d = 0; d < FLEET_DAEMONS; d++)
			if ((asleep >> d & 1) == 0 && arb_deadline(f->daemons[d].arb) <= f->now)
				tick(f, d);
		if (next == until)
			break;
	}
	touch(f, asleep);
}

/* ------------------------------------------------------------------ messages */

static void
send_pushes(struct fleet *f, const struct xch_push *pushes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct fleet_daemon *d = &f->daemons[pushes[i].to.install - 1];

		MUST(pushes[i].to.install <= FLEET_DAEMONS);
		if (d->n_pushes < FLEET_PUSHES && d->id.generation == pushes[i].to.generation)
			d->pushes[d->n_pushes++] = push_copy(&pushes[i]);
	}
}

static struct xch_reply *
exchange(struct fleet *f, const struct xch_request *q)
{
	const struct xch_push *pushes;
	struct xch_reply *reply;
	uint32_t n;

	reply = reply_copy(mem_exchange(f->mem, server_now(f), q, &pushes, &n));
	send_pushes(f, pushes, n);
	return reply;
}

void
fleet_serve(struct fleet *f, unsigned daemon, unsigned l, const char *error)
{
	struct fleet_link *link = &f->daemons[daemon].links[l];
	const struct xch_request *q = link->asked[0];
	struct xch_reply refusal = {.status = XCH_ERROR, .error = error};

	if (link->n_asked == 0 || link->n_replies == FLEET_QUEUE)
		return;
	memmove(link->asked, link->asked + 1, --link->n_asked * sizeof *link->asked);
	refusal.seq = q->seq;
	link->replies[link->n_replies++] = (struct fleet_reply){
	    .reply = error != NULL ? reply_copy(&refusal) : exchange(f, q),
	    .group = fleet_group(q->group),
	};
}

void
fleet_deliver(struct fleet *f, unsigned daemon, unsigned l)
{
	struct fleet_link *link = &f->daemons[daemon].links[l];
	struct fleet_reply first = link->replies[0];

	if (link->n_replies == 0)
		return;
	memmove(link->replies, link->replies + 1, --link->n_replies * sizeof *link->replies);
	if (first.reply->status == XCH_OK)
		f->daemons[daemon].era = first.reply->era;
	fleet_step(f, daemon, &(struct arb_event){.type = ARB_REPLY,
	    .reply = {.group = fleet_groups[first.group], .reply = first.reply}});
	free(first.reply);
}

void
fleet_push(struct fleet *f, unsigned daemon, bool is_lost, bool again)
{
	struct fleet_daemon *d = &f->daemons[daemon];
	struct xch_push *first = d->pushes[0];

	if (d->n_pushes == 0)
		return;
	if (!again)
		memmove(d->pushes, d->pushes + 1, --d->n_pushes * sizeof *d->pushes);
	if (!is_lost)
		fleet_step(f, daemon, &(struct arb_event){.type = ARB_PUSH, .push = first});
	if (!again)
		free(first);
}

void
fleet_stray(struct fleet *f, unsigned i)
{
	struct xch_request *q = f->strays[i % FLEET_QUEUE];

	if (q != NULL)
		free(exchange(f, q));
}

void
fleet_settle(struct fleet *f)
{
	for (unsigned d = 0; d < FLEET_DAEMONS; d++)
		if (arb_deadline(f->daemons[d].arb) <= f->now)
			tick(f, d);
	for (bool any = true; any;) {
		any = false;
		for (unsigned d = 0; d < FLEET_DAEMONS; d++) {
			for (unsigned l = 0; l < FLEET_LINKS; l++) {
				const struct fleet_link *link = &f->daemons[d].links[l];

				any = any || link->n_asked + link->n_replies > 0;
				fleet_serve(f, d, l, NULL);
				fleet_deliver(f, d, l);
			}
			any = any || f->daemons[d].n_pushes > 0;
			fleet_push(f, d, false, false);
		}
	}
}

/* ------------------------------------------------------------------ faults */

/* What was sent may still arrive; nobody will hear the reply. */
static void
lose_link(struct fleet *f, struct fleet_link *link)
{
	for (unsigned i = 0; i < link->n_asked; i++) {
		struct xch_request **stray = &f->strays[link->asked[i]->seq % FLEET_QUEUE];

		free(*stray);
		*stray = request_copy(link->asked[i]);
	}
	for (unsigned i = 0; i < link->n_replies; i++)
		free(link->replies[i].reply);
	link->n_asked = link->n_replies = 0;
	link->up = false;
}

void
fleet_link(struct fleet *f, unsigned daemon, unsigned l, bool up)
{
	struct fleet_link *link = &f->daemons[daemon].links[l];

	if (link->up == up)
		return;
	if (up)
		link->up = true;
	else
		lose_link(f, link);
	fleet_step(f, daemon, &(struct arb_event){.type = up ? ARB_LINK_UP : ARB_LINK_DOWN,
	    .link.link = l});
}

static void
lose_pushes(struct fleet_daemon *d)
{
	while (d->n_pushes > 0)
		free(d->pushes[--d->n_pushes]);
}

void
fleet_sub(struct fleet *f, unsigned daemon, bool up)
{
	lose_pushes(&f->daemons[daemon]);
	fleet_step(f, daemon, &(struct arb_event){.type = up ? ARB_SUB_UP : ARB_SUB_DOWN});
}

static void
start(struct fleet *f, unsigned daemon)
{
	struct fleet_daemon *d = &f->daemons[daemon];
	struct arb_conf conf = f->conf;

	d->id.install = daemon + 1;
	d->id.generation++;
	d->id.nonce = d->id.generation;
	conf.self = d->id;
	conf.era = d->era;
	MUST((d->arb = arb_new(&conf)) != NULL);
	for (unsigned l = 0; l < FLEET_LINKS; l++)
		fleet_link(f, daemon, l, true);
	fleet_sub(f, daemon, true);
}

static void
end(struct fleet *f, unsigned daemon)
{
	struct fleet_daemon *d = &f->daemons[daemon];

	for (unsigned l = 0; l < FLEET_LINKS; l++)
		lose_link(f, &d->links[l]);
	lose_pushes(d);
	arb_free(d->arb);
	d->arb = NULL;
	memset(d->cells, 0, sizeof d->cells);
}

void
fleet_restart(struct fleet *f, unsigned daemon, bool is_stopped)
{
	if (is_stopped) {
		fleet_step(f, daemon, &(struct arb_event){.type = ARB_STOP});
		fleet_settle(f);
	}
	fleet_hung_up(f, daemon);
	end(f, daemon);
	start(f, daemon);
}

static void
break_all(struct fleet *f)
{
	for (unsigned d = 0; d < FLEET_DAEMONS; d++) {
		for (unsigned l = 0; l < FLEET_LINKS; l++)
			fleet_link(f, d, l, false);
		fleet_sub(f, d, false);
	}
}

/* Takes mem: another process, whatever it knows. */
static void
replace(struct fleet *f, struct mem *mem)
{
	MUST(mem != NULL);
	mem_free(f->mem);
	f->mem = mem;
	mem_set_identity(mem, ++f->sid);
	touch(f, 0);
}

void
fleet_wipe(struct fleet *f)
{
	replace(f, mem_new());
}

void
fleet_copy(struct fleet *f)
{
	mem_free(f->past);
	MUST((f->past = mem_clone(f->mem)) != NULL);
}

void
fleet_fail_over(struct fleet *f, bool is_noticed)
{
	if (f->past == NULL)
		return;
	if (is_noticed)
		break_all(f);
	replace(f, mem_clone(f->past));
}

void
fleet_live_limit(struct fleet *f, unsigned group, int64_t limit)
{
	struct live_setting setting = {.limit = limit};
	const struct xch_push *pushes;
	uint32_t n;

	mem_set_live(f->mem, server_now(f), fleet_groups[group], LIVE_LIMIT, &setting, USEC_NEVER, &pushes, &n);
	send_pushes(f, pushes, n);
}

/* An operator ends a hold, or, where there is none, has the dead forgotten. */
void
fleet_evict(struct fleet *f, unsigned daemon, unsigned group, uint32_t slot)
{
	const char *name = fleet_groups[group];
	uint64_t token = arb_token(f->daemons[daemon].arb, name, slot);
	struct arb_event e = {.type = ARB_REAP, .reap.group = name};

	if (token != 0)
		e = (struct arb_event){.type = ARB_EVICT,
		    .evict = {.group = name, .slot = slot, .token = token}};
	fleet_step(f, daemon, &e);
}

/* ------------------------------------------------------------------ begin and end */

void
fleet_init(struct fleet *f)
{
	memset(f, 0, sizeof *f);
	f->now = 1000 * MS;
	f->conf = (struct arb_conf){.host = "host", .lease = 10000 * MS, .margin = 500 * MS,
	    .grace = 10000 * MS, .idle = 1000 * MS, .recall = 250 * MS,
	    .command_timeout = 2000 * MS, .n_links = FLEET_LINKS, .max_cells = FLEET_CELLS};
	MUST((f->mem = mem_new()) != NULL);
	mem_set_identity(f->mem, ++f->sid);
	for (unsigned d = 0; d < FLEET_DAEMONS; d++)
		start(f, d);
	while (mem_touch(f->mem, server_now(f), 0, f->conf.grace / 1000) > 0)
		f->now += f->conf.grace / 4;
	for (unsigned d = 0; d < FLEET_DAEMONS; d++)
		f->daemons[d].era = mem_era(f->mem);
}

static void
heal(struct fleet *f)
{
	fleet_advance(f, 0, 0);         /* whoever slept may hang up now */
	for (unsigned d = 0; d < FLEET_DAEMONS; d++) {
		for (unsigned l = 0; l < FLEET_LINKS; l++)
			fleet_link(f, d, l, true);
		fleet_sub(f, d, true);
	}
	for (unsigned g = 0; g < FLEET_GROUPS; g++)
		fleet_live_limit(f, g, XCH_NO_LIMIT);
	fleet_settle(f);
}

/* Rounds of a second in which everything that is held is given back, until nobody waits. */
static void
serve_all(struct fleet *f)
{
	unsigned waiting = 1;

	for (unsigned round = 0; waiting > 0; round++) {
		MUST(round < 6 * f->conf.lease / (1000 * MS));
		for (unsigned b = 0; b < FLEET_BELIEFS; b++)
			fleet_release(f, b, XCH_N_MAX);
		fleet_settle(f);
		fleet_advance(f, 1000 * MS, 0);
		fleet_settle(f);
		waiting = 0;
		for (unsigned i = 0; i < FLEET_ASKS; i++)
			waiting += f->asks[i].id != 0;
	}
}

void
fleet_drain(struct fleet *f)
{
	struct arb_stats stats;

	heal(f);
	serve_all(f);
	for (unsigned c = 0; c < FLEET_CLIENTS; c++)
		fleet_close(f, c, false);
	/* no slot has been leaked: all that there are can be had at once */
	fleet_open(f, 0, 0, 0, false);
	for (unsigned g = 0; g < FLEET_GROUPS; g++)
		fleet_acquire(f, 0, g, &(struct arb_acquire){.n = 3, .limit = 3,
		    .wait = NSEC_NEVER, .hold = NSEC_NEVER});
	serve_all(f);
	fleet_close(f, 0, false);
	for (unsigned d = 0; d < FLEET_DAEMONS; d++) {
		arb_stats(f->daemons[d].arb, &stats);
		MUST(stats.holds == 0 && stats.waiters == 0 && stats.clients == 0);
	}
}

void
fleet_fini(struct fleet *f)
{
	for (unsigned d = 0; d < FLEET_DAEMONS; d++)
		end(f, d);
	for (unsigned i = 0; i < FLEET_QUEUE; i++)
		free(f->strays[i]);
	mem_free(f->mem);
	mem_free(f->past);
}
