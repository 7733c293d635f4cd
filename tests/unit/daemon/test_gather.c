/* A question to all: when it is over, and what is known then. */
#include "tests/unit/daemon/suites.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "daemon/backend.h"
#include "daemon/gather.h"

static const struct xch_daemon self = {1, 1, 1}, other = {2, 1, 1}, third = {3, 1, 1};
static struct event_base *base;
static struct gathers *gathers;
static struct backend backend;

/* What the backend was asked for. */
static enum backend_said said;
static uint64_t last_id;
static unsigned n_said, n_surveys;
static size_t n_but;
static bool can_survey;
static char replied[256];

/* What the hooks have got. */
static unsigned n_over, n_drops, n_turns;
static int own_pieces;                  /* of an answer of ours; -1: it fails */
static char seen[256];

static enum backend_said
say(struct backend *b, uint64_t id, const char *question)
{
	ck_assert_ptr_eq(b, &backend);
	ck_assert_str_eq(question, "Q");
	last_id = id;
	n_said++;
	return said;
}

static void
reply(struct backend *b, const struct xch_daemon *to, uint64_t id, uint32_t number, bool is_last,
    const char *text, size_t len)
{
	size_t n = strlen(replied);

	(void)b;
	ck_assert_uint_eq(to->install, other.install);
	snprintf(replied + n, sizeof replied - n, "%llu:%u%s:%.*s;", (unsigned long long)id, number,
	    is_last ? "!" : "", (int)len, text);
}

static bool
survey(struct backend *b, uint64_t id, bool is_check, const char *glob, const struct xch_daemon *but,
    size_t n)
{
	(void)b;
	(void)but;
	ck_assert_uint_eq(id, last_id);
	ck_assert(is_check && strcmp(glob, "g*") == 0);
	n_surveys++;
	n_but = n;
	return can_survey;
}

static void *
on_question(void *arg, const char *line)
{
	(void)arg;
	return strcmp(line, "Q") == 0 ? &n_turns : NULL;
}

static enum gather_piece
on_answer(void *arg, void *state, struct output *out)
{
	(void)arg;
	ck_assert_ptr_eq(state, &n_turns);
	n_turns++;
	if (own_pieces < 0)
		return GATHER_FAILED;
	output_printf(out, "piece%d\n", own_pieces);
	return --own_pieces > 0 ? GATHER_MORE : GATHER_LAST;
}

static void
on_drop(void *arg, void *state)
{
	(void)arg;
	(void)state;
	n_drops++;
}

static void
on_gathered(void *arg, const struct gathered *g)
{
	size_t n = 0;

	(void)arg;
	ck_assert(g->client == 7 && g->request == 8);
	ck_assert_str_eq(g->question, "Q");
	for (size_t i = 0; i < g->n_parts; i++)
		n += (size_t)snprintf(seen + n, sizeof seen - n, "%s=%.*s;", g->parts[i].host,
		    (int)output_len(&g->parts[i].text), g->parts[i].text.bytes + g->parts[i].text.start);
	snprintf(seen + n, sizeof seen - n, " silent=%u%s%s records=%.*s", g->n_silent,
	    g->is_alone ? " alone" : "", g->is_partial ? " partial" : "",
	    (int)output_len(g->records), g->records->bytes + g->records->start);
	n_over++;
}

static void
setup(void)
{
	const struct gather_hooks hooks = {on_question, on_answer, on_drop, on_gathered, NULL};

	said = BACKEND_SAID;
	n_said = n_surveys = n_over = n_drops = n_turns = 0;
	own_pieces = 1;
	can_survey = true;
	replied[0] = seen[0] = '\0';
	backend = (struct backend){.say = say, .reply = reply, .survey = survey};
	base = event_base_new();
	gathers = gathers_new(base, &self, "me");
	gathers_set_hooks(gathers, &hooks);
	gathers_set_backend(gathers, &backend);
}

