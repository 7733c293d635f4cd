/* Fuzzes what the Redis script and other daemons say: any bytes as a reply, as a push, as a question
 * to all and as a part of its answer.  Whatever is taken must lie within bounds, and be no larger than the
 * text has room for. */
#include "daemon/redis/exchange.h"
#include "daemon/redis/live.h"
#include "daemon/redis/talk.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* what words are made of: printable, and no blank */
#define WORD                                                                                   \
	"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz" \
	"{|}~"

#define MUST(condition) ((condition) ? (void)0 : abort())

static volatile uint32_t seen;

static void
check_grant(const struct xch_grant *grant, size_t size)
{
	MUST(grant->n <= XCH_N_MAX && grant->n <= size && grant->number < UINT64_C(1) << 47);
	for (uint32_t i = 0; i < grant->n; i++)
		seen = grant->slots[i]; /* so that it is read */
}

/* What another daemon says is within the message, and printable where it goes on to a client. */
static void
check_talk(const char *text, size_t size)
{
	static struct talk_question question;
	static struct talk_answer answer;

	if (talk_decode_question(text, size, &question) == 0) {
		size_t len = strlen(question.line);

		MUST(len > 0 && len < TALK_QUESTION_MAX && len < size);
		MUST(strpbrk(question.line, "\r\n\x7f") == NULL);
	}
	if (talk_decode_answer(text, size, &answer) == 0) {
		MUST(answer.text >= text && answer.text + answer.len == text + size);
		MUST(strlen(answer.host) - 1 < XCH_HOST_MAX && strpbrk(answer.host, " \n") == NULL);
		for (size_t i = 0; i < answer.len; i++)
			seen = (uint32_t)answer.text[i];
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct exchange_touched touched;
	struct arena arena = {0};
	struct xch_reply re;
	struct xch_push push;
	struct live_news news;

	check_talk(text, size);
	if (exchange_decode(&arena, text, size, &re) == 0 && re.status == XCH_OK) {
		MUST(re.n_granted + re.n_lost + re.n_full + re.n_refused <= size);
		MUST(re.live_limit >= XCH_NO_LIMIT && re.look >= 0 && re.hot >= 0 && re.grace >= 0);
		for (uint32_t i = 0; i < re.n_granted; i++)
			check_grant(&re.granted[i], size);
		for (uint32_t i = 0; i < re.n_lost; i++)
			MUST(re.lost[i].number < UINT64_C(1) << 47);
		MUST(re.n_peers <= XCH_PEERS_MAX);
		for (uint32_t i = 0; i < re.n_peers; i++)
			MUST(strnlen(re.peers[i].host, XCH_HOST_MAX + 1) - 1 < XCH_HOST_MAX &&
			    re.peers[i].limit >= XCH_NO_LIMIT && re.peers[i].lease >= 0);
	}
	if (exchange_decode_push(&arena, text, size, &push) == 0) {
		MUST(strlen(push.group) > 0 && strlen(push.group) <= size);
		if (push.type == XCH_GRANT)
			check_grant(&push.grant, size);
	}
	if (live_decode(text, size, &news) == 0) {
		const struct live_setting *s = &news.said.setting;

		MUST(news.group[0] != '\0' && strlen(news.group) <= WIRE_GROUP_MAX);
		MUST(s->limit >= XCH_NO_LIMIT && s->limit <= WIRE_LIMIT_MAX && s->until >= 0 && s->at >= 0);
		MUST(s->by[strspn(s->by, WORD)] == '\0' && s->why[strspn(s->why, WORD)] == '\0');
	}
	if (exchange_decode_touch(text, size, &touched) == 0)
		MUST(touched.grace >= 0 && touched.longest_lease >= 0);
	arena_fini(&arena);
	return 0;
}
