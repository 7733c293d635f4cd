/* Requests as commands, and what the Redis script says as structs. */
#include "tests/unit/daemon/suites.h"

#include <stdio.h>
#include <string.h>

#include "daemon/redis/exchange.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SELF                                                                                       \
	{                                                                                          \
		0x1f, 2, 0xfedcba9876543210                                                        \
	}
#define SELF_TEXT "000000000000001f.0000000000000002.fedcba9876543210"

static struct exchange_command cmd;
static struct arena arena;

static void
teardown(void)
{
	exchange_command_fini(&cmd);
	arena_fini(&arena);
}

/* The arguments of the command, parted by blanks; an empty one is "", unprintable bytes are \ and two
 * hex digits. */
static const char *
said(void)
{
	static char text[4096];
	size_t n = 0;

	for (int i = 0; i < cmd.argc; i++) {
		ck_assert_uint_lt(n + 4 * cmd.lens[i] + 4, sizeof text);
		ck_assert_int_eq(cmd.argv[i][cmd.lens[i]], '\0');
		n += (size_t)sprintf(
		    text + n, "%s%s", i ? " " : "", cmd.lens[i] ? "" : "\"\"");
		for (size_t k = 0; k < cmd.lens[i]; k++) {
			unsigned char byte = (unsigned char)cmd.argv[i][k];

			n += (size_t)sprintf(
			    text + n, byte >= ' ' && byte <= '~' ? "%c" : "\\%02x", byte);
		}
	}
	return text;
}

#define KEY(name) " p:1:{s10}:group:0:" name
#define KEYS                                                                                       \
	" p:1:{s10}:marker p:1:{s10}:live" KEY("records") KEY("leases") KEY("lengths") KEY("limits")  \
	    KEY("unaware") KEY("recalls") KEY("owners") KEY("slots") KEY("free") KEY("queue") KEY("wants")        \
		KEY("nows") KEY("inbox")

/* eight bytes: all but the last 0, all but the last three, -1 */
#define LONG(last) "\\00\\00\\00\\00\\00\\00\\00\\" last
#define LONG_OF(last) "\\00\\00\\00\\00\\00" last
#define NONE "\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff"

START_TEST(requests)
{
	const uint32_t slots[] = {5, 6};
	const struct xch_slot named[] = {{3, 70}, {1000000, (UINT64_C(1) << 47) - 1}};
	const uint64_t cancel[] = {1, UINT64_MAX};
	const struct xch_want want[] = {{8, 2, true, 7, 50}, {9, 1, false, XCH_NO_LIMIT, 0}};
	const struct xch_adopt adopt[] = {{10, 2, slots, 60, XCH_NO_LIMIT}};
	struct xch_request q = {.group = "group:0",
	    .from = SELF,
	    .seq = 4,
	    .full = true,
	    .lapsed = true,
	    .keep = true,
	    .lease = 10000000,
	    .grace = 12000000,
	    .era = 0xabc,
	    .high = 99,
	    .limit = 5,
	    .host = "h1",
	    .n_claim = 2,
	    .claim = named,
	    .n_want = 2,
	    .want = want,
	    .n_adopt = 1,
	    .adopt = adopt};

	exchange_encode(&cmd, "SHA", "p:", &q);
	ck_assert_str_eq(said(),
	    "EVALSHA SHA 15" KEYS " " SELF_TEXT " " LONG("04") LONG("00") LONG_OF("\\98\\96\\80")
	    LONG_OF("\\b7\\1b\\00") LONG_OF("\\00\\00c") LONG("05") "0000000000000abc\\01\\01\\01"
	    " h1 p:1:d: group:0"
	    " \\00\\00\\00\\03" LONG_OF("\\00\\00F") "\\00\\0fB@\\00\\00\\7f\\ff\\ff\\ff\\ff\\ff"
	    " \"\""
	    " 0000000000000008\\02\\01" LONG("07") LONG_OF("\\00\\002")
	    "0000000000000009\\01\\00" NONE LONG("00")
	    " 000000000000000a" LONG_OF("\\00\\00<") NONE "\\02\\00\\00\\00\\05\\00\\00\\00\\06");
	q = (struct xch_request){.group = "group:0",
	    .from = SELF,
	    .seq = 5,
	    .incarnation = 4,
	    .lease = 1,
	    .limit = XCH_NO_LIMIT,
	    .host = "h2",
	    .n_release = 1,
	    .release = named,
	    .n_cancel = 2,
	    .cancel = cancel};
	exchange_encode(&cmd, "SHA", "p:", &q);
	ck_assert_str_eq(said(),
	    "EVALSHA SHA 15" KEYS " " SELF_TEXT " " LONG("05") LONG("04") LONG("01") LONG("00")
	    LONG("00") NONE "0000000000000000\\00\\00\\00"
	    " h2 p:1:d: group:0 \\00\\00\\00\\03" LONG_OF("\\00\\00F")
	    " 0000000000000001ffffffffffffffff \"\" \"\"");
}
END_TEST

