/* Where slotctl top has its pictures from: a thread that looks at slotd, so that keys and signals
 * are never late, however long slotd takes to answer. */
#ifndef SLOTCTL_TOP_SOURCE_H
#define SLOTCTL_TOP_SOURCE_H

#include "client/slotctl/top/picture.h"

struct source;

/* Begins to look, at once and then every delay_ms.  NULL: it cannot be done (errno).  It cannot be
 * undone: the thread may be waiting for slotd, and ends with the process. */
struct source *source_open(const struct ctl *c, int64_t delay_ms);

/* Readable when there is a new picture. */
int source_fd(const struct source *source);

/* The newest picture, which is then the caller's; NULL: none since the last call. */
struct picture *source_take(struct source *source);

/* Looks now, and from now on every delay_ms, with the details of that group (NULL: of none). */
void source_ask(struct source *source, const char *group, int64_t delay_ms);

#endif
