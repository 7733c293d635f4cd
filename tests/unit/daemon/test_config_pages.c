/* conf/slotd.conf and slotd.conf(5) say what config.def says: each key, its default, its sentence,
 * its bounds, and no key besides. */
#include "tests/unit/daemon/suites.h"

#include "daemon/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/wire.h"

#define CONF "conf/slotd.conf"
#define PAGE "daemon/slotd.conf.5"

static const struct {
	const char *section, *name, *type, *change, *fallback;
	int64_t min, max;
	const char *sentence;
} keys[] = {
#define KEY(section, name, type, fallback, min, max, change, sentence)                             \
	{#section, #name, #type, #change, fallback, min, max, sentence},
#include "daemon/config.def"
#undef KEY
};
#define N_KEYS (int)(sizeof(keys) / sizeof(keys[0]))

static char *
slurp(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	ck_assert_msg(file != NULL, "%s (run from the top of the source)", path);
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_lt(fread(text, 1, 65535, file), 65535);
	fclose(file);
	return text;
}

static int
count(const char *text, const char *needle)
{
	int n = 0;

	while ((text = strstr(text, needle)) != NULL) {
		text += strlen(needle);
		n++;
	}
	return n;
}

static bool
has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at += len)
		if (strchr(" \n", at[-1]) != NULL && strchr(" \n", at[len]) != NULL)
			return true;
	return false;
}

/* "max_waiters = 5", or without a blank at the end where there is no default. */
static const char *
assignment(int i, char *buf, size_t size)
{
	snprintf(buf, size, "%s =%s%s", keys[i].name, keys[i].fallback[0] ? " " : "", keys[i].fallback);
	return buf;
}

START_TEST(key_in_file)
{
	char *text = slurp(CONF), expected[512], value[128];

	snprintf(expected, sizeof(expected), "\n; %s\n;%s\n", keys[_i].sentence,
	    assignment(_i, value, sizeof(value)));
	ck_assert_msg(count(text, expected) == 1, "not in " CONF ":%s", expected);
	free(text);
}
END_TEST

START_TEST(key_in_page)
{
	char *text = slurp(PAGE), expected[512], value[128], bounds[64], *item, *end;

	snprintf(expected, sizeof(expected), ".It Cm %s\n%s\n", assignment(_i, value, sizeof(value)),
	    keys[_i].sentence);
	ck_assert_msg(count(text, expected) == 1, "not in " PAGE ": %s", expected);
	snprintf(bounds, sizeof(bounds), strcmp(keys[_i].type, "OCTAL") == 0 ?
	    "from %" PRIo64 " to 0%" PRIo64 : "rom %" PRId64 " to %" PRId64, keys[_i].min, keys[_i].max);
	item = strstr(text, expected);
	end = strstr(item + 1, "\n.It");
	if (end != NULL)
		*end = '\0';
	if (strcmp(keys[_i].type, "NUMBER") == 0 || strcmp(keys[_i].type, "WAIT") == 0 ||
	    strcmp(keys[_i].type, "OCTAL") == 0 || strcmp(keys[_i].type, "OPTIONAL") == 0)
		ck_assert_msg(strstr(item, bounds) != NULL, PAGE ", %s: no \"%s\"", keys[_i].name, bounds);
	free(text);
}
END_TEST

START_TEST(no_key_besides)
{
	char *conf = slurp(CONF), *page = slurp(PAGE);

	ck_assert_int_eq(count(page, "\n.It Cm "), N_KEYS);
	ck_assert_int_eq(count(conf, "\n;") - count(conf, "\n; "), N_KEYS + 1);        /* [group example] */
	free(conf);
	free(page);
}
END_TEST

/* What waits for a restart is named where the page tells of a reload: each key, or its section. */
START_TEST(restart_in_page)
{
	char *text = slurp(PAGE), *part = strstr(text, "\n.Sh RELOAD\n"), *end, section[64];
	bool is_named;

	ck_assert_ptr_nonnull(part);
	end = strstr(part, "\n.Bl");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	snprintf(section, sizeof(section), "[%s]", keys[_i].section);
	is_named = strstr(part, section) != NULL && (strcmp(keys[_i].section, "redis") == 0 ||
	    strcmp(keys[_i].section, "lease") == 0 || has_word(part, keys[_i].name));
	ck_assert_msg(is_named == (strcmp(keys[_i].change, "RESTART") == 0), PAGE ", RELOAD: %s",
	    keys[_i].name);
	free(text);
}
END_TEST

