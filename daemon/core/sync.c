/* Exchanges: what is said to the backend, and what its replies and pushes change.
 *
 * A group has at most one exchange in flight; what happens meanwhile goes with the next, so load
 * makes batches larger instead of queues longer.  The rules:
 *
 *  - A reply is ignored if the lease has lapsed since its request was sent, or if its own deadline
 *    has passed when it arrives: a process that was stopped must not believe old news.  Then, and
 *    after STALE, RESYNC and a broken link, everything is said again: a full sync.
 *  - Whether others wait is decided by the word with the greatest version; a push can only end
 *    being alone, since the backend counts on what a reply has told us.
 *  - A push is believed only if it is for the picture that we have (its incarnation) and no full
 *    sync is in flight; a grant also needs a lease that is valid and not older than it is while
 *    somebody holds, so that no hold begins with less time than it may count on.  Otherwise it only
 *    pokes.
 *  - A grant that nobody waits for any more is given back with its number, or, if a reply brings
 *    it, goes to the oldest local waiter; one that was heard before, by a push, is known by it.
 *  - Unproven holds are proven by a reply that does not call them lost and leaves no grace.
 *  - A live limit that was set for a time counts for as long after the request was sent as the reply
 *    says: never for longer than it is in force. */
#include "daemon/core/arbiter_state.h"

#include <assert.h>
#include <string.h>

static usec
to_usec(nsec t)
{
	return t / 1000;
}

/* now + t, saturating */
static nsec
after(const struct arb *arb, usec t)
{
	return t >= (NSEC_NEVER - arb->now) / 1000 ? NSEC_NEVER : arb->now + t * 1000;
}

/* ------------------------------------------------------------------ composing a request */

void
sync_drop_request(struct group *g)
{
	free(g->request);
	g->request = NULL;
}

static void
give_idle_back(struct arb *arb, struct group *g)
{
	bool all = group_is_contended(arb, g) || (RULE(OWN_IDLE_BACK) && g->n_waiters > 0) ||
	    group_drains(g);
	struct slot *s;

	while ((s = TAILQ_FIRST(&g->idle_by_age)) != NULL &&
	    (all || arb->now - s->idle_since >= arb->conf.idle))
		slot_give_back(g, s);
}

/* A class's waiters that are to be queued now: the oldest, up to what the backend takes. */
static uint32_t
class_ready(const struct arb *arb, const struct group *g, const struct wclass *cls)
{
	uint32_t n = cls->n - cls->n_sent, room = XCH_WANTS_MAX - cls->n_sent;

	if (n == 0 || waiter_class_deferred(arb, g, cls))
		return 0;
	return n < room ? n : room;
}

/* One block of memory holds the request and all its lists. */
static struct xch_request *
request_new(uint32_t claims, uint32_t releases, uint32_t cancels, uint32_t wants, uint32_t adopts,
    uint32_t adopt_slots, uint32_t **slots)
{
	struct xch_request *q;
	char *p;

	q = alloc_resize(NULL, sizeof *q + claims * sizeof *q->claim + releases * sizeof *q->release +
	    cancels * sizeof *q->cancel + wants * sizeof *q->want + adopts * sizeof *q->adopt +
	    adopt_slots * sizeof **slots);
	memset(q, 0, sizeof *q);
	p = (char *)(q + 1);
	q->claim = (void *)p;
	p += claims * sizeof *q->claim;
	q->release = (void *)p;
	p += releases * sizeof *q->release;
	q->cancel = (void *)p;
	p += cancels * sizeof *q->cancel;
	q->want = (void *)p;
	p += wants * sizeof *q->want;
	q->adopt = (void *)p;
	p += adopts * sizeof *q->adopt;
	*slots = (void *)p;
	return q;
}

static void
put_claims(struct group *g, struct xch_request *q)
{
	struct xch_slot *v = (struct xch_slot *)q->claim;
	struct slot *s, *tmp;

	TABLE_FOREACH (s, tmp, &g->slots)
		v[q->n_claim++] = (struct xch_slot){s->num, s->number};
}

static void
put_deltas(const struct group *g, struct xch_request *q)
{
	q->n_release = g->n_releases;
	q->n_cancel = g->n_cancels;
	if (q->n_release > 0)
		memcpy((void *)q->release, g->releases, q->n_release * sizeof *q->release);
	if (q->n_cancel > 0)
		memcpy((void *)q->cancel, g->cancels, q->n_cancel * sizeof *q->cancel);
}

