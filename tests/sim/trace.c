/* What happens, told as a story: one line an event, in the words of the protocol. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_LEN 400
#define TAIL_MAX 4000

bool tracing;
static bool printing;
static char (*lines)[LINE_MAX_LEN];
static unsigned n_lines, tail;

/* All of it as it happens, or the last lines when asked. */
void
trace_start(bool print, unsigned n)
{
	tracing = true;
	printing = print;
	tail = n < TAIL_MAX ? n : TAIL_MAX;
	n_lines = 0;
	lines = alloc_resize(lines, tail * sizeof *lines + 1);
}

void
trace_show(void)
{
	if (!printing)
		for (unsigned i = n_lines > tail ? n_lines - tail : 0; i < n_lines; i++)
			puts(lines[i % tail]);
	fflush(stdout);
}

void
trace_line(const struct world *w, const char *fmt, ...)
{
	char line[LINE_MAX_LEN];
	va_list ap;
	int n = snprintf(line, sizeof line, "%11.6f  ", (double)w->now / SEC);

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	va_end(ap);
	if (printing)
		puts(line);
	else if (tail > 0)
		memcpy(lines[n_lines % tail], line, sizeof line);
	n_lines++;
}

/* ------------------------------------------------------------------ words */

/* Text that lives until some more have been made. */
static char *
scratch(size_t *size)
{
	static char v[8][160];
	static unsigned next;

	*size = sizeof v[0];
	return v[next++ % 8];
}

/* Numbers begin with the server's time: shown from the start of the run on. */
static long long
number(const struct world *w, uint64_t n)
{
	return (long long)(n - ((uint64_t)w->clock0 >> 5));
}

const char *
show_token(const struct world *w, uint64_t token)
{
	size_t size;
	char *s = scratch(&size);

	snprintf(s, size, "%lld.%u", number(w, token >> 16), (unsigned)(token & 0xffff));
	return s;
}

