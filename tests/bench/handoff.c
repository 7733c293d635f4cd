/* How long a slot takes from a holder that is killed with -9 to the next that waits for it.
 *
 * usage: bench_handoff SLOTD
 * Starts that slotd on a temporary socket.  Prints, asserts nothing: time is the machine's. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 100
#define PATIENCE_MS 10000       /* for any single answer; then something is broken */

static char dir[] = "/tmp/slotd-bench-XXXXXX";
static pid_t slotd;

__attribute__((format(printf, 1, 2))) static _Noreturn void
die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	if (slotd > 0)
		kill(slotd, SIGKILL);
	exit(1);
}

static struct sockaddr_un
address(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/%s", dir, name);
	return addr;
}

/* Reads what has come, and a NUL behind it. */
static void
receive(int fd, char *buf, size_t size)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	ssize_t n = -1;

	if (poll(&pfd, 1, PATIENCE_MS) == 1)
		n = read(fd, buf, size - 1);
	if (n <= 0)
		die("no answer");
	buf[n] = '\0';
}

static void
expect(int fd, const char *start)
{
	char line[1024];

	receive(fd, line, sizeof line);
	if (strncmp(line, start, strlen(start)) != 0)
		die("expected %s, got %s", start, line);
}

static void
ask(int fd, const char *request, const char *start)
{
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		die("send: %s", strerror(errno));
	expect(fd, start);
}

static int
connect_to_slotd(void)
{
	struct sockaddr_un addr = address("slotd.sock");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		die("connect: %s", strerror(errno));
	return fd;
}

/* Returns when it is ready, which it tells as it would tell systemd; shows its warnings only. */
static void
start_slotd(const char *program)
{
	struct sockaddr_un notify = address("notify"), addr = address("slotd.sock");
	struct sockaddr_un config = address("slotd.conf");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	FILE *file = fopen(config.sun_path, "w");

	if (fd < 0 || bind(fd, (struct sockaddr *)&notify, sizeof notify) < 0)
		die("%s: %s", notify.sun_path, strerror(errno));
	if (file == NULL || fputs("[daemon]\nlog_level = warn\n", file) < 0 || fclose(file) != 0)
		die("%s: %s", config.sun_path, strerror(errno));
	slotd = fork();
	if (slotd == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("NOTIFY_SOCKET", notify.sun_path, 1);
		execl(program, program, "--config", config.sun_path, "--socket", addr.sun_path,
		    NULL);
		_exit(127);
	}
	expect(fd, "READY=1");  /* fd stays open: slotd also tells that it stops */
}

static void
stop_slotd(void)
{
	static const char *const files[] = {"notify", "slotd.conf", "slotd.sock.lock"};

	kill(slotd, SIGTERM);
	waitpid(slotd, NULL, 0);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		unlink(address(files[i]).sun_path);
	rmdir(dir);
}

/* -> a process that holds the slot */
static pid_t
start_holder(void)
{
	int ready[2];
	pid_t pid;

	if (pipe(ready) < 0)
		die("pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		slotd = 0;      /* the parent's to end */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ask(connect_to_slotd(), "ACQUIRE handoff limit=1\n", "OK 1 ");
		if (write(ready[1], "held", 4) == 4)
			pause();
		_exit(1);
	}
	close(ready[1]);
	expect(ready[0], "held");
	close(ready[0]);
	return pid;
}

static double
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double
measure(int waiter)
{
	pid_t holder = start_holder();
	double killed, taken;

	/* The answer of the PING tells that the ACQUIRE waits. */
	ask(waiter, "ACQUIRE handoff limit=1 wait=forever\n#p PING\n", "#p OK pong");
	killed = now_us();
	kill(holder, SIGKILL);
	expect(waiter, "OK 1 ");
	taken = now_us();
	waitpid(holder, NULL, 0);
	ask(waiter, "RELEASE handoff 1\n", "OK");
	return taken - killed;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	double us[ROUNDS];
	int waiter;

	if (argc != 2)
		die("usage: bench_handoff SLOTD");
	if (mkdtemp(dir) == NULL)
		die("mkdtemp: %s", strerror(errno));
	start_slotd(argv[1]);
	waiter = connect_to_slotd();
	for (int i = 0; i < ROUNDS; i++)
		us[i] = measure(waiter);
	close(waiter);
	stop_slotd();
	qsort(us, ROUNDS, sizeof us[0], compare);
	printf("handoff: from kill -9 of the holder to the OK of the next, %d times: "
	    "median %.0f us, 9 of 10 within %.0f us, worst %.0f us\n",
	    ROUNDS, us[ROUNDS / 2], us[ROUNDS * 9 / 10], us[ROUNDS - 1]);
	return 0;
}
