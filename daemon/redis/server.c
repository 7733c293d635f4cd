/* What a server says of itself (INFO), and whether we can use it. */
#include "daemon/redis/server.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Copies the value of a line "name:value"; "" if there is none.  -> value */
static const char *
field(const char *info, size_t len, const char *name, char *value, size_t size)
{
	size_t name_len = strlen(name), n;
	const char *line = info, *end = info + len, *eol;

	value[0] = '\0';
	for (; line < end; line = eol + 1) {
		eol = memchr(line, '\n', (size_t)(end - line));
		if (eol == NULL)
			eol = end;
		n = (size_t)(eol - line);
		if (n > 0 && line[n - 1] == '\r')
			n--;
		if (n > name_len && memcmp(line, name, name_len) == 0 && line[name_len] == ':') {
			snprintf(value, size, "%.*s", (int)(n - name_len - 1), line + name_len + 1);
			break;
		}
	}
	return value;
}

static bool
is(const char *info, size_t len, const char *name, const char *expected)
{
	char value[32];

	return strcmp(field(info, len, name, value, sizeof value), expected) == 0;
}

static bool
is_older(const char *version, int major, int minor)
{
	int a = 0, b = 0;

	return sscanf(version, "%d.%d", &a, &b) < 1 || a < major || (a == major && b < minor);
}

__attribute__((format(printf, 3, 4))) static void
refuse(struct server_info *server, enum trouble trouble, const char *fmt, ...)
{
	va_list ap;

	server->trouble = trouble;
	va_start(ap, fmt);
	vsnprintf(server->why, sizeof server->why, fmt, ap);
	va_end(ap);
}

/* Without flags=allow-oom, TIME before writes and friends, the script does not run. */
static void
check_version(const char *info, size_t len, struct server_info *server)
{
	char version[16];

	field(info, len, "valkey_version", version, sizeof version);
	if (version[0] != '\0') {
		snprintf(server->version, sizeof server->version, "Valkey %s", version);
		if (is_older(version, 7, 2))
			refuse(server, TROUBLE_UNFIT,
			    "the server is %s; Valkey 7.2 or later is needed", server->version);
		return;
	}
	field(info, len, "redis_version", version, sizeof version);
	snprintf(server->version, sizeof server->version, "Redis %s", version);
	if (is_older(version, 7, 0))
		refuse(server, TROUBLE_UNFIT, "the server is %s; Redis 7.0 or later is needed",
		    server->version);
}

/* The policy counts without maxmemory too: that is set on the day when memory runs out, and then
 * nobody looks here. */
static void
warn(const char *info, size_t len, struct server_info *server)
{
	char policy[32];

	field(info, len, "maxmemory_policy", policy, sizeof policy);
	if (strcmp(policy, "noeviction") != 0)
		snprintf(server->warnings[WARN_EVICTION], sizeof server->warnings[0],
		    "maxmemory-policy is %s%s: a server that drops keys lets more in than the "
		    "limit; set noeviction", policy,
		    is(info, len, "maxmemory", "0") ? ", though maxmemory is not set" : "");
	if (!is(info, len, "connected_slaves", "0") &&
	    is(info, len, "min_slaves_good_slaves", ""))
		snprintf(server->warnings[WARN_REPLICAS], sizeof server->warnings[0],
		    "it has replicas and min-replicas-to-write is 0: cut off from them, it would go "
		    "on beside its successor; set 1");
}

void
server_read(const char *info, size_t len, struct server_info *server)
{
	*server = (struct server_info){.trouble = TROUBLE_NONE};
	check_version(info, len, server);
	if (server->trouble != TROUBLE_NONE)
		return;
	if (is(info, len, "redis_mode", "cluster"))
		refuse(server, TROUBLE_CLUSTER,
		    "the server is in cluster mode, which is not spoken yet; use one that is not");
	else if (is(info, len, "redis_mode", "sentinel"))
		refuse(server, TROUBLE_UNFIT, "the server is a sentinel, not a server of data");
	else if (is(info, len, "loading", "1"))
		refuse(server, TROUBLE_LOADING, "the server is loading its data");
	else if (is(info, len, "role", "slave"))
		refuse(server, TROUBLE_READONLY, "the server is a replica, and read-only");
	else
		warn(info, len, server);
}
