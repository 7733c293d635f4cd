/* Stories: text -> lines. */
#include "tests/scenario/story.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/wire.h"

/* As scanf reads them.  With a text: it is the rest of the line, and else there is no rest. */
static const struct {
	enum story_kind kind;
	const char *format;
	bool client, text;
} forms[] = {
    {STORY_SAY, "%c.c%d > %n", true, true},
    {STORY_HEAR, "%c.c%d < %n", true, true},
    {STORY_NOTHING, "nothing for %c.c%d%n", true, false},
    {STORY_KILL_CLIENT, "kill -9 %c.c%d%n", true, false},
    {STORY_KILL_DAEMON, "kill %c%n", false, false},
    {STORY_LOSE, "lose the next push to %c%n", false, false},
};

/* Which host and client, and where the text begins; false: the line has another form. */
static bool
parse_form(unsigned form, const char *s, struct story_line *line)
{
	char host;
	int end = 0;

	if (forms[form].client)
		sscanf(s, forms[form].format, &host, &line->client, &end);
	else
		sscanf(s, forms[form].format, &host, &end);
	if (end == 0 || (s[end] != '\0') != forms[form].text ||
	    strlen(s + end) >= sizeof line->text)
		return false;
	line->kind = forms[form].kind;
	line->host = host - 'A';
	strcpy(line->text, s + end);
	return true;
}

static bool
parse_line(const struct story *story, const char *s, struct story_line *line)
{
	long long ms;
	int end = 0;

	line->ms = -1;
	if (sscanf(s, "at %lld %n", &ms, &end) == 1 || sscanf(s, "by %lld %n", &ms, &end) == 1) {
		line->by = s[0] == 'b';
		line->ms = ms;
		s += end;
	}
	for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++)
		if (parse_form(i, s, line))
			return line->host >= 0 && line->host < story->hosts &&
			    (!line->by || line->kind == STORY_HEAR);
	return false;
}

static bool
parse_config(struct story *story, const char *key, long long value)
{
	if (strcmp(key, "hosts") == 0 && value >= 1 && value <= STORY_HOSTS_MAX)
		story->hosts = value;
	else if (strcmp(key, "lease_ms") == 0)
		story->lease_ms = value;
	else if (strcmp(key, "idle_ms") == 0)
		story->idle_ms = value;
	else
		return false;
	return story->n_lines == 0;
}

static bool
parse(struct story *story, const char *s, int number)
{
	char key[16];
	long long value;

	if (*s == '\0' || *s == '#')
		return true;
	if (sscanf(s, "config %15[a-z_]=%lld", key, &value) == 2)
		return parse_config(story, key, value);
	if (story->n_lines == STORY_LINES_MAX)
		return false;
	story->lines[story->n_lines].number = number;
	return parse_line(story, s, &story->lines[story->n_lines++]);
}

int
story_read(struct story *story, const char *path)
{
	FILE *file = fopen(path, "r");
	char buf[256];
	bool ok = true;
	int number = 0;

	*story = (struct story){.path = path, .hosts = 2, .lease_ms = 4000, .idle_ms = 1000};
	if (file == NULL) {
		printf("%s: %s\n", path, strerror(errno));
		return -1;
	}
	while (ok && fgets(buf, sizeof buf, file) != NULL) {
		number++;
		buf[strcspn(buf, "\n")] = '\0';
		ok = parse(story, buf + strspn(buf, " "), number);
	}
	fclose(file);
	if (!ok)
		printf("%s:%d: no line of a story: %s\n", path, number, buf);
	else if (story->n_lines == 0)
		printf("%s: nothing happens\n", path);
	return ok && story->n_lines > 0 ? 0 : -1;
}

bool
story_matches(const char *pattern, const char *line)
{
	const char *want, *word;
	size_t p = 0, l = 0, n, m;

	for (;;) {
		n = wire_word(pattern, strlen(pattern), &p, &want);
		if (n == 3 && memcmp(want, "...", 3) == 0)
			return true;
		m = wire_word(line, strlen(line), &l, &word);
		if (n == 0 || m == 0)
			return n == m;
		if (!(n == 1 && *want == '*') && (n != m || memcmp(want, word, n) != 0))
			return false;
	}
}
