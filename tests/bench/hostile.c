/* What hostile clients do to the others: a client of a slotd that is under attack, and one of another
 * slotd that is left alone, by turns.  So the load of the attackers on the machine meets both, and
 * the ratio is what slotd lets through. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define PAIRS 6000
#define N_SILENT 10000
#define N_SLOW 32
#define N_BYTES 64
#define N_BOMBS 4
#define N_ALIVE 8       /* processes of each */
#define PACE_US 1000    /* between two rounds of those who are many */

/* ------------------------------------------------------------------ attackers; they never return */

static void
connect_all(int *fds, int n, const char *socket_path)
{
	for (int i = 0; i < n; i++) {
		fds[i] = peer_connect(socket_path);
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
	}
}

static void
be_silent(const char *socket_path, int ready)
{
	for (int i = 0; i < N_SILENT; i++)
		peer_connect(socket_path);
	(void)!write(ready, "", 1);
	pause();
}

/* Ask for long answers, and read none. */
static void
be_slow(const char *socket_path, int ready)
{
	int fds[N_SLOW];

	connect_all(fds, N_SLOW, socket_path);
	(void)!write(ready, "", 1);
	for (;; nap_us(PACE_US))
		for (int i = 0; i < N_SLOW; i++)
			(void)!send(fds[i], "HELP\nSTATS\n", 11, MSG_NOSIGNAL);
}

static void
write_bytes(const char *socket_path, int ready)
{
	static const char request[] = "ACQUIRE bytes limit=1 wait=0\n";
	int fds[N_BYTES];
	char answers[256];

	connect_all(fds, N_BYTES, socket_path);
	(void)!write(ready, "", 1);
	for (size_t at = 0;; at = (at + 1) % (sizeof request - 1), nap_us(PACE_US)) {
		for (int i = 0; i < N_BYTES; i++) {
			(void)!send(fds[i], request + at, 1, MSG_NOSIGNAL);
			(void)!recv(fds[i], answers, sizeof answers, 0);
		}
	}
}

/* Processes that connect, ask and end, as nc -U in a loop, as fast as the machine makes them; so many
 * at a time that there is one left for the others. */
static void
bomb(const char *socket_path, int ready)
{
	(void)!write(ready, "", 1);
	for (int n = 0;; n++) {
		pid_t pid = fork();

		if (pid == 0) {
			int fd = peer_connect(socket_path);

			_exit(send(fd, "ACQUIRE bomb limit=1\n", 21, MSG_NOSIGNAL) != 21);
		}
		if (pid < 0 || n >= N_ALIVE)
			waitpid(-1, NULL, 0);
	}
}

/* As many requests at a time as the socket takes. */
static void
pipeline(const char *socket_path, int ready)
{
	static char requests[50000], answers[65536];
	int fd;

	for (size_t i = 0; i < sizeof requests; i += 5)
		memcpy(requests + i, "PING\n", 5);
	connect_all(&fd, 1, socket_path);
	(void)!write(ready, "", 1);
	for (size_t at = 0;;) {
		ssize_t n = send(fd, requests + at, sizeof requests - at, MSG_NOSIGNAL);

		if (n > 0)
			at = (at + (size_t)n) % sizeof requests;
		while (recv(fd, answers, sizeof answers, 0) > 0)
			;
		if (n < 0)
			nap_us(PACE_US / 10);
	}
}

static const struct attack {
	const char *what;
	void (*run)(const char *socket_path, int ready);
	int n;                  /* processes */
} attacks[] = {
    {"10,000 connections that say nothing", be_silent, 1},
    {"32 that ask and never read", be_slow, 1},
    {"64 that write a byte at a time", write_bytes, 1},
    {"a fork bomb of clients", bomb, N_BOMBS},
    {"one that pipelines without end", pipeline, 1},
};

#define N_ATTACKS (sizeof attacks / sizeof attacks[0])

/* A process group of its own, so that all that it forks ends with it.  Returns when it attacks. */
static pid_t
start(const struct attack *attack, const char *socket_path)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe(ready) < 0 || (pid = fork()) < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || setpgid(0, 0) < 0)
			_exit(1);
		close(ready[0]);
		attack->run(socket_path, ready[1]);
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fail("%s: it has ended", attack->what);
	close(ready[0]);
	return pid;
}

static void
end(pid_t pid)
{
	kill(-pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ------------------------------------------------------------------ who suffers */

static double
pair(struct peer *peer)
{
	double began = now_us();

	peer_ask(peer, "ACQUIRE pair limit=10\n", "OK ");
	peer_ask(peer, "RELEASE pair 1\n", "OK");
	return now_us() - began;
}

static void
suffer(const struct attack *attack, const struct slotd *attacked, struct peer *victim,
    struct peer *other)
{
	struct samples of_victim = {0}, of_other = {0};
	pid_t pids[N_BOMBS];
	char line[160];

	for (int i = 0; i < attack->n; i++)
		pids[i] = start(attack, attacked->socket);
	for (int i = 0; i < PAIRS; i++) {
		sample(&of_victim, pair(victim));
		sample(&of_other, pair(other));
	}
	for (int i = 0; i < attack->n; i++)
		end(pids[i]);
	snprintf(line, sizeof line, "hot acquire + release beside %s", attack->what);
	table_time(line, &of_victim);
	table_time("... meanwhile, at a slotd next to it that is left alone", &of_other);
	snprintf(line, sizeof line, "p99 beside %s / p99 left alone", attack->what);
	table_target(line, AT_MOST, 2, p99(&of_victim) / p99(&of_other));
	samples_free(&of_victim);
	samples_free(&of_other);
}

void
bench_hostile(void)
{
	struct rlimit fds;
	struct slotd attacked, alone;
	struct samples calm = {0};
	struct peer victim, other;

	if (getrlimit(RLIMIT_NOFILE, &fds) < 0 || fds.rlim_max < N_SILENT + 200)
		fail("%d file descriptors are needed (ulimit -Hn)", N_SILENT + 200);
	fds.rlim_cur = fds.rlim_max;
	setrlimit(RLIMIT_NOFILE, &fds);
	slotd_start(&attacked, "");
	slotd_start(&alone, "");
	peer_open(&victim, attacked.socket);
	peer_open(&other, alone.socket);
	for (int i = 0; i < PAIRS; i++)
		sample(&calm, pair(&victim));
	table_time("hot acquire + release, nobody else", &calm);
	for (size_t i = 0; i < N_ATTACKS; i++)
		suffer(&attacks[i], &attacked, &victim, &other);
	peer_close(&victim);
	peer_close(&other);
	samples_free(&calm);
	slotd_stop(&attacked);
	slotd_stop(&alone);
}
