/* Whether a group is stopped by hand, for messages: by whom and why, as STATUS tells it. */
#include "client/slotctl/stopped.h"

#include <stdio.h>
#include <string.h>

#include "client/slot.h"
#include "client/slotctl/field.h"

bool
stopped_find(const char *line, char text[STOPPED_SIZE])
{
	struct field by, why, paused, limit;
	bool has_reason = field_find(line, "live_why", &why) && !why.none;
	bool is_paused = field_find(line, "paused", &paused) && strcmp(paused.value, "yes") == 0;
	char raw[STOPPED_SIZE];

	if (!field_find(line, "live_by", &by) || by.none || !field_find(line, "limit", &limit) ||
	    strcmp(limit.value, "0") != 0)
		return false;
	snprintf(raw, sizeof raw, "%s by %s%s%s", is_paused ? "paused" : "limited to 0 live", by.value,
	    has_reason ? ": " : "", has_reason ? why.value : "");
	text_format(raw, text, STOPPED_SIZE);
	return true;
}

static void
take_text(const char *line, void *userdata)
{
	(void)stopped_find(line, userdata);
}

bool
stopped_explain(const struct ctl *c, int code, struct slot_conn *conn)
{
	char waited[CTL_AGE_SIZE], text[STOPPED_SIZE] = "limited to 0";

	if ((code != SLOT_EFULL && code != SLOT_ETIMEOUT) || slot_error_number(conn, "limit") != 0)
		return false;
	if (c->quiet)
		return true;
	(void)slot_query(conn, "STATUS", c->arg, take_text, text);      /* else that is all we know */
	ctl_age(c->wait_ms, waited);
	if (code == SLOT_EFULL)
		ctl_say("%s: the group is %s", c->arg, text);
	else
		ctl_say("%s: no slot became free in %s: the group is %s", c->arg, waited, text);
	return true;
}
