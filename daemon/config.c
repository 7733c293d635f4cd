/* The configuration file: read whole, reported on whole.
 *
 * inih splits "key = value".  Everything that it would swallow is settled line by line in front of
 * it, in next_line(): it cuts long lines and section names without a word, takes an indented line for
 * a second value of the key above, tells no line numbers, and cannot see a section without keys. */
#include "daemon/config.h"

#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/closest.h"
#include "daemon/config_groups.h"
#include "daemon/config_keys.h"
#include "daemon/http/address.h"
#include "daemon/log.h"

#define BLANKS " \t"
#define MESSAGE_MAX 1024
#define WHY_MAX 256             /* also a suggested name, escaped or not */
#define KEYS_MAX 64             /* bits of config.given */

struct parser {
	struct config *conf;
	const char *path;
	config_complain *complain;
	void *arg;
	FILE *file;
	char *line;             /* as getline keeps it */
	size_t line_size;
	unsigned line_number;
	unsigned n_wrong;

	/* The section that we are in.  N_SECTIONS: none, or one that was refused: then its keys are
	 * passed over. */
	enum config_section section;
	bool any_section;
	struct config_group *group;
	bool seen_section[CONFIG_N_SECTIONS];
	unsigned seen[KEYS_MAX];        /* line of each key, of groups in this section; 0: none */
};

__attribute__((format(printf, 3, 4))) static void
wrong(struct parser *p, unsigned line, const char *fmt, ...)
{
	char message[MESSAGE_MAX], clean[MESSAGE_MAX];
	size_t len;
	va_list ap;

	if (line == 0)
		snprintf(message, sizeof(message), "%s: ", p->path);
	else
		snprintf(message, sizeof(message), "%s:%u: ", p->path, line);
	len = strlen(message);
	va_start(ap, fmt);
	vsnprintf(message + len, sizeof(message) - len, fmt, ap);
	va_end(ap);
	log_clean(message, clean, sizeof(clean));
	p->complain(p->arg, clean);
	p->n_wrong++;
}

/* "; did you mean X?" or "". */
static const char *
suggestion(const struct closest *closest, char *buf, size_t size)
{
	buf[0] = '\0';
	if (closest->best != NULL)
		snprintf(buf, size, "; did you mean %s?", closest->best);
	return buf;
}

static unsigned *
seen(struct parser *p, const struct config_key *key)
{
	_Static_assert(KEYS_MAX > 0
#define KEY(section, name, type, fallback, min, max, change, sentence) + 1
#include "daemon/config.def"
#undef KEY
	    , "room for every key");
	return &p->seen[key - config_keys];
}

/* What holds the keys of a section. */
static void *
struct_of(struct config *conf, enum config_section section, struct config_group *group)
{
	switch (section) {
	case CONFIG_redis:
		return &conf->redis;
	case CONFIG_metrics:
		return &conf->metrics;
	case CONFIG_group:
		return group;
	default:
		return conf;
	}
}

static uint64_t
bit(const struct config_key *key)
{
	return (uint64_t)1 << (key - config_keys);
}

/* ------------------------------------------------------------------ sections */

static void
enter_group(struct parser *p, const char *name)
{
	const char *why;

	p->group = config_groups_add(p->conf->groups, name, &p->conf->other, &why);
	if (p->group == NULL) {
		wrong(p, p->line_number, "[group %s]: %s", name, why);
		return;
	}
	p->section = CONFIG_group;
	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		if (key->section == CONFIG_group)
			*seen(p, key) = 0;
}

/* inside: what stands between [ and ]. */
static void
enter_section(struct parser *p, char *inside)
{
	enum config_section section;
	struct closest closest;
	char hint[WHY_MAX];
	char *word = inside + strspn(inside, BLANKS);
	char *name = word + strcspn(word, BLANKS);

	if (*name != '\0')
		*name++ = '\0';
	name += strspn(name, BLANKS);
	closest = (struct closest){.word = word};
	section = config_section_find(word, &closest);
	p->section = CONFIG_N_SECTIONS;
	if (section == CONFIG_N_SECTIONS) {
		wrong(p, p->line_number, "no section is called [%s]%s", word,
		    suggestion(&closest, hint, sizeof(hint)));
	} else if (section == CONFIG_group) {
		enter_group(p, name);
	} else if (name[0] != '\0') {
		wrong(p, p->line_number, "[%s] takes no name", word);
	} else if (p->seen_section[section]) {
		wrong(p, p->line_number, "[%s] is in the file already", word);
	} else {
		p->seen_section[section] = true;
		p->section = section;
	}
}

