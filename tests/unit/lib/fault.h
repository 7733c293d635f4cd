/* Calls of the library that fail when a test says so: the k-th from now on, of those in this thread. */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>

enum fault { FAULT_MEMORY, FAULT_SYSTEM };      /* allocations; or those and system calls */

void fault_in(int k, enum fault kind);          /* 0: the next one */
bool fault_over(void);          /* no more from now on.  Has one failed? */

#endif
