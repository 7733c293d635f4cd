/* slotctl ps, evict, audit: what all hosts say, and what is asked of all of them. */
#include "client/slotctl/fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slotctl/table.h"

/* ------------------------------------------------------------------------------ how much is known */

static int64_t
number(const char *line, const char *key)
{
	struct field f;

	return field_find(line, key, &f) && !f.none ? strtoll(f.value, NULL, 10) : 0;
}

static bool
is_word(const char *line, const char *key, const char *word)
{
	struct field f;

	return field_find(line, key, &f) && strcmp(f.value, word) == 0;
}

bool
fleet_say(const struct answer *answer)
{
	const char *line = answer->fleet;
	int64_t silent;

	if (line == NULL)
		return true;
	silent = number(line, "hosts") - number(line, "answered");
	if (is_word(line, "redis", "away"))
		ctl_say("slotd cannot reach Redis: this is the part of this host alone");
	else if (silent > 0)
		ctl_say("%" PRId64 " of %" PRId64 " hosts %s not answer: of %s this is what Redis has on "
		    "record", silent, number(line, "hosts"), silent == 1 ? "does" : "do",
		    silent == 1 ? "it" : "them");
	else if (!is_word(line, "complete", "yes"))
		ctl_say("not all that is on record could be read: something may be missing");
	return is_word(line, "complete", "yes");
}

int
ctl_ps(const struct ctl *c)
{
	static const struct column columns[] = {
		{"host", "HOST", TEXT | KEY}, {"group", "GROUP", TEXT | KEY},
		{"slot", "SLOT", NUMBER | KEY}, {"place", "PLACE", NUMBER},
		{"pid", "PID", NUMBER | KEY}, {"uid", "UID", NUMBER}, {"command", "COMMAND", TEXT},
		{"age", "AGE", AGE}, {"left", "LEFT", AGE}, {"lease_left", "LEASE", AGE},
		{"proven", "PROVEN", TEXT}, {"label", "LABEL", TEXT | KEY},
	};

	return ctl_show(c, "PS", columns, sizeof columns / sizeof columns[0]);
}

/* -------------------------------------------------------------------------------------- evict */

/* "group slot [token=T]", as on the wire: what a name may not have is escaped. */
static bool
make_words(const struct ctl *c, char *words, size_t size)
{
	size_t n;

	text_escape(c->arg, words, size);
	n = strlen(words);
	n += (size_t)snprintf(words + n, size - n, " %s", c->second);
	if (n < size && c->token != NULL)
		n += (size_t)snprintf(words + n, size - n, " token=%s", c->token);
	return n < size;
}

static bool
is_number(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

int
ctl_evict(const struct ctl *c)
{
	struct answer answer;
	int64_t evicted;
	uint32_t slot;
	char words[1000];
	int status;

	if (!ctl_number(c->second, 1, 1000000, &slot)) {
		ctl_say("%s: not the number of a slot, from 1 to 1000000 (try slotctl evict --help)", c->second);
		return CTL_USAGE;
	}
	if ((c->token != NULL && !is_number(c->token)) || !make_words(c, words, sizeof words)) {
		ctl_say("--token: not a token");
		return CTL_USAGE;
	}
	if ((status = ctl_ask(c, "EVICT", words, &answer)) != 0)
		return status;
	evicted = answer.n > 0 ? number(answer.line[0], "evicted") : 0;
	if (c->json)
		printf("{\"evicted\": %" PRId64 "}\n", evicted);
	else if (evicted == 0)
		ctl_say("%s: nobody holds slot %s%s", c->arg, c->second,
		    c->token != NULL ? " with this token" : "");
	answer_free(&answer);
	status = ctl_printed();
	return status == 0 && evicted == 0 ? 1 : status;
}

/* -------------------------------------------------------------------------------------- audit */

static void
print_findings(const struct answer *answer)
{
	static const struct column columns[] = {
		{"group", "GROUP", TEXT}, {"kind", "KIND", TEXT}, {"slot", "SLOT", NUMBER},
		{"host", "HOST", TEXT}, {"daemon", "DAEMON", TEXT}, {"lease_left", "LEASE", AGE},
		{"text", "TEXT", TEXT},
	};
	struct table table = {.columns = columns, .n = sizeof columns / sizeof columns[0]};

	table_fit(&table, answer);
	table_print_row(stdout, &table, NULL);
	for (size_t i = 0; i < answer->n; i++)
		table_print_row(stdout, &table, answer->line[i]);
}

/* Of what is left when all has been freed that may be: how long that may not yet. */
static void
say_left(const struct answer *answer)
{
	char age[CTL_AGE_SIZE];
	int64_t longest = 0;
	size_t n = 0;

	for (size_t i = 0; i < answer->n; i++) {
		if (is_word(answer->line[i], "kind", "record"))
			continue;
		n++;
		if (number(answer->line[i], "lease_left") > longest)
			longest = number(answer->line[i], "lease_left");
	}
	ctl_age(longest, age);
	if (n > 0)
		ctl_say("%zu %s left, which a lease protects for up to %s more; then slotd frees %s", n,
		    n == 1 ? "is" : "are", age, n == 1 ? "it" : "them");
	if (n < answer->n)
		ctl_say("records that do not agree stay as they are");
}

int
ctl_audit(const struct ctl *c)
{
	struct answer answer;
	int status = ctl_ask(c, "AUDIT", c->fix ? "fix" : NULL, &answer), found;
	bool is_complete;

	if (status != 0)
		return status;
	if (c->json)
		json_print_array(&answer);
	else if (answer.n > 0)
		print_findings(&answer);
	is_complete = fleet_say(&answer);
	if (c->fix)
		say_left(&answer);
	found = answer.n > 0;
	answer_free(&answer);
	status = ctl_printed();
	return status != 0 ? status : found ? 1 : is_complete ? 0 : CTL_UNAVAILABLE;
}