static void
put_wants(const struct arb *arb, struct wclass *cls, uint32_t n, struct xch_request *q)
{
	struct xch_want *v = (struct xch_want *)q->want;

	while (n-- > 0) {
		struct hold *w = TAILQ_FIRST(&cls->unsent);

		TAILQ_REMOVE(&cls->unsent, w, of_class);
		w->sent = true;
		cls->n_sent++;
		v[q->n_want++] = (struct xch_want){.id = w->by_id.key, .n = w->n, .now = w->now,
		    .limit = cls->own, .age = to_usec(arb->now - w->since)};
	}
}

static void
put_adopts(struct group *g, bool full, uint32_t *slots, struct xch_request *q)
{
	struct xch_adopt *v = (struct xch_adopt *)q->adopt;
	struct adopt *a;

	TAILQ_FOREACH (a, &g->adopts, of_group) {
		if (a->sent && !full)
			continue;
		a->sent = true;
		memcpy(slots, a->hold->slots, a->hold->n * sizeof *slots);
		v[q->n_adopt++] = (struct xch_adopt){.id = a->by_id.key, .n = a->hold->n, .slots = slots,
		    .number = a->hold->token >> TOKEN_BITS, .limit = a->hold->limit};
		slots += a->hold->n;
	}
}

/* Every waiter is to be said anew: back among the unsent, in order of age. */
static void
unsend_all(struct group *g)
{
	struct hold *w;
	struct wclass *cls;

	LIST_FOREACH (cls, &g->classes, link) {
		TAILQ_INIT(&cls->unsent);
		cls->n_sent = 0;
	}
	TAILQ_FOREACH (w, &g->waiters, of_group) {
		w->sent = false;
		TAILQ_INSERT_TAIL(&w->cls->unsent, w, of_class);
	}
}

void
sync_compose(struct arb *arb, struct group *g)
{
	uint32_t wants = 0, adopts = 0, adopt_slots = 0, *slots;
	bool full = !g->synced;
	struct xch_request *q;
	struct wclass *cls;
	struct arb_action *act;
	struct adopt *a;
	nsec grace = arb->conf.grace;

	if (arb->now >= group_away_at(arb, g))
		waiter_check_away(arb, g);
	if (arb->gone || (arb->link_up >> g->link & 1) == 0)
		return;
	give_idle_back(arb, g);
	group_due(arb, g);
	if (g->request != NULL || arb->now < g->retry_at)
		return;
	if (full && g->slots.n == 0 && g->n_waiters == 0 && TAILQ_EMPTY(&g->adopts) && !g->dirty) {
		g->n_releases = g->n_cancels = 0;
		g->poke = false;
		return;
	}
	if (full)
		unsend_all(g);
	LIST_FOREACH (cls, &g->classes, link)
		wants += class_ready(arb, g, cls);
	TAILQ_FOREACH (a, &g->adopts, of_group) {
		if (full || !a->sent) {
			adopts++;
			adopt_slots += a->hold->n;
		}
	}
	if (!full && !g->poke && wants + adopts + g->n_releases + g->n_cancels == 0)
		return;

	q = request_new(full ? group_n_slots(g) : 0, full ? 0 : g->n_releases,
	    full ? 0 : g->n_cancels, wants, adopts, adopt_slots, &slots);
	q->group = g->name;
	q->from = arb->conf.self;
	q->seq = ++arb->seq;
	q->full = full;
	q->lapsed = g->lapsed;
	q->keep = g->n_state[SLOT_IDLE] > 0;
	q->incarnation = g->incarnation;
	if (RULE(LONG_GRACE) && grace != 0 && grace < arb->longest_lease)
		grace = arb->longest_lease;
	q->lease = to_usec(arb->conf.lease);
	q->grace = to_usec(grace);
	q->era = arb->era;
	q->high = g->high;
	q->limit = g->configured;
	q->host = arb->conf.host;
	if (full) {
		put_claims(g, q);
	} else {
		put_deltas(g, q);
	}
	LIST_FOREACH (cls, &g->classes, link)
		put_wants(arb, cls, class_ready(arb, g, cls), q);
	put_adopts(g, full, slots, q);
	g->n_releases = g->n_cancels = 0;
	g->poke = g->adopt_dropped = false;
	g->renew_at = g->look_at = NSEC_NEVER;
	g->request = q;
	g->sent_at = arb->now;
	g->hang_at = arb->now + arb->conf.command_timeout;
	g->is_stale = false;
	arb->stats.exchanges++;
	g->tally->exchanges++;

	act = arb_act(arb, ARB_EXCHANGE);
	act->link = g->link;
	act->group = g->name;
	act->xch = q;
}

