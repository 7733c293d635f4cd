/* Addresses of Redis: what they mean, and what is refused. */
#include "tests/unit/daemon/suites.h"

#include "daemon/redis/url.h"

#include <stdio.h>
#include <string.h>

/* "-" stands for NULL */
static const struct {
	const char *text, *host, *path, *user, *password, *shown;
	unsigned port, db;
} good[] = {
    {"redis://cache", "cache", "-", "-", "-", "redis://cache:6379", 6379, 0},
    {"redis://cache/", "cache", "-", "-", "-", "redis://cache:6379", 6379, 0},
    {"redis://cache:7000/3", "cache", "-", "-", "-", "redis://cache:7000/3", 7000, 3},
    {"redis://:secret@cache", "cache", "-", "-", "secret", "redis://cache:6379", 6379, 0},
    {"redis://me:secret@cache", "cache", "-", "me", "secret", "redis://cache:6379", 6379, 0},
    {"redis://me@cache", "cache", "-", "me", "-", "redis://cache:6379", 6379, 0},
    {"redis://me:@cache", "cache", "-", "me", "-", "redis://cache:6379", 6379, 0},
    {"redis://:a:b@c@cache", "cache", "-", "-", "a:b@c", "redis://cache:6379", 6379, 0},
    {"redis://m%3Ae:%40%2f%25@cache", "cache", "-", "m:e", "@/%", "redis://cache:6379", 6379, 0},
    {"redis://[::1]", "::1", "-", "-", "-", "redis://[::1]:6379", 6379, 0},
    {"redis://u:p@[fe80::1%25eth0]:1/2", "fe80::1%eth0", "-", "u", "p", "redis://[fe80::1%eth0]:1/2", 1, 2},
    {"unix:///run/redis.sock", "-", "/run/redis.sock", "-", "-", "unix:///run/redis.sock", 0, 0},
    {"unix://:p@/run/r%20s?db=5", "-", "/run/r s", "-", "p", "unix:///run/r s?db=5", 0, 5},
    {"unix://u:p@/a@b", "-", "/a@b", "u", "p", "unix:///a@b", 0, 0},
};

static const struct {
	const char *text, *why;
} bad[] = {
    {"", "it begins neither with redis:// nor with unix://"},
    {"cache:6379", "it begins neither with redis:// nor with unix://"},
    {"rediss://cache", "TLS is not spoken yet"},
    {"redis://", "there is no host"},
    {"redis://:6379", "there is no host"},
    {"redis://u:p@", "there is no host"},
    {"redis://cache:", "the port is not a number"},
    {"redis://cache:0", "the port is not a number"},
    {"redis://cache:65536", "the port is not a number"},
    {"redis://cache:1x", "the port is not a number"},
    {"redis://u:secret/x@cache", "the port is not a number"},
    {"redis://cache/x", "the database is not a number"},
    {"redis://cache/-1", "the database is not a number"},
    {"redis://cache?db=1", "redis:// takes nothing behind ?"},
    {"redis://::1", "an IPv6 address must stand in [ ]"},
    {"redis://[::1", "the host begins with [ and has no ]"},
    {"redis://[::1]7", "there is more behind the ]"},
    {"redis://u:secret%2@cache", "the password has a %"},
    {"redis://u%0:secret@cache", "the user has a %"},
    {"redis://u:secret%00@cache", "the password has a %"},
    {"unix://run/redis.sock", "the path of the socket does not begin with /"},
    {"unix://", "there is no path"},
    {"unix:///r?db=", "the database is not a number"},
    {"unix:///r?timeout=1", "nothing but ?db=N"},
    {"unix:///r%", "the path has a %"},
    {"unix:///123456789012345678901234567890123456789012345678901234567890"
     "123456789012345678901234567890123456789012345678", "the path is too long"},
};

static void
check_text(const char *text, const char *got, const char *expected)
{
	ck_assert_msg(strcmp(got != NULL ? got : "-", expected) == 0, "%s: %s, not %s", text,
	    got != NULL ? got : "-", expected);
}

START_TEST(understood)
{
	struct url url;
	char why[256] = "", shown[256];

	ck_assert_msg(url_parse(good[_i].text, &url, why, sizeof(why)) == 0, "%s: %s", good[_i].text, why);
	check_text(good[_i].text, url.host, good[_i].host);
	check_text(good[_i].text, url.path, good[_i].path);
	check_text(good[_i].text, url.user, good[_i].user);
	check_text(good[_i].text, url.password, good[_i].password);
	ck_assert_uint_eq(url.port, good[_i].port);
	ck_assert_uint_eq(url.db, good[_i].db);
	url_show(&url, shown, sizeof(shown));
	ck_assert_str_eq(shown, good[_i].shown);
	url_free(&url);
	ck_assert_ptr_null(url.host);
}
END_TEST

START_TEST(refused)
{
	struct url url;
	char why[256] = "";

	ck_assert_msg(url_parse(bad[_i].text, &url, why, sizeof(why)) < 0, "%s", bad[_i].text);
	ck_assert_msg(strstr(why, bad[_i].why) == why, "%s: %s", bad[_i].text, why);
	ck_assert_ptr_null(strstr(why, "secret"));
	ck_assert_ptr_null(url.host);
	ck_assert_ptr_null(url.password);
}
END_TEST

Suite *
url_suite(void)
{
	Suite *s = suite_create("url");
	TCase *tc = tcase_create("url");

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, understood, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tc, refused, 0, sizeof(bad) / sizeof(bad[0]));
	return s;
}
