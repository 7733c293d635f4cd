/* A survey: what Redis has on record of daemons that do not answer.
 *
 * First the script is loaded, then the groups are found, by SCAN, and then each is read: a few at a
 * time, so that exchanges have their turns between. */
#include "daemon/redis/survey.h"

#include <fnmatch.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/log.h"
#include "daemon/redis/others.h"
#include "daemon/redis/link.h"
#include "proto/wire.h"

#define AT_A_TIME 8             /* groups that are asked for */
#define SCAN_COUNT "1000"       /* keys that one SCAN looks at */
#define SCANNED ":records"      /* the key by which a group is found */

struct survey_group {
	struct survey *survey;
	char *name;             /* owned */
	bool is_checking;       /* its entries are read */
	char from[64];          /* where to go on; "": at the beginning */
};

/* ------------------------------------------------------------------ its life */

struct survey *
survey_new(struct others *others, struct link *link, uint64_t id, bool is_check, const char *glob,
    const struct xch_daemon *but, size_t n_but)
{
	struct survey *survey = alloc_new(sizeof *survey);

	*survey = (struct survey){.others = others, .link = link, .id = id, .is_check = is_check,
	    .n_but = n_but, .is_whole = true};
	survey->glob = alloc_new(strlen(glob) + 1);
	strcpy(survey->glob, glob);
	survey->but = alloc_new(n_but * TALK_DAEMON_MAX);
	for (size_t i = 0; i < n_but; i++)
		talk_daemon(survey->but + i * TALK_DAEMON_MAX, &but[i]);
	return survey;
}

void
survey_free(struct survey *survey)
{
	TAILQ_REMOVE(&survey->others->surveys, survey, next);
	for (size_t i = 0; i < survey->n_groups; i++)
		free(survey->groups[i].name);
	free(survey->groups);
	output_clear(&survey->lines);
	exchange_command_fini(&survey->command);
	free(survey->glob);
	free(survey->but);
	free(survey);
}

void
survey_end(struct survey *survey, bool is_whole)
{
	struct others *others = survey->others;
	const struct backend_ears *ears = others->backend->ears;
	bool was_first = survey == TAILQ_FIRST(&others->surveys);

	ears->surveyed(ears->arg, survey->id, &survey->lines, is_whole && survey->is_whole);
	survey_free(survey);
	while (was_first && (survey = TAILQ_FIRST(&others->surveys)) != NULL) {
		if (ears->awaits(ears->arg, survey->id)) {
			survey_begin(survey);
			break;
		}
		survey_free(survey);
	}
}

static void
add_line(struct survey *survey, const char *line, size_t len)
{
	if (!output_add(&survey->lines, line, len))
		survey->is_whole = false;
}

/* ------------------------------------------------------------------ one group */

static void on_read(void *arg, struct link *link, const redisReply *reply);

static void
read_group(struct survey_group *group)
{
	struct survey *survey = group->survey;
	struct exchange_command *command = &survey->command;

	exchange_encode_survey(command, survey->sha, survey->others->prefix, group->name,
	    group->is_checking, group->from, survey->but, TALK_DAEMON_MAX, survey->n_but);
	link_send(survey->link, command->argc, command->argv, command->lens, on_read, group);
}

/* The daemon whose entries follow. */
struct silent {
	char host[WIRE_ESCAPED(XCH_HOST_MAX)], install[17];
	long long left;                 /* ms of its lease */
};

static void
put_slot(struct survey *survey, const char *name, const struct silent *silent, const char *item)
{
	char line[1024];
	unsigned slot;

	if (sscanf(item, "S %u", &slot) != 1)
		return;
	add_line(survey, line, (size_t)snprintf(line, sizeof line,
	    "%s %s h %s %u token=- pid=- uid=- command=- label=- age=- lease_left=%lld proven=-\n",
	    silent->host, silent->install, name, slot, silent->left));
}