/* ------------------------------------------------------------------ what the backend says */

/* A slot for a waiter that is gone.  It was given another's while the exchange was under way, as a
 * rule, and the next one may have this: else as many waiters as come meanwhile are queued for a slot
 * that goes back and forth.  Not so if a push brings it: a cancel may have freed it by now.  Nor if
 * it is not new: heard by a push and given back since, or what an adoption was for. */
static void
unwanted(struct arb *arb, struct group *g, const struct xch_grant *grant, uint32_t num,
    bool is_push)
{
	struct slot *s = slot_new(g, num, grant->number, grant->limit, grant->number << TOKEN_BITS);

	if ((RULE(UNWANTED_PUSH) && is_push) || (RULE(UNWANTED_OLD) && grant->number <= g->granted) ||
	    grant->n > 1 || g->adopt_dropped || !waiter_hand_over(arb, g, s))
		slot_give_back(g, s);
}

/* Whom a grant is for.  NULL: he is gone. */
static struct hold *
waiter_of(const struct arb *arb, const struct group *g, const struct xch_grant *grant)
{
	struct hold *w = table_find(&arb->waiters, grant->id);

	return w != NULL && w->group == g && w->n == grant->n ? w : NULL;
}

static void
heard_granted(struct arb *arb, struct group *g, const struct xch_grant *grant, bool is_push)
{
	uint32_t known = 0;
	struct hold *w = waiter_of(arb, g, grant);
	struct adopt *a = w == NULL ? adopt_of(arb, g, grant) : NULL;
	struct hold *h = w != NULL ? w : a != NULL ? a->hold : NULL;
	uint64_t token = a != NULL ? h->token : grant->number << TOKEN_BITS | 1;

	if (grant->number > g->high)
		g->high = grant->number;
	for (uint32_t i = 0; i < grant->n; i++) {
		const struct slot *s = slot_find(g, grant->slots[i]);

		known += s != NULL && s->number == grant->number;
	}
	if (known == grant->n) {                /* by a push, before */
		if (a != NULL && a->by_id.key == grant->id)
			adopt_again(arb, a);
		return;
	}
	if (w != NULL) {
		waiter_answered(w);
		waiter_leave(arb, w);
		tally_granted(g->tally, TALLY_EXCHANGE, arb->now - w->since);
	}
	for (uint32_t i = 0; i < grant->n; i++) {
		struct slot *s = slot_find(g, grant->slots[i]);

		if (h == NULL) {                /* nobody waits for it any more */
			if (s == NULL && RULE(NOBODY_GIVES_BACK))
				unwanted(arb, g, grant, grant->slots[i], is_push);
			continue;
		}
		if (s != NULL)                  /* then what we believed of it is over */
			hold_slot_lost(arb, g, s->num, s->number);
		slot_new(g, grant->slots[i], grant->number, grant->limit, token);
		h->slots[i] = grant->slots[i];
	}
	if (grant->number > g->granted)
		g->granted = grant->number;
	if (a != NULL)
		adopt_granted(arb, a, grant->limit);
	else if (h != NULL)
		hold_give(arb, h, grant->id, token, grant->limit);
}

static void
heard_full(struct arb *arb, struct group *g, uint64_t id)
{
	struct hold *w = table_find(&arb->waiters, id);

	if (w == NULL || w->group != g)
		return;
	waiter_answered(w);
	waiter_refuse(arb, w, group_limit(g, w->cls->own) == XCH_NO_LIMIT ? WIRE_ERR_NOLIMIT :
	    WIRE_ERR_FULL);
}

static void
heard_refused(struct arb *arb, struct group *g, uint64_t id)
{
	struct adopt *a = table_find(&arb->adopts, id);

	if (a == NULL || a->group != g)
		return;
	a->sent = false;
	adopt_refuse(arb, a, WIRE_ERR_LOST);
}

