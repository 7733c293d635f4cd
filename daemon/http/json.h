/* status.json: the board, for programs.  slotd(8) lists what is in it. */
#ifndef HTTP_JSON_H
#define HTTP_JSON_H

#include <stdbool.h>

#include "daemon/serve/output.h"

struct board;

bool json_write(const struct board *board, struct output *out);         /* false: no memory */

#endif
