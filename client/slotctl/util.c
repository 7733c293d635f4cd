/* Times, numbers, messages and exit codes of slotctl. */
#include "client/slotctl/slotctl.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/slot.h"

#define TIME_MAX_MS (366LL * 24 * 3600 * 1000)  /* as in the protocol */

void
ctl_say(const char *format, ...)
{
	char line[1024] = "slotctl: ";
	size_t length = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + length, sizeof line - length - 1, format, args);
	va_end(args);
	length = strlen(line);
	line[length] = '\n';
	if (write(STDERR_FILENO, line, length + 1) < 0)
		return;         /* there is nobody left to tell */
}

int
ctl_printed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	ctl_say("stdout: %s", strerror(errno));
	return CTL_SYSTEM;
}

int
ctl_exit_status(const struct ctl *c, int code)
{
	switch (code) {
	case SLOT_EFULL:
	case SLOT_ETIMEOUT:
	case SLOT_EQUEUEFULL:
		return c->no_slot_exit;
	case SLOT_ENOACCESS:
	case SLOT_EDENIED:
		return CTL_DENIED;
	case SLOT_ECONFIG:
	case SLOT_ENOLIMIT:
	case SLOT_ENOGROUP:
	case SLOT_ETOOBIG:
	case SLOT_EHOLDS:
		return CTL_NO_LIMIT;
	case SLOT_ESYNTAX:
	case SLOT_ETOOLONG:
	case SLOT_EBADKEY:
	case SLOT_EBADVALUE:
	case SLOT_EBADGROUP:
	case SLOT_EINVAL:
		return CTL_USAGE;
	case SLOT_ELOST:
		return CTL_LOST;
	case SLOT_ESYSTEM:
		return CTL_SYSTEM;
	default:
		return CTL_UNAVAILABLE;
	}
}

/* The group that may use the socket; if that cannot be seen, that of an installed slotd. */
static const char *
group_of(const char *socket)
{
	const struct group *group = NULL;
	struct stat st;

	if (stat(socket, &st) == 0 && (st.st_mode & S_IWGRP) != 0)
		group = getgrgid(st.st_gid);
	return group != NULL ? group->gr_name : "slotd";
}

int
ctl_explain(const struct ctl *c, int code, const struct slot_conn *conn, int error)
{
	const char *text = conn != NULL ? slot_error_text(conn) : slot_strerror(code);
	const char *group = c->group != NULL ? c->group : "";
	const char *colon = c->group != NULL ? ": " : "";
	char waited[CTL_AGE_SIZE], retry[CTL_AGE_SIZE], closest[256];

	switch (code) {
	case SLOT_ENOACCESS:
		ctl_say("permission denied on %s: join group %s, then start a new session",
		    c->socket, group_of(c->socket));
		break;
	case SLOT_ENODAEMON:
		ctl_say("slotd does not listen on %s: %s", c->socket,
		    error != 0 ? strerror(error) : text);
		break;
	case SLOT_ESYSTEM:
		ctl_say("%s: %s", c->socket, error != 0 ? strerror(error) : text);
		break;
	case SLOT_EFULL:
		if (!c->quiet)
			ctl_say("%s: no slot is free (limit %" PRId64 ")", group,
			    slot_error_number(conn, "limit"));
		break;
	case SLOT_ETIMEOUT:
		ctl_age(c->wait_ms, waited);
		if (!c->quiet)
			ctl_say("%s: no slot became free in %s (limit %" PRId64 ")", group, waited,
			    slot_error_number(conn, "limit"));
		break;
	case SLOT_EQUEUEFULL:
		if (!c->quiet)
			ctl_say("%s: %" PRId64 " wait already, and no more may", group,
			    slot_error_number(conn, "waiting"));
		break;
	case SLOT_EUNAVAILABLE:
		ctl_age(slot_error_number(conn, "retry"), retry);
		ctl_say("%s%s%s%s; try again in %s", group, colon,
		    c->wants_slot ? "nothing can be granted: " : "", text, retry);
		break;
	case SLOT_EBADVALUE:            /* the numbers have been looked at before */
		ctl_say("--label: not 1 to 64 bytes of UTF-8 without control characters");
		break;
	case SLOT_ENOLIMIT:
		ctl_say("%s: no limit is configured for this group: say --limit N", group);
		break;
	case SLOT_ENOGROUP:
		if (slot_error_value(conn, "closest", closest, sizeof closest) > 0)
			ctl_say("%s: no such group; the most similar one is %s", group, closest);
		else
			ctl_say("%s: no such group", group);
		break;
	case SLOT_ETOOBIG:
		ctl_say("%s: --count %" PRIu32 " can never be granted: the limit is %" PRId64,
		    group, c->count, slot_error_number(conn, "limit"));
		break;
	case SLOT_EHOLDS:
		if (slot_error_number(conn, "uid") >= 0) {
			if (!c->quiet)
				ctl_say("%s: this user holds or waits for %" PRId64 " slots at most",
				    group, slot_error_number(conn, "max"));
			return c->no_slot_exit;
		}
		/* nothing else is held through this connection */
		ctl_say("%s: --count %" PRIu32 " can never be granted: max_holds is %" PRId64, group,
		    c->count, slot_error_number(conn, "max"));
		break;
	case SLOT_EDENIED:
		ctl_say("%s%spermission denied: %s", group, colon, text);
		break;
	case SLOT_ECONFIG:              /* file:line: first, as editors and people look for it */
		ctl_say("%s", text);
		ctl_say("nothing has changed; mistakes: %" PRId64, slot_error_number(conn, "wrong"));
		break;
	default:
		if (ctl_exit_status(c, code) == CTL_UNAVAILABLE)
			ctl_say("%s: %s", c->socket, text);
		else
			ctl_say("%s%s%s", group, colon, text);
	}
	return ctl_exit_status(c, code);
}

