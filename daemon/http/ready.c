/* Readiness: whether a request for a slot would be served now. */
#include "daemon/http/ready.h"

#include <stdio.h>

#include "daemon/loop.h"
#include "daemon/serve/server.h"

bool
ready(const struct server *server, char *why, size_t size)
{
	const char *word, *text;
	nsec grace = loop_grace(server->loop, NULL);

	if (server->is_stopping) {
		snprintf(why, size, "stopping: slotd has been told to end");
	} else if (loop_is_drained(server->loop)) {
		snprintf(why, size, "draining: this host is drained, and grants nothing");
	} else if (loop_is_down(server->loop, &word, &text)) {
		snprintf(why, size, "%s: %s", word, text);
	} else if (grace > 0) {
		snprintf(why, size, "grace: Redis is new, or has lost data: nothing is granted for "
		    "%lld ms", (long long)(grace / NSEC_MS));
	} else {
		snprintf(why, size, "ready");
		return true;
	}
	return false;
}
