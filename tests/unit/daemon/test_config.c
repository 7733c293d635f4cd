/* The configuration: what a file says, every mistake with its line, and which section applies. */
#include "tests/unit/daemon/suites.h"

#include "daemon/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/core/arbiter.h"
#include "daemon/ids.h"
#include "daemon/log.h"
#include "proto/wire.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define A60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A128 A60 A60 "aaaaaaaa"

static char complaints[8192];

/* Gathers "line: what" of each; the path, which is a temporary one, is cut off. */
static void
gather(void *path, const char *message)
{
	size_t len = strlen(path);

	ck_assert_msg(strncmp(message, path, len) == 0 && message[len] == ':', "%s", message);
	strcat(complaints, message + len + 1);
	strcat(complaints, "\n");
}

static struct config *
load(const char *text, size_t len)
{
	char path[] = "/tmp/slotd-config-XXXXXX";
	struct config *conf;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
	complaints[0] = '\0';
	conf = config_load(path, gather, path);
	unlink(path);
	return conf;
}

static struct config *
load_good(const char *text)
{
	struct config *conf = load(text, strlen(text));

	ck_assert_msg(conf != NULL, "%s\n%s", text, complaints);
	ck_assert_str_eq(complaints, "");
	return conf;
}

START_TEST(defaults)
{
	struct config *conf = load_good("");

	ck_assert_str_eq(conf->socket, "/run/slotd/slotd.sock");
	ck_assert_int_eq(conf->socket_mode, 0660);
	ck_assert_str_eq(conf->socket_group, "");
	ck_assert_int_eq(conf->log_level, LOG_LEVEL_INFO);
	ck_assert_int_eq(conf->unknown_groups, 0);
	ck_assert_int_eq(conf->lease_ms, 10000);
	ck_assert_int_eq(conf->margin_ms, 500);
	ck_assert_int_eq(conf->grace_ms, 10000);        /* the lease */
	ck_assert_str_eq(conf->redis.url, "");
	ck_assert_str_eq(conf->redis.prefix, "slotd:");
	ck_assert_int_eq(conf->redis.pool, 2);
	ck_assert_int_eq(conf->idle_ms, 1000);
	ck_assert_int_eq(conf->recall_ms, 250);
	ck_assert_int_eq(conf->other.limit, 0);
	ck_assert_int_eq(conf->other.wait_ms, 10000);
	ck_assert_int_eq(conf->other.max_hold_ms, 0);
	ck_assert_ptr_null(conf->other.name);
	ck_assert_ptr_null(config_group(conf, "g"));
	ck_assert_ptr_null(config_group_next(conf, NULL));
	ck_assert_ptr_null(config_closest(conf, "g"));
	ck_assert(!config_is_given(conf, "socket"));
	config_free(conf);
}
END_TEST