/* Another daemon runs with our install id. */
static void
is_gone(struct arb *arb)
{
	struct group *g, *tmp;

	arb->gone = true;
	TABLE_FOREACH (g, tmp, &arb->groups)
		group_lose_all(arb, g);
	arb_act(arb, ARB_IS_GONE);
}

/* The backend can do nothing for this group.  Who waits is told; who holds keeps it until the lease
 * ends; and it is asked again after a while, as long as it may record anything of us. */
static void
heard_error(struct arb *arb, struct group *g, const char *text)
{
	g->retry_at = arb->now + RETRY;
	waiter_check_away(arb, g);
	waiter_refuse_all(arb, g, text);
	if (g->slots.n == 0 && TAILQ_EMPTY(&g->adopts) && !group_is_valid(arb, g))
		g->dirty = false;
}

/* False if the reply says nothing that may be believed. */
static bool
reply_counts(struct arb *arb, struct group *g, const struct xch_reply *re, nsec deadline)
{
	bool counts = !(RULE(STALE_REPLY) && g->is_stale) && re->status == XCH_OK &&
	    arb->now < deadline;

	if (!counts) {
		g->synced = false;
		g->dirty = true;
	}
	if (!g->is_stale && re->status == XCH_RESYNC) {
		g->doubt = true;
		arb->stats.resyncs++;
	}
	if (!g->is_stale && re->status == XCH_ERROR)
		heard_error(arb, g, re->error);
	if (!g->is_stale && re->status == XCH_GONE)
		is_gone(arb);
	return counts;
}

/* g is NULL: in its lease. */
static void
differs(struct arb *arb, const struct group *g, const struct xch_peer *peer)
{
	struct arb_action *act = arb_act(arb, ARB_DIFFERS);
	struct xch_peer *copy = arena_take(&arb->arena, sizeof *copy);

	*copy = *peer;
	act->peer = copy;
	if (g != NULL) {
		act->group = arb_copy_string(arb, g->name);
		act->configured = g->configured;
	}
}

static void
other_lease(struct arb *arb, const struct xch_peer *peer)
{
	struct other_lease *other = table_find(&arb->other_leases, peer->install);

	if (other == NULL) {
		other = alloc_resize(NULL, sizeof *other);
		*other = (struct other_lease){0};
		table_add(&arb->other_leases, other, peer->install);
	}
	if (other->lease == peer->lease)
		return;
	other->lease = peer->lease;
	differs(arb, NULL, peer);
}

static bool
is_other_limit_known(const struct xch_peer *v, uint32_t n, const struct xch_peer *peer)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i].install == peer->install && v[i].limit == peer->limit)
			return true;
	return false;
}

/* Who is configured otherwise.  A record of our own install is of a former daemon's: we have been
 * configured anew. */
static void
heard_peers(struct arb *arb, struct group *g, const struct xch_reply *re)
{
	struct xch_peer were[XCH_PEERS_MAX];
	uint32_t n_were = g->n_differs;

	if (n_were > 0)
		memcpy(were, g->differs, n_were * sizeof *were);
	g->n_differs = 0;
	for (uint32_t i = 0; i < re->n_peers; i++) {
		struct xch_peer peer = re->peers[i];

		if (peer.lease == to_usec(arb->conf.lease))
			peer.lease = 0;
		if (peer.limit == g->configured || g->configured == XCH_NO_LIMIT)
			peer.limit = XCH_NO_LIMIT;
		if (peer.install == arb->conf.self.install ||
		    (peer.lease == 0 && peer.limit == XCH_NO_LIMIT))
			continue;
		if (g->differs == NULL)
			g->differs = alloc_resize(NULL, XCH_PEERS_MAX * sizeof *g->differs);
		g->differs[g->n_differs++] = peer;
		if (peer.lease != 0)
			other_lease(arb, &peer);
		if (peer.limit != XCH_NO_LIMIT && !is_other_limit_known(were, n_were, &peer))
			differs(arb, g, &peer);
	}
}

/* A quarter of a lease after the last exchange was sent, or up to an eighth sooner: each group has its
 * own moment in every eighth, so that those which have spoken together, as after a connect, do not go
 * on renewing together. */
static nsec
renewal_due(const struct arb *arb, const struct group *g)
{
	nsec eighth = arb->conf.lease / 8, latest = g->sent_at + 2 * eighth;

	return latest - (nsec)(((uint64_t)latest + g->by_name.key) % (uint64_t)eighth);
}

