/* Options structs of programs built with an older or a newer slot.h. */
#include <string.h>

#include "client/libslot/connection.h"

#define OPTIONS_MAX 4096        /* nothing that a program means can be larger */

/* Lays the caller's options, whose first field is their size, over the defaults in *to.  A program
 * built with an older header has a shorter struct; in one built with a newer header, what this
 * library does not know must be zero. */
int
options_copy(void *to, size_t size, const void *from)
{
	const char *bytes = from;
	size_t theirs;

	memcpy(&theirs, from, sizeof theirs);
	if (theirs < sizeof theirs || theirs > OPTIONS_MAX)
		return SLOT_EINVAL;
	for (size_t i = size; i < theirs; i++)
		if (bytes[i] != 0)
			return SLOT_EINVAL;
	memcpy(to, from, theirs < size ? theirs : size);
	memcpy(to, &size, sizeof size);
	return 0;
}