START_TEST(every_key)
{
	struct config *conf = load_good("\xEF\xBB\xBF[daemon]\r\n"
					"socket = /tmp/s ; a comment\r\n"
					"socket_mode=600\n"
					"socket_group: staff\n"
					"max_clients = 7\n"
					"send_timeout_ms = 100\n"
					"log_level = debug\n"
					"unknown_groups = refuse\n"
					"testing = yes\n"
					"[redis]\n"
					"url = unix:///r?db=3\n"
					"username = me\n"
					"password_file = /p\n"
					"pool = 16\n"
					"connect_timeout_ms = 50\n"
					"command_timeout_ms = 149999\n"
					"prefix = s\n"
					"\n"
					"  # an indented comment\n"
					"[lease] ; also [this]\n"
					"lease_ms = 600000\n"
					"margin_ms = 12000\n"
					"grace_ms = 0\n"
					"idle_ms = 0\n"
					"recall_ms = 10\n"
					"[\tgroup  g ]\n"
					"limit = 1000000\n"
					"wait_ms = 0\n"
					"max_hold_ms = 31622400000\n"
					"max_waiters = 1\n"
					"on_lease_end = drop\n"
					"on_backend_down = open\n"
					"allow_users = root, 2001\t0,nobody\n"
					"allow_groups = root\n"
					"admin_users = 7\n"
					"admin_groups = 4294967294");
	const struct config_group *group = config_group(conf, "g");

	ck_assert_str_eq(conf->socket, "/tmp/s");
	ck_assert_int_eq(conf->socket_mode, 0600);
	ck_assert_str_eq(conf->socket_group, "staff");
	ck_assert_int_eq(conf->max_clients, 7);
	ck_assert_int_eq(conf->send_timeout_ms, 100);
	ck_assert_int_eq(conf->log_level, LOG_LEVEL_DEBUG);
	ck_assert_int_eq(conf->unknown_groups, 1);
	ck_assert_int_eq(conf->lease_ms, 600000);
	ck_assert_int_eq(conf->testing, 1);
	ck_assert_str_eq(conf->redis.address.path, "/r");
	ck_assert_uint_eq(conf->redis.address.db, 3);
	ck_assert_str_eq(conf->redis.username, "me");
	ck_assert_str_eq(conf->redis.password_file, "/p");
	ck_assert_int_eq(conf->redis.pool, 16);
	ck_assert_int_eq(conf->redis.connect_timeout_ms, 50);
	ck_assert_int_eq(conf->redis.command_timeout_ms, 149999);
	ck_assert_str_eq(conf->redis.prefix, "s");
	ck_assert_int_eq(conf->margin_ms, 12000);
	ck_assert_int_eq(conf->grace_ms, 0);
	ck_assert_int_eq(conf->idle_ms, 0);
	ck_assert_int_eq(conf->recall_ms, 10);
	ck_assert_ptr_nonnull(group);
	ck_assert_str_eq(group->name, "g");
	ck_assert_int_eq(group->limit, 1000000);
	ck_assert_int_eq(group->wait_ms, 0);
	ck_assert_int_eq(group->max_hold_ms, 31622400000);
	ck_assert_int_eq(group->max_waiters, 1);
	ck_assert_int_eq(group->on_lease_end, 1);
	ck_assert_int_eq(group->on_backend_down, ARB_DOWN_OPEN);
	ck_assert_uint_eq(group->allow_users->n, 4);
	ck_assert(ids_have(group->allow_users, 0) && ids_have(group->allow_users, 2001));
	ck_assert(ids_have(group->allow_users, 65534) && !ids_have(group->allow_users, 1));
	ck_assert(ids_have(group->allow_groups, 0) && !ids_have(group->admin_users, 0));
	ck_assert(ids_have(group->admin_users, 7) && ids_have(group->admin_groups, UINT32_MAX - 1));
	config_free(conf);
}
END_TEST