START_TEST(other_commands)
{
	const struct xch_daemon self = SELF;
	char channel[EXCHANGE_CHANNEL_MAX];

	exchange_encode_touch(&cmd, "SHA", "p:", 7, &self, 1, 2000, false);
	ck_assert_str_eq(
	    said(), "EVALSHA SHA 1 p:1:{s07}:marker " SELF_TEXT " 0000000000000001 2000");
	exchange_encode_touch(&cmd, "SHA", "p:", 63, &self, 0, 5, true);
	ck_assert_str_eq(
	    said(), "EVALSHA SHA 1 p:1:{s63}:marker " SELF_TEXT " 0000000000000000 5 end");
	exchange_channel(channel, "p:", &self);
	ck_assert_str_eq(channel, "p:1:d:" SELF_TEXT);
}
END_TEST

/* The shard of a group is part of the format: these never change.  And they are spread evenly. */
START_TEST(shards)
{
	unsigned n[EXCHANGE_SHARDS] = {0};

	ck_assert_uint_eq(exchange_shard("group:0"), 10);
	ck_assert_uint_eq(exchange_shard(""), 25);
	ck_assert_uint_eq(exchange_shard("\xc3\xa9"), 28);
	for (int i = 0; i < 64000; i++) {
		char name[16];

		snprintf(name, sizeof name, "api-%d", i);
		n[exchange_shard(name)]++;
	}
	for (unsigned i = 0; i < EXCHANGE_SHARDS; i++)
		ck_assert_msg(n[i] > 800 && n[i] < 1200, "shard %u has %u of 64000", i, n[i]);
}
END_TEST

static const char reply[] =
    "OK 4711 4 2500000 3 1 1795511025555630 1000000 -1 56109719548613 401b89800183e6a8 5 10000000"
    " 2 0000000000000001 56109719548613 3 2 1 12 ffffffffffffffff 7 4 1 2 1 3 56109719548612"
    " 2 000000000000000a 000000000000000b 1 000000000000000c"
    " 2 h1 -1 10000000 000000000000001f h2.example 5 3000000 00000000000000ff";

START_TEST(replies)
{
	struct xch_reply re;

	ck_assert_int_eq(exchange_decode(&arena, reply, strlen(reply), &re), 0);
	ck_assert_int_eq(re.status, XCH_OK);
	ck_assert_uint_eq(re.seq, 4711);
	ck_assert_int_eq(re.live_limit, 4);
	ck_assert_int_eq(re.live_left, 2500000);
	ck_assert_uint_eq(re.in_use, 3);
	ck_assert_uint_eq(re.others, 1);
	ck_assert_uint_eq(re.version, 1795511025555630);
	ck_assert_int_eq(re.hot, 1000000);
	ck_assert_int_eq(re.look, USEC_NEVER);
	ck_assert_uint_eq(re.last, 56109719548613);
	ck_assert_uint_eq(re.era, 0x401b89800183e6a8);
	ck_assert_int_eq(re.grace, 5);
	ck_assert_int_eq(re.longest_lease, 10000000);
	ck_assert_uint_eq(re.n_granted, 2);
	ck_assert_uint_eq(re.granted[0].id, 1);
	ck_assert_uint_eq(re.granted[0].number, 56109719548613);
	ck_assert_uint_eq(re.granted[0].limit, 3);
	ck_assert_uint_eq(re.granted[0].n, 2);
	ck_assert_uint_eq(re.granted[0].slots[1], 12);
	ck_assert_uint_eq(re.granted[1].id, UINT64_MAX);
	ck_assert_uint_eq(re.granted[1].slots[0], 2);
	ck_assert_uint_eq(re.n_lost, 1);
	ck_assert_uint_eq(re.lost[0].slot, 3);
	ck_assert_uint_eq(re.lost[0].number, 56109719548612);
	ck_assert_uint_eq(re.n_full, 2);
	ck_assert_uint_eq(re.full[1], 11);
	ck_assert_uint_eq(re.n_refused, 1);
	ck_assert_uint_eq(re.refused[0], 12);
	ck_assert_uint_eq(re.n_peers, 2);
	ck_assert_uint_eq(re.peers[0].install, 0x1f);
	ck_assert_int_eq(re.peers[0].limit, XCH_NO_LIMIT);
	ck_assert_str_eq(re.peers[0].host, "h1");
	ck_assert_int_eq(re.peers[1].limit, 5);
	ck_assert_int_eq(re.peers[1].lease, 3000000);
	ck_assert_str_eq(re.peers[1].host, "h2.example");

	/* with anything less, or more, it is none */
	for (size_t len = 0; len < strlen(reply); len++)
		ck_assert_msg(
		    exchange_decode(&arena, reply, len, &re) == -1, "%.*s", (int)len, reply);
	ck_assert_int_eq(exchange_decode(&arena, reply, sizeof reply, &re), -1);
}
END_TEST

