/* slotctl reload and drain: what slotd does on this host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/slotctl/answer.h"
#include "client/slotctl/field.h"
#include "client/slotctl/slotctl.h"
#include "client/slotctl/table.h"

/* The value of a key in the one line of an answer; "-": none. */
static const char *
value(const struct answer *answer, const char *key, struct field *f)
{
	return answer->n > 0 && field_find(answer->line[0], key, f) && !f->none ? f->value : "-";
}

static int
finish(struct answer *answer)
{
	answer_free(answer);
	return ctl_printed();
}

static int
finish_json(struct answer *answer)
{
	printf("{");
	json_print_members(answer->line, answer->n);
	printf("}\n");
	return finish(answer);
}

int
ctl_reload(const struct ctl *c)
{
	struct field groups, changed, restart, overridden, live;
	struct answer answer;
	int status;

	if ((status = ctl_ask(c, "RELOAD", NULL, &answer)) != 0)
		return status;
	if (c->json)
		return finish_json(&answer);
	printf("reloaded: %s sections of groups, %s of them changed\n",
	    value(&answer, "groups", &groups), value(&answer, "changed", &changed));
	if (strcmp(value(&answer, "restart", &restart), "-") != 0)
		printf("a restart is needed for: %s\n", restart.value);
	if (answer.n > 0 && field_find(answer.line[0], "live", &live) && !live.none)
		printf("a live limit goes before the configured one in %s of them: %s\n",
		    value(&answer, "overridden", &overridden), live.value);
	return finish(&answer);
}

int
ctl_drain(const struct ctl *c)
{
	const char *word = c->arg;
	struct answer answer;
	struct field held, draining;
	bool is_on;
	int status;

	if (word != NULL && strcmp(word, "on") != 0 && strcmp(word, "off") != 0) {
		ctl_say("%s: neither on nor off (try slotctl drain --help)", word);
		return CTL_USAGE;
	}
	if ((status = ctl_ask(c, "DRAIN", word, &answer)) != 0)
		return status;
	if (c->json)
		return finish_json(&answer);
	is_on = strcmp(value(&answer, "draining", &draining), "yes") == 0;
	if (is_on)
		printf("slotd grants nothing here any more; %s holds are left\n",
		    value(&answer, "held", &held));
	else
		printf(word != NULL ? "slotd grants slots here again\n" :
		    "this host is not drained: slotd grants slots here\n");
	return finish(&answer);
}