static void
put_waiter(struct survey *survey, const char *name, const struct silent *silent, const char *item)
{
	char line[1024], limit[16] = "-";
	unsigned n;
	long long age;
	int own;

	if (sscanf(item, "W %u %lld %d", &n, &age, &own) != 3)
		return;
	if (own >= 0)
		snprintf(limit, sizeof limit, "%d", own);
	add_line(survey, line, (size_t)snprintf(line, sizeof line,
	    "%s %s w %s %lld n=%u limit=%s pid=- uid=- command=- label=- age=%lld left=- "
	    "lease_left=%lld\n",
	    silent->host, silent->install, name, age, n, limit, age / 1000, silent->left));
}

static void
put_problem(struct survey *survey, const char *name, const char *text)
{
	char line[1024], clean[512];

	wire_escape(text, strnlen(text, 160), true, clean, sizeof clean);
	add_line(survey, line,
	    (size_t)snprintf(line, sizeof line, "- - p %s 0 %s\n", name, clean));
}

/* Whoever can write to Redis may have put anything where a host's name is expected. */
static void
take_silent(struct silent *silent, const char *item)
{
	char host[XCH_HOST_MAX + 1] = "-";
	long long left = 0;

	sscanf(item, "D %16[0-9a-f].%*[0-9a-f].%*[0-9a-f] %lld %64[!-~]", silent->install, &left, host);
	wire_escape(host, strlen(host), false, silent->host, sizeof silent->host);
	silent->left = left / 1000;
}

/* True if there is more to be read. */
static bool
take_items(struct survey_group *group, const char *name, const redisReply *reply)
{
	struct silent silent = {"-", "-", 0};
	bool is_more = false;

	for (size_t i = 0; i < reply->elements; i++) {
		const char *item = reply->element[i]->str;

		if (reply->element[i]->type != REDIS_REPLY_STRING)
			continue;
		switch (item[0]) {
		case 'D':
			take_silent(&silent, item);
			break;
		case 'S':
			put_slot(group->survey, name, &silent, item);
			break;
		case 'W':
			put_waiter(group->survey, name, &silent, item);
			break;
		case 'P':
			put_problem(group->survey, name, item + 2);
			break;
		case 'M':
			snprintf(group->from, sizeof group->from, "%s", item + 2);
			is_more = true;
			break;
		}
	}
	return is_more;
}

static void
go_on(struct survey *survey)
{
	while (survey->n_asked < survey->n_groups && survey->n_asked - survey->n_read < AT_A_TIME)
		read_group(&survey->groups[survey->n_asked++]);
	if (survey->n_read == survey->n_groups)
		survey_end(survey, true);
}

static void
on_read(void *arg, struct link *link, const redisReply *reply)
{
	struct survey_group *group = arg;
	struct survey *survey = group->survey;
	char name[WIRE_ESCAPED(WIRE_GROUP_MAX)];
	bool is_more = false;

	(void)link;
	wire_escape(group->name, strlen(group->name), false, name, sizeof name);
	if (reply->type == REDIS_REPLY_ARRAY)
		is_more = take_items(group, name, reply);
	else if (reply->type == REDIS_REPLY_ERROR && survey->is_check)
		put_problem(survey, name, reply->str);
	else
		survey->is_whole = false;
	if (!is_more && survey->is_check && !group->is_checking && reply->type == REDIS_REPLY_ARRAY) {
		group->is_checking = is_more = true;
		group->from[0] = '\0';
	}
	if (is_more) {
		read_group(group);
	} else {
		survey->n_read++;
		go_on(survey);
	}
}

/* ------------------------------------------------------------------ which groups */

static void
add_group(struct survey *survey, const char *name, size_t len)
{
	struct survey_group *group;

	ALLOC_ROOM(survey->groups, survey->n_groups, survey->size, 1);
	group = &survey->groups[survey->n_groups++];
	*group = (struct survey_group){.survey = survey, .name = alloc_new(len + 1)};
	memcpy(group->name, name, len);
	group->name[len] = '\0';
}

