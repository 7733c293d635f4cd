/* Looking at slotd: its lists, taken apart into numbers and states. */
#include "client/slotctl/top/picture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slot.h"
#include "client/slotctl/field.h"

static bool
find_text(const char *line, const char *key, char text[VALUE_SIZE])
{
	struct field f;

	text[0] = '\0';
	if (!field_find(line, key, &f) || f.none)
		return false;
	memcpy(text, f.value, VALUE_SIZE);
	return true;
}

/* A number that cannot be negative; -1: there is none. */
static int64_t
find_number(const char *line, const char *key)
{
	struct field f;

	if (!field_find(line, key, &f) || f.none)
		return -1;
	return strtoll(f.value, NULL, 10);
}

static bool
is_yes(const char *line, const char *key)
{
	struct field f;

	return field_find(line, key, &f) && strcmp(f.value, "yes") == 0;
}

int64_t
picture_stat(const struct picture *picture, const char *name)
{
	struct field f;

	for (size_t i = 0; i < picture->stats.n; i++) {
		const char *line = picture->stats.line[i];

		if (field_next(&line, &f) && strcmp(f.key, name) == 0)
			return strtoll(f.value, NULL, 10);
	}
	return -1;
}

void
picture_free(struct picture *picture)
{
	if (picture == NULL)
		return;
	for (size_t i = 0; i < picture->n_groups; i++)
		free(picture->groups[i].name);
	free(picture->groups);
	answer_free(&picture->groups_said);
	answer_free(&picture->stats);
	answer_free(&picture->holders);
	answer_free(&picture->waiters);
	free(picture->group);
	free(picture);
}

void
eye_close(struct eye *eye)
{
	slot_close(eye->conn);
	eye->conn = NULL;
}

/* ------------------------------------------------------------------------------ groups */

/* The first of these that is so is what an operator has to know. */
static void
group_judge(const struct picture *picture, struct group *g)
{
	char age[CTL_AGE_SIZE], why[VALUE_SIZE];
	int64_t used = g->in_use >= 0 ? g->in_use : g->held + g->idle + g->ending;
	int64_t grace = find_number(g->line, "grace_left");
	int64_t unproven = find_number(g->line, "unproven");
	bool is_full = g->limit >= 0 && used >= g->limit;

	g->is_full = is_full && g->limit > 0;
	g->mood = MOOD_TROUBLE;
	if (picture->has_redis && !picture->is_redis_up) {
		snprintf(g->state, sizeof g->state, "Redis is away");
	} else if (grace > 0) {
		ctl_age(grace, age);
		snprintf(g->state, sizeof g->state, "grace, %s left", age);
	} else if (is_yes(g->line, "paused") || g->limit == 0) {
		find_text(g->line, "live_why", why);
		snprintf(g->state, sizeof g->state, "%s%s%s", is_yes(g->line, "paused") ? "paused" :
		    "limit 0", why[0] != '\0' ? ": " : "", why);
	} else if (is_yes(g->line, "draining")) {
		snprintf(g->state, sizeof g->state, "draining");
	} else if (unproven > 0) {
		snprintf(g->state, sizeof g->state, "%" PRId64 " unproven", unproven);
	} else if (g->limit >= 0 && used > g->limit) {
		snprintf(g->state, sizeof g->state, "over the limit");
	} else if (find_text(g->line, "differs", why)) {
		snprintf(g->state, sizeof g->state, "differs: %s", why);
	} else {
		g->mood = is_full && g->waiting > 0 ? MOOD_FULL : used > 0 || g->waiting > 0 ?
		    MOOD_BUSY : MOOD_QUIET;
		if (g->is_full)
			snprintf(g->state, sizeof g->state, "full");
		if (find_text(g->line, "live_by", why))
			snprintf(g->state, sizeof g->state, "%slimit by %s", g->state[0] != '\0' ?
			    "full, " : "", why);
	}
}

static int64_t
count_of(const char *line, const char *key)
{
	int64_t n = find_number(line, key);

	return n > 0 ? n : 0;
}

/* False: no memory. */
static bool
groups_read(struct picture *picture)
{
	struct field name;

	picture->groups = calloc(picture->groups_said.n + 1, sizeof *picture->groups);
	if (picture->groups == NULL)
		return false;
	for (size_t i = 0; i < picture->groups_said.n; i++) {
		const char *line = picture->groups_said.line[i];
		struct group *g = &picture->groups[picture->n_groups];

		if (!field_find(line, "group", &name))
			continue;
		if ((g->name = strdup(name.value)) == NULL)
			return false;
		picture->n_groups++;
		g->line = line;
		g->limit = find_number(line, "limit");
		g->held = count_of(line, "held");
		g->idle = count_of(line, "idle");
		g->ending = count_of(line, "ending");
		g->waiting = count_of(line, "waiting");
		g->in_use = find_number(line, "in_use");
		g->oldest_ms = find_number(line, "oldest_wait");
		g->grants = find_number(line, "grants");
		g->rate = RATE_UNKNOWN;
		group_judge(picture, g);
		picture->n_full += g->is_full;
		picture->is_draining = picture->is_draining || is_yes(line, "draining");
		if (find_number(line, "grace_left") > picture->grace_ms)
			picture->grace_ms = find_number(line, "grace_left");
	}
	return true;
}