bool
ctl_number(const char *text, uint32_t low, uint32_t high, uint32_t *value)
{
	uint64_t number = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		number = number * 10 + (uint64_t)(*text - '0');
		if (number > high)
			return false;
	}
	*value = (uint32_t)number;
	return number >= low;
}

bool
ctl_time(const char *text, int64_t *ms, bool *no_unit)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}};
	int64_t number = 0;
	size_t digits = strspn(text, "0123456789");

	*no_unit = false;
	if (digits == 0)
		return false;
	for (size_t i = 0; i < digits; i++) {
		number = number * 10 + (text[i] - '0');
		if (number > TIME_MAX_MS)
			return false;
	}
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(text + digits, units[i].unit) == 0) {
			*ms = number * units[i].ms;
			return number <= TIME_MAX_MS / units[i].ms;
		}
	}
	*ms = number;
	*no_unit = text[digits] == '\0';
	return *no_unit && number == 0;
}

void
ctl_age(int64_t ms, char buf[CTL_AGE_SIZE])
{
	int64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(buf, CTL_AGE_SIZE, "%" PRId64 "ms", ms);
	else if (s < 60 && ms % 1000 >= 100)
		snprintf(buf, CTL_AGE_SIZE, "%" PRId64 ".%ds", s, (int)(ms % 1000 / 100));
	else if (s < 60)
		snprintf(buf, CTL_AGE_SIZE, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(buf, CTL_AGE_SIZE, "%" PRId64 "m%02ds", s / 60, (int)(s % 60));
	else if (s < 24 * 3600)
		snprintf(buf, CTL_AGE_SIZE, "%" PRId64 "h%02dm", s / 3600, (int)(s / 60 % 60));
	else
		snprintf(buf, CTL_AGE_SIZE, "%" PRId64 "d%02dh", s / (24 * 3600),
		    (int)(s / 3600 % 24));
}

void
ctl_time_of_day(int64_t ms, char buf[CTL_TIME_SIZE])
{
	time_t at = (time_t)(ms / 1000);
	struct tm tm;

	if (localtime_r(&at, &tm) == NULL || strftime(buf, CTL_TIME_SIZE, "%F %T", &tm) == 0)
		snprintf(buf, CTL_TIME_SIZE, "-");
}

int64_t
ctl_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
ctl_utc(char buf[CTL_UTC_SIZE])
{
	struct timespec now;
	struct tm utc;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	length = strftime(buf, CTL_UTC_SIZE, "%FT%T", &utc);
	snprintf(buf + length, CTL_UTC_SIZE - length, ".%03dZ", (int)(now.tv_nsec / 1000000));
}