START_TEST(refusals)
{
	struct xch_reply re;

	ck_assert_int_eq(exchange_decode(&arena, "STALE", 5, &re), 0);
	ck_assert_int_eq(re.status, XCH_STALE);
	ck_assert_int_eq(exchange_decode(&arena, "RESYNC", 6, &re), 0);
	ck_assert_int_eq(re.status, XCH_RESYNC);
	ck_assert_int_eq(exchange_decode(&arena, "GONE", 4, &re), 0);
	ck_assert_int_eq(re.status, XCH_GONE);
}
END_TEST

#define HEAD "OK 4711 -1 -1 3 1 9 0 -1 5 401b89800183e6a8 0 1"

START_TEST(no_replies)
{
	static const char *const bad[] = {"", " ", "OK", "STALE ", "stale", HEAD, HEAD " 0 0 0 0",
	    HEAD " 0 0 0 0 0 ", HEAD " 0 0 0 0 0 0", HEAD " 0  0 0 0 0", HEAD "  0 0 0 0 0",
	    HEAD " 4294967295 0 0 0 0", HEAD " 99999999999999999999 0 0 0 0", HEAD " -1 0 0 0 0",
	    HEAD " 0 0 1 00000000000000a 0 0", HEAD " 0 0 1 000000000000000A 0 0",
	    HEAD " 0 0 1 0000000000000000a 0 0", HEAD " 0 1 7 140737488355328 0 0 0",
	    HEAD " 0 1 4294967296 7 0 0 0",
	    HEAD " 1 0000000000000001 5 3 65 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"
		 " 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 "
		 "43 44 45 46 47 48 49"
		 " 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 0 0 0 0",
	    HEAD " 0 0 0 0 1", HEAD " 0 0 0 0 1 h 5 1",
	    HEAD " 0 0 0 0 1 h -2 1 000000000000001f", HEAD " 0 0 0 0 1 h 5 1 1f",
	    HEAD " 0 0 0 0 1 12345678901234567890123456789012345678901234567890123456789012345"
		 " 5 1 000000000000001f",
	    HEAD " 0 0 0 0 5 h 5 1 000000000000001f h 5 1 000000000000001f h 5 1 000000000000001f"
		 " h 5 1 000000000000001f h 5 1 000000000000001f",
	    "OK 4711 -1 -2 3 1 9 0 -1 5 401b89800183e6a8 0 1 0 0 0 0 0",
	    "OK 4711 -2 -1 3 1 9 0 -1 5 401b89800183e6a8 0 1 0 0 0 0 0",
	    "OK 4711 -1 -1 x 1 9 0 -1 5 401b89800183e6a8 0 1 0 0 0 0 0",
	    "OK 4711 -1 -1 3 1 9223372036854775808 0 -1 5 401b89800183e6a8 0 1 0 0 0 0 0",
	    "OK 4711 -1 9007199254740992 3 1 9 0 -1 5 401b89800183e6a8 0 1 0 0 0 0 0",
	    "OK 4711 -1 -1 3 1 9 9007199254740992 -1 5 401b89800183e6a8 0 1 0 0 0 0 0",
	    "OK 4711 -1 -1 3 1 9 0 9007199254740992 5 401b89800183e6a8 0 1 0 0 0 0 0",
	    "OK 4711 -1 -1 3 1 9 0 -1 5 401b89800183e6a8 9007199254740992 1 0 0 0 0 0",
	    "OK 4711 -1 -1 3 1 9 0 -1 5 401b89800183e6a8 0 9007199254740992 0 0 0 0 0"};
	static const char good[] = HEAD " 0 0 0 0 0";
	struct xch_reply re;

	ck_assert_int_eq(exchange_decode(&arena, good, strlen(good), &re), 0);
	ck_assert_int_eq(re.live_left, USEC_NEVER);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(
		    exchange_decode(&arena, bad[i], strlen(bad[i]), &re) == -1, "<%s>", bad[i]);
}
END_TEST

