/* slotctl why: what stands in the way of a request, in sentences, each with its facts. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/slotctl/answer.h"
#include "client/slotctl/field.h"
#include "client/slotctl/slotctl.h"
#include "client/slotctl/table.h"

#define SHOWN_MAX 800           /* a decoded value with each byte as %XX */
#define GROUP_MAX 900           /* escaped: more than any name takes */
#define WORDS_MAX 1000          /* of a request */

static void
print_cause(const char *line)
{
	char shown[SHOWN_MAX];
	struct field f;

	if (field_find(line, "text", &f)) {
		text_format(f.value, shown, sizeof shown);
		printf("%s\n ", shown);
	}
	while (field_next(&line, &f)) {
		if (strcmp(f.key, "text") == 0)
			continue;
		text_format(f.none ? "-" : f.value, shown, sizeof shown);
		printf(" %s=%s", f.key, shown);
	}
	printf("\n");
}

int
ctl_why(const struct ctl *c)
{
	char group[GROUP_MAX], limit[24] = "", words[WORDS_MAX];
	struct answer answer;
	int status;

	text_escape(c->arg, group, sizeof group);
	if (c->limit != 0)
		snprintf(limit, sizeof limit, " limit=%" PRIu32, c->limit);
	snprintf(words, sizeof words, "%s%s n=%" PRIu32, group, limit, c->count);
	if ((status = ctl_ask(c, "WHY", words, &answer)) != 0)
		return status;
	if (c->json)
		json_print_array(&answer);
	else
		for (size_t i = 0; i < answer.n; i++)
			print_cause(answer.line[i]);
	answer_free(&answer);
	return ctl_printed();
}
