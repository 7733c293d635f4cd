/* A request in HTTP, as far as it concerns us: which page, of which group.  Pure.
 *
 * Of the headers only Host counts.  The others could not change the answer: there is one version of
 * each page, in one language, and each connection is closed behind its answer. */
#include "daemon/http/request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define GROUP "group="

/* True when the empty line behind the headers has come. */
static bool
is_whole(const char *bytes, size_t len)
{
	const char *line = bytes, *end = bytes + len, *lf;

	while ((lf = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		size_t n = (size_t)(lf - line);

		if (line > bytes && (n == 0 || (n == 1 && line[0] == '\r')))
			return true;
		line = lf + 1;
	}
	return false;
}

static bool
is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(s, word, len) == 0;
}

/* "group=NAME", alone or with others around it, which are passed over.  -> status */
static int
parse_query(const char *s, const char *end, struct http_request *req)
{
	while (s < end) {
		const char *next = memchr(s, '&', (size_t)(end - s));
		size_t len = (size_t)((next != NULL ? next : end) - s);

		if (len > strlen(GROUP) && memcmp(s, GROUP, strlen(GROUP)) == 0) {
			int n = wire_unescape(s + strlen(GROUP), len - strlen(GROUP), req->group,
			    sizeof req->group);

			if (n < 0 || !wire_name_ok(req->group, (size_t)n, WIRE_GROUP_MAX, false))
				return 400;
		}
		s += len + 1;
	}
	return 200;
}

/* "/path" or "/path?query".  -> status */
static int
parse_target(const char *s, size_t len, struct http_request *req)
{
	const char *query = memchr(s, '?', len);
	size_t path_len = query != NULL ? (size_t)(query - s) : len;

	if (len == 0 || s[0] != '/')
		return 400;
	if (path_len > HTTP_PATH_MAX)
		return 404;
	memcpy(req->path, s, path_len);
	req->path[path_len] = '\0';
	return query != NULL ? parse_query(query + 1, s + len, req) : 200;
}

/* "localhost", "127.0.0.1" or "[::1]", with a port or without; numbers and dots are no name, nor is
 * what stands in [ ]. */
static bool
is_name(const char *host, size_t len)
{
	const char *colon;
	size_t i;

	if (len == 0 || host[0] == '[')
		return false;
	colon = memchr(host, ':', len);
	if (colon != NULL)
		len = (size_t)(colon - host);
	for (i = 0; i < len && (isdigit((unsigned char)host[i]) || host[i] == '.'); i++)
		;
	return i < len && (len != 9 || strncasecmp(host, "localhost", len) != 0);
}

/* headers: from the first line's end to the empty line, with all that is behind it. */
static bool
is_by_name(const char *headers, size_t len)
{
	const char *line = headers, *end = headers + len, *lf, *host;

	while ((lf = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		if (lf - line > 5 && strncasecmp(line, "host:", 5) == 0) {
			size_t n, pos = 5;

			n = wire_word(line, (size_t)(lf - line) - (lf[-1] == '\r'), &pos, &host);
			return is_name(host, n);
		}
		line = lf + 1;
	}
	return false;
}

int
http_request_parse(const char *bytes, size_t len, struct http_request *req)
{
	const char *lf = memchr(bytes, '\n', len), *method, *target, *version;
	size_t line_len, method_len, target_len, version_len, pos = 0;

	*req = (struct http_request){.is_head = false};
	if (!is_whole(bytes, len))
		return len < HTTP_HEAD_MAX ? 0 : 431;
	line_len = (size_t)(lf - bytes);
	if (line_len > 0 && lf[-1] == '\r')
		line_len--;
	method_len = wire_word(bytes, line_len, &pos, &method);
	target_len = wire_word(bytes, line_len, &pos, &target);
	version_len = wire_word(bytes, line_len, &pos, &version);
	if (!is_word(version, version_len, "HTTP/1.1") && !is_word(version, version_len, "HTTP/1.0"))
		return version_len > 5 && memcmp(version, "HTTP/", 5) == 0 ? 505 : 400;
	req->is_by_name = is_by_name(lf + 1, len - (size_t)(lf + 1 - bytes));
	req->is_head = is_word(method, method_len, "HEAD");
	if (!req->is_head && !is_word(method, method_len, "GET"))
		return 405;
	return parse_target(target, target_len, req);
}
