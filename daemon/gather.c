/* Gathering: a question to every daemon that shares our backend, and what they answer. */
#include "daemon/gather.h"

#include <assert.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/backend.h"
#include "daemon/core/alloc.h"
#include "daemon/core/table.h"
#include "daemon/log.h"

#define ANSWER_TIME 1000        /* ms that others have to answer, or to go on with it */
#define RECORDS_TIME 10000      /* ms that the backend has to be read */
#define PAUSE 1                 /* ms between two pieces that are made here: so answers take no more
				   than a part of the loop's time, however many ask */
#define JOBS_MAX 64             /* questions that are being answered; others are not heard */
#define TEXT_MAX ((size_t)64 * 1024 * 1024)     /* of one daemon's answer */

/* A question of a client of ours. */
struct gathering {
	struct table_node by_id;        /* gathers->gatherings; owned */
	struct gathers *gathers;
	uint64_t client, request;
	char *question, *glob;          /* owned */
	enum gather_records records;
	struct event *timer;            /* the end of what is waited for; owned */
	bool is_reading;                /* the records; all that will answer have */
	bool is_over;                   /* they are read */
	bool is_own_done;
	bool is_partial;                /* our own answer is */
	bool is_alone;
	bool is_back;                   /* our question has come back to us */
	int n_heard;                    /* that have got it; -1: not known yet */
	int n_done;                     /* others that have answered to the end */
	struct part {
		struct gather_part part;
		uint32_t n_pieces;
		bool is_done, is_bad;   /* bad: a piece is missing */
	} *parts;                       /* the first is our own */
	size_t n_parts, size;
	struct output lines;            /* of the records */
};

/* A question that is being answered here. */
struct job {
	TAILQ_ENTRY(job) next;
	struct xch_daemon to;           /* if gathering is 0 */
	uint64_t id;                    /* as `to` counts */
	uint64_t gathering;             /* one of ours */
	uint32_t n_pieces;
	void *state;                    /* the hooks'; NULL: nothing to say */
};

struct gathers {
	struct event_base *base;
	const struct xch_daemon *self;
	const char *host;
	struct backend *backend;
	struct backend_ears ears;
	struct gather_hooks hooks;
	struct table gatherings;
	uint64_t last_id;
	TAILQ_HEAD(, job) jobs;         /* each makes a piece in its turn */
	unsigned n_jobs;
	struct event *turn;             /* the next piece is due */
};

static bool
is_same(const struct xch_daemon *a, const struct xch_daemon *b)
{
	return a->install == b->install && a->generation == b->generation && a->nonce == b->nonce;
}

static char *
copy(const char *text)
{
	return strcpy(alloc_new(strlen(text) + 1), text);
}

static void
set_timer(struct event *timer, int ms)
{
	const struct timeval after = {ms / 1000, ms % 1000 * 1000};

	if (event_add(timer, &after) < 0)
		log_warnx("no timer for a question to all hosts");
}

/* ------------------------------------------------------------------ the end of one */

static void
gathering_free(struct gathering *g)
{
	table_remove(&g->gathers->gatherings, g);
	for (size_t i = 0; i < g->n_parts; i++)
		output_clear(&g->parts[i].part.text);
	output_clear(&g->lines);
	event_free(g->timer);
	free(g->parts);
	free(g->question);
	free(g->glob);
	free(g);
}

static void
gathering_end(struct gathering *g)
{
	struct gathered gathered = {.client = g->client, .request = g->request,
	    .question = g->question, .is_alone = g->is_alone,
	    .is_partial = g->is_partial, .records = &g->lines};
	struct gather_part *parts = alloc_new(g->n_parts * sizeof *parts);
	int n_others = g->n_heard - g->is_back;

	for (size_t i = 0; i < g->n_parts; i++)
		if (i == 0 || g->parts[i].is_done)
			parts[gathered.n_parts++] = g->parts[i].part;
	gathered.parts = parts;
	if (n_others > g->n_done)
		gathered.n_silent = (unsigned)(n_others - g->n_done);
	g->gathers->hooks.gathered(g->gathers->hooks.arg, &gathered);
	free(parts);
	gathering_free(g);
}

