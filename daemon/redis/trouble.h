/* Troubles: the ways in which a Redis fails us, told apart.
 *
 * Pure.  What to do is the same for all, since none gets better by asking on: the link is down, its
 * groups sync fully when it is up again.  Only how soon it tries again depends on the kind. */
#ifndef REDIS_TROUBLE_H
#define REDIS_TROUBLE_H

#include <stdbool.h>

enum trouble {
	TROUBLE_NONE,
	TROUBLE_AWAY,
	TROUBLE_HUNG,
	TROUBLE_LOADING,
	TROUBLE_BUSY,
	TROUBLE_READONLY,
	TROUBLE_OOM,
	TROUBLE_NOAUTH,
	TROUBLE_NOPERM,
	TROUBLE_MISCONF,
	TROUBLE_NOREPLICAS,
	TROUBLE_MASTERDOWN,
	TROUBLE_CLUSTER,
	TROUBLE_MAXCLIENTS,
	TROUBLE_UNFIT,          /* whatever it is, slotd cannot use it */
	TROUBLE_N,
};

/* What an error reply says of the server, or of what we may do there: no other command would fare
 * better.  TROUBLE_NONE: it concerns the keys of the command. */
enum trouble trouble_of_error(const char *error);

const char *trouble_word(enum trouble trouble); /* "busy": stable, for programs */
const char *trouble_text(enum trouble trouble); /* for people; no full stop */

/* Somebody has to mend it: trying again soon does not help. */
bool trouble_is_stubborn(enum trouble trouble);

#endif
