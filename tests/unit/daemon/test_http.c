/* HTTP: what a request means, where the port may be, and what names become in a page. */
#include "tests/unit/daemon/suites.h"

#include "daemon/http/address.h"
#include "daemon/http/escape.h"
#include "daemon/http/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END " HTTP/1.1\r\n\r\n"

static const struct {
	const char *text;
	int status;
	const char *path, *group;       /* of status 200 */
	bool is_head;
} requests[] = {
    {"GET /" END, 200, "/", "", false},
    {"GET / HTTP/1.0\n\n", 200, "/", "", false},
    {"HEAD /healthz" END, 200, "/healthz", "", true},
    {"GET /status.json HTTP/1.1\r\nHost: x\r\nA:\r\n b\r\n\r\n", 200, "/status.json", "", false},
    {"GET /?group=a" END, 200, "/", "a", false},
    {"GET /?group=%3Ca%3E%26%25" END, 200, "/", "<a>&%", false},
    {"GET /?x=1&group=a&y" END, 200, "/", "a", false},
    {"GET /?group=" END, 200, "/", "", false},
    {"GET /?groups=a" END, 200, "/", "", false},
    {"GET /a?b?group=c" END, 200, "/a", "", false},
    {"GET /" END "more", 200, "/", "", false},
    {"", 0, NULL, NULL, false},
    {"GET / HTTP/1.1\r\nHost: x\r\n", 0, NULL, NULL, false},
    {"GET / HTTP/1.1\r\n\r", 0, NULL, NULL, false},
    {"\r\n", 0, NULL, NULL, false},
    {"\r\n\r\n", 400, NULL, NULL, false},
    {"GET" END, 400, NULL, NULL, false},
    {"GET / HTTP\r\n\r\n", 400, NULL, NULL, false},
    {"GET / HTTP/3\r\n\r\n", 505, NULL, NULL, false},
    {"GET http://h/" END, 400, NULL, NULL, false},
    {"GET *" END, 400, NULL, NULL, false},
    {"GET /?group=%" END, 400, NULL, NULL, false},
    {"GET /?group=%00" END, 400, NULL, NULL, false},
    {"GET /?group=%ff" END, 400, NULL, NULL, false},
    {"GET /?group=a%20b" END, 400, NULL, NULL, false},
    {"GET /12345678901234567890123456789012" END, 404, NULL, NULL, false},
    {"OPTIONS *" END, 405, NULL, NULL, false},
    {"GETS /" END, 405, NULL, NULL, false},
};

static const struct {
	const char *header;
	bool is_by_name;
} hosts[] = {
    {"A: b\r\n", false},
    {"Host: localhost:1\r\n", false},
    {"host:127.0.0.1\r\n", false},
    {"Host: [::1]:1\r\n", false},
    {"Host:\r\n", false},
    {"Host: x\r\n", true},
    {"HOST:\tlocalhost.x\n", true},
    {"A: b\r\nHost: 127.0.0.1.x:1\r\n", true},
    {"X-Host: localhost\r\nHost: evil\r\n", true},
};

START_TEST(host)
{
	char text[128];
	struct http_request req;

	snprintf(text, sizeof text, "GET / HTTP/1.1\r\n%s\r\n", hosts[_i].header);
	ck_assert_int_eq(http_request_parse(text, strlen(text), &req), 200);
	ck_assert_msg(req.is_by_name == hosts[_i].is_by_name, "%s", text);
}
END_TEST

START_TEST(request)
{
	struct http_request req;
	const char *text = requests[_i].text;

	ck_assert_msg(http_request_parse(text, strlen(text), &req) == requests[_i].status, "%s", text);
	if (requests[_i].status != 200)
		return;
	ck_assert_str_eq(req.path, requests[_i].path);
	ck_assert_str_eq(req.group, requests[_i].group);
	ck_assert_int_eq(req.is_head, requests[_i].is_head);
}
END_TEST