/* Who has answered to the end is alive, and what is on record of it no matter. */
static void
read_records(struct gathering *g)
{
	struct backend *backend = g->gathers->backend;
	struct xch_daemon *but;
	size_t n = 0;
	bool is_begun;

	if (g->records == GATHER_NO_RECORDS || g->is_alone || g->n_heard == 0 || backend == NULL) {
		gathering_end(g);
		return;
	}
	but = alloc_new(g->n_parts * sizeof *but);
	for (size_t i = 0; i < g->n_parts; i++)
		if (i == 0 || g->parts[i].is_done)
			but[n++] = g->parts[i].part.from;
	g->is_reading = true;
	set_timer(g->timer, RECORDS_TIME);
	is_begun = backend->survey(backend, g->by_id.key, g->records == GATHER_CHECK, g->glob, but, n);
	free(but);
	if (!is_begun) {
		g->is_partial = true;
		gathering_end(g);
	}
}

static void
end_if_done(struct gathering *g)
{
	if (g->is_own_done && !g->is_reading && g->n_heard >= 0 &&
	    g->n_done + g->is_back >= g->n_heard)
		read_records(g);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct gathering *g = arg;

	(void)fd;
	(void)what;
	if (g->is_reading) {
		g->is_partial |= !g->is_over;
		gathering_end(g);
	} else if (!g->is_own_done) {
		set_timer(g->timer, ANSWER_TIME);       /* it is long, and on its way */
	} else {
		if (g->n_heard < 0) {                   /* not even Redis has answered */
			g->n_heard = 0;
			g->is_alone = true;
		}
		read_records(g);
	}
}

/* ------------------------------------------------------------------ answering, here */

static void
job_end(struct gathers *all, struct job *job)
{
	if (job->state != NULL)
		all->hooks.drop(all->hooks.arg, job->state);
	TAILQ_REMOVE(&all->jobs, job, next);
	all->n_jobs--;
	free(job);
}

static void
job_new(struct gathers *all, const struct job *like, const char *question)
{
	struct job *job = alloc_new(sizeof *job);

	*job = *like;
	job->state = all->hooks.question(all->hooks.arg, question);
	TAILQ_INSERT_TAIL(&all->jobs, job, next);
	if (all->n_jobs++ == 0)
		set_timer(all->turn, 0);
}

/* False: it has no more.  Of an answer that has failed the last piece is never sent. */
static bool
job_turn(struct gathers *all, struct job *job)
{
	struct gathering *g = table_find(&all->gatherings, job->gathering);
	struct output text = {0}, *out = g != NULL ? &g->parts[0].part.text : &text;
	enum gather_piece piece = GATHER_LAST;

	if (job->state != NULL)
		piece = all->hooks.answer(all->hooks.arg, job->state, out);
	if (g != NULL) {
		g->is_own_done = piece != GATHER_MORE;
		g->is_partial |= piece == GATHER_FAILED;
		end_if_done(g);
	} else if (job->gathering == 0 && all->backend != NULL && piece != GATHER_FAILED) {
		all->backend->reply(all->backend, &job->to, job->id, job->n_pieces++,
		    piece == GATHER_LAST, text.bytes + text.start, output_len(&text));
	}
	output_clear(&text);
	return piece == GATHER_MORE;
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct gathers *all = arg;
	struct job *job = TAILQ_FIRST(&all->jobs);

	(void)fd;
	(void)what;
	TAILQ_REMOVE(&all->jobs, job, next);    /* the others first, before it has its next */
	TAILQ_INSERT_TAIL(&all->jobs, job, next);
	if (!job_turn(all, job))
		job_end(all, job);
	if (all->n_jobs > 0)
		set_timer(all->turn, PAUSE);
}

/* ------------------------------------------------------------------ what is heard */

static void
on_question(void *arg, const struct xch_daemon *from, uint64_t id, const char *line)
{
	struct gathers *all = arg;
	struct gathering *g;

	if (!is_same(from, all->self)) {
		if (all->n_jobs < JOBS_MAX)
			job_new(all, &(struct job){.to = *from, .id = id}, line);
	} else if ((g = table_find(&all->gatherings, id)) != NULL) {
		g->is_back = true;
		end_if_done(g);
	}
}

static void
on_heard(void *arg, uint64_t id, unsigned n)
{
	struct gathers *all = arg;
	struct gathering *g = table_find(&all->gatherings, id);

	if (g == NULL || g->n_heard >= 0)
		return;
	g->n_heard = (int)n;
	g->is_alone = n == 0;           /* we ourselves listen at another server */
	end_if_done(g);
}

