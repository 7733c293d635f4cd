/* Output: bytes on their way to one client, or a reply that is being put together.
 *
 * It owns memory only while there is something in it. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
	char *bytes;
	size_t start, end;      /* what is in it: bytes[start..end) */
	size_t size;            /* of bytes */
};

static inline size_t
output_len(const struct output *out)
{
	return out->end - out->start;
}

/* Appends; false: no memory, and nothing is appended. */
bool output_add(struct output *out, const char *bytes, size_t len);
bool output_printf(struct output *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first len bytes; with the last of them, the memory too. */
void output_drop(struct output *out, size_t len);
void output_clear(struct output *out);

/* Frees what is kept for the next to come. */
void output_free_spares(void);

#endif
