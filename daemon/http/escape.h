/* Escapes: names and labels, which may hold anything that is UTF-8, as text in HTML, in JSON and in a
 * URL.  Each appends to out; false: no memory. */
#ifndef HTTP_ESCAPE_H
#define HTTP_ESCAPE_H

#include <stdbool.h>

#include "daemon/serve/output.h"

bool escape_attribute(struct output *out, const char *text);    /* of HTML, in "" */
bool escape_text(struct output *out, const char *text);         /* of HTML, to be read by people */
bool escape_json(struct output *out, const char *text);         /* with the "" around it */
bool escape_url(struct output *out, const char *text);          /* as a value behind "?" */

#endif