static void
teardown(void)
{
	gathers_free(gathers);
	event_base_free(base);
	output_free_spares();
}

static void
ask(enum gather_records records)
{
	ck_assert(gathers_ask(gathers, 7, 8, "Q", records, "g*"));
}

/* Turns of the loop, until it is over or there is nothing to wait for. */
static void
run(void)
{
	while (n_over == 0 && event_base_loop(base, EVLOOP_ONCE) == 0)
		;
}

/* Turns, until so many pieces have been made here. */
static void
run_turns(unsigned turns)
{
	while (n_turns < turns && event_base_loop(base, EVLOOP_ONCE) == 0)
		;
}

static void
heard(unsigned n)
{
	backend.ears->heard(backend.ears->arg, last_id, n);
}

static void
comes_back(void)
{
	backend.ears->question(backend.ears->arg, &self, last_id, "Q");
}

static void
answers(const struct xch_daemon *from, const char *host, uint32_t number, bool is_last, const char *text)
{
	backend.ears->answer(backend.ears->arg, last_id, from, host, number, is_last, text, strlen(text));
}

START_TEST(nobody_else)
{
	said = BACKEND_NOBODY;
	ask(GATHER_CHECK);
	run();
	ck_assert_str_eq(seen, "me=piece1\n; silent=0 records=");
	ck_assert_uint_eq(n_surveys, 0);
	ck_assert_uint_eq(n_drops, 1);
}
END_TEST

START_TEST(backend_is_away)
{
	said = BACKEND_AWAY;
	ask(GATHER_RECORDS);
	run();
	ck_assert_str_eq(seen, "me=piece1\n; silent=0 alone records=");
}
END_TEST

START_TEST(nobody_listens_there)
{
	ask(GATHER_NO_RECORDS);
	heard(0);
	run();
	ck_assert_str_eq(seen, "me=piece1\n; silent=0 alone records=");
}
END_TEST

START_TEST(all_answer)
{
	own_pieces = 3;
	ask(GATHER_NO_RECORDS);
	answers(&other, "o", 0, false, "a\n");
	heard(3);
	answers(&third, "t", 0, true, "c\n");
	answers(&other, "o", 1, true, "b\n");
	run_turns(3);
	ck_assert_uint_eq(n_over, 0);
	comes_back();
	ck_assert_str_eq(seen, "me=piece3\npiece2\npiece1\n;o=a\nb\n;t=c\n; silent=0 records=");
}
END_TEST

START_TEST(one_is_silent)
{
	ask(GATHER_NO_RECORDS);
	heard(3);
	comes_back();
	answers(&other, "o", 0, true, "a\n");
	run();
	ck_assert_str_eq(seen, "me=piece1\n;o=a\n; silent=1 records=");
}
END_TEST

/* An answer of which a piece is missing is none. */
START_TEST(a_piece_is_missing)
{
	ask(GATHER_NO_RECORDS);
	heard(3);
	comes_back();
	answers(&other, "o", 1, true, "b\n");
	answers(&other, "o", 0, true, "a\n");
	answers(&third, "t", 0, false, "c\n");
	answers(&third, "t", 0, true, "c\n");
	run();
	ck_assert_str_eq(seen, "me=piece1\n; silent=2 records=");
}
END_TEST

START_TEST(what_nobody_has_asked_for)
{
	ask(GATHER_NO_RECORDS);
	backend.ears->answer(backend.ears->arg, last_id + 1, &other, "o", 0, true, "x\n", 2);
	backend.ears->heard(backend.ears->arg, last_id + 1, 5);
	answers(&self, "me", 0, true, "x\n");
	heard(1);
	heard(9);                               /* the first word counts */
	comes_back();
	run();
	ck_assert_str_eq(seen, "me=piece1\n; silent=0 records=");
	answers(&other, "o", 0, true, "late\n");
	backend.ears->surveyed(backend.ears->arg, last_id, &(struct output){0}, true);
}
END_TEST

