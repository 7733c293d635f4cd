/* The log: one line an event, on standard error.
 *
 * With <n> priorities if standard error is the journal's, else with a timestamp.  Every byte that
 * is not printable ASCII is written %XX, so what peers send can go into a message as it is.  errno
 * is the same after each call. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

#define LOG_PRINTF __attribute__((format(printf, 1, 2)))

void log_set_level(enum log_level level);       /* until then LOG_LEVEL_INFO */
bool log_is_on(enum log_level level);           /* to spare the work for a message that goes nowhere */

void log_error(const char *fmt, ...) LOG_PRINTF;
void log_warn(const char *fmt, ...) LOG_PRINTF;         /* adds errno's text */
void log_warnx(const char *fmt, ...) LOG_PRINTF;
void log_info(const char *fmt, ...) LOG_PRINTF;
void log_debug(const char *fmt, ...) LOG_PRINTF;

/* For start-up only: log at the level of errors and exit with status 1. */
_Noreturn void fatal(const char *fmt, ...) LOG_PRINTF;  /* adds errno's text */
_Noreturn void fatalx(const char *fmt, ...) LOG_PRINTF;

/* Copies src with every byte that is not printable ASCII as %XX, cut to size; always a NUL. */
void log_clean(const char *src, char *dst, size_t size);

#endif
