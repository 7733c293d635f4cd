/* What it costs those who take slots that others look: the page, the metrics and ps, once a second. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define ROUNDS 800
#define PAIRS 250               /* of each round */
#define GROUPS 100              /* in use, so that there is something to see */
#define EVERY_US 1000000        /* of the time in which the watched one is measured */
#define LOOKS 50                /* to measure one by itself */

struct onlooker {
	pid_t pid;
	int fd;                 /* a byte there makes it look; one comes back when it has seen */
	char http[SOCKET_PATH_MAX];
};

static void
get(const char *http, const char *path)
{
	char text[65536];
	struct peer peer;
	ssize_t n, all = 0;

	snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	peer.fd = peer_connect(http);
	peer_send(&peer, text);
	while ((n = recv(peer.fd, text, sizeof text, 0)) > 0)
		all += n;
	if (n < 0 || all < 1000)
		fail("%s: %zd bytes: %s", path, all, strerror(errno));
	close(peer.fd);
}

static void
look(const char *http, struct peer *peer)
{
	unsigned long n;

	get(http, "/status.json");
	get(http, "/metrics");
	for (n = strtoul(peer_ask(peer, "PS\n", "OK ") + 3, NULL, 10); n > 0; n--)
		peer_line(peer);
}

static void
onlooker_start(struct onlooker *onlooker, const char *socket)
{
	int fds[2];
	pid_t parent = getpid();
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		fail("socketpair: %s", strerror(errno));
	onlooker->fd = fds[0];
	onlooker->pid = fork();
	if (onlooker->pid == 0) {
		struct peer peer;

		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
			_exit(127);
		close(fds[0]);          /* else the end of the other would not be seen */
		peer_open(&peer, socket);
		while (read(fds[1], &byte, 1) == 1) {
			look(onlooker->http, &peer);
			if (write(fds[1], &byte, 1) != 1)
				break;
		}
		_exit(0);
	}
	close(fds[1]);
}

static void
onlooker_go(struct onlooker *onlooker)
{
	if (write(onlooker->fd, "l", 1) != 1)
		fail("the onlooker: %s", strerror(errno));
}

static void
onlooker_wait(struct onlooker *onlooker)
{
	char byte;

	if (read(onlooker->fd, &byte, 1) != 1)
		fail("the onlooker has ended");
}

static void
onlooker_stop(struct onlooker *onlooker)
{
	close(onlooker->fd);
	while (waitpid(onlooker->pid, NULL, 0) < 0 && errno == EINTR)
		;
	unlink(onlooker->http);
}

static void
use_groups(struct peer *peer)
{
	char line[64];

	for (int i = 0; i < GROUPS; i++) {
		snprintf(line, sizeof line, "ACQUIRE group-%d limit=5 n=2\n", i);
		peer_ask(peer, line, "OK ");
	}
}

/* -> µs of a round */
static double
pairs(struct peer *peer)
{
	double began = now_us();

	for (int i = 0; i < PAIRS; i++) {
		peer_ask(peer, "ACQUIRE pair limit=100\n", "OK ");
		peer_ask(peer, "RELEASE pair 1\n", "OK");
	}
	return now_us() - began;
}

/* It looks in rounds of the watched one only, and is done before the other's begin: all that it costs
 * is measured where it belongs. */
void
bench_watched(void)
{
	struct onlooker onlooker;
	struct slotd watched, alone;
	struct peer peers[2];
	double time[2] = {0, 0}, looked = 0, cpu, cpu_alone;
	char config[160];

	snprintf(onlooker.http, sizeof onlooker.http, "/tmp/slotd-bench-%d.http", (int)getpid());
	snprintf(config, sizeof config, "[metrics]\nlisten = %s\n", onlooker.http);
	slotd_start(&watched, config);
	slotd_start(&alone, "");
	onlooker_start(&onlooker, watched.socket);
	peer_open(&peers[0], watched.socket);
	peer_open(&peers[1], alone.socket);
	use_groups(&peers[0]);
	use_groups(&peers[1]);

	cpu = process_cpu_us(watched.pid);
	cpu_alone = process_cpu_us(alone.pid);
	for (int i = 0; i < ROUNDS; i++) {
		bool is_due = time[0] - looked >= EVERY_US;

		if (is_due) {
			looked = time[0];
			onlooker_go(&onlooker);
		}
		time[0] += pairs(&peers[0]);
		if (is_due)
			onlooker_wait(&onlooker);
		time[1] += pairs(&peers[1]);
	}
	cpu = process_cpu_us(watched.pid) - cpu;
	cpu_alone = process_cpu_us(alone.pid) - cpu_alone;
	table_target("hot acquire + release, with status.json, /metrics and PS once a second / without",
	    AT_MOST, 1.03, time[0] / time[1]);
	table_target("the same, in CPU time of slotd", AT_MOST, 1.03, cpu / cpu_alone);

	cpu = process_cpu_us(watched.pid);
	for (int i = 0; i < LOOKS; i++) {
		onlooker_go(&onlooker);
		onlooker_wait(&onlooker);
	}
	cpu = process_cpu_us(watched.pid) - cpu;
	table_number("slotd's time for status.json, /metrics and PS of 100 groups", "µs", cpu / LOOKS);

	onlooker_stop(&onlooker);
	peer_close(&peers[0]);
	peer_close(&peers[1]);
	slotd_stop(&watched);
	slotd_stop(&alone);
}
