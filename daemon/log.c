/* The log: one line an event, on standard error, by one write so that lines of several processes
 * do not mix. */
#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 2048        /* a line of the protocol, escaped in part, and room to speak of it */

static enum log_level threshold = LOG_LEVEL_INFO;

static const struct {
	int priority;           /* syslog's, for the journal */
	const char *word;
} levels[] = {
    [LOG_LEVEL_ERROR] = {3, "error"},
    [LOG_LEVEL_WARN] = {4, "warning"},
    [LOG_LEVEL_INFO] = {6, "info"},
    [LOG_LEVEL_DEBUG] = {7, "debug"},
};

/* $JOURNAL_STREAM is device:inode of what the manager connected to the journal; standard error may
 * have been redirected since. */
static bool
to_journal(void)
{
	static int known = -1;
	unsigned long long dev, ino;
	const char *stream;
	struct stat st;

	if (known < 0) {
		stream = getenv("JOURNAL_STREAM");
		known = stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
		    fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
	}
	return known;
}

void
log_clean(const char *src, char *dst, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *src != '\0' && size > 3; src++) {
		unsigned char c = (unsigned char)*src;

		if (c >= ' ' && c <= '~') {
			*dst++ = *src;
			size--;
		} else {
			*dst++ = '%';
			*dst++ = hex[c >> 4];
			*dst++ = hex[c & 15];
			size -= 3;
		}
	}
	*dst = '\0';
}

static size_t
prefix(enum log_level level, char *buf, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t len;

	if (to_journal())
		return (size_t)snprintf(buf, size, "<%d>", levels[level].priority);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	return len + (size_t)snprintf(buf + len, size - len, ".%03ldZ slotd[%d] %s: ",
			 now.tv_nsec / 1000000, (int)getpid(), levels[level].word);
}

static void
put(enum log_level level, int error, const char *fmt, va_list ap)
{
	char message[MESSAGE_MAX], line[MESSAGE_MAX + 128];
	size_t len;
	int saved = errno, n;

	n = vsnprintf(message, sizeof(message), fmt, ap);
	if (error != 0 && n >= 0 && (size_t)n < sizeof(message))
		snprintf(message + n, sizeof(message) - (size_t)n, ": %s", strerror(error));
	len = prefix(level, line, sizeof(line));
	log_clean(message, line + len, sizeof(line) - len - 1);
	len += strlen(line + len);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0) {
		/* There is nobody left to tell. */
	}
	errno = saved;
}

void
log_set_level(enum log_level level)
{
	threshold = level;
}

bool
log_is_on(enum log_level level)
{
	return level <= threshold;
}

#define PUT(level, error)                                                                          \
	do {                                                                                       \
		va_list ap;                                                                        \
		if (!log_is_on(level))                                                             \
			break;                                                                     \
		va_start(ap, fmt);                                                                 \
		put(level, error, fmt, ap);                                                        \
		va_end(ap);                                                                        \
	} while (0)

void
log_error(const char *fmt, ...)
{
	PUT(LOG_LEVEL_ERROR, 0);
}

void
log_warn(const char *fmt, ...)
{
	PUT(LOG_LEVEL_WARN, errno);
}

void
log_warnx(const char *fmt, ...)
{
	PUT(LOG_LEVEL_WARN, 0);
}

void
log_info(const char *fmt, ...)
{
	PUT(LOG_LEVEL_INFO, 0);
}

void
log_debug(const char *fmt, ...)
{
	PUT(LOG_LEVEL_DEBUG, 0);
}

void
fatal(const char *fmt, ...)
{
	PUT(LOG_LEVEL_ERROR, errno);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	PUT(LOG_LEVEL_ERROR, 0);
	exit(1);
}
