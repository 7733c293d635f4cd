/* For the files that put failures in the place of calls: see fail.c. */
#ifndef FAIL_H
#define FAIL_H

#include <stdbool.h>

/* Counts one more call of that kind.  -> is it the one that must fail? */
bool fail_now(const char *kind);

/* What ld puts in the place of a function (--wrap). */
#define WRAP(type, name, parameters, arguments, kind, failure, error)                           \
	type __real_##name parameters;                                                          \
	type __wrap_##name parameters;                                                          \
	type __wrap_##name parameters                                                           \
	{                                                                                       \
		if (!fail_now(kind))                                                            \
			return __real_##name arguments;                                         \
		errno = error;                                                                  \
		return failure;                                                                 \
	}

#endif