/* A text, and all complaints about it. */
static const struct {
	const char *text, *wrong;
} bad[] = {
    {"limit = 3\n", "1: limit is given before any [section]\n"},
    {"[gruop x]\nfoo = 1\n", "1: no section is called [gruop]; did you mean group?\n"},
    {"[zzz]\n", "1: no section is called [zzz]\n"},
    {"[]\n", "1: no section is called []\n"},
    {"[daemon\n", "1: the section has no ] at its end\n"},
    {"[daemon] x\n", "1: the section has no ] at its end\n"},
    {"[daemon x]\n", "1: [daemon] takes no name\n"},
    {"[lease]\n[lease]\nrecal_ms = 1\n", "2: [lease] is in the file already\n"},
    {"[daemon]\nlog-level = info\n", "2: [daemon] has no key log-level; did you mean log_level?\n"},
    {"[group x]\nlimti = 1\n", "2: [group] has no key limti; did you mean limit?\n"},
    {"[group x]\nlease_ms = 5000\n", "2: [group] has no key lease_ms\n"},
    {"[group x]\n= 5\n", "2: [group] has no key \n"},
    {"[group x]\nlimit\n\n[group y]\nlimit 5\n",
	"2: neither [section] nor key = value\n5: neither [section] nor key = value\n"},
    {"[group x]\nlimit = 5\nlimit = 5\n", "3: limit is given in line 2 already\n"},
    {"[group x]\nlimit = 5\n wait_ms = 5\n", "3: the line begins with a blank\n"},
    {"[group x]\nlimit = 0\n", "2: limit = 0 is not a number from 1 to 1000000\n"},
    {"[group x]\nlimit = 1000001\n", "2: limit = 1000001 is not a number from 1 to 1000000\n"},
    {"[group x]\nlimit = 99999999999999999999\n",
	"2: limit = 99999999999999999999 is not a number from 1 to 1000000\n"},
    {"[group x]\nlimit = -1\n", "2: limit = -1 is not a number from 1 to 1000000\n"},
    {"[group x]\nlimit = 5 # five\n", "2: limit = 5 # five is not a number from 1 to 1000000\n"},
    {"[group x]\nwait_ms = 10s\n",
	"2: wait_ms = 10s is not a number from 0 to 31622400000, or forever\n"},
    {"[group x]\nwait_ms =\n", "2: wait_ms =  is not a number from 0 to 31622400000, or forever\n"},
    {"[daemon]\nsocket_mode = 0888\n", "2: socket_mode = 0888 is not octal, from 0 to 0777\n"},
    {"[daemon]\nsocket_mode = 1777\n", "2: socket_mode = 1777 is not octal, from 0 to 0777\n"},
    {"[daemon]\nsocket =\n", "2: socket =  is not a text of 1 to 107 bytes\n"},
    {"[daemon]\nsocket = " A128 "\n", "2: socket = " A128 " is not a text of 1 to 107 bytes\n"},
    {"[group x]\nallow_users = root no-such-user-here\n", "2: allow_users = root no-such-user-here is "
	"not a list of users of this host: there is no no-such-user-here\n"},
    {"[daemon]\nadmin_groups = root -1\n",
	"2: admin_groups = root -1 is not a list of groups of this host: there is no -1\n"},
    {"[group x]\nadmin_users = 4294967295\n", "2: admin_users = 4294967295 is not a list of users of "
	"this host: there is no 4294967295\n"},
    {"[group x]\nallow_groups = ,\n", "2: allow_groups = , is not a list of groups of this host\n"},
    {"[group x]\nallow_groups = " A60 "a" A60 "\n", "2: allow_groups = " A60 "a" A60
	" is not a list of groups of this host: there is no " A60 "aaa\n"},
    {"[redis]\nurl = redis://h\npassword_file = p\n", "3: password_file: not the absolute path of a file\n"},
    {"[daemon]\ntesting = 1\n", "2: testing = 1 is not yes or no\n"},
    {"[lease]\ngrace_ms = 9999\n", "2: grace_ms = 9999: less than lease_ms, which is 10000\n"},
    {"[lease]\ngrace_ms = 0\n", "2: grace_ms = 0: less than lease_ms, which is 10000\n"},
    {"[redis]\npool = 1\nurl = redis://\n", "3: url: there is no host\n"},
    {"[redis]\nurl = redis://u@h\nusername = u\n", "3: username: the URL names a user already\n"},
    {"[redis]\nurl = redis://:p@h\npassword_file = /p\n",
	"3: password_file: the URL has a password already\n"},
    {"[redis]\nurl = redis://h\nprefix = a*b\n",
	"3: prefix: it must not hold blanks nor any of *?[]{}\\\n"},
    {"[redis]\nurl = redis://h\n[lease]\nlease_ms = 8000\n",
	"2: command_timeout_ms: 2000 is not less than a quarter of lease_ms, which is 8000\n"},
    {"[daemon]\nlog_level = loud\n", "2: log_level = loud is not error, warn, info or debug\n"},
    {"[daemon]\nunknown_groups = no\n", "2: unknown_groups = no is not allow or refuse\n"},
    {"[group g]\non_lease_end = no\n", "2: on_lease_end = no is not keep or drop\n"},
    {"[group g]\non_backend_down = no\n",
	"2: on_backend_down = no is not wait, refuse or open\n"},
    {"[daemon]\nsocket = " A128 A60 A60 "\n", "2: the line is longer than 197 bytes\n"},
    {"[lease]\nlease_ms = 60000\n", "2: margin_ms = 500: less than 2 % of lease_ms, which is 60000\n"},
    {"[lease]\nmargin_ms = 49\n", "2: margin_ms = 49 is not a number from 50 to 300000\n"},
    {"[lease]\nlease_ms = 10000\nmargin_ms = 199\n",
	"3: margin_ms = 199: less than 2 % of lease_ms, which is 10000\n"},
    {"[lease]\nmargin_ms = 501\nlease_ms = 1000\n",
	"2: margin_ms = 501: more than half of lease_ms, which is 1000\n"},
    {"[group x]\n[group y]\n[group x]\nlimit = 0\n", "3: [group x]: this group has a section already\n"},
    {"[group x*]\n[group y]\n[group x*]\n", "3: [group x*]: this group has a section already\n"},
    {"[group x]\n[group %78]\n", "2: [group %78]: this group has a section already\n"},
    {"[group a[b]\n", "1: [group a[b]: a [ without its ] (%5B is a [)\n"},
    {"[group 10%]\n",
	"1: [group 10%]: a % must be followed by two hexadecimal digits (%25 is a %)\n"},
    {"[group %00]\n", "1: [group %00]: not a group's name: it is empty, has blanks or control "
	"characters, or is not UTF-8\n"},
    {"[group]\n", "1: [group ]: not a group's name: it is empty, has blanks or control characters, "
	"or is not UTF-8\n"},
    {"[group " A128 "a]\n", "1: [group " A128 "a]: the name is too long\n"},
    {"[group \xff]\n", "1: [group %FF]: not a group's name: it is empty, has blanks or control "
	"characters, or is not UTF-8\n"},
    {"[gr\x01p]\n", "1: no section is called [gr%01p]; did you mean group?\n"},
};