/* What has no end does not grow. */
START_TEST(too_long)
{
	static char text[HTTP_HEAD_MAX];
	struct http_request req;

	memset(text, 'x', sizeof text);
	memcpy(text, "GET / HTTP/1.1\r\n", 16);
	ck_assert_int_eq(http_request_parse(text, sizeof text - 1, &req), 0);
	ck_assert_int_eq(http_request_parse(text, sizeof text, &req), 431);
}
END_TEST

static const struct {
	const char *text;
	int any, loopback;      /* what is returned with is_any, and without */
} addresses[] = {
    {"127.0.0.1:1", 0, 0},
    {"127.255.255.255:65535", 0, 0},
    {"[::1]:9717", 0, 0},
    {"/run/slotd/http.sock", 0, 0},
    {"128.0.0.1:1", 0, -1},
    {"0.0.0.0:1", 0, -1},
    {"[::]:1", 0, -1},
    {"[::ffff:127.0.0.1]:1", 0, -1},
    {"127.0.0.1", -1, -1},
    {"127.0.0.1:0", -1, -1},
    {"[::1]", -1, -1},
    {"localhost:1", -1, -1},
    {"@abstract", -1, -1},
};

START_TEST(address)
{
	struct address parsed;
	const char *text = addresses[_i].text;
	char why[128];

	ck_assert_msg(address_parse(text, true, &parsed, why, sizeof why) == addresses[_i].any,
	    "%s", text);
	ck_assert_msg(address_parse(text, false, &parsed, why, sizeof why) == addresses[_i].loopback,
	    "%s", text);
	ck_assert_int_eq(parsed.path != NULL, text[0] == '/');
}
END_TEST

static const struct {
	const char *text, *attribute, *json, *url, *shown;      /* shown NULL: as the attribute */
} escapes[] = {
    {"", "", "\"\"", "", NULL},
    {"plain-1.2_3~", "plain-1.2_3~", "\"plain-1.2_3~\"", "plain-1.2_3~", NULL},
    {"<b>", "&lt;b&gt;", "\"\\u003cb>\"", "%3Cb%3E", NULL},
    {"a&'\"", "a&amp;&#39;&quot;", "\"a&'\\u0022\"", "a%26%27%22", NULL},
    {"\\u", "\\u", "\"\\u005cu\"", "%5Cu", NULL},
    {"\xc3\xbc b", "\xc3\xbc b", "\"\xc3\xbc b\"", "%C3%BC%20b", NULL},
    {"\u202e<\u2066\u2070", "\u202e&lt;\u2066\u2070", "\"\u202e\\u003c\u2066\u2070\"",
     "%E2%80%AE%3C%E2%81%A6%E2%81%B0", "%E2%80%AE&lt;%E2%81%A6\u2070"},
    {"\u061c\u200d\u200e", "\u061c\u200d\u200e", "\"\u061c\u200d\u200e\"",
     "%D8%9C%E2%80%8D%E2%80%8E", "%D8%9C\u200d%E2%80%8E"},
};

static void
check(bool (*escape)(struct output *, const char *), const char *text, const char *expected)
{
	struct output out = {0};

	ck_assert(escape(&out, text) && output_add(&out, "", 1));
	ck_assert_str_eq(out.bytes + out.start, expected);
	output_clear(&out);
}

START_TEST(escape)
{
	const char *shown = escapes[_i].shown;

	check(escape_attribute, escapes[_i].text, escapes[_i].attribute);
	check(escape_text, escapes[_i].text, shown != NULL ? shown : escapes[_i].attribute);
	check(escape_json, escapes[_i].text, escapes[_i].json);
	check(escape_url, escapes[_i].text, escapes[_i].url);
}
END_TEST

#define N_OF(table) (int)(sizeof(table) / sizeof((table)[0]))

Suite *
http_suite(void)
{
	Suite *s = suite_create("http");
	TCase *tc = tcase_create("http");

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, request, 0, N_OF(requests));
	tcase_add_loop_test(tc, host, 0, N_OF(hosts));
	tcase_add_test(tc, too_long);
	tcase_add_loop_test(tc, address, 0, N_OF(addresses));
	tcase_add_loop_test(tc, escape, 0, N_OF(escapes));
	return s;
}
