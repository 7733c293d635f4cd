/* Requests: what is accepted, what is refused and as what, and both ways round. */
#include "tests/unit/core/suites.h"

#include "proto/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A row's line, in exactly its own bytes: a sanitizer sees a step over its end. */
static int
parse(const char *line, size_t len, struct wire_request *req, struct wire_fault *fault)
{
	char *copy = malloc(len + !len);
	int rc;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, line, len);
	memset(fault, 0, sizeof(*fault));
	rc = wire_parse(copy, len, req, fault);
	free(copy);
	return rc;
}

/* ------------------------------------------------------------------ requests that are accepted */

/* Canonical lines: "" means that the line is canonical already. */
static const struct {
	const char *line, *canonical;
} good[] = {
	{"PING", ""},
	{"ping", "PING"},
	{"PiNg\r", "PING"},
	{" \t PING \t ", "PING"},
	{"HELLO", ""},
	{"HELLO label=x events=on detail=off", ""},
	{"HELLO detail=on label=two%20words", "HELLO label=two%20words detail=on"},
	{"HELLO page=on events=on", "HELLO events=on page=on"},
	{"ACQUIRE g", ""},
	{"ACQUIRE g limit=1 wait=0 n=64 hold=1 label=%25", ""},
	{"ACQUIRE g limit=1000000 wait=forever", ""},
	{"ACQUIRE g limit=007", "ACQUIRE g limit=7"},
	{"ACQUIRE g hold=1h wait=2m", "ACQUIRE g wait=120000 hold=3600000"},
	{"ACQUIRE g wait=250ms n=1", "ACQUIRE g wait=250"},
	{"ACQUIRE g wait=0s", "ACQUIRE g wait=0"},
	{"ACQUIRE g wait=366m", "ACQUIRE g wait=21960000"},
	{"ACQUIRE g wait=8784h", "ACQUIRE g wait=31622400000"},
	{"#7 acquire\tg\tlimit=2", "#7 ACQUIRE g limit=2"},
	{"#a-z_.:9 PING", ""},
	{"#12345678901234567890123456789012 PING", ""},
	{"ACQUIRE limit=3", ""},
	{"ACQUIRE a=b limit=3", ""},
	{"ACQUIRE Z\xc3\xbcrich", "ACQUIRE Z%C3%BCrich"},
	{"ACQUIRE %5a%c3%bcrich", "ACQUIRE Z%C3%BCrich"},
	{"ACQUIRE \xf4\x8f\xbf\xbf", "ACQUIRE %F4%8F%BF%BF"},
	{"ACQUIRE g label=\xc2\xa0", "ACQUIRE g label=%C2%A0"},
	{"ACQUIRE g label==", ""},
	{"ACQUIRE *", ""},
	{"ACQUIRE -", ""},
	{"RELEASE *", ""},
	{"RELEASE %2a 1", "RELEASE %2A 1"},
	{"RELEASE g 1", ""},
	{"RELEASE g 3,1,1000000 token=9223372036854775807", ""},
	{"RELEASE g 0 token=5", ""},
	{"RESUME g 0 5", ""},
	{"CANCEL #w", ""},
	{"#w CANCEL #w", ""},
	{"RESUME g 1 7", ""},
	{"#7 resume\tg\t3,1 0007", "#7 RESUME g 3,1 7"},
	{"RESUME * 1 7", "RESUME %2A 1 7"},
	{"RESUME g 1000000 9223372036854775807 label=%2A limit=1000000",
	    "RESUME g 1000000 9223372036854775807 limit=1000000 label=*"},
	{"LIST", ""},
	{"LIST a*[!b]?", ""},
	{"STATUS g", ""},
	{"HOLDERS g", ""},
	{"WAITERS g", ""},
	{"STATS", ""},
	{"METRICS", ""},
	{"VERSION", ""},
	{"HELP", ""},
	{"#bye QUIT", ""},
	{"GRACE", ""},
	{"PS", ""},
	{"ps a*", "PS a*"},
	{"EVICT g 3", ""},
	{"evict %2a 1 token=5", "EVICT %2A 1 token=5"},
	{"AUDIT", ""},
	{"#1 audit fix", "#1 AUDIT fix"},
	{"#1 grace end", "#1 GRACE end"},
	{"WHY g limit=3 n=2", ""},
	{"why g n=1", "WHY g"},
	{"RELOAD", ""},
	{"DRAIN", ""},
	{"DRAIN on", ""},
	{"#1 drain off", "#1 DRAIN off"},
	{"LIVE g", ""},
	{"LIVE g limit=0", ""},
	{"#1 LIVE g limit=1000000 for=2m why=too%20slow", "#1 LIVE g limit=1000000 for=120000 why=too%20slow"},
	{"LIVE g limit=none why=-", ""},
	{"LIVE g pause=on for=1", ""},
	{"LIVE g pause=off", ""},
	{"HISTORY g", ""},
};