START_TEST(mistakes)
{
	struct config *conf = load(bad[_i].text, strlen(bad[_i].text));

	ck_assert_msg(conf == NULL, "%s", bad[_i].text);
	ck_assert_str_eq(complaints, bad[_i].wrong);
}
END_TEST

START_TEST(nul_byte)
{
	static const char text[] = "[group x]\nlimit = 5\0\nlimit = 6\n";

	ck_assert_ptr_null(load(text, sizeof(text) - 1));
	ck_assert_str_eq(complaints, "2: there is a NUL byte in the line\n");
}
END_TEST

static void
count(void *n, const char *message)
{
	(void)message;
	++*(int *)n;
}

START_TEST(no_such_file)
{
	int n = 0;

	ck_assert_ptr_null(config_load("/nowhere/slotd.conf", count, &n));
	ck_assert_ptr_null(config_load("/", count, &n));        /* a directory */
	ck_assert_int_eq(n, 2);
}
END_TEST

START_TEST(other_socket)
{
	struct config *conf = load_good("[daemon]\nsocket_mode = 0600\n");

	ck_assert(config_is_given(conf, "socket_mode"));
	ck_assert(!config_is_given(conf, "socket"));
	ck_assert_int_eq(config_set_socket(conf, "/tmp/other"), 0);
	ck_assert_str_eq(conf->socket, "/tmp/other");
	ck_assert(config_is_given(conf, "socket"));
	ck_assert_int_eq(config_set_socket(conf, ""), -1);
	ck_assert_int_eq(config_set_socket(conf, A128), -1);
	ck_assert_str_eq(conf->socket, "/tmp/other");
	config_free(conf);
}
END_TEST

