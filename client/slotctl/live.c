/* slotctl limit, pause, resume, history: what counts for a group on all hosts, until it is set anew. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slotctl/answer.h"
#include "client/slotctl/field.h"
#include "client/slotctl/slotctl.h"
#include "client/slotctl/table.h"

#define WORDS_SIZE 2048         /* of a request: what does not fit slotd would not take either */

/* ------------------------------------------------------------------ what is asked */

static void put(char words[WORDS_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
put(char words[WORDS_SIZE], const char *format, ...)
{
	size_t length = strlen(words);
	va_list args;

	va_start(args, format);
	vsnprintf(words + length, WORDS_SIZE - length, format, args);
	va_end(args);
}

static void
put_escaped(char words[WORDS_SIZE], const char *text)
{
	size_t length = strlen(words);

	text_escape(text, words + length, WORDS_SIZE - length);
}

static bool
is_good_reason(const char *why)
{
	size_t length = strlen(why);

	for (; *why != '\0'; why++)
		if ((unsigned char)*why < ' ' || *why == 0x7F)
			return false;
	return length >= 1 && length <= 100;
}

/* ------------------------------------------------------------------ what is answered */

static void
print_text(const char *text)
{
	char shown[800];

	text_format(text, shown, sizeof shown);
	printf("%s", shown);
}

/* The value of a word, or NULL: there is none.  It lives in f. */
static const char *
value(const char *line, const char *key, struct field *f)
{
	return field_find(line, key, f) && !f->none ? f->value : NULL;
}

/* " for 5m00s more", if it has an end */
static void
print_left(const char *line, const char *key)
{
	char age[CTL_AGE_SIZE];
	struct field f;

	if (value(line, key, &f) == NULL)
		return;
	ctl_age(strtoll(f.value, NULL, 10), age);
	printf(" for %s more", age);
}

static void
print_who(const char *line)
{
	struct field f;
	char at[CTL_TIME_SIZE];

	if (value(line, "by", &f) == NULL)
		return;
	printf(", set by ");
	print_text(f.value);
	if (value(line, "at", &f) != NULL) {
		ctl_time_of_day(strtoll(f.value, NULL, 10), at);
		printf(" at %s", at);
	}
	if (value(line, "why", &f) != NULL) {
		printf(": ");
		print_text(f.value);
	}
}

/* What counts, as one line, and who has set it. */
static void
print_state(const char *line, bool is_paused, const char *limit)
{
	struct field f;

	if (value(line, "group", &f) != NULL)
		print_text(f.value);
	if (is_paused)
		printf(": paused");
	else if (limit != NULL)
		printf(": live limit %s", limit);
	else
		printf(": no live limit");
	print_left(line, is_paused ? "pause_left" : "limit_left");
	print_who(line);
	printf("\n");
}

static void
print_live(const char *line)
{
	struct field f, g, h;
	bool is_paused = value(line, "paused", &f) != NULL && strcmp(f.value, "yes") == 0;
	const char *limit = value(line, "limit", &f), *configured = value(line, "configured", &g);
	bool is_set = is_paused || limit != NULL;

	print_state(line, is_paused, limit);
	if (is_paused && limit != NULL)
		printf("  then the live limit of %s counts\n", limit);
	if (is_set && configured != NULL)
		printf("  instead of the configured limit of %s\n", configured);
	else if (configured != NULL)
		printf("  the configured limit of %s counts\n", configured);
	else if (!is_set)
		printf("  no limit is configured: callers name one\n");
	if (is_set && value(line, "backend", &h) != NULL && strcmp(h.value, "memory") == 0)
		printf("  on this host alone, and until its slotd ends\n");
}

static int
ask(const struct ctl *c, const char *words)
{
	struct answer answer;
	int status = ctl_ask(c, "LIVE", words, &answer);

	if (status != 0)
		return status;
	if (c->json) {
		printf("{");
		json_print_members(answer.line, answer.n);
		printf("}\n");
	} else if (answer.n > 0) {
		print_live(answer.line[0]);
	}
	answer_free(&answer);
	return ctl_printed();
}

/* ------------------------------------------------------------------ the commands */

/* change: limit=... or pause=..., or NULL: it is only looked at. */
static int
live(const struct ctl *c, const char *change)
{
	char words[WORDS_SIZE] = "";

	if (c->why != NULL && !is_good_reason(c->why)) {
		ctl_say("--why: not 1 to 100 bytes of UTF-8 without control characters");
		return CTL_USAGE;
	}
	put_escaped(words, c->arg);
	if (change != NULL)
		put(words, " %s", change);
	if (c->for_ms > 0)
		put(words, " for=%" PRId64, c->for_ms);
	if (c->why != NULL) {
		put(words, " why=");
		put_escaped(words, c->why);
	}
	return ask(c, words);
}

int
ctl_limit(const struct ctl *c)
{
	bool clears = c->clear || (c->second != NULL && strcmp(c->second, "none") == 0);
	char change[32] = "limit=none";
	uint32_t limit;

	if (c->clear && c->second != NULL) {
		ctl_say("--clear: not with a limit (try slotctl limit --help)");
		return CTL_USAGE;
	}
	if (!clears && c->second != NULL) {
		if (!ctl_number(c->second, 0, 1000000, &limit)) {
			ctl_say("%s: neither a number from 0 to 1000000 nor none "
			    "(try slotctl limit --help)", c->second);
			return CTL_USAGE;
		}
		snprintf(change, sizeof change, "limit=%" PRIu32, limit);
	}
	if ((c->for_ms > 0 && (clears || c->second == NULL)) ||
	    (c->why != NULL && !clears && c->second == NULL)) {
		ctl_say("%s: goes with a limit (try slotctl limit --help)",
		    c->for_ms > 0 ? "--for" : "--why");
		return CTL_USAGE;
	}
	return live(c, clears || c->second != NULL ? change : NULL);
}

int
ctl_pause(const struct ctl *c)
{
	return live(c, "pause=on");
}

int
ctl_resume(const struct ctl *c)
{
	return live(c, "pause=off");
}

int
ctl_history(const struct ctl *c)
{
	static const struct column columns[] = {
		{"at", "AT", TIME}, {"by", "BY", TEXT}, {"uid", "UID", NUMBER}, {"what", "WHAT", TEXT},
		{"value", "VALUE", TEXT}, {"for", "FOR", AGE}, {"why", "WHY", TEXT},
	};

	return ctl_show(c, "HISTORY", columns, sizeof columns / sizeof columns[0]);
}