static void
complain(void *arg, const char *message)
{
	(void)arg;
	ck_abort_msg("%s", message);
}

/* As a file that says them: what is commented out is taken for the keys themselves. */
START_TEST(file_says_defaults)
{
	char path[] = "/tmp/slotd-config-XXXXXX", *text = slurp(CONF);
	struct config *said, *defaults;
	const struct config_group *group;
	FILE *file = fdopen(mkstemp(path), "w");

	ck_assert_ptr_nonnull(file);
	for (const char *c = text; *c != '\0'; c++)
		if (*c != ';' || c == text || c[-1] != '\n' || c[1] == ' ')
			fputc(*c, file);
	fclose(file);
	said = config_load(path, complain, NULL);
	unlink(path);
	defaults = config_load("/dev/null", complain, NULL);
	ck_assert_str_eq(said->socket, defaults->socket);
	ck_assert_str_eq(said->socket_group, defaults->socket_group);
	ck_assert_int_eq(said->socket_mode, defaults->socket_mode);
	ck_assert_int_eq(said->max_clients, defaults->max_clients);
	ck_assert_int_eq(said->max_cells, defaults->max_cells);
	ck_assert_int_eq(said->stop_ms, defaults->stop_ms);
	ck_assert_int_eq(said->send_timeout_ms, defaults->send_timeout_ms);
	ck_assert_int_eq(said->log_level, defaults->log_level);
	ck_assert_int_eq(said->unknown_groups, defaults->unknown_groups);
	ck_assert_int_eq(said->testing, defaults->testing);
	ck_assert_str_eq(said->redis.url, defaults->redis.url);
	ck_assert_str_eq(said->redis.username, defaults->redis.username);
	ck_assert_str_eq(said->redis.password_file, defaults->redis.password_file);
	ck_assert_str_eq(said->redis.prefix, defaults->redis.prefix);
	ck_assert_int_eq(said->redis.pool, defaults->redis.pool);
	ck_assert_int_eq(said->redis.connect_timeout_ms, defaults->redis.connect_timeout_ms);
	ck_assert_int_eq(said->redis.command_timeout_ms, defaults->redis.command_timeout_ms);
	ck_assert_str_eq(said->metrics.listen, defaults->metrics.listen);
	ck_assert_int_eq(said->metrics.any_address, defaults->metrics.any_address);
	ck_assert_int_eq(said->metrics.max_groups, defaults->metrics.max_groups);
	ck_assert_int_eq(said->lease_ms, defaults->lease_ms);
	ck_assert_int_eq(said->grace_ms, defaults->grace_ms);
	ck_assert_int_eq(said->margin_ms, defaults->margin_ms);
	ck_assert_int_eq(said->idle_ms, defaults->idle_ms);
	ck_assert_int_eq(said->recall_ms, defaults->recall_ms);
	group = config_group(said, "example");
	ck_assert_ptr_nonnull(group);
	ck_assert_int_eq(group->limit, defaults->other.limit);
	ck_assert_int_eq(group->wait_ms, defaults->other.wait_ms);
	ck_assert_int_eq(group->max_hold_ms, defaults->other.max_hold_ms);
	ck_assert_int_eq(group->max_waiters, defaults->other.max_waiters);
	ck_assert_int_eq(group->on_lease_end, defaults->other.on_lease_end);
	ck_assert_int_eq(group->on_backend_down, defaults->other.on_backend_down);
	config_free(said);
	config_free(defaults);
	free(text);
}
END_TEST

Suite *
config_pages_suite(void)
{
	Suite *s = suite_create("config_pages");
	TCase *tc = tcase_create("config_pages");

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, key_in_file, 0, N_KEYS);
	tcase_add_loop_test(tc, key_in_page, 0, N_KEYS);
	tcase_add_loop_test(tc, restart_in_page, 0, N_KEYS);
	tcase_add_test(tc, no_key_besides);
	tcase_add_test(tc, file_says_defaults);
	return s;
}
