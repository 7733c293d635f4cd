/* Asking slotd, and keeping what it says. */
#include "client/slotctl/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/slot.h"

static void
add_line(const char *line, void *userdata)
{
	struct answer *answer = userdata;
	char **grown, *copy = strdup(line);

	if (copy != NULL && strncmp(line, "kind=fleet ", strlen("kind=fleet ")) == 0) {
		free(answer->fleet);
		answer->fleet = copy;
		return;
	}
	grown = realloc(answer->line, (answer->n + 1) * sizeof *grown);
	if (grown != NULL)
		answer->line = grown;
	if (grown == NULL || copy == NULL) {
		free(copy);
		answer->no_memory = true;
		return;
	}
	answer->line[answer->n++] = copy;
}

void
answer_free(struct answer *answer)
{
	for (size_t i = 0; i < answer->n; i++)
		free(answer->line[i]);
	free(answer->line);
	free(answer->fleet);
	*answer = (struct answer){0};
}

int
answer_get(struct slot_conn *conn, const char *verb, const char *argument, struct answer *answer)
{
	int code;

	*answer = (struct answer){0};
	code = slot_query(conn, verb, argument, add_line, answer);
	if (code == 0 && answer->no_memory)
		code = SLOT_ENOMEM;
	if (code != 0)
		answer_free(answer);
	return code;
}

int
ctl_connect(const struct ctl *c, int64_t reconnect_ms, struct slot_conn **conn)
{
	struct slot_connect_options how = SLOT_CONNECT_OPTIONS_INIT;

	how.path = c->socket;
	how.async = 1;
	how.reconnect_ms = reconnect_ms;
	return slot_connect(conn, &how);
}

int
ctl_ask(const struct ctl *c, const char *verb, const char *argument, struct answer *answer)
{
	struct slot_conn *conn;
	int code = ctl_connect(c, -1, &conn), status = 0;

	if (code == 0)
		code = answer_get(conn, verb, argument, answer);
	if (code != 0)
		status = ctl_explain(c, code, conn, errno);
	slot_close(conn);
	return status;
}
