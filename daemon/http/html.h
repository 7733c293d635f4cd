/* The page: the board, for people.  Whole without scripts; with them it stays up to date by itself. */
#ifndef HTTP_HTML_H
#define HTTP_HTML_H

#include <stdbool.h>

#include "daemon/serve/output.h"

struct board;

/* What scripts and styles are marked with, so that the browser runs these and no others. */
struct html_nonce {
	char text[33];
};

/* False: no memory, or no random numbers; out is incomplete. */
bool html_write(const struct board *board, struct output *out, struct html_nonce *nonce);

#endif