static struct part *
part_new(struct gathering *g, const struct xch_daemon *from, const char *host)
{
	struct gather_part *part;

	ALLOC_ROOM(g->parts, g->n_parts, g->size, 1);
	g->parts[g->n_parts] = (struct part){.part.from = *from};
	part = &g->parts[g->n_parts].part;
	snprintf(part->name, sizeof part->name, "%016" PRIx64, from->install);
	snprintf(part->host, sizeof part->host, "%s", host);
	return &g->parts[g->n_parts++];
}

static struct part *
part_of(struct gathering *g, const struct xch_daemon *from, const char *host)
{
	for (size_t i = 1; i < g->n_parts; i++)
		if (is_same(&g->parts[i].part.from, from))
			return &g->parts[i];
	return part_new(g, from, host);
}

static void
on_answer(void *arg, uint64_t id, const struct xch_daemon *from, const char *host, uint32_t number,
    bool is_last, const char *text, size_t len)
{
	struct gathers *all = arg;
	struct gathering *g = table_find(&all->gatherings, id);
	struct part *part;

	if (g == NULL || g->is_reading || is_same(from, all->self))
		return;
	part = part_of(g, from, host);
	if (part->is_done || part->is_bad)
		return;
	if (number != part->n_pieces++ || output_len(&part->part.text) + len > TEXT_MAX ||
	    !output_add(&part->part.text, text, len)) {
		part->is_bad = true;
		output_clear(&part->part.text);
	} else if (is_last) {
		part->is_done = true;
		g->n_done++;
		end_if_done(g);
	} else {
		set_timer(g->timer, ANSWER_TIME);
	}
}

/* The end is left to the timer: a link that goes down can be the doing of the arbiter, and what is
 * done with the answer another step of it. */
static void
on_surveyed(void *arg, uint64_t id, struct output *lines, bool is_whole)
{
	struct gathers *all = arg;
	struct gathering *g = table_find(&all->gatherings, id);

	if (g != NULL && g->is_reading && !g->is_over) {
		g->lines = *lines;
		*lines = (struct output){0};
		g->is_over = true;
		g->is_partial |= !is_whole;
		set_timer(g->timer, 0);
	}
}

static bool
on_awaits(void *arg, uint64_t id)
{
	const struct gathers *all = arg;
	const struct gathering *g = table_find(&all->gatherings, id);

	return g != NULL && g->is_reading;
}

/* ------------------------------------------------------------------ the whole */

bool
gathers_ask(struct gathers *all, uint64_t client, uint64_t request, const char *question,
    enum gather_records records, const char *glob)
{
	struct gathering *g;
	enum backend_said said = BACKEND_AWAY;

	if (all->gatherings.n >= GATHER_MAX)
		return false;
	g = alloc_new(sizeof *g);
	*g = (struct gathering){.gathers = all, .client = client, .request = request,
	    .records = records, .n_heard = -1};
	g->question = copy(question);
	g->glob = copy(glob);
	g->timer = evtimer_new(all->base, on_time, g);
	if (g->timer == NULL)
		abort();
	part_new(g, all->self, all->host);
	table_add(&all->gatherings, g, ++all->last_id);
	set_timer(g->timer, ANSWER_TIME);
	if (all->backend != NULL)
		said = all->backend->say(all->backend, g->by_id.key, question);
	if (said != BACKEND_SAID)
		g->n_heard = 0;
	g->is_alone = said == BACKEND_AWAY;
	job_new(all, &(struct job){.gathering = g->by_id.key}, question);
	return true;
}

struct gathers *
gathers_new(struct event_base *base, const struct xch_daemon *self, const char *host)
{
	struct gathers *all = alloc_new(sizeof *all);

	*all = (struct gathers){
	    .base = base,
	    .self = self,
	    .host = host,
	    .ears = {on_question, on_heard, on_answer, on_surveyed, on_awaits, all},
	    .gatherings = TABLE_OF(struct gathering, by_id),
	    .turn = evtimer_new(base, on_turn, all),
	};
	TAILQ_INIT(&all->jobs);
	if (all->turn == NULL)
		abort();
	return all;
}

void
gathers_free(struct gathers *all)
{
	struct gathering *g, *after;

	while (!TAILQ_EMPTY(&all->jobs))
		job_end(all, TAILQ_FIRST(&all->jobs));
	TABLE_FOREACH (g, after, &all->gatherings)
		gathering_free(g);
	event_free(all->turn);
	free(all);
}

void
gathers_set_hooks(struct gathers *all, const struct gather_hooks *hooks)
{
	all->hooks = *hooks;
}

void
gathers_set_backend(struct gathers *all, struct backend *backend)
{
	all->backend = backend;
	if (backend != NULL)
		backend->ears = &all->ears;
}