/* ------------------------------------------------------------------ lines */

/* Cuts the comment (";" behind a blank, as inih has it), blanks and the line end off.  -> length */
static size_t
cut_end(char *s)
{
	size_t len;

	for (char *c = strchr(s, ';'); c != NULL; c = strchr(c + 1, ';')) {
		if (c > s && strchr(BLANKS, c[-1]) != NULL) {
			*c = '\0';
			break;
		}
	}
	for (len = strlen(s); len > 0 && strchr(BLANKS "\r\n", s[len - 1]) != NULL; len--)
		s[len - 1] = '\0';
	return len;
}

static bool
is_comment(const char *s)
{
	s += strspn(s, BLANKS);
	return *s == '\0' || *s == ';' || *s == '#';
}

/* Looks at one line of len bytes.  -> true if it is for inih: a "key = value". */
static bool
judge_line(struct parser *p, char *s, size_t len, size_t max)
{
	if (strlen(s) != len) {
		wrong(p, p->line_number, "there is a NUL byte in the line");
		return false;
	}
	len = cut_end(s);
	if (is_comment(s))
		return false;
	if (strchr(BLANKS, s[0]) != NULL) {
		wrong(p, p->line_number, "the line begins with a blank");
	} else if (s[0] == '[') {
		p->any_section = true;
		p->section = CONFIG_N_SECTIONS;
		if (s[len - 1] == ']') {
			s[len - 1] = '\0';
			cut_end(s);
			enter_section(p, s + 1);
		} else {
			wrong(p, p->line_number, "the section has no ] at its end");
		}
	} else if (len > max) {
		wrong(p, p->line_number, "the line is longer than %zu bytes", max);
	} else if (strpbrk(s, "=:") == NULL) {
		wrong(p, p->line_number, "neither [section] nor key = value");
	} else {
		return true;
	}
	return false;
}

/* inih's fgets: hands over the next line that is for it, of at most size bytes with its NUL. */
static char *
next_line(char *buf, int size, void *stream)
{
	struct parser *p = stream;
	char *s;
	ssize_t len;

	while ((len = getline(&p->line, &p->line_size, p->file)) >= 0) {
		p->line_number++;
		s = p->line;
		if (p->line_number == 1 && strncmp(s, "\xEF\xBB\xBF", 3) == 0) {
			s += 3;         /* a byte order mark */
			len -= 3;
		}
		/* LF and NUL, and one more: inih takes a line that fills its buffer for a cut one. */
		if (judge_line(p, s, (size_t)len, (size_t)size - 3)) {
			snprintf(buf, (size_t)size, "%s\n", s);
			return buf;
		}
	}
	return NULL;
}

/* Its value may have a password in it, or may be one by mistake. */
static bool
may_be_secret(const char *name)
{
	return strcmp(name, "url") == 0 || strcmp(name, "password_file") == 0;
}

/* inih's handler.  What it says of sections does not count: next_line() knows better. */
static int
take_value(void *user, const char *inih_section, const char *name, const char *value)
{
	struct parser *p = user;
	struct closest closest = {.word = name};
	const struct config_key *key;
	char text[WHY_MAX];
	void *base = struct_of(p->conf, p->section, p->group);

	(void)inih_section;
	if (!p->any_section)
		wrong(p, p->line_number, "%s is given before any [section]", name);
	if (p->section == CONFIG_N_SECTIONS)
		return 1;
	key = config_key_find(p->section, name, &closest);
	if (key == NULL) {
		wrong(p, p->line_number, "[%s] has no key %s%s", config_section_name(p->section), name,
		    suggestion(&closest, text, sizeof(text)));
	} else if (*seen(p, key) != 0) {
		wrong(p, p->line_number, "%s is given in line %u already", name, *seen(p, key));
	} else {
		*seen(p, key) = p->line_number;
		p->conf->given |= bit(key);
		if (config_key_set(key, value, base, text, sizeof(text)) < 0)
			wrong(p, p->line_number, "%s = %s is not %s", name,
			    may_be_secret(name) ? "..." : value, text);
	}
	return 1;
}

