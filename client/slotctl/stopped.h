/* Whether a group is stopped by hand, for messages. */
#ifndef SLOTCTL_STOPPED_H
#define SLOTCTL_STOPPED_H

#include "client/slotctl/slotctl.h"

struct slot_conn;

/* From a line of STATUS: "paused by root@a: deploy", "limited to 0 live by root@a".  False: it is not. */
#define STOPPED_SIZE 900
bool stopped_find(const char *line, char text[STOPPED_SIZE]);

/* Asks, and says it in place of ctl_explain(), if code means that no slot was had under a limit of 0:
 * only somebody who stops the group sets that.  False: it is another error. */
bool stopped_explain(const struct ctl *c, int code, struct slot_conn *conn);

#endif
