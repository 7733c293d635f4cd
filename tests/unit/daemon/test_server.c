/* What servers say of themselves, and which of them can be used. */
#include "tests/unit/daemon/suites.h"

#include "daemon/redis/server.h"

#include <string.h>

#define REDIS "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"
#define REST "loading:0\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\nrole:master\r\nconnected_slaves:0\r\n"

/* why, warnings: how they begin; "": there is none */
static const struct {
	const char *info, *version;
	enum trouble trouble;
	const char *why, *warnings[SERVER_N_WARNINGS];
} servers[] = {
    {REDIS REST, "Redis 7.0.15", TROUBLE_NONE, "", {"", ""}},
    {"redis_version:8.0.2\nredis_mode:standalone\n" REST, "Redis 8.0.2", TROUBLE_NONE, "", {"", ""}},
    {"redis_version:10.1\r\n" REST, "Redis 10.1", TROUBLE_NONE, "", {"", ""}},
    {"redis_version:6.2.14\r\n" REST, "Redis 6.2.14", TROUBLE_UNFIT,
	"the server is Redis 6.2.14; Redis 7.0", {"", ""}},
    {"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n" REST, "Valkey 8.1.1",
	TROUBLE_NONE, "", {"", ""}},
    {"redis_version:7.2.4\r\nvalkey_version:7.2.0\r\n" REST, "Valkey 7.2.0", TROUBLE_NONE, "", {"", ""}},
    {"redis_version:7.2.4\r\nvalkey_version:7.1.9\r\n" REST, "Valkey 7.1.9", TROUBLE_UNFIT,
	"the server is Valkey 7.1.9", {"", ""}},
    {"", "Redis ", TROUBLE_UNFIT, "the server is Redis ", {"", ""}},
    {"xredis_version:7.0.1\r\n", "Redis ", TROUBLE_UNFIT, "the server is Redis ", {"", ""}},
    {"redis_version:7.0.1\r\nredis_mode:cluster\r\n" REST, "Redis 7.0.1", TROUBLE_CLUSTER,
	"the server is in cluster mode", {"", ""}},
    {"redis_version:7.0.1\r\nredis_mode:sentinel\r\n", "Redis 7.0.1", TROUBLE_UNFIT,
	"the server is a sentinel", {"", ""}},
    {"redis_version:7.0.1\r\nloading:1\r\nrole:master\r\n", "Redis 7.0.1", TROUBLE_LOADING,
	"the server is loading", {"", ""}},
    {"redis_version:7.0.1\r\nrole:slave\r\n", "Redis 7.0.1", TROUBLE_READONLY,
	"the server is a replica", {"", ""}},
    {REDIS "maxmemory:100\r\nmaxmemory_policy:noeviction\r\nconnected_slaves:0\r\n", "Redis 7.0.15",
	TROUBLE_NONE, "", {"", ""}},
    {REDIS "maxmemory:100\r\nmaxmemory_policy:volatile-ttl\r\nconnected_slaves:0\r\n", "Redis 7.0.15",
	TROUBLE_NONE, "", {"maxmemory-policy is volatile-ttl: ", ""}},
    {REDIS "maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\nconnected_slaves:1\r\n", "Redis 7.0.15",
	TROUBLE_NONE, "", {"maxmemory-policy is allkeys-lru, though maxmemory is not set", "it has replicas"}},
    {REDIS "maxmemory_policy:noeviction\r\nconnected_slaves:2\r\n", "Redis 7.0.15", TROUBLE_NONE, "",
	{"", "it has replicas"}},
    {REDIS "maxmemory_policy:noeviction\r\nconnected_slaves:2\r\nmin_slaves_good_slaves:2\r\n",
	"Redis 7.0.15", TROUBLE_NONE, "", {"", ""}},
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
	ck_assert_int_eq(server.trouble, servers[_i].trouble);
	check_begin(server.why, servers[_i].why);
	for (int i = 0; i < SERVER_N_WARNINGS; i++)
		check_begin(server.warnings[i], servers[_i].warnings[i]);
}
END_TEST

Suite *
server_suite(void)
{
	Suite *s = suite_create("server");
	TCase *tc = tcase_create("server");

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, info, 0, sizeof(servers) / sizeof(servers[0]));
	return s;
}