START_TEST(touched)
{
	static const char text[] = "OK 401b89800183e6a8 7 10000000 wiped";
	struct exchange_touched t;

	ck_assert_int_eq(exchange_decode_touch(text, strlen(text), &t), 0);
	ck_assert_uint_eq(t.era, 0x401b89800183e6a8);
	ck_assert_int_eq(t.grace, 7);
	ck_assert_int_eq(t.longest_lease, 10000000);
	ck_assert_int_eq(t.began, XCH_BEGAN_WIPED);
	for (size_t len = 0; len < strlen(text); len++)
		ck_assert_int_eq(exchange_decode_touch(text, len, &t), -1);
}
END_TEST

START_TEST(pushes)
{
	static const char grant[] = "G 4 99 1 0000000000000001 70 3 2 5 6 group:0",
			  full[] = "F 4 99 0 000000000000000a g", lost[] = "L 4 99 0 3 70 g",
			  recall[] = "R 4 99 1 g";
	static const char *const bad[] = {"", "R", "X 4 99 1 g", "RR 4 99 1 g", "R 4 99 2 g",
	    "R 4 99 1", "R 4 99 1 ", "R 4 99 1 g h", "F 4 99 1 a g", "L 4 99 1 g",
	    "G 4 99 1 0000000000000001 70 3 9 5 6 g", "R 4 99  g"};
	struct xch_push push;

	ck_assert_int_eq(exchange_decode_push(&arena, grant, strlen(grant), &push), 0);
	ck_assert_int_eq(push.type, XCH_GRANT);
	ck_assert_uint_eq(push.incarnation, 4);
	ck_assert_uint_eq(push.version, 99);
	ck_assert(push.others);
	ck_assert_str_eq(push.group, "group:0");
	ck_assert_uint_eq(push.id, 1);
	ck_assert_uint_eq(push.grant.number, 70);
	ck_assert_uint_eq(push.grant.n, 2);
	ck_assert_uint_eq(push.grant.slots[1], 6);
	ck_assert_int_eq(exchange_decode_push(&arena, full, strlen(full), &push), 0);
	ck_assert(push.type == XCH_FULL && push.id == 10 && !push.others);
	ck_assert_int_eq(exchange_decode_push(&arena, lost, strlen(lost), &push), 0);
	ck_assert(push.type == XCH_LOST && push.slot.slot == 3 && push.slot.number == 70);
	ck_assert_int_eq(exchange_decode_push(&arena, recall, strlen(recall), &push), 0);
	ck_assert(push.type == XCH_RECALL && push.others);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(exchange_decode_push(&arena, bad[i], strlen(bad[i]), &push) == -1,
		    "<%s>", bad[i]);
}
END_TEST

Suite *
exchange_suite(void)
{
	Suite *s = suite_create("exchange");
	TCase *tc = tcase_create("words");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, requests);
	tcase_add_test(tc, other_commands);
	tcase_add_test(tc, shards);
	tcase_add_test(tc, replies);
	tcase_add_test(tc, refusals);
	tcase_add_test(tc, no_replies);
	tcase_add_test(tc, touched);
	tcase_add_test(tc, pushes);
	suite_add_tcase(s, tc);
	return s;
}
