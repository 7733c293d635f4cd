/* Reload: the configuration is read again, and what may change while slotd runs is in force at once.
 *
 * Nobody is disconnected, and what is held stays held: a lower limit is reached as slots are given
 * back.  A file with anything wrong in it changes nothing. */
#ifndef RELOAD_H
#define RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#define RELOAD_WRONG_MAX 800    /* these fit the line of an answer */
#define RELOAD_LIVE_MAX 600

struct server;

struct reload {
	uint32_t n_wrong;               /* mistakes; 0: it is done */
	char wrong[RELOAD_WRONG_MAX];   /* the first: "file:line: what" */
	uint32_t n_groups, n_changed;   /* sections of groups; have come, gone or changed */
	char restart[160];              /* KEY,KEY that wait for a restart; "": none */
	uint32_t n_live;                /* groups whose live limit goes before another one here */
	char live[RELOAD_LIVE_MAX];     /* NAME,NAME of them, escaped, as many as fit; "": none */
};

/* Says in the log and to the service manager what it does. */
void reload_run(struct server *server, struct reload *reload);

#endif
