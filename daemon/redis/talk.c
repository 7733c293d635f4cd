/* Talk: what daemons say to each other through Redis without a record of it. */
#include "daemon/redis/talk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
talk_channel(char channel[EXCHANGE_CHANNEL_MAX], const char *prefix)
{
	snprintf(channel, EXCHANGE_CHANNEL_MAX, "%s" EXCHANGE_FORMAT ":fleet", prefix);
}

void
talk_daemon(char name[TALK_DAEMON_MAX], const struct xch_daemon *daemon)
{
	snprintf(name, TALK_DAEMON_MAX, "%016" PRIx64 ".%016" PRIx64 ".%016" PRIx64,
	    daemon->install, daemon->generation, daemon->nonce);
}

size_t
talk_encode_question(char head[TALK_HEAD_MAX], const struct xch_daemon *from, uint64_t id)
{
	char name[TALK_DAEMON_MAX];

	talk_daemon(name, from);
	return (size_t)snprintf(head, TALK_HEAD_MAX, "Q %s %016" PRIx64 " ", name, id);
}

size_t
talk_encode_answer(char head[TALK_HEAD_MAX], const struct talk_answer *answer)
{
	char name[TALK_DAEMON_MAX];

	talk_daemon(name, &answer->from);
	return (size_t)snprintf(head, TALK_HEAD_MAX, "A %s %016" PRIx64 " %08" PRIx32 " %d %s\n", name,
	    answer->id, answer->number, answer->is_last, answer->host);
}

/* ------------------------------------------------------------------ reading */

/* Every field but the last has its fixed width.  After the first that is wrong everything is. */
struct scan {
	const char *at, *end;
	bool is_bad;
};

static void
scan_char(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		s->is_bad = true;
	else
		s->at++;
}

static uint64_t
scan_hex(struct scan *s, int digits)
{
	static const char all[] = "0123456789abcdef";
	uint64_t value = 0;

	for (int i = 0; i < digits; i++) {
		const char *digit = s->at < s->end ? memchr(all, *s->at, 16) : NULL;

		if (digit == NULL) {
			s->is_bad = true;
			return 0;
		}
		value = value << 4 | (uint64_t)(digit - all);
		s->at++;
	}
	return value;
}

static struct xch_daemon
scan_daemon(struct scan *s)
{
	struct xch_daemon daemon;

	daemon.install = scan_hex(s, 16);
	scan_char(s, '.');
	daemon.generation = scan_hex(s, 16);
	scan_char(s, '.');
	daemon.nonce = scan_hex(s, 16);
	return daemon;
}

/* Up to that character, or the end: printable bytes only, and at least one. */
static void
scan_text(struct scan *s, char until, char first, char *buf, size_t size)
{
	size_t n = 0;

	for (; s->at < s->end && *s->at != until; s->at++) {
		if (*s->at < first || *s->at > '~' || n + 1 == size) {
			s->is_bad = true;
			break;
		}
		buf[n++] = *s->at;
	}
	buf[n] = '\0';
	s->is_bad |= n == 0;
}

int
talk_parse_daemon(const char *text, size_t len, struct xch_daemon *daemon)
{
	struct scan s = {text, text + len, false};

	*daemon = scan_daemon(&s);
	return s.is_bad || s.at != s.end ? -1 : 0;
}

int
talk_decode_question(const char *text, size_t len, struct talk_question *q)
{
	struct scan s = {text, text + len, false};

	scan_char(&s, 'Q');
	scan_char(&s, ' ');
	q->from = scan_daemon(&s);
	scan_char(&s, ' ');
	q->id = scan_hex(&s, 16);
	scan_char(&s, ' ');
	scan_text(&s, '\n', ' ', q->line, sizeof q->line);
	return s.is_bad || s.at != s.end ? -1 : 0;
}

int
talk_decode_answer(const char *text, size_t len, struct talk_answer *a)
{
	struct scan s = {text, text + len, false};

	scan_char(&s, 'A');
	scan_char(&s, ' ');
	a->from = scan_daemon(&s);
	scan_char(&s, ' ');
	a->id = scan_hex(&s, 16);
	scan_char(&s, ' ');
	a->number = (uint32_t)scan_hex(&s, 8);
	scan_char(&s, ' ');
	a->is_last = s.at < s.end && *s.at == '1';
	scan_char(&s, a->is_last ? '1' : '0');
	scan_char(&s, ' ');
	scan_text(&s, '\n', '!', a->host, sizeof a->host);
	scan_char(&s, '\n');
	a->text = s.at;
	a->len = (size_t)(s.end - s.at);
	return s.is_bad ? -1 : 0;
}