static double
rate_of(int64_t now, int64_t before, int64_t passed_ms)
{
	if (now < 0 || before < 0 || now < before || passed_ms <= 0)
		return RATE_UNKNOWN;
	return (double)(now - before) * 1000 / (double)passed_ms;
}

void
picture_compare(struct picture *picture, const struct picture *before)
{
	int64_t passed_ms = picture->at_ms - before->at_ms;
	size_t i = 0, j = 0;

	picture->rate = rate_of(picture_stat(picture, "grants"), picture_stat(before, "grants"),
	    passed_ms);
	while (i < picture->n_groups && j < before->n_groups) {
		struct group *g = &picture->groups[i];
		int order = strcmp(g->name, before->groups[j].name);

		if (order == 0)
			g->rate = rate_of(g->grants, before->groups[j].grants, passed_ms);
		i += order <= 0;
		j += order >= 0;
	}
}

/* ------------------------------------------------------------------------------ asking */

/* -> a code of libslot */
static int
eye_open(struct eye *eye)
{
	struct answer answer;
	int code;

	if (eye->conn != NULL)
		return 0;
	eye->has_no_ps = false;
	code = ctl_connect(eye->c, 0, &eye->conn);
	if (code == 0)
		code = answer_get(eye->conn, "VERSION", NULL, &answer);
	if (code != 0)
		return code;
	if (answer.n > 0)
		find_text(answer.line[0], "version", eye->version);
	answer_free(&answer);
	return 0;
}

/* A pattern that the group's name matches.  Others may match it too. */
static void
glob_of(const char *group, char *glob, size_t size)
{
	snprintf(glob, size, "%s", group);
	for (char *c = glob; *c != '\0'; c++)
		if (strchr("*?[\\", *c) != NULL)
			*c = '?';
}

/* Sorts the lines of PS into those of holders and of waiters. */
static void
sort_out(struct picture *picture, struct answer *ps)
{
	struct answer *holders = &picture->holders, *waiters = &picture->waiters;
	struct field group, kind;

	holders->line = calloc(ps->n + 1, sizeof *ps->line);
	waiters->line = calloc(ps->n + 1, sizeof *ps->line);
	for (size_t i = 0; i < ps->n; i++) {
		struct answer *to = NULL;

		if (holders->line != NULL && waiters->line != NULL &&
		    field_find(ps->line[i], "group", &group) &&
		    strcmp(group.value, picture->group) == 0 &&
		    field_find(ps->line[i], "kind", &kind))
			to = strcmp(kind.value, "hold") == 0 ? holders : waiters;
		if (to != NULL)
			to->line[to->n++] = ps->line[i];
		else
			free(ps->line[i]);
	}
	free(ps->line);
	holders->fleet = ps->fleet;
}

/* -> a code of libslot */
static int
ask_details(struct eye *eye, struct picture *picture)
{
	char glob[256];
	struct answer ps;
	int code;

	if (!eye->has_no_ps) {
		glob_of(picture->group, glob, sizeof glob);
		code = answer_get(eye->conn, "PS", glob, &ps);
		if (code == 0) {
			picture->of_all_hosts = true;
			sort_out(picture, &ps);
			return 0;
		}
		if (code != SLOT_EUNKNOWN && code != SLOT_EUNAVAILABLE)
			return code;
		eye->has_no_ps = code == SLOT_EUNKNOWN;         /* else too many ask just now */
	}
	code = answer_get(eye->conn, "HOLDERS", picture->group, &picture->holders);
	if (code == 0)
		code = answer_get(eye->conn, "WAITERS", picture->group, &picture->waiters);
	return code;
}

/* -> a code of libslot */
static int
ask(struct eye *eye, struct picture *picture)
{
	int code = eye_open(eye);
	int64_t redis_up;

	if (code == 0)
		code = answer_get(eye->conn, "STATS", NULL, &picture->stats);
	picture->at_ms = ctl_now_ms();
	if (code == 0)
		code = answer_get(eye->conn, "LIST", eye->c->arg, &picture->groups_said);
	if (code == 0 && picture->group != NULL)
		code = ask_details(eye, picture);
	if (code != 0)
		return code;
	memcpy(picture->version, eye->version, sizeof picture->version);
	redis_up = picture_stat(picture, "redis_up");
	picture->has_redis = redis_up >= 0;
	picture->is_redis_up = redis_up > 0;
	return groups_read(picture) ? 0 : SLOT_ENOMEM;
}

static void
say_why(struct picture *picture, const struct eye *eye, int error)
{
	switch (picture->code) {
	case SLOT_ENODAEMON:
	case SLOT_ENOACCESS:
	case SLOT_ESYSTEM:
		snprintf(picture->why, sizeof picture->why, "%s: %s", eye->c->socket,
		    error != 0 ? strerror(error) : slot_strerror(picture->code));
		break;
	default:
		snprintf(picture->why, sizeof picture->why, "%s", eye->conn != NULL ?
		    slot_error_text(eye->conn) : slot_strerror(picture->code));
	}
}

struct picture *
picture_take(struct eye *eye, const char *group)
{
	struct picture *picture = calloc(1, sizeof *picture);

	if (picture == NULL)
		return NULL;
	picture->rate = RATE_UNKNOWN;
	if (group != NULL && (picture->group = strdup(group)) == NULL) {
		picture_free(picture);
		return NULL;
	}
	picture->code = ask(eye, picture);
	if (picture->code == 0)
		return picture;
	say_why(picture, eye, errno);
	eye_close(eye);
	return picture;
}