START_TEST(records)
{
	struct output lines = {0};

	ask(GATHER_CHECK);
	heard(3);
	comes_back();
	answers(&other, "o", 0, true, "a\n");
	while (n_surveys == 0 && event_base_loop(base, EVLOOP_ONCE) == 0)
		;
	ck_assert_uint_eq(n_but, 2);
	ck_assert(backend.ears->awaits(backend.ears->arg, last_id));
	answers(&third, "t", 0, true, "late\n");
	output_printf(&lines, "record\n");
	backend.ears->surveyed(backend.ears->arg, last_id, &lines, true);
	ck_assert_uint_eq(n_over, 0);           /* it may have been in the middle of a step */
	run();
	ck_assert_str_eq(seen, "me=piece1\n;o=a\n; silent=1 records=record\n");
	ck_assert(!backend.ears->awaits(backend.ears->arg, last_id));
}
END_TEST

START_TEST(records_are_broken_off)
{
	struct output lines = {0};

	ask(GATHER_CHECK);
	heard(1);
	comes_back();
	run_turns(1);
	ck_assert_uint_eq(n_surveys, 1);
	output_printf(&lines, "record\n");
	backend.ears->surveyed(backend.ears->arg, last_id, &lines, false);
	run();
	ck_assert_str_eq(seen, "me=piece1\n; silent=0 partial records=record\n");
}
END_TEST

START_TEST(records_cannot_be_read)
{
	can_survey = false;
	ask(GATHER_CHECK);
	heard(1);
	comes_back();
	run();
	ck_assert_str_eq(seen, "me=piece1\n; silent=0 partial records=");
}
END_TEST

START_TEST(no_memory_here)
{
	own_pieces = -1;
	said = BACKEND_NOBODY;
	ask(GATHER_NO_RECORDS);
	run();
	ck_assert_str_eq(seen, "me=; silent=0 partial records=");
}
END_TEST

START_TEST(we_are_asked)
{
	own_pieces = 2;
	backend.ears->question(backend.ears->arg, &other, 5, "Q");
	run_turns(2);
	ck_assert_str_eq(replied, "5:0:piece2\n;5:1!:piece1\n;");
	ck_assert_uint_eq(n_drops, 1);
	backend.ears->question(backend.ears->arg, &other, 6, "nonsense");
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(replied, "5:0:piece2\n;5:1!:piece1\n;6:0!:;");
	own_pieces = -1;                        /* who asks waits in vain, and knows it then */
	backend.ears->question(backend.ears->arg, &other, 7, "Q");
	run_turns(3);
	ck_assert_str_eq(replied, "5:0:piece2\n;5:1!:piece1\n;6:0!:;");
}
END_TEST

START_TEST(too_many)
{
	for (unsigned i = 0; i < GATHER_MAX; i++)
		ask(GATHER_NO_RECORDS);
	ck_assert(!gathers_ask(gathers, 7, 8, "Q", GATHER_NO_RECORDS, ""));
	ck_assert_uint_eq(n_said, GATHER_MAX);
	for (unsigned i = 0; i < 1000; i++)
		backend.ears->question(backend.ears->arg, &other, i, "nonsense");
}
END_TEST

Suite *
gather_suite(void)
{
	Suite *s = suite_create("gather");
	TCase *tc = tcase_create("gather");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nobody_else);
	tcase_add_test(tc, backend_is_away);
	tcase_add_test(tc, nobody_listens_there);
	tcase_add_test(tc, all_answer);
	tcase_add_test(tc, one_is_silent);
	tcase_add_test(tc, a_piece_is_missing);
	tcase_add_test(tc, what_nobody_has_asked_for);
	tcase_add_test(tc, records);
	tcase_add_test(tc, records_are_broken_off);
	tcase_add_test(tc, records_cannot_be_read);
	tcase_add_test(tc, no_memory_here);
	tcase_add_test(tc, we_are_asked);
	tcase_add_test(tc, too_many);
	suite_add_tcase(s, tc);
	return s;
}