START_TEST(accepts)
{
	const char *line = good[_i].line;
	const char *canonical = good[_i].canonical[0] != '\0' ? good[_i].canonical : line;
	struct wire_request req, again;
	struct wire_fault fault;
	char out[WIRE_LINE_MAX + 1];
	int n;

	ck_assert_msg(parse(line, strlen(line), &req, &fault) == 0, "<%s>: ERR %s %s: %s", line,
	    wire_code_word(fault.code), fault.key, fault.what);
	n = wire_format(&req, out, sizeof(out));
	ck_assert_msg(n > 0 && out[n - 1] == '\n' && out[n] == '\0', "<%s>: no line", line);
	out[n - 1] = '\0';
	ck_assert_msg(strcmp(out, canonical) == 0, "<%s> became <%s>", line, out);
	ck_assert_msg(parse(out, (size_t)n - 1, &again, &fault) == 0, "<%s>", out);
	ck_assert_msg(memcmp(&req, &again, sizeof(req)) == 0, "<%s> differs from <%s>", line, out);
	/* every smaller buffer is refused, and nothing is written behind its end */
	for (size_t size = 0; size <= (size_t)n; size++)
		ck_assert_int_eq(wire_format(&req, out, size), -1);
}
END_TEST

START_TEST(fills_the_struct)
{
	static const char line[] = "#t1 acquire a%25b limit=5 wait=10s n=3 hold=2m label=x%20y";
	struct wire_request req;
	struct wire_fault fault;

	ck_assert_int_eq(parse(line, strlen(line), &req, &fault), 0);
	ck_assert_int_eq(req.verb, WIRE_ACQUIRE);
	ck_assert_str_eq(req.tag, "t1");
	ck_assert_str_eq(req.group, "a%b");
	ck_assert_uint_eq(req.limit, 5);
	ck_assert_int_eq(req.wait_ms, 10000);
	ck_assert_uint_eq(req.n, 3);
	ck_assert_int_eq(req.hold_ms, 120000);
	ck_assert_str_eq(req.label, "x y");
	ck_assert_uint_eq(req.n_slots, 0);

	ck_assert_int_eq(parse("ACQUIRE g", 9, &req, &fault), 0);
	ck_assert_uint_eq(req.limit, 0);
	ck_assert_int_eq(req.wait_ms, WIRE_ABSENT);
	ck_assert_int_eq(req.hold_ms, WIRE_ABSENT);
	ck_assert_uint_eq(req.n, 1);
	ck_assert_uint_eq(req.token, 0);
	ck_assert_str_eq(req.label, "");
	ck_assert_str_eq(req.tag, "");

	ck_assert_int_eq(parse("ACQUIRE g wait=forever", 22, &req, &fault), 0);
	ck_assert_int_eq(req.wait_ms, WIRE_FOREVER);

	ck_assert_int_eq(parse("RELEASE g 3,1,2 token=9", 23, &req, &fault), 0);
	ck_assert(!req.all);
	ck_assert_uint_eq(req.n_slots, 3);
	ck_assert_uint_eq(req.slots[0], 3);
	ck_assert_uint_eq(req.slots[1], 1);
	ck_assert_uint_eq(req.slots[2], 2);
	ck_assert_uint_eq(req.token, 9);

	ck_assert_int_eq(parse("RELEASE *", 9, &req, &fault), 0);
	ck_assert(req.all);
	ck_assert_str_eq(req.group, "");

	ck_assert_int_eq(parse("RESUME g 3,1 9 limit=4 label=x", 30, &req, &fault), 0);
	ck_assert_uint_eq(req.n_slots, 2);
	ck_assert_uint_eq(req.slots[0], 3);
	ck_assert_uint_eq(req.slots[1], 1);
	ck_assert_uint_eq(req.token, 9);
	ck_assert_uint_eq(req.limit, 4);
	ck_assert_str_eq(req.label, "x");

	ck_assert_int_eq(parse("#a CANCEL #b", 12, &req, &fault), 0);
	ck_assert_str_eq(req.tag, "a");
	ck_assert_str_eq(req.cancel, "b");

	ck_assert_int_eq(parse("HELLO events=off", 16, &req, &fault), 0);
	ck_assert(req.has_events && !req.events && !req.has_detail && !req.detail);
	ck_assert(!req.has_page);
	ck_assert_int_eq(parse("HELLO page=on", 13, &req, &fault), 0);
	ck_assert(req.has_page && req.page);
}
END_TEST

