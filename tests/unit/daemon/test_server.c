/* What servers say of themselves, and which of them can be used. */
#include "tests/unit/daemon/suites.h"

#include "daemon/redis/server.h"

#include <string.h>

#define REDIS "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"
#define REST "loading:0\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\nrole:master\r\nconnected_slaves:0\r\n"

/* why, warning: how they begin; "": there is none */
static const struct {
	const char *info, *version, *why, *warning;
} servers[] = {
    {REDIS REST, "Redis 7.0.15", "", ""},
    {"redis_version:8.0.2\nredis_mode:standalone\n" REST, "Redis 8.0.2", "", ""},
    {"redis_version:10.1\r\n" REST, "Redis 10.1", "", ""},
    {"redis_version:6.2.14\r\n" REST, "Redis 6.2.14", "the server is Redis 6.2.14; Redis 7.0", ""},
    {"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n" REST, "Valkey 8.1.1", "", ""},
    {"redis_version:7.2.4\r\nvalkey_version:7.2.0\r\n" REST, "Valkey 7.2.0", "", ""},
    {"redis_version:7.2.4\r\nvalkey_version:7.1.9\r\n" REST, "Valkey 7.1.9", "the server is Valkey 7.1.9", ""},
    {"", "Redis ", "the server is Redis ", ""},
    {"xredis_version:7.0.1\r\n", "Redis ", "the server is Redis ", ""},
    {"redis_version:7.0.1\r\nredis_mode:cluster\r\n" REST, "Redis 7.0.1", "the server is in cluster mode", ""},
    {"redis_version:7.0.1\r\nredis_mode:sentinel\r\n", "Redis 7.0.1", "the server is a sentinel", ""},
    {"redis_version:7.0.1\r\nloading:1\r\nrole:master\r\n", "Redis 7.0.1", "the server is loading", ""},
    {"redis_version:7.0.1\r\nrole:slave\r\n", "Redis 7.0.1", "the server is a replica", ""},
    {REDIS "maxmemory:100\r\nmaxmemory_policy:noeviction\r\nconnected_slaves:0\r\n", "Redis 7.0.15", "", ""},
    {REDIS "maxmemory:100\r\nmaxmemory_policy:volatile-ttl\r\n", "Redis 7.0.15", "",
	"maxmemory-policy is volatile-ttl"},
    {REDIS "maxmemory:0\r\nconnected_slaves:2\r\n", "Redis 7.0.15", "", "it has replicas"},
    {REDIS "maxmemory:0\r\nconnected_slaves:2\r\nmin_slaves_good_slaves:2\r\n", "Redis 7.0.15", "", ""},
};

static void
check_begin(const char *got, const char *expected)
{
	ck_assert_msg(expected[0] == '\0' ? got[0] == '\0' : strstr(got, expected) == got,
	    "got \"%s\", not \"%s\"", got, expected);
}

START_TEST(info)
{
	struct server_info server;

	server_read(servers[_i].info, strlen(servers[_i].info), &server);
	ck_assert_str_eq(server.version, servers[_i].version);
	check_begin(server.why, servers[_i].why);
	check_begin(server.warning, servers[_i].warning);
}
END_TEST

START_TEST(errors)
{
	ck_assert(server_refuses("READONLY You can't write against a read only replica."));
	ck_assert(server_refuses("NOAUTH"));
	ck_assert(server_refuses("NOPERM this user has no permissions to run the 'publish' command"));
	ck_assert(server_refuses("ERR ACL failure in script: ..."));
	ck_assert(!server_refuses("WRONGTYPE Operation against a key"));
	ck_assert(!server_refuses("ERR slotd: not a marker"));
	ck_assert(!server_refuses("READONLYISH x"));
	ck_assert(!server_refuses(""));
}
END_TEST

Suite *
server_suite(void)
{
	Suite *s = suite_create("server");
	TCase *tc = tcase_create("server");

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, info, 0, sizeof(servers) / sizeof(servers[0]));
	tcase_add_test(tc, errors);
	return s;
}
