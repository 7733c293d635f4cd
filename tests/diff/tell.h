/* Requests and what backends say, as text: for comparing, and for people. */
#ifndef DIFF_TELL_H
#define DIFF_TELL_H

#include <stddef.h>

#include "daemon/core/live.h"

struct text {
	char *s; /* ends with NUL once something was told */
	size_t n, cap;
};

void tell(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_clear(struct text *text);
void text_fini(struct text *text);

/* The eras that one backend has told of, in order of appearance: two make up different ones. */
struct eras {
	uint64_t *v;
	size_t n, cap;
};

/* Its place among them, at which it is put if it is new. */
size_t era_place(struct eras *eras, uint64_t era);

void tell_request(struct text *text, usec now, const struct xch_request *request);
/* The order of `full` answers, and of the pushes of a new live limit, is nobody's promise: they are
 * told sorted, and are sorted in place for that. */
void tell_answer(struct text *text, struct eras *eras, const struct xch_reply *reply,
    struct xch_push *pushes, size_t n_pushes);
void tell_live(struct text *text, const struct live_said *said, struct xch_push *pushes,
    size_t n_pushes);
void tell_touched(struct text *text, struct eras *eras, uint64_t era, usec grace,
    enum xch_began began);

#endif
