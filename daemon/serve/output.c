/* Output: bytes on their way to one client, or a reply that is being put together. */
#include "daemon/serve/output.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/alloc.h"

#define FIRST_SIZE 256          /* most answers are one short line */
#define SPARES_MAX 256

/* Buffers of FIRST_SIZE for the next client that is answered, so that an answer takes no memory
 * from malloc; linked by their first bytes. */
struct spare {
	struct spare *next;
};

static struct spare *spares;
static unsigned n_spares;

static char *
first_buffer(void)
{
	struct spare *spare = spares;

	if (spare == NULL)
		return alloc_try(NULL, FIRST_SIZE);
	spares = spare->next;
	n_spares--;
	return (char *)spare;
}

static bool
output_grow(struct output *out, size_t more)
{
	size_t len = output_len(out), size = out->size;
	char *bytes;

	if (out->bytes == NULL && more <= FIRST_SIZE) {
		out->bytes = first_buffer();
		out->size = out->bytes != NULL ? FIRST_SIZE : 0;
		return out->bytes != NULL;
	}
	if (out->start > 0 && out->start >= len) {      /* moving is cheap, and not done often */
		memcpy(out->bytes, out->bytes + out->start, len);
		out->start = 0;
		out->end = len;
		if (size - len >= more)
			return true;
	}
	do
		size = size < FIRST_SIZE ? FIRST_SIZE : size * 2;
	while (size - out->end < more);
	bytes = alloc_try(out->bytes, size);
	if (bytes == NULL)
		return false;
	out->bytes = bytes;
	out->size = size;
	return true;
}

bool
output_add(struct output *out, const char *bytes, size_t len)
{
	if (len == 0)           /* an empty list has no bytes, not even an address */
		return true;
	if (out->size - out->end < len && !output_grow(out, len))
		return false;
	memcpy(out->bytes + out->end, bytes, len);
	out->end += len;
	return true;
}

bool
output_printf(struct output *out, const char *fmt, ...)
{
	char line[2048];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	assert(len >= 0 && (size_t)len < sizeof line);
	return output_add(out, line, (size_t)len);
}

void
output_drop(struct output *out, size_t len)
{
	assert(len <= output_len(out));
	out->start += len;
	if (out->start == out->end)
		output_clear(out);
}

void
output_clear(struct output *out)
{
	if (out->size == FIRST_SIZE && n_spares < SPARES_MAX) {
		struct spare *spare = (struct spare *)out->bytes;

		spare->next = spares;
		spares = spare;
		n_spares++;
	} else {
		free(out->bytes);
	}
	*out = (struct output){0};
}

void
output_free_spares(void)
{
	while (spares != NULL) {
		struct spare *next = spares->next;

		free(spares);
		spares = next;
	}
	n_spares = 0;
}