const char *
show_slots(uint32_t n, const uint32_t *slots)
{
	size_t size, used = 0;
	char *s = scratch(&size);

	s[0] = '\0';
	for (uint32_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(s + used, size - used, "%s%u", i > 0 ? "," : "", slots[i]);
	return s;
}

static const char *
show_claims(const struct world *w, const char *what, uint32_t n, const struct xch_slot *v)
{
	size_t size, used;
	char *s = scratch(&size);

	s[0] = '\0';
	if (n == 0)
		return s;
	used = (size_t)snprintf(s, size, ", %s", what);
	for (uint32_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(s + used, size - used, " %u(#%lld)", v[i].slot,
		    number(w, v[i].number));
	return s;
}

static const char *
show_who(const struct world *w, uint64_t id)
{
	return id < w->n_asks ? w->asks[id].session->client->name : "?";
}

/* ------------------------------------------------------------------ sentences */

void
trace_request(const struct world *w, const struct daemon *d, const struct xch_request *q)
{
	char wants[160] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < q->n_want && used < sizeof wants; i++)
		used += (size_t)snprintf(wants + used, sizeof wants - used, "%s%s",
		    i > 0 ? " " : ", want ", show_who(w, q->want[i].id));
	for (uint32_t i = 0; i < q->n_adopt && used < sizeof wants; i++)
		used += (size_t)snprintf(wants + used, sizeof wants - used, ", adopt %s for %s",
		    show_slots(q->adopt[i].n, q->adopt[i].slots), show_who(w, q->adopt[i].id));
	for (uint32_t i = 0; i < q->n_cancel && used < sizeof wants; i++)
		used += (size_t)snprintf(wants + used, sizeof wants - used, ", cancel %s",
		    show_who(w, q->cancel[i]));
	trace_line(w, "%s > exchange %llu of %s%s%s%s%s%s", d->name, (unsigned long long)q->seq,
	    q->group, q->full ? ", full" : "", q->lapsed ? ", lapsed" : "",
	    show_claims(w, "claim", q->n_claim, q->claim),
	    show_claims(w, "release", q->n_release, q->release), wants);
}

void
trace_reply(const struct world *w, const struct daemon *d, const struct xch_request *q,
    const struct xch_reply *r, bool late)
{
	static const char *const status[] = {[XCH_STALE] = "STALE", [XCH_RESYNC] = "RESYNC",
	    [XCH_GONE] = "GONE", [XCH_ERROR] = "an error"};
	char text[240] = "";
	size_t used = 0;

	if (r->status != XCH_OK) {
		trace_line(w, "  server %d answers %s's %llu%s: %s", w->server->number, d->name,
		    (unsigned long long)q->seq, late ? " LATE" : "", status[r->status]);
		return;
	}
	for (uint32_t i = 0; i < r->n_granted && used < sizeof text; i++)
		used += (size_t)snprintf(text + used, sizeof text - used,
		    ", granted %s(#%lld) to %s",
		    show_slots(r->granted[i].n, r->granted[i].slots),
		    number(w, r->granted[i].number), show_who(w, r->granted[i].id));
	for (uint32_t i = 0; i < r->n_full && used < sizeof text; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, ", full %s",
		    show_who(w, r->full[i]));
	for (uint32_t i = 0; i < r->n_refused && used < sizeof text; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, ", refused %s",
		    show_who(w, r->refused[i]));
	if (r->grace > 0 && used < sizeof text)
		used += (size_t)snprintf(text + used, sizeof text - used, ", grace %.3f s",
		    (double)r->grace / 1e6);
	if (r->live_limit != XCH_NO_LIMIT && used < sizeof text)
		snprintf(text + used, sizeof text - used, ", live limit %lld",
		    (long long)r->live_limit);
	trace_line(w, "  server %d answers %s's %llu%s: in use %u, others %u%s%s",
	    w->server->number, d->name, (unsigned long long)q->seq, late ? " LATE" : "", r->in_use,
	    r->others,
	    show_claims(w, "lost", r->n_lost, r->lost), text);
}

void
trace_push(const struct world *w, const struct daemon *d, bool heard, const struct xch_push *p)
{
	const char *name = d != NULL ? d->name : "a dead daemon";
	const char *verb = heard ? "hears" : "is told";

	switch (p->type) {
	case XCH_RECALL:
		trace_line(w, "%s %s: recall of %s", name, verb, p->group);
		break;
	case XCH_GRANT:
		trace_line(w, "%s %s: %s %s(#%lld) is granted to %s%s", name, verb, p->group,
		    show_slots(p->grant.n, p->grant.slots), number(w, p->grant.number),
		    show_who(w, p->grant.id), p->others ? ", others wait" : "");
		break;
	case XCH_FULL:
		trace_line(w, "%s %s: full for %s", name, verb, show_who(w, p->id));
		break;
	case XCH_LOST:
		trace_line(w, "%s %s: %s %u(#%lld) is lost", name, verb, p->group, p->slot.slot,
		    number(w, p->slot.number));
		break;
	}
}

void
trace_word(const struct world *w, const struct client *c, const struct arb_action *act)
{
	static const char *const reasons[] = {"hold", "lease", "taken", "evict"};

	if (act->type == ARB_TELL_LOST)
		trace_line(w, "%s < !LOST %s %s %s", c->name, show_slots(act->n_slots, act->slots),
		    show_token(w, act->token), reasons[act->reason]);
	else if (act->type == ARB_TELL_UNPROVEN)
		trace_line(w, "%s < !UNPROVEN %s %s", c->name, show_slots(act->n_slots, act->slots),
		    show_token(w, act->token));
	else if (act->type == ARB_TELL_KEPT)
		trace_line(w, "%s < !KEPT %s %s", c->name, show_slots(act->n_slots, act->slots),
		    show_token(w, act->token));
	else if (act->code != WIRE_OK)
		trace_line(w, "%s < ERR %s", c->name, wire_code_word(act->code));
	else if (act->n_slots > 0)
		trace_line(w, "%s < OK %s %s, limit %u", c->name,
		    show_slots(act->n_slots, act->slots), show_token(w, act->token), act->limit);
	else
		trace_line(w, "%s < OK", c->name);
}