/* ------------------------------------------------------------------ the whole */

/* What no single key shows, of what is shared.  -> the key that is wrong, with the reason in why;
 * or NULL.  Takes the URL apart. */
static const char *
check_redis(struct config *c, char *why, size_t size)
{
	struct config_redis *r = &c->redis;

	url_free(&r->address);
	if (r->url[0] == '\0')
		return NULL;
	if (url_parse(r->url, &r->address, why, size) < 0)
		return "url";
	if (r->username[0] != '\0' && r->address.user != NULL) {
		snprintf(why, size, "the URL names a user already");
		return "username";
	}
	if (r->password_file[0] != '\0' && r->address.password != NULL) {
		snprintf(why, size, "the URL has a password already");
		return "password_file";
	}
	/* Most likely it is the password itself, which would be logged as a file that cannot be had. */
	if (r->password_file[0] != '\0' && r->password_file[0] != '/') {
		snprintf(why, size, "not the absolute path of a file");
		return "password_file";
	}
	/* It becomes a part of patterns in ACL rules, and of names with a hash tag. */
	if (r->prefix[strcspn(r->prefix, "*?[]{}\\ \t")] != '\0') {
		snprintf(why, size, "it must not hold blanks nor any of *?[]{}\\");
		return "prefix";
	}
	if (r->command_timeout_ms * 4 >= c->lease_ms) {
		snprintf(why, size, "%" PRId64 " is not less than a quarter of lease_ms, which is %" PRId64,
		    r->command_timeout_ms, c->lease_ms);
		return "command_timeout_ms";
	}
	return NULL;
}

/* The line of a key; if it is not in the file, that of another. */
static unsigned
line_of(struct parser *p, enum config_section section, const char *name, const char *other)
{
	unsigned line = *seen(p, config_key_find(section, name, NULL));

	return line != 0 || other == NULL ? line : line_of(p, section, other, NULL);
}

/* What no single key shows: the margin is what clocks may run apart within a lease; by the end of
 * the grace, whoever could not claim what he held has ceased to believe in it. */
static void
check(struct parser *p)
{
	struct config *c = p->conf;
	unsigned line = line_of(p, CONFIG_lease, "margin_ms", "lease_ms");
	struct address address;
	char why[WHY_MAX];
	const char *key;

	if (c->margin_ms * 50 < c->lease_ms)
		wrong(p, line, "margin_ms = %" PRId64 ": less than 2 %% of lease_ms, which is %" PRId64,
		    c->margin_ms, c->lease_ms);
	if (c->margin_ms * 2 > c->lease_ms)
		wrong(p, line, "margin_ms = %" PRId64 ": more than half of lease_ms, which is %" PRId64,
		    c->margin_ms, c->lease_ms);
	if (c->grace_ms >= 0 && c->grace_ms < c->lease_ms && !(c->grace_ms == 0 && c->testing))
		wrong(p, line_of(p, CONFIG_lease, "grace_ms", NULL), "grace_ms = %" PRId64
		    ": less than lease_ms, which is %" PRId64, c->grace_ms, c->lease_ms);
	key = check_redis(c, why, sizeof(why));
	if (key != NULL)
		wrong(p, line_of(p, CONFIG_redis, key, "url"), "%s: %s", key, why);
	if (c->metrics.listen[0] != '\0' &&
	    address_parse(c->metrics.listen, c->metrics.any_address, &address, why, sizeof(why)) < 0)
		wrong(p, line_of(p, CONFIG_metrics, "listen", NULL), "listen: %s", why);
}

static struct config *
config_new(void)
{
	struct config *conf = calloc(1, sizeof(*conf));
	char why[WHY_MAX];
	void *base;

	if (conf == NULL)
		return NULL;
	conf->groups = config_groups_new();
	if (conf->groups == NULL)
		goto fail;
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		base = struct_of(conf, key->section, &conf->other);
		if (config_key_set(key, key->fallback, base, why, sizeof(why)) < 0)
			goto fail;
	}
	return conf;
