/* Fuzzes proto/: any bytes as a request, an answer, and through the small parts.
 * The oracle of a request: what was parsed, written and parsed again is the same. */
#include "proto/wire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static void
fuzz_request(const char *line, size_t len)
{
	struct wire_request req, again;
	struct wire_fault fault = {WIRE_OK, NULL, ""};
	char first[WIRE_LINE_MAX + 1], second[WIRE_LINE_MAX + 1];
	int n;

	if (wire_parse(line, len, &req, &fault) == -1) {
		MUST(fault.code > WIRE_OK && fault.code < WIRE_NCODES);
		MUST(fault.what != NULL && strlen(fault.key) < sizeof(fault.key));
		return;
	}
	MUST(!wire_is_blank(line, len));
	n = wire_format(&req, first, sizeof(first));
	if (n == -1 && req.verb == WIRE_RESUME && req.label[0] != '\0') {
		memset(req.label, 0, sizeof(req.label));
		n = wire_format(&req, first, sizeof(first));
	}
	MUST(n > 0 && n <= WIRE_LINE_MAX && first[n - 1] == '\n');
	MUST(wire_parse(first, (size_t)n - 1, &again, &fault) == 0);
	MUST(wire_format(&again, second, sizeof(second)) == n && memcmp(first, second, (size_t)n) == 0);
	MUST(memcmp(&req, &again, sizeof(req)) == 0);
	MUST(wire_format(&req, second, (size_t)n) == -1);
}

static void
fuzz_answer(const char *line, size_t len)
{
	struct wire_answer answer;
	uint32_t slots[WIRE_N_MAX];
	uint64_t token;
	char value[32];

	if (wire_parse_answer(line, len, &answer) == -1)
		return;
	MUST(answer.rest >= line && answer.rest + answer.rest_len == line + len);
	if (wire_parse_grant(answer.rest, answer.rest_len, slots, &token) > 0)
		MUST(token > 0);
	wire_value(answer.rest, answer.rest_len, "limit", value, sizeof(value));
}

static void
fuzz_parts(const char *s, size_t len)
{
	char escaped[WIRE_ESCAPED(WIRE_LINE_MAX)], plain[WIRE_LINE_MAX + 1];
	int64_t ms;
	int n;

	wire_unescape(s, len, plain, 16);
	wire_name_ok(s, len, len, true);
	if (wire_parse_time(s, len, &ms, NULL) == 0)
		MUST(ms >= 0 && ms <= WIRE_TIME_MAX);
	if (len > WIRE_LINE_MAX)
		return;
	n = wire_escape(s, len, true, escaped, sizeof(escaped));
	MUST(n > 0 || len == 0);
	n = wire_unescape(escaped, (size_t)n, plain, sizeof(plain));
	MUST(len == 0 ? strcmp(plain, "-") == 0 : (size_t)n == len && memcmp(plain, s, len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_request((const char *)data, size);
	fuzz_answer((const char *)data, size);
	fuzz_parts((const char *)data, size);
	return 0;
}
