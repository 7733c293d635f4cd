/* A census: who holds and who waits at this daemon at one moment, written as lines in pieces.
 *
 * What is copied at that moment is little; the rest, such as the names of programs, is read as the
 * lines are written.  So the loop stands still for moments only, however many they are.  All times are
 * of that moment: µs, since it asked, is finer than age, to tell who was first.
 *
 *   h group slot token=T pid=P uid=U command=C label=L age=MS lease_left=MS proven=yes|no
 *   w group µs n=K limit=N pid=P uid=U command=C label=L age=MS left=MS */
#ifndef CENSUS_H
#define CENSUS_H

#include "daemon/gather.h"
#include "daemon/serve/output.h"

struct arb;
struct census;

/* Of the groups that match the glob; "": of all.  NULL: no memory. */
struct census *census_new(const struct arb *arb, const char *glob);
void census_free(struct census *census);

enum gather_piece census_write(struct census *census, struct output *out);

#endif