fail:
	config_free(conf);
	return NULL;
}

static void
read_file(struct parser *p)
{
	struct stat st;

	p->conf->is_file = true;
	p->conf->is_public = fstat(fileno(p->file), &st) == 0 && (st.st_mode & S_IROTH) != 0;
	if (ini_parse_stream(next_line, p, take_value, p) != 0)
		wrong(p, 0, "not understood");
	if (ferror(p->file))
		wrong(p, 0, "%s", strerror(errno));
	if (p->n_wrong == 0)
		check(p);
}

struct config *
config_load(const char *path, config_complain *complain, void *arg)
{
	struct parser p = {
	    .path = path != NULL ? path : CONFIG_PATH,
	    .complain = complain,
	    .arg = arg,
	    .section = CONFIG_N_SECTIONS,
	};

	p.conf = config_new();
	if (p.conf == NULL) {
		wrong(&p, 0, "no memory");
		return NULL;
	}
	p.file = fopen(p.path, "re");
	if (p.file != NULL) {
		read_file(&p);
		fclose(p.file);
		free(p.line);
	} else if (path != NULL || errno != ENOENT) {
		wrong(&p, 0, "%s", strerror(errno));
	}
	if (p.n_wrong > 0) {
		config_free(p.conf);
		return NULL;
	}
	if (p.conf->grace_ms < 0)
		p.conf->grace_ms = p.conf->lease_ms;
	return p.conf;
}

void
config_free(struct config *conf)
{
	if (conf == NULL)
		return;
	config_groups_free(conf->groups);
	url_free(&conf->redis.address);
	for (enum config_section s = 0; s < CONFIG_N_SECTIONS; s++)
		config_keys_clear(s, struct_of(conf, s, &conf->other));
	free(conf);
}

int
config_set_socket(struct config *conf, const char *path)
{
	const struct config_key *key = config_key_find(CONFIG_daemon, "socket", NULL);
	char expected[WHY_MAX];

	conf->given |= bit(key);
	return config_key_set(key, path, conf, expected, sizeof(expected));
}

int
config_set_redis(struct config *conf, const char *url, char *why, size_t size)
{
	const struct config_key *key = config_key_find(CONFIG_redis, "url", NULL);
	char reason[WHY_MAX];
	const char *wrong_key;

	if (config_key_set(key, url, &conf->redis, reason, sizeof(reason)) < 0) {
		snprintf(why, size, "not %s", reason);
		return -1;
	}
	wrong_key = check_redis(conf, reason, sizeof(reason));
	if (wrong_key != NULL) {
		snprintf(why, size, "%s: %s", wrong_key, reason);
		return -1;
	}
	if (conf->redis.address.password != NULL) {
		snprintf(why, size,
		    "a password stands in the process list here; use password_file");
		return -1;
	}
	return 0;
}

/* Says of a key that its change waits for a restart; what does not fit is cut. */
static void
add_restart(const struct config_key *key, char *restart, size_t size)
{
	size_t len = strlen(restart);

	snprintf(restart + len, size - len, "%s%s", len > 0 ? "," : "", key->name);
}

uint32_t
config_take(struct config *conf, struct config *fresh, char *restart, size_t size)
{
	struct config_groups *groups = conf->groups;

	restart[0] = '\0';
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		void *ours = struct_of(conf, key->section, &conf->other);
		void *its = struct_of(fresh, key->section, &fresh->other);

		if (key->change == CONFIG_RELOAD)
			config_key_swap(key, ours, its);
		else if (!config_key_is_same(key, ours, its))
			add_restart(key, restart, size);
	}
	conf->given = fresh->given;
	conf->groups = fresh->groups;
	fresh->groups = groups;
	return config_groups_differ(fresh->groups, conf->groups);
}

bool
config_is_given(const struct config *conf, const char *key)
{
	return (conf->given & bit(config_key_find(CONFIG_daemon, key, NULL))) != 0;
}
