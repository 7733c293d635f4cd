/* The address of a Redis or Valkey server, as a URL. */
#include "daemon/redis/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "daemon/core/alloc.h"
#include "proto/wire.h"

#define DB_MAX 1000000
#define SOCKET_PATH_MAX (sizeof((struct sockaddr_un *)0)->sun_path - 1)
#define HOST_MAX 253            /* of a DNS name */

/* A part of the text. */
struct part {
	const char *s;
	size_t len;
};

static struct part
between(const char *s, const char *end)
{
	return (struct part){s, (size_t)(end - s)};
}

/* Cuts a head off that ends before the last `separator`.  -> false if there is none. */
static bool
cut_head(struct part *part, char separator, struct part *head)
{
	const char *at = part->len > 0 ? memrchr(part->s, separator, part->len) : NULL;

	if (at == NULL)
		return false;
	*head = between(part->s, at);
	*part = between(at + 1, part->s + part->len);
	return true;
}

/* Cuts a tail off that begins behind the first `separator`.  -> false if there is none. */
static bool
cut_tail(struct part *part, char separator, struct part *tail)
{
	const char *at = part->len > 0 ? memchr(part->s, separator, part->len) : NULL;

	if (at == NULL)
		return false;
	*tail = between(at + 1, part->s + part->len);
	*part = between(part->s, at);
	return true;
}

/* A copy without %XX, or NULL: there is a malformed one, or one that stands for NUL. */
static char *
decode(struct part part)
{
	char *copy = alloc_new(part.len + 1);
	int len;

	len = wire_unescape(part.s, part.len, copy, part.len + 1);
	if (len >= 0 && strlen(copy) == (size_t)len)
		return copy;
	free(copy);
	return NULL;
}

static const char *
parse_user(struct part info, struct url *url)
{
	struct part password;
	bool has_password = cut_tail(&info, ':', &password);

	if (info.len > 0 && (url->user = decode(info)) == NULL)
		return "the user has a % that two hexadecimal digits do not follow";
	if (has_password && password.len > 0 && (url->password = decode(password)) == NULL)
		return "the password has a % that two hexadecimal digits do not follow";
	return NULL;
}

static const char *
parse_db(struct part part, struct url *url)
{
	uint64_t db;

	if (wire_parse_number(part.s, part.len, DB_MAX, &db) < 0)
		return "the database is not a number";
	url->db = (uint32_t)db;
	return NULL;
}

static const char *
parse_host(struct part host, struct url *url)
{
	struct part port = {NULL, 0};
	bool has_port;
	uint64_t number;

	if (host.len > 0 && host.s[0] == '[') {
		host = between(host.s + 1, host.s + host.len);
		if (!cut_tail(&host, ']', &port))
			return "the host begins with [ and has no ]";
		has_port = port.len > 0;
		if (has_port && port.s[0] != ':')
			return "there is more behind the ] of the host than a port";
		port = has_port ? between(port.s + 1, port.s + port.len) : port;
	} else {
		has_port = cut_tail(&host, ':', &port);
		if (has_port && memchr(port.s, ':', port.len) != NULL)
			return "an IPv6 address must stand in [ ]";
	}
	if (host.len == 0)
		return "there is no host";
	if (host.len > HOST_MAX)
		return "the host is too long";
	url->port = REDIS_PORT;
	if (has_port) {
		if (wire_parse_number(port.s, port.len, UINT16_MAX, &number) < 0 || number == 0)
			return "the port is not a number from 1 to 65535";
		url->port = (uint16_t)number;
	}
	url->host = decode(host);
	return url->host == NULL || url->host[0] == '\0' ? "the host is not understood" : NULL;
}

static const char *
parse_redis(struct part rest, struct url *url)
{
	struct part db = {NULL, 0}, query, user;
	const char *why = NULL;

	if (cut_tail(&rest, '?', &query))
		return "redis:// takes nothing behind ?; the database is written as /N";
	cut_tail(&rest, '/', &db);
	if (cut_head(&rest, '@', &user))
		why = parse_user(user, url);
	if (why == NULL)
		why = parse_host(rest, url);
	if (why == NULL && db.len > 0)
		why = parse_db(db, url);
	return why;
}

static const char *
parse_unix(struct part rest, struct url *url)
{
	struct part query = {NULL, 0}, user;
	const char *slash, *why;

	cut_tail(&rest, '?', &query);
	slash = memchr(rest.s, '/', rest.len);
	if (slash == NULL)
		return "there is no path, which begins with /";
	if (slash > rest.s) {
		user = between(rest.s, slash - 1);
		if (slash[-1] != '@')
			return "the path of the socket does not begin with /";
		if ((why = parse_user(user, url)) != NULL)
			return why;
	}
	url->path = decode(between(slash, rest.s + rest.len));
	if (url->path == NULL)
		return "the path has a % that two hexadecimal digits do not follow";
	if (strlen(url->path) > SOCKET_PATH_MAX)
		return "the path is too long for a socket";
	if (query.len == 0)
		return NULL;
	if (query.len < 3 || memcmp(query.s, "db=", 3) != 0)
		return "nothing but ?db=N may stand behind the path";
	return parse_db(between(query.s + 3, query.s + query.len), url);
}

static bool
begins(const char *text, const char *scheme)
{
	return strncmp(text, scheme, strlen(scheme)) == 0;
}

int
url_parse(const char *text, struct url *url, char *why, size_t size)
{
	const char *end = strchr(text, '\0'), *wrong;

	*url = (struct url){0};
	if (begins(text, "redis://"))
		wrong = parse_redis(between(text + strlen("redis://"), end), url);
	else if (begins(text, "unix://"))
		wrong = parse_unix(between(text + strlen("unix://"), end), url);
	else if (begins(text, "rediss://"))
		wrong = "TLS is not spoken yet; run a TLS tunnel such as stunnel on this host, and "
		    "name its local end as redis://127.0.0.1:PORT";
	else
		wrong = "it begins neither with redis:// nor with unix://";
	if (wrong == NULL)
		return 0;
	snprintf(why, size, "%s", wrong);
	url_free(url);
	return -1;
}

void
url_free(struct url *url)
{
	if (url->password != NULL)
		explicit_bzero(url->password, strlen(url->password));
	free(url->host);
	free(url->path);
	free(url->user);
	free(url->password);
	*url = (struct url){0};
}

void
url_show(const struct url *url, char *buf, size_t size)
{
	bool is_db = url->db > 0;

	if (url->path != NULL)
		snprintf(buf, size, is_db ? "unix://%s?db=%u" : "unix://%s", url->path, url->db);
	else if (strchr(url->host, ':') != NULL)
		snprintf(buf, size, is_db ? "redis://[%s]:%u/%u" : "redis://[%s]:%u", url->host,
		    (unsigned)url->port, url->db);
	else
		snprintf(buf, size, is_db ? "redis://%s:%u/%u" : "redis://%s:%u", url->host,
		    (unsigned)url->port, url->db);
}