/* ------------------------------------------------------------------ requests that are refused */

#define BYTES(s) s, sizeof(s) - 1

static const struct {
	const char *line;
	size_t len;
	enum wire_code code;
	const char *key;
} bad[] = {
	/* no request at all */
	{BYTES("FROB"), WIRE_ERR_UNKNOWN, ""},
	{BYTES("PINGG"), WIRE_ERR_UNKNOWN, ""},
	{BYTES("PIN"), WIRE_ERR_UNKNOWN, ""},
	{BYTES("P\xc3\x8fNG"), WIRE_ERR_UNKNOWN, ""},
	{BYTES("#7"), WIRE_ERR_SYNTAX, ""},
	{BYTES("OK"), WIRE_ERR_UNKNOWN, ""},
	/* control bytes, wherever they are */
	{BYTES("\0"), WIRE_ERR_SYNTAX, ""},
	{BYTES("PING\0"), WIRE_ERR_SYNTAX, ""},
	{BYTES("PI\0NG"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE g\0 limit=1"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE g limit=1 \0"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE g label=a\x7f"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE g\x1b limit=0"), WIRE_ERR_SYNTAX, ""},
	{BYTES("PING\r\r"), WIRE_ERR_SYNTAX, ""},
	{BYTES("PI\rNG"), WIRE_ERR_SYNTAX, ""},
	{BYTES("PING\n"), WIRE_ERR_SYNTAX, ""},
	{BYTES("PING\v"), WIRE_ERR_SYNTAX, ""},
	/* words missing, or too many */
	{BYTES("ACQUIRE"), WIRE_ERR_SYNTAX, ""},
	{BYTES("RELEASE"), WIRE_ERR_SYNTAX, ""},
	{BYTES("RELEASE g"), WIRE_ERR_SYNTAX, ""},
	{BYTES("RESUME"), WIRE_ERR_SYNTAX, ""},
	{BYTES("RESUME g"), WIRE_ERR_SYNTAX, ""},
	{BYTES("RESUME g 1"), WIRE_ERR_SYNTAX, ""},
	{BYTES("RESUME g 1 7 8"), WIRE_ERR_SYNTAX, ""},
	{BYTES("RESUME g 1 7 label=%4"), WIRE_ERR_SYNTAX, ""},
	{BYTES("CANCEL"), WIRE_ERR_SYNTAX, ""},
	{BYTES("CANCEL w"), WIRE_ERR_SYNTAX, ""},
	{BYTES("STATUS"), WIRE_ERR_SYNTAX, ""},
	{BYTES("HOLDERS"), WIRE_ERR_SYNTAX, ""},
	{BYTES("WAITERS"), WIRE_ERR_SYNTAX, ""},
	{BYTES("PING x"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE g x"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE g limit=1 x"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE g =1"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE limit=3 g"), WIRE_ERR_SYNTAX, ""},
	{BYTES("RELEASE g 1 2"), WIRE_ERR_SYNTAX, ""},
	{BYTES("RELEASE * 1"), WIRE_ERR_SYNTAX, ""},
	{BYTES("CANCEL #a #b"), WIRE_ERR_SYNTAX, ""},
	{BYTES("LIST a b"), WIRE_ERR_SYNTAX, ""},
	{BYTES("STATUS g g"), WIRE_ERR_SYNTAX, ""},
	/* %XX */
	{BYTES("ACQUIRE %"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE a%2"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE a%zz"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE a%2gb"), WIRE_ERR_SYNTAX, ""},
	{BYTES("ACQUIRE g label=%"), WIRE_ERR_SYNTAX, ""},
	{BYTES("HELLO label=%4"), WIRE_ERR_SYNTAX, ""},
	/* keys */
	{BYTES("ACQUIRE g colour=red"), WIRE_ERR_BADKEY, "colour"},
	{BYTES("ACQUIRE g limit=1 limit=1"), WIRE_ERR_BADKEY, "limit"},
	{BYTES("ACQUIRE g LIMIT=1"), WIRE_ERR_BADKEY, "LIMIT"},
	{BYTES("ACQUIRE g limi=1"), WIRE_ERR_BADKEY, "limi"},
	{BYTES("ACQUIRE g limits=1"), WIRE_ERR_BADKEY, "limits"},
	{BYTES("ACQUIRE g token=1"), WIRE_ERR_BADKEY, "token"},
	{BYTES("ACQUIRE g events=on"), WIRE_ERR_BADKEY, "events"},
	{BYTES("RELEASE g 1 limit=1"), WIRE_ERR_BADKEY, "limit"},
	{BYTES("LIVE g limit=1 pause=on"), WIRE_ERR_BADKEY, "pause"},
	{BYTES("LIVE g limit=1 limit=none"), WIRE_ERR_BADKEY, "limit"},
	{BYTES("LIVE g for=1s"), WIRE_ERR_BADKEY, "for"},
	{BYTES("LIVE g why=x"), WIRE_ERR_BADKEY, "why"},
	{BYTES("LIVE g limit=none for=1s"), WIRE_ERR_BADKEY, "for"},
	{BYTES("LIVE g pause=off for=1s"), WIRE_ERR_BADKEY, "for"},
	{BYTES("LIVE g wait=1s"), WIRE_ERR_BADKEY, "wait"},
	{BYTES("LIVE g limit=1000001"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("LIVE g limit=-1"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("LIVE g limit="), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("LIVE g pause=yes"), WIRE_ERR_BADVALUE, "pause"},
	{BYTES("LIVE g limit=1 for=0"), WIRE_ERR_BADVALUE, "for"},
	{BYTES("LIVE g limit=1 why="), WIRE_ERR_BADVALUE, "why"},
	{BYTES("LIVE g limit=1 why=%0a"), WIRE_ERR_BADVALUE, "why"},
	{BYTES("LIVE"), WIRE_ERR_SYNTAX, ""},
	{BYTES("RELEASE * token=1"), WIRE_ERR_BADKEY, "token"},
	{BYTES("RESUME g 1 7 token=7"), WIRE_ERR_BADKEY, "token"},
	{BYTES("RESUME g 1 7 hold=1"), WIRE_ERR_BADKEY, "hold"},
	{BYTES("RESUME g 1 7 limit=1 limit=1"), WIRE_ERR_BADKEY, "limit"},
	{BYTES("HELLO limit=1"), WIRE_ERR_BADKEY, "limit"},
	{BYTES("PING x=1"), WIRE_ERR_BADKEY, "x"},
	{BYTES("PING a\xff" "b=1"), WIRE_ERR_BADKEY, "a"},
	{BYTES("PING a%20b=1"), WIRE_ERR_BADKEY, "a"},
	{BYTES("PING 1234567890123456789012345678901234567890=1"), WIRE_ERR_BADKEY,
	    "12345678901234567890123456789012"},
	/* values */
	{BYTES("ACQUIRE g limit="), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("ACQUIRE g limit=0"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("ACQUIRE g limit=1000001"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("ACQUIRE g limit=4294967297"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("ACQUIRE g limit=18446744073709551617"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("ACQUIRE g limit=-1"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("ACQUIRE g limit=+1"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("ACQUIRE g limit=1.0"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("ACQUIRE g limit=0x1"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("ACQUIRE g n=0"), WIRE_ERR_BADVALUE, "n"},
	{BYTES("ACQUIRE g n=65"), WIRE_ERR_BADVALUE, "n"},
	{BYTES("ACQUIRE g hold=0"), WIRE_ERR_BADVALUE, "hold"},
	{BYTES("ACQUIRE g hold=forever"), WIRE_ERR_BADVALUE, "hold"},
	{BYTES("ACQUIRE g wait="), WIRE_ERR_BADVALUE, "wait"},
	{BYTES("ACQUIRE g wait=s"), WIRE_ERR_BADVALUE, "wait"},
	{BYTES("ACQUIRE g wait=1d"), WIRE_ERR_BADVALUE, "wait"},
	{BYTES("ACQUIRE g wait=1S"), WIRE_ERR_BADVALUE, "wait"},
	{BYTES("ACQUIRE g wait=1.5s"), WIRE_ERR_BADVALUE, "wait"},
	{BYTES("ACQUIRE g wait=-1"), WIRE_ERR_BADVALUE, "wait"},
	{BYTES("ACQUIRE g wait=FOREVER"), WIRE_ERR_BADVALUE, "wait"},
	{BYTES("ACQUIRE g wait=31622400001"), WIRE_ERR_BADVALUE, "wait"},
	{BYTES("ACQUIRE g wait=8785h"), WIRE_ERR_BADVALUE, "wait"},
	{BYTES("ACQUIRE g wait=5124095576030431h"), WIRE_ERR_BADVALUE, "wait"},
	{BYTES("RELEASE g 1 token=0"), WIRE_ERR_BADVALUE, "token"},
	{BYTES("RELEASE g 1 token=9223372036854775808"), WIRE_ERR_BADVALUE, "token"},
	{BYTES("RELEASE g 0"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RELEASE g 0,1 token=5"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RELEASE g 1,0 token=5"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RESUME g 0,1 5"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RELEASE g 1000001"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RELEASE g 1,1"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RELEASE g 1,2,01"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RELEASE g ,1"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RELEASE g 1,"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RELEASE g 1,,2"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RELEASE g token=1"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RESUME g * 7"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RESUME g 1,1 7"), WIRE_ERR_BADVALUE, "slot"},
	{BYTES("RESUME g 1 0"), WIRE_ERR_BADVALUE, "token"},
	{BYTES("RESUME g 1 token=7"), WIRE_ERR_BADVALUE, "token"},
	{BYTES("RESUME g 1 9223372036854775808"), WIRE_ERR_BADVALUE, "token"},
	{BYTES("RESUME g 1 7 limit=0"), WIRE_ERR_BADVALUE, "limit"},
	{BYTES("HELLO events=yes"), WIRE_ERR_BADVALUE, "events"},
	{BYTES("HELLO events=ON"), WIRE_ERR_BADVALUE, "events"},
	{BYTES("HELLO detail="), WIRE_ERR_BADVALUE, "detail"},
	{BYTES("HELLO page=1"), WIRE_ERR_BADVALUE, "page"},
	{BYTES("ACQUIRE g page=on"), WIRE_ERR_BADKEY, "page"},
	{BYTES("HELLO label="), WIRE_ERR_BADVALUE, "label"},
	{BYTES("HELLO label=a%00b"), WIRE_ERR_BADVALUE, "label"},
	{BYTES("HELLO label=a%0ab"), WIRE_ERR_BADVALUE, "label"},
	{BYTES("HELLO label=\xff"), WIRE_ERR_BADVALUE, "label"},
	{BYTES("HELLO label=%C2%85"), WIRE_ERR_BADVALUE, "label"},
	/* names of groups */
	{BYTES("ACQUIRE a%20b"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE a%09b"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE %00"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE a%7F"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE \x80"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE \xc3"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE \xc3("), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE \xc0\xaf"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE \xe0\x9f\xbf"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE \xed\xa0\x80"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE \xf0\x8f\xbf\xbf"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE \xf4\x90\x80\x80"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE \xf5\x80\x80\x80"), WIRE_ERR_BADGROUP, ""},
	{BYTES("ACQUIRE %c2%85"), WIRE_ERR_BADGROUP, ""},
	{BYTES("LIST %20"), WIRE_ERR_BADGROUP, ""},
	{BYTES("RELEASE a%20b 1"), WIRE_ERR_BADGROUP, ""},
	{BYTES("RESUME a%20b 1 7"), WIRE_ERR_BADGROUP, ""},
	/* tags */
	{BYTES("# PING"), WIRE_ERR_TAG, ""},
	{BYTES("#a/b PING"), WIRE_ERR_TAG, ""},
	{BYTES("#a\0 PING"), WIRE_ERR_TAG, ""},
	{BYTES("#%41 PING"), WIRE_ERR_TAG, ""},
	{BYTES("##a PING"), WIRE_ERR_TAG, ""},
	{BYTES("#123456789012345678901234567890123 PING"), WIRE_ERR_TAG, ""},
	{BYTES("CANCEL #"), WIRE_ERR_TAG, ""},
	{BYTES("CANCEL #a,b"), WIRE_ERR_TAG, ""},
};

START_TEST(refuses)
{
	struct wire_request req;
	struct wire_fault fault;

	ck_assert_msg(parse(bad[_i].line, bad[_i].len, &req, &fault) == -1, "<%s>", bad[_i].line);
	ck_assert_msg(fault.code == bad[_i].code, "<%s>: ERR %s: %s", bad[_i].line,
	    wire_code_word(fault.code), fault.what);
	ck_assert_msg(strcmp(fault.key, bad[_i].key) == 0, "<%s>: key=%s", bad[_i].line, fault.key);
	ck_assert_msg(fault.what != NULL && fault.what[0] != '\0', "<%s>: no text", bad[_i].line);
}
END_TEST

START_TEST(error_keeps_the_tag)
{
	static const char *const lines[] = {"#t-1", "#t-1 FROB", "#t-1 PI\x01NG", "#t-1 ACQUIRE",
	    "#t-1 ACQUIRE %zz", "#t-1 ACQUIRE g limit=0", "#t-1 CANCEL #/"};
	struct wire_request req;
	struct wire_fault fault;

	for (size_t i = 0; i < COUNT(lines); i++) {
		ck_assert_msg(parse(lines[i], strlen(lines[i]), &req, &fault) == -1, "%s", lines[i]);
		ck_assert_msg(strcmp(req.tag, "t-1") == 0, "<%s>: tag <%s>", lines[i], req.tag);
	}
	ck_assert_int_eq(parse("#t/1 PING", 9, &req, &fault), -1);
	ck_assert_str_eq(req.tag, "");
}
END_TEST

/* ------------------------------------------------------------------ at the edges */

/* head, then `count` times `unit`; -> what wire_parse says of it, WIRE_OK if it is accepted */
static enum wire_code
parse_repeated(const char *head, const char *unit, size_t count)
{
	char line[4 * WIRE_LINE_MAX];
	size_t len = strlen(head), unit_len = strlen(unit);
	struct wire_request req;
	struct wire_fault fault;

	memcpy(line, head, len);
	for (size_t i = 0; i < count; i++, len += unit_len)
		memcpy(line + len, unit, unit_len);
	return parse(line, len, &req, &fault) == 0 ? WIRE_OK : fault.code;
}

START_TEST(line_edges)
{
	ck_assert_int_eq(parse_repeated("PING", " ", WIRE_LINE_MAX - 1 - 4), WIRE_OK);
	ck_assert_int_eq(parse_repeated("PING", " ", WIRE_LINE_MAX - 4), WIRE_ERR_TOOLONG);
	ck_assert_int_eq(parse_repeated("PING", "\r", 1), WIRE_OK);
}
END_TEST

START_TEST(name_edges)
{
	ck_assert_int_eq(parse_repeated("ACQUIRE ", "g", WIRE_GROUP_MAX), WIRE_OK);
	ck_assert_int_eq(parse_repeated("ACQUIRE ", "g", WIRE_GROUP_MAX + 1), WIRE_ERR_BADGROUP);
	ck_assert_int_eq(parse_repeated("ACQUIRE ", "%67", WIRE_GROUP_MAX), WIRE_OK);
	ck_assert_int_eq(parse_repeated("ACQUIRE ", "%67", WIRE_GROUP_MAX + 1), WIRE_ERR_BADGROUP);
	ck_assert_int_eq(parse_repeated("ACQUIRE ", "\xc3\xbc", WIRE_GROUP_MAX / 2), WIRE_OK);
	ck_assert_int_eq(parse_repeated("ACQUIRE x", "\xc3\xbc", WIRE_GROUP_MAX / 2), WIRE_ERR_BADGROUP);
	ck_assert_int_eq(parse_repeated("ACQUIRE ", "g", 900), WIRE_ERR_BADGROUP);
	ck_assert_int_eq(parse_repeated("HELLO label=", "l", WIRE_LABEL_MAX), WIRE_OK);
	ck_assert_int_eq(parse_repeated("HELLO label=", "l", WIRE_LABEL_MAX + 1), WIRE_ERR_BADVALUE);
	ck_assert_int_eq(parse_repeated("HELLO label=", "%20", WIRE_LABEL_MAX), WIRE_OK);
	ck_assert_int_eq(parse_repeated("HELLO label=", "%20", WIRE_LABEL_MAX + 1), WIRE_ERR_BADVALUE);
}
END_TEST

/* "RELEASE g 1,2,...,count" */
static enum wire_code
parse_slots_up_to(unsigned count)
{
	char line[WIRE_LINE_MAX] = "RELEASE g 1";
	size_t len = strlen(line);

	for (unsigned slot = 2; slot <= count; slot++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, ",%u", slot);
	return parse_repeated(line, "", 0);
}

START_TEST(slot_edges)
{
	ck_assert_int_eq(parse_slots_up_to(WIRE_N_MAX), WIRE_OK);
	ck_assert_int_eq(parse_slots_up_to(WIRE_N_MAX + 1), WIRE_ERR_BADVALUE);
}
END_TEST

/* The longest that each request can become by escaping still is a line, but for a RESUME's label. */
START_TEST(longest_fits)
{
	struct wire_request req = {.verb = WIRE_RELEASE, .n = 1, .wait_ms = WIRE_ABSENT,
	    .hold_ms = WIRE_ABSENT, .for_ms = WIRE_ABSENT, .live_limit = WIRE_ABSENT,
	    .token = WIRE_TOKEN_MAX, .n_slots = WIRE_N_MAX}, again;
	struct wire_fault fault;
	char line[WIRE_LINE_MAX + 1];
	int n;

	memset(req.tag, 't', WIRE_TAG_MAX);
	for (int i = 0; i < WIRE_GROUP_MAX; i += 2)
		memcpy(req.group + i, "\xc3\xbc", 2);
	for (uint32_t i = 0; i < WIRE_N_MAX; i++)
		req.slots[i] = WIRE_LIMIT_MAX - i;
	n = wire_format(&req, line, sizeof(line));
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(parse(line, (size_t)n - 1, &again, &fault), 0);
	ck_assert_mem_eq(req.group, again.group, sizeof(req.group));

	req.verb = WIRE_RESUME;
	req.limit = WIRE_LIMIT_MAX;
	n = wire_format(&req, line, sizeof(line));
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(parse(line, (size_t)n - 1, &again, &fault), 0);
	ck_assert_mem_eq(&req, &again, sizeof(req));
	memset(req.label, ' ', WIRE_LABEL_MAX);
	ck_assert_int_eq(wire_format(&req, line, sizeof(line)), -1);

	req.verb = WIRE_ACQUIRE;
	req.token = 0;
	req.n_slots = 0;
	req.limit = WIRE_LIMIT_MAX;
	req.n = WIRE_N_MAX;
	req.wait_ms = req.hold_ms = WIRE_TIME_MAX;
	n = wire_format(&req, line, sizeof(line));
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(parse(line, (size_t)n - 1, &again, &fault), 0);
	ck_assert_str_eq(again.label, req.label);
}
END_TEST

/* ------------------------------------------------------------------ any bytes */

static uint32_t
random_below(uint64_t *state, uint32_t below)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % below;
}

/* Changes a few bytes of good lines: whatever is still accepted must come out as it went in. */
START_TEST(mutations)
{
	static const char spice[] = "\0\r\t =%#*,-0189zZ\x7f\x80\xc3\xbc\xff";
	const char *chosen = getenv("WIRE_SEED");
	uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 10) : 20240229, state = seed;
	unsigned accepted = 0;

	printf("wire mutations: WIRE_SEED=%llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < 200000; round++) {
		char line[256], first[WIRE_LINE_MAX + 1], second[WIRE_LINE_MAX + 1];
		const char *from = good[random_below(&state, COUNT(good))].line;
		size_t len = strlen(from);
		struct wire_request req, again;
		struct wire_fault fault;
		int n;

		memcpy(line, from, len);
		for (uint32_t edits = random_below(&state, 4); edits > 0; edits--) {
			size_t at = random_below(&state, (uint32_t)len + 1);
			uint32_t kind = random_below(&state, 3);

			if (kind == 0 && at < len) {
				memmove(line + at, line + at + 1, len-- - at - 1);
			} else if (kind == 1 && at < len) {
				line[at] = spice[random_below(&state, sizeof(spice))];
			} else {
				memmove(line + at + 1, line + at, len++ - at);
				line[at] = spice[random_below(&state, sizeof(spice))];
			}
		}
		if (parse(line, len, &req, &fault) == -1) {
			ck_assert_msg(fault.code != WIRE_OK && fault.what != NULL, "round %u", round);
			continue;
		}
		accepted++;
		n = wire_format(&req, first, sizeof(first));
		ck_assert_msg(n > 0, "round %u", round);
		ck_assert_msg(parse(first, (size_t)n - 1, &again, &fault) == 0, "round %u: %s", round, first);
		ck_assert_msg(memcmp(&req, &again, sizeof(req)) == 0, "round %u: %s", round, first);
		ck_assert_int_eq(wire_format(&again, second, sizeof(second)), n);
		ck_assert_msg(strcmp(first, second) == 0, "round %u: %s%s", round, first, second);
	}
	ck_assert_uint_gt(accepted, 10000);
}
END_TEST

Suite *
wire_suite(void)
{
	Suite *suite = suite_create("wire");
	TCase *requests = tcase_create("requests"), *any = tcase_create("any");

	tcase_add_loop_test(requests, accepts, 0, COUNT(good));
	tcase_add_loop_test(requests, refuses, 0, COUNT(bad));
	tcase_add_test(requests, fills_the_struct);
	tcase_add_test(requests, error_keeps_the_tag);
	tcase_add_test(requests, line_edges);
	tcase_add_test(requests, name_edges);
	tcase_add_test(requests, slot_edges);
	tcase_add_test(requests, longest_fits);
	suite_add_tcase(suite, requests);

	tcase_set_timeout(any, 60);
	tcase_add_test(any, mutations);
	suite_add_tcase(suite, any);
	return suite;
}