START_TEST(other_redis)
{
	struct config *conf = load_good("[redis]\nurl = redis://a\npassword_file = /p\n");
	char why[256];

	ck_assert_int_eq(config_set_redis(conf, "redis://b", why, sizeof(why)), 0);
	ck_assert_str_eq(conf->redis.address.host, "b");
	ck_assert_int_eq(config_set_redis(conf, "b", why, sizeof(why)), -1);
	ck_assert_int_eq(config_set_redis(conf, "redis://:p@b", why, sizeof(why)), -1);
	ck_assert_str_eq(why, "password_file: the URL has a password already");
	config_free(conf);

	conf = load_good("");
	ck_assert_int_eq(config_set_redis(conf, "redis://:secret@b", why, sizeof(why)), -1);
	ck_assert_str_eq(why, "a password stands in the process list here; use password_file");
	config_free(conf);

	conf = load_good("[lease]\nlease_ms = 8000\n");
	ck_assert_int_eq(config_set_redis(conf, "redis://b", why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "a quarter of lease_ms"));
	config_free(conf);
}
END_TEST

/* ------------------------------------------------------------------ which section applies */

static const char sections[] = "[group *]\nlimit = 1\n"
			       "[group api-*]\nlimit = 2\n"
			       "[group api-?]\nlimit = 3\n"
			       "[group api-search]\nlimit = 4\n"
			       "[group *-search]\nlimit = 5\n"
			       "[group shard-[0-9]]\nlimit = 6\n"
			       "[group shard-[!0-9]x]\nlimit = 7\n"
			       "[group 100%25-%2A]\nlimit = 8\n"
			       "[group %2A%5B%3F*]\nlimit = 9\n"
			       "[group Z\xc3\xbcrich]\nlimit = 10\n"
			       "[group back\\slash*]\nlimit = 11\n"
			       "[group [a]b]]\nlimit = 12\n"
			       "[group " A128 "]\nlimit = 13\n";

static const struct {
	const char *name;
	int limit;
} found[] = {
    {"mail", 1},
    {"api-1x", 2},
    {"api-x", 2},               /* as many literal characters as api-?, and earlier */
    {"api-", 2},
    {"api-search", 4},          /* the exact name, though *-search is longer */
    {"api-re-search", 5},
    {"shard-3", 6},
    {"shard-x", 1},
    {"shard-yx", 7},
    {"100%-*", 8},
    {"100%-x", 1},
    {"*[?", 9},
    {"*[?/.x", 9},
    {"Z\xc3\xbcrich", 10},
    {"z\xc3\xbcrich", 1},
    {"back\\slash1", 11},
    {"ab]", 12},
    {"bb]", 1},
    {".hidden/x", 1},
    {A128, 13},
};

START_TEST(most_specific)
{
	struct config *conf = load_good(sections);
	const struct config_group *group = config_group(conf, found[_i].name);

	ck_assert_msg(group != NULL, "%s", found[_i].name);
	ck_assert_msg(group->limit == found[_i].limit, "%s: [group %s]", found[_i].name, group->name);
	config_free(conf);
}
END_TEST

START_TEST(nothing_inherited)
{
	struct config *conf = load_good("[group a*]\nlimit = 5\nwait_ms = 1\nmax_hold_ms = 7\n"
					"[group ab]\nwait_ms = forever\nmax_waiters = 3\nlimit =\n");
	const struct config_group *group = config_group(conf, "ab");

	ck_assert_int_eq(group->limit, 0);
	ck_assert_int_eq(group->wait_ms, WIRE_FOREVER);
	ck_assert_int_eq(group->max_hold_ms, 0);
	ck_assert_int_eq(group->max_waiters, 3);
	ck_assert_int_eq(config_group(conf, "aa")->wait_ms, 1);
	ck_assert_int_eq(config_group(conf, "aa")->max_hold_ms, 7);
	config_free(conf);
}
END_TEST

START_TEST(exact_names_in_order)
{
	static const char *const names[] = {"api-search", "100%-*", "Z\xc3\xbcrich", A128};
	struct config *conf = load_good(sections);
	const struct config_group *group = NULL;

	for (size_t i = 0; i < COUNT(names); i++) {
		group = config_group_next(conf, group);
		ck_assert_ptr_nonnull(group);
		ck_assert_str_eq(group->name, names[i]);
	}
	ck_assert_ptr_null(config_group_next(conf, group));
	config_free(conf);
}
END_TEST

