/* From a holder to the next in line: on one host, from host to host, and when the holder is killed. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/asker.h"
#include "tests/bench/bench.h"

#define ROUNDS 400
#define KILLS 60
#define SETTLE_US 2000  /* until a waiter's word has reached Redis, and its answer everybody */

static void
wait_in_line(struct peer *waiter)
{
	/* The answer of the PING tells that the ACQUIRE waits. */
	peer_send(waiter, "ACQUIRE handoff limit=1 wait=forever\n");
	peer_ask(waiter, "#p PING\n", "#p OK pong");
	nap_us(SETTLE_US);
}

/* -> from the RELEASE of one to the OK of the other, who then holds the slot */
static double
pass_on(struct peer *holder, struct peer *waiter)
{
	double began;

	wait_in_line(waiter);
	began = now_us();
	peer_send(holder, "RELEASE handoff 1\n");
	peer_ask(waiter, "", "OK 1 ");
	began = now_us() - began;
	peer_ask(holder, "", "OK");
	return began;
}

static void
released(struct samples *s, struct peer *a, struct peer *b)
{
	sample(s, pass_on(a, b));
	sample(s, pass_on(b, a));
}

/* -> from the kill -9 of a process that holds the slot to the OK of the waiter */
static double
killed(const char *socket, struct peer *waiter)
{
	pid_t parent = getpid(), pid;
	double began;
	int ready[2];
	char byte;

	if (pipe(ready) < 0 || (pid = fork()) < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0) {
		struct peer holder;

		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
			_exit(1);
		peer_open(&holder, socket);
		peer_ask(&holder, "ACQUIRE handoff limit=1 wait=forever\n", "OK 1 ");
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fail("the holder has ended");
	close(ready[0]);
	wait_in_line(waiter);
	began = now_us();
	kill(pid, SIGKILL);
	peer_ask(waiter, "", "OK 1 ");
	began = now_us() - began;
	waitpid(pid, NULL, 0);
	peer_ask(waiter, "RELEASE handoff 1\n", "OK");
	nap_us(SETTLE_US);
	return began;
}

/* What a slot from host to host costs at least: the exchange that gives it back, sent until the
 * message of the grant is received.  Here two daemons are made up of nothing but that.  And the same
 * of a script that does nothing but publish. */
struct courier {
	struct asked asked;
	struct asker users[2];
	redisContext *subscribers[2], *bare;
	char sha[41], channels[2][EXCHANGE_CHANNEL_MAX];
	unsigned holder;
};

static void
courier_open(struct courier *c, const struct server *server)
{
	redisReply *reply;

	asked_open(&c->asked, server);
	c->asked.group = "courier";
	c->asked.limit = 1;
	for (unsigned i = 0; i < 2; i++) {
		asker_begin(&c->asked, &c->users[i], i + 1);
		exchange_channel(c->channels[i], ASKER_PREFIX, &c->users[i].id);
		c->subscribers[i] = server_connect(server);
		freeReplyObject(server_command(c->subscribers[i], "SUBSCRIBE %s", c->channels[i]));
	}
	c->bare = server_connect(server);
	freeReplyObject(server_command(c->bare, "SUBSCRIBE bare"));
	reply = server_command(c->asked.link, "SCRIPT LOAD %s",
	    "redis.call('PUBLISH', KEYS[1], ARGV[1]) return 'OK'");
	snprintf(c->sha, sizeof c->sha, "%s", reply->str);
	freeReplyObject(reply);
	c->holder = 0;
	asker_want(&c->asked, &c->users[0], 1, 1, 1);
}

/* A message of a grant; recalls are passed over. */
static void
hear_grant(struct courier *c, unsigned user)
{
	bool is_grant = false;

	while (!is_grant) {
		redisReply *reply = server_reply(c->subscribers[user]);
		struct xch_push push;

		if (exchange_decode_push(&c->asked.arena, reply->element[2]->str,
		    reply->element[2]->len, &push) < 0)
			fail("the message is %s", reply->element[2]->str);
		is_grant = push.type == XCH_GRANT;
		freeReplyObject(reply);
	}
}

/* The other waits, and knows that it does; then the slot is given back. */
static double
courier_grant(struct courier *c)
{
	unsigned holder = c->holder, next = 1 - holder;
	double began;

	asker_want(&c->asked, &c->users[next], 1, 1, 1);
	asker_ask(&c->asked, &c->users[holder], (struct xch_request){0});
	nap_us(SETTLE_US);
	began = now_us();
	asker_send(&c->asked, &c->users[holder],
	    (struct xch_request){.n_release = 1, .release = &c->users[holder].held});
	hear_grant(c, next);
	began = now_us() - began;
	asker_hear(&c->asked, &c->users[holder]);
	if (asker_ask(&c->asked, &c->users[next], (struct xch_request){0})->n_granted != 1)
		fail("the waiter was not granted the slot");
	c->holder = next;
	return began;
}

static double
courier_publish(struct courier *c)
{
	double began = now_us();

	redisAppendCommand(c->asked.link, "EVALSHA %s 1 bare %s", c->sha,
	    "as long as the message of a grant usually is, which has about eighty bytes.......");
	for (int done = 0; !done;)
		if (redisBufferWrite(c->asked.link, &done) != REDIS_OK)
			fail("the link to the server: %s", c->asked.link->errstr);
	freeReplyObject(server_reply(c->bare));
	began = now_us() - began;
	freeReplyObject(server_reply(c->asked.link));
	return began;
}

static void
courier_close(struct courier *c)
{
	for (unsigned i = 0; i < 2; i++)
		redisFree(c->subscribers[i]);
	redisFree(c->bare);
	asked_close(&c->asked);
}

void
bench_handoff(void)
{
	struct samples here = {0}, there = {0}, sent = {0}, bare = {0}, echoed = {0}, dead = {0},
		       dead_there = {0};
	struct slotd memory, one, two;
	static struct courier courier;
	struct server server;
	struct peer a, b, c, d, e;
	struct echo echo;

	redis_start(&server);
	slotd_start(&memory, "");
	slotd_start_redis(&one, &server, "");
	slotd_start_redis(&two, &server, "");
	echo_start(&echo, ECHO_LIBEVENT);
	courier_open(&courier, &server);
	peer_open(&a, memory.socket);
	peer_open(&b, memory.socket);
	peer_open(&c, one.socket);
	peer_open(&d, two.socket);
	peer_open(&e, echo.socket);
	peer_ask(&a, "ACQUIRE handoff limit=1\n", "OK 1 ");
	peer_ask(&c, "ACQUIRE handoff limit=1\n", "OK 1 ");

	for (int i = 0; i < ROUNDS / 2; i++) {
		double began;

		released(&here, &a, &b);
		released(&there, &c, &d);
		nap_us(SETTLE_US);
		sample(&sent, courier_grant(&courier));
		nap_us(SETTLE_US);
		sample(&bare, courier_publish(&courier));
		nap_us(SETTLE_US);
		began = now_us();
		peer_ask(&e, "RELEASE handoff 1\n", "OK");
		sample(&echoed, now_us() - began);
	}
	peer_ask(&a, "RELEASE handoff 1\n", "OK");
	peer_ask(&c, "RELEASE handoff 1\n", "OK");
	for (int i = 0; i < KILLS; i++) {
		sample(&dead, killed(memory.socket, &b));
		sample(&dead_there, killed(one.socket, &d));
	}

	table_time("from a RELEASE to the OK of the next, same daemon", &here);
	table_time("a script that only publishes, sent until the message is received", &bare);
	table_time("the exchange that grants, sent until its PUBLISH is received", &sent);
	table_time("from a RELEASE to the OK of the next, another daemon", &there);
	table_time("from kill -9 of the holder to that OK, same daemon", &dead);
	table_time("from kill -9 of the holder to that OK, another daemon", &dead_there);
	table_target("hand-off across daemons / (its EVALSHA sent until its PUBLISH is received + echo)",
	    AT_MOST, 1.3, median(&there) / (median(&sent) + median(&echoed)));

	courier_close(&courier);
	peer_close(&a);
	peer_close(&b);
	peer_close(&c);
	peer_close(&d);
	peer_close(&e);
	samples_free(&here);
	samples_free(&there);
	samples_free(&sent);
	samples_free(&bare);
	samples_free(&echoed);
	samples_free(&dead);
	samples_free(&dead_there);
	slotd_stop(&memory);
	slotd_stop(&one);
	slotd_stop(&two);
	echo_stop(&echo);
	server_stop(&server);
}
