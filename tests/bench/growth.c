/* Does it take longer where much is known?  A refused request and one that is taken back, with few
 * and with many waiters and groups around them. */
#include <stdio.h>
#include <string.h>

#include "tests/bench/bench.h"

#define ROUNDS 2000
#define BY_CONNECTION 50000     /* waiters; slotd takes some more */
#define HOLDS 8000              /* of a connection, likewise */
#define MANY_MAX 8

struct crowd {
	struct slotd slotd;
	struct peer peer, many[MANY_MAX];
	unsigned n_many;
};

/* A daemon with so many waiters for one group, and so many groups with a hold. */
static void
crowd_open(struct crowd *c, const char *group, unsigned waiters, unsigned groups)
{
	char line[100];

	slotd_start(&c->slotd, "");
	peer_open(&c->peer, c->slotd.socket);
	peer_ask(&c->peer, "ACQUIRE growth limit=1\n", "OK 1 ");
	c->n_many = 0;
	for (unsigned i = 0; i < waiters; i++) {
		struct peer *many = &c->many[c->n_many - (i % BY_CONNECTION > 0)];

		if (i % BY_CONNECTION == 0) {
			peer_open(many, c->slotd.socket);
			snprintf(line, sizeof line, "ACQUIRE %s limit=1 wait=0\n", group);
			peer_send(many, line);
			peer_line(many);
			c->n_many++;
		}
		snprintf(line, sizeof line, "#%u ACQUIRE %s limit=1 wait=forever\n", i, group);
		peer_send(many, line);
	}
	for (unsigned i = 0; i < c->n_many; i++)
		peer_ask(&c->many[i], "PING\n", "OK pong");
	for (unsigned i = 0; i < groups; i++) {
		struct peer *many = &c->many[c->n_many - (i % HOLDS > 0)];

		if (i % HOLDS == 0) {
			peer_open(many, c->slotd.socket);
			c->n_many++;
		}
		snprintf(line, sizeof line, "ACQUIRE growth-%u limit=1\n", i);
		peer_ask(many, line, "OK 1 ");
	}
}

static void
crowd_close(struct crowd *c)
{
	for (unsigned i = 0; i < c->n_many; i++)
		peer_close(&c->many[i]);
	peer_close(&c->peer);
	slotd_stop(&c->slotd);
}

static double
refused(struct crowd *c)
{
	double began = now_us();

	peer_ask(&c->peer, "ACQUIRE growth limit=1 wait=0\n", "ERR full ");
	return now_us() - began;
}

static double
taken_back(struct crowd *c)
{
	double began = now_us();

	peer_send(&c->peer, "#t ACQUIRE growth limit=1 wait=forever\nCANCEL #t\n");
	peer_ask(&c->peer, "", "#t ERR cancelled");
	peer_ask(&c->peer, "", "OK");
	return now_us() - began;
}

static void
compare(const char *what, const char *group, const unsigned waiters[3], const unsigned groups[3])
{
	static struct crowd crowds[3];
	struct samples s[2][3] = {{{0}}};
	char text[120];

	for (unsigned i = 0; i < 3; i++)
		crowd_open(&crowds[i], group, waiters[i], groups[i]);
	for (unsigned k = 0; k < ROUNDS; k++) {
		for (unsigned i = 0; i < 3; i++) {
			sample(&s[0][i], refused(&crowds[i]));
			sample(&s[1][i], taken_back(&crowds[i]));
		}
	}
	for (unsigned kind = 0; kind < 2; kind++) {
		for (unsigned i = 0; i < 3; i++) {
			snprintf(text, sizeof text, "%s with %u %s",
			    kind == 0 ? "refused wait=0" : "ACQUIRE + CANCEL",
			    waiters[2] > waiters[0] ? waiters[i] : groups[i], what);
			table_time(text, &s[kind][i]);
		}
		snprintf(text, sizeof text, "%s, p50 with %u / %u %s",
		    kind == 0 ? "refused wait=0" : "ACQUIRE + CANCEL",
		    waiters[2] > waiters[0] ? waiters[2] : groups[2],
		    waiters[2] > waiters[0] ? waiters[0] : groups[0], what);
		table_target(text, AT_MOST, 1.5, median(&s[kind][2]) / median(&s[kind][0]));
		for (unsigned i = 0; i < 3; i++)
			samples_free(&s[kind][i]);
	}
	for (unsigned i = 0; i < 3; i++)
		crowd_close(&crowds[i]);
}

void
bench_growth(void)
{
	static const unsigned none[3] = {0, 0, 0}, waiters[3] = {10, 1000, 100000},
			      groups[3] = {1, 1000, 50000};

	compare("waiters in the same group", "growth", waiters, none);
	compare("waiters in another group", "other", waiters, none);
	compare("groups", "growth", none, groups);
}
