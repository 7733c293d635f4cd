/* Fuzzes what a browser sends: any bytes as a request.  What is taken names a group that can be one;
 * and whatever it is, it comes out of HTML, JSON and a URL harmless, and the last as it was. */
#include "daemon/http/request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http/escape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

/* -> ended by a NUL; lives until the next call */
static const char *
escaped(bool (*escape)(struct output *, const char *), const char *text)
{
	static struct output out;

	output_clear(&out);
	MUST(escape(&out, text) && output_add(&out, "", 1));
	return out.bytes + out.start;
}

static void
check_group(const char *group)
{
	char again[WIRE_GROUP_MAX + 1];
	const char *text;

	MUST(wire_name_ok(group, strlen(group), WIRE_GROUP_MAX, false));
	MUST(strpbrk(escaped(escape_attribute, group), "<>\"'") == NULL);
	text = escaped(escape_text, group);
	MUST(strpbrk(text, "<>\"'") == NULL && strstr(text, "\xe2\x80\xae") == NULL);
	text = escaped(escape_json, group);
	MUST(text[0] == '"' && strchr(text, '<') == NULL);
	MUST(strchr(text + 1, '"') == text + strlen(text) - 1);
	text = escaped(escape_url, group);
	MUST(strpbrk(text, "&#?+\"'<>= ") == NULL);
	MUST(wire_unescape(text, strlen(text), again, sizeof again) >= 0);
	MUST(strcmp(again, group) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct http_request req, earlier;
	int status = http_request_parse(bytes, size, &req);

	if (status == 200 && req.group[0] != '\0')
		check_group(req.group);
	if (status == 200)
		MUST(req.path[0] == '/' && strlen(req.path) <= HTTP_PATH_MAX);
	if (size < HTTP_HEAD_MAX) {     /* what is whole stays what it is, whatever comes behind it */
		int before = http_request_parse(bytes, size / 2, &earlier);

		MUST(before == 0 || before == status);
	}
	return 0;
}