void
sync_reply(struct arb *arb, struct group *g, const struct xch_reply *re)
{
	bool full, kept = false, limits;
	int64_t said;
	nsec deadline;

	if (g->request == NULL || g->request->seq != re->seq)
		return;
	full = g->request->full;
	said = g->request->limit;
	sync_drop_request(g);
	histogram_add(&arb->conf.tallies->exchange, arb->now - g->sent_at);
	group_touch(arb, g);
	deadline = arb->conf.sole ? NSEC_NEVER : (RULE(SENT_AT) ? g->sent_at : arb->now) +
	    arb->conf.lease - (RULE(MARGIN) ? arb->conf.margin : 0);
	if (!reply_counts(arb, g, re, deadline))
		return;

	if (!g->lapsed || re->grace == 0 || !RULE(LAPSED_IN_GRACE)) {
		kept = g->lapsed;
		g->lapsed = false;
		if (deadline > g->deadline)
			g->deadline = deadline;
	}
	if (full) {
		g->synced = said == g->configured;
		g->dirty = !g->synced;  /* configured anew meanwhile: see group_configure() */
		g->incarnation = re->seq;
		g->version = 0;
	}
	limits = full || g->doubt || g->grace_until > 0 || g->live != re->live_limit;
	g->doubt = false;
	g->look_at = re->look == USEC_NEVER ? NSEC_NEVER : after(arb, re->look) + LOOK_SLACK;
	if (re->last > g->high)
		g->high = re->last;
	if (re->longest_lease * 1000 > arb->longest_lease)
		arb->longest_lease = re->longest_lease * 1000;
	arb->era = re->era;
	g->in_use = re->in_use;
	heard_peers(arb, g, re);
	g->grace_until = re->grace > 0 ? after(arb, re->grace) : 0;
	g->live = re->live_limit;
	g->live_until = re->live_left == USEC_NEVER ? NSEC_NEVER :
	    after(arb, re->live_left) - (arb->now - g->sent_at);
	group_check_live(arb, g);
	if (re->version > g->version) {
		g->version = re->version;
		g->others = re->others > 0;
		g->hot_until = after(arb, re->hot);
	}
	for (uint32_t i = 0; i < re->n_lost; i++)
		hold_slot_lost(arb, g, re->lost[i].slot, re->lost[i].number);
	for (uint32_t i = 0; i < re->n_full; i++)
		heard_full(arb, g, re->full[i]);
	for (uint32_t i = 0; i < re->n_refused; i++)
		heard_refused(arb, g, re->refused[i]);
	if (!g->lapsed)
		proof_renew(arb, g, kept);
	g->renew_at = arb->conf.sole ? NSEC_NEVER : renewal_due(arb, g);
	for (uint32_t i = 0; i < re->n_granted; i++)
		heard_granted(arb, g, &re->granted[i], false);
	if (limits && group_knows_live(arb, g))
		waiter_check_limits(arb, g);
	waiter_check_queue(arb, g);
}

/* It was not renewed, since there was nothing to hold: what is granted now would begin with the rest
 * of it. */
static bool
lease_is_old(const struct arb *arb, const struct group *g)
{
	return arb->now >= g->deadline - arb->conf.lease + arb->conf.margin + arb->conf.lease / 4 &&
	    RULE(OLD_LEASE);
}

void
sync_push(struct arb *arb, struct group *g, const struct xch_push *push)
{
	bool ours = !RULE(PUSH_GUARD) || (g->synced && push->incarnation == g->incarnation &&
	    !(g->request != NULL && g->request->full));

	group_touch(arb, g);
	g->tally->recalls += push->type == XCH_RECALL;
	if (push->others && ours && push->version > g->version) {
		g->version = push->version;
		g->others = true;
	}
	if (push->type == XCH_RECALL || !ours || !group_is_valid(arb, g) ||
	    (push->type == XCH_GRANT && lease_is_old(arb, g))) {
		g->poke = true;
		return;
	}
	if (push->type == XCH_GRANT)
		heard_granted(arb, g, &push->grant, true);
	else if (push->type == XCH_FULL)
		heard_full(arb, g, push->id);
	else
		hold_slot_lost(arb, g, push->slot.slot, push->slot.number);
}