static const struct {
	const char *asked, *closest;
} near[] = {
    {"nightly-report", "nightly-report"},
    {"nightly-reports", "nightly-report"},
    {"nigthly-report", "nightly-report"},
    {"nightly_report", "nightly-report"},
    {"Nightly-Report", "nightly-report"},
    {"nghtl-repor", "nightly-report"},
    {"nightly", NULL},
    {"dbb", "db"},
    {"bd", "db"},
    {"web", NULL},
    {"ab", "db"},
    {A128, NULL},
};

START_TEST(closest_name)
{
	struct config *conf = load_good("[group db]\n[group nightly-report]\n[group nightly-re*]\n");
	const char *closest = config_closest(conf, near[_i].asked);

	ck_assert_msg(near[_i].closest != NULL || closest == NULL, "%s: %s", near[_i].asked, closest);
	if (near[_i].closest != NULL)
		ck_assert_str_eq(closest, near[_i].closest);
	config_free(conf);
}
END_TEST

START_TEST(take)
{
	static const struct {
		const char *from, *to, *restart;
		uint32_t n_changed;
	} rows[] = {
		{"", "", "", 0},
		{"[group a]\nlimit = 1\n[group b*]\n", "[group b*]\n[group a]\nlimit = 1\n", "", 0},
		{"[group a]\nlimit = 1\n", "[group a]\nlimit = 2\n", "", 1},
		{"[group a]\n", "[group a*]\n", "", 2},
		{"[group a*]\nwait_ms = 1\n[group b]\n", "[group a*]\n[group c]\n", "", 3},
		{"[group a]\nallow_users = 1 2\n", "[group a]\nallow_users = 1,2\n", "", 0},
		{"[group a]\nallow_users = 1 2\n", "[group a]\nallow_users = 2 1\n", "", 1},
		{"[group a]\nadmin_groups = 1\n", "[group a]\n", "", 1},
		{"[daemon]\nmax_holds = 5\nadmin_groups = 7\n", "[daemon]\nlog_level = debug\n", "", 0},
		{"[daemon]\nsocket = /a\n", "[daemon]\nsocket = /b\n[redis]\nprefix = p\n[lease]\nidle_ms = 1\n",
		    "socket,prefix,idle_ms", 0},
	};
	struct config *conf = load_good(rows[_i].from), *fresh = load_good(rows[_i].to);
	struct config *wanted = load_good(rows[_i].to);
	char restart[64], cut[8];

	ck_assert_uint_eq(config_take(conf, fresh, restart, sizeof(restart)), rows[_i].n_changed);
	ck_assert_str_eq(restart, rows[_i].restart);
	ck_assert_int_eq(conf->max_holds, wanted->max_holds);
	ck_assert_int_eq(conf->log_level, wanted->log_level);
	ck_assert((conf->admin_groups == NULL) == (wanted->admin_groups == NULL));
	ck_assert_uint_eq(config_n_sections(conf), config_n_sections(wanted));
	ck_assert((config_group(conf, "a") == NULL) == (config_group(wanted, "a") == NULL));
	ck_assert_str_eq(conf->socket, strstr(rows[_i].from, "/a") != NULL ? "/a" : wanted->socket);
	config_take(conf, wanted, cut, sizeof(cut));
	ck_assert_int_eq(strncmp(cut, rows[_i].restart, sizeof(cut) - 1), 0);
	config_free(conf);
	config_free(fresh);
	config_free(wanted);
}
END_TEST

Suite *
config_suite(void)
{
	Suite *s = suite_create("config");
	TCase *tc = tcase_create("config");

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, take, 0, 10);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, every_key);
	tcase_add_loop_test(tc, mistakes, 0, (int)COUNT(bad));
	tcase_add_test(tc, nul_byte);
	tcase_add_test(tc, no_such_file);
	tcase_add_test(tc, other_socket);
	tcase_add_test(tc, other_redis);
	tcase_add_loop_test(tc, most_specific, 0, (int)COUNT(found));
	tcase_add_test(tc, nothing_inherited);
	tcase_add_test(tc, exact_names_in_order);
	tcase_add_loop_test(tc, closest_name, 0, (int)COUNT(near));
	return s;
}