/* The name within "prefix1:{sNN}:name:records", if it is one and matches. */
static void
take_key(struct survey *survey, const char *key, size_t len)
{
	size_t head = strlen(survey->others->prefix) + strlen(EXCHANGE_FORMAT ":{s00}:");
	size_t tail = strlen(SCANNED);
	char name[WIRE_GROUP_MAX + 1];

	if (len <= head + tail || len - head - tail > WIRE_GROUP_MAX ||
	    memcmp(key + len - tail, SCANNED, tail) != 0)
		return;
	len -= head + tail;
	if (!wire_name_ok(key + head, len, WIRE_GROUP_MAX, false))
		return;
	memcpy(name, key + head, len);
	name[len] = '\0';
	if (survey->glob[0] == '\0' || fnmatch(survey->glob, name, FNM_NOESCAPE) == 0)
		add_group(survey, name, len);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct survey_group *)a)->name, ((const struct survey_group *)b)->name);
}

/* SCAN may tell a key twice. */
static void
sort_groups(struct survey *survey)
{
	struct survey_group *v = survey->groups;
	size_t n = 0;

	if (survey->n_groups > 0)
		qsort(v, survey->n_groups, sizeof *v, compare);
	for (size_t i = 0; i < survey->n_groups; i++) {
		if (n > 0 && strcmp(v[n - 1].name, v[i].name) == 0)
			free(v[i].name);
		else
			v[n++] = v[i];
	}
	survey->n_groups = n;
}

static void on_scanned(void *arg, struct link *link, const redisReply *reply);

static void
scan(struct survey *survey, const char *cursor)
{
	char pattern[4 * EXCHANGE_PREFIX_MAX], *to = pattern;
	const char *argv[] = {"SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT};

	for (const char *c = survey->others->prefix; *c != '\0'; c++) {
		if (strchr("*?[]^\\", *c) != NULL)
			*to++ = '\\';
		*to++ = *c;
	}
	strcpy(to, EXCHANGE_FORMAT ":{s[0-9][0-9]}:*" SCANNED);
	link_send(survey->link, 6, argv, NULL, on_scanned, survey);
}

static void
on_scanned(void *arg, struct link *link, const redisReply *reply)
{
	struct survey *survey = arg;
	const redisReply *keys;

	(void)link;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    reply->element[1]->type != REDIS_REPLY_ARRAY) {
		if (reply->type == REDIS_REPLY_ERROR)
			log_warnx("redis: SCAN: %s", reply->str);
		survey_end(survey, false);
		return;
	}
	keys = reply->element[1];
	for (size_t i = 0; i < keys->elements; i++)
		if (keys->element[i]->type == REDIS_REPLY_STRING)
			take_key(survey, keys->element[i]->str, keys->element[i]->len);
	if (strcmp(reply->element[0]->str, "0") != 0) {
		scan(survey, reply->element[0]->str);
		return;
	}
	sort_groups(survey);
	go_on(survey);
}

static void
on_loaded(void *arg, struct link *link, const redisReply *reply)
{
	struct survey *survey = arg;

	(void)link;
	if (reply->type != REDIS_REPLY_STRING || reply->len != sizeof survey->sha - 1) {
		survey_end(survey, false);
		return;
	}
	memcpy(survey->sha, reply->str, sizeof survey->sha);
	if (survey->glob[0] != '\0' && strpbrk(survey->glob, "*?[") == NULL) {
		add_group(survey, survey->glob, strlen(survey->glob));
		go_on(survey);
	} else {
		scan(survey, "0");
	}
}

void
survey_begin(struct survey *survey)
{
	const char *argv[] = {"SCRIPT", "LOAD", survey_script};

	link_send(survey->link, 3, argv, NULL, on_loaded, survey);
}
