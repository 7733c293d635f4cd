/* A peer that talks at random in words of the protocol: the library must end in good order,
 * whatever it comes to believe.  The sanitizers and valgrind are the judges; the round is in the
 * message. */
#include "tests/unit/lib/suites.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/lib/peer.h"

#define ROUNDS 400
#define WORDS 40                /* per connection */

static const char *const words[] = {
	"\n", "\n", "\n", "\n#0 ", "\n#1 ", "\n#2 ", "#0 ", "#1 ", "OK ", "OK ", "ERR ", "full ", "lost ",
	"1 ", "2 ", "1,2 ", "7 ", "0 ", "9223372036854775807 ", "limit=1 ", "protocol=1 ", "\n!LOST ",
	"!", "g ", "hold ", "\r\n", "\r", " ", "\t", "%", "%41", "#", "=", "\xff", "\n#0 OK 1 7 limit=1\n",
	"\n#1 OK 1 7 limit=1\n", "\n!LOST g 1 7 hold\n", "\n#0 OK\n", "\n#1 OK 3\n", "\n#0 OK protocol=1\n",
	"cell=0 ", "lease=1 margin=1 left=1 now=1 ", "\n!UNPROVEN g 1 7\n", "\n!KEPT g 1 7\n",
	"\n#0 OK 0 7 unproven=yes\n", "\n#1 ERR shutdown\n", "\nERR shutdown\n",
};

/* xorshift: the same rounds on every machine. */
static uint32_t
draw(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void
babble(struct peer *peer)
{
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		uint32_t state = round * 2654435761u;

		peer_accept(peer);
		if (round % 4 != 0)             /* most let it in first */
			peer_say(peer, "#0 OK protocol=1");
		for (int i = 0; i < WORDS; i++) {
			const char *word = words[draw(&state) % (sizeof words / sizeof words[0])];

			peer_send(peer, word, strlen(word) + (draw(&state) % 50 == 0));
		}
		peer_close(peer);
	}
}

static void
acquired(struct slot_conn *conn, int code, struct slot_hold *hold, void *userdata)
{
	(void)conn;
	++*(int *)userdata;
	ck_assert((code == 0) == (hold != NULL));
	slot_release_nowait(hold);
}

static void
lost(struct slot_conn *conn, struct slot_hold *hold, const char *reason, void *userdata)
{
	(void)conn, (void)reason, (void)userdata;
	ck_assert_ptr_nonnull(slot_hold_lost(hold));
}

START_TEST(babbling)
{
	struct slot_connect_options o = SLOT_CONNECT_OPTIONS_INIT;
	struct peer *peer = peer_start(babble);
	int n_called, n_started;

	o.path = peer->path;
	o.async = 1;
	o.lost = lost;
	o.reconnect_ms = 0;
	for (int round = 1; round <= ROUNDS; round++) {
		struct slot_hold *hold = NULL;
		struct slot_conn *conn;
		int code = slot_connect(&conn, &o);

		ck_assert_msg(code == 0, "round %d: %d", round, code);
		n_called = n_started = 0;
		for (int i = 0; i < 3; i++)
			n_started += slot_acquire_start(conn, "g", NULL, acquired, &n_called, NULL) == 0;
		if (slot_acquire(conn, "g", NULL, &hold) == 0)
			slot_hold_lost(hold);
		slot_query(conn, "LIST", NULL, NULL, NULL);
		code = process_to_end(conn);
		ck_assert_msg(code < 0, "round %d: %d", round, code);
		ck_assert_msg(n_called == n_started, "round %d: %d of %d", round, n_called, n_started);
		slot_release(hold);
		slot_close(conn);
	}
	peer_join(peer);
}
END_TEST

Suite *
garbage_suite(void)
{
	Suite *suite = suite_create("garbage");
	TCase *tc = tcase_create("garbage");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, babbling);
	return suite;
}
