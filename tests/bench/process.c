/* The servers that are measured, each in a temporary directory, and what they use. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

const char *slotd_program;

static void
make_dir(char *dir, size_t size)
{
	const char *tmp = getenv("TMPDIR");

	if (snprintf(dir, size, "%s/slotd-bench-XXXXXX", tmp ? tmp : "/tmp") >= (int)size ||
	    mkdtemp(dir) == NULL)
		fail("no directory below %s: %s", tmp ? tmp : "/tmp", strerror(errno));
}

/* Returns when it is ready, which it tells as it would tell systemd; shows its warnings only. */
void
slotd_start(struct slotd *slotd, const char *config)
{
	struct sockaddr_un notify = {.sun_family = AF_UNIX};
	char path[SOCKET_PATH_MAX], told[256];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	pid_t parent = getpid();
	FILE *file;
	ssize_t n;

	make_dir(slotd->dir, sizeof slotd->dir);
	snprintf(slotd->socket, sizeof slotd->socket, "%s/slotd.sock", slotd->dir);
	snprintf(notify.sun_path, sizeof notify.sun_path, "%s/notify", slotd->dir);
	snprintf(path, sizeof path, "%s/slotd.conf", slotd->dir);
	if (fd < 0 || bind(fd, (struct sockaddr *)&notify, sizeof notify) < 0)
		fail("%s: %s", notify.sun_path, strerror(errno));
	if ((file = fopen(path, "w")) == NULL ||
	    fprintf(file, "[daemon]\nlog_level = error\ntesting = yes\n%s", config) < 0 ||
	    fclose(file) != 0)
		fail("%s: %s", path, strerror(errno));
	slotd->pid = fork();
	if (slotd->pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
			_exit(127);
		setenv("NOTIFY_SOCKET", notify.sun_path, 1);
		execl(slotd_program, slotd_program, "--config", path, "--socket", slotd->socket,
		    (char *)NULL);
		_exit(127);
	}
	while ((n = recv(fd, told, sizeof told - 1, 0)) < 0 && errno == EINTR)
		;
	told[n > 0 ? n : 0] = '\0';
	if (strncmp(told, "READY=1", 7) != 0)
		fail("%s is not ready", slotd_program);
	close(fd);
}

void
slotd_start_redis(struct slotd *slotd, const struct server *redis, const char *more)
{
	char config[1024];

	snprintf(config, sizeof config, "[redis]\nurl = unix://%s\n[lease]\ngrace_ms = 0\n%s",
	    redis->socket, more);
	slotd_start(slotd, config);
}

static void
remove_dir(const char *dir)
{
	static const char *const names[] = {"notify", "slotd.conf", "slotd.sock", "slotd.sock.lock",
	    "slotd.sock.page", "echo.sock"};
	char path[SOCKET_PATH_MAX + 16];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void
slotd_stop(struct slotd *slotd)
{
	end(slotd->pid);
	remove_dir(slotd->dir);
}

void
redis_start(struct server *server)
{
	char *program = server_find("redis-server");

	if (program == NULL)
		program = server_find("valkey-server");
	if (program == NULL)
		fail("neither redis-server nor valkey-server is installed");
	server_start(server, program);
	free(program);
}

void
echo_stop(struct echo *echo)
{
	end(echo->pid);
	remove_dir(echo->dir);
}

/* It listens before this returns. */
void
echo_start(struct echo *echo, enum echo_kind kind)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t parent = getpid();

	make_dir(echo->dir, sizeof echo->dir);
	snprintf(echo->socket, sizeof echo->socket, "%s/echo.sock", echo->dir);
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", echo->socket);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 128) < 0)
		fail("%s: %s", echo->socket, strerror(errno));
	echo->pid = fork();
	if (echo->pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
			_exit(127);
		echo_serve(fd, kind);
	}
	close(fd);
}

long
process_rss(pid_t pid)
{
	char path[64];
	long pages = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	if ((file = fopen(path, "r")) == NULL || fscanf(file, "%*d %ld", &pages) != 1)
		fail("%s: not readable", path);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

double
process_cpu_us(pid_t pid)
{
	char path[64];
	double ns = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
	if ((file = fopen(path, "r")) == NULL || fscanf(file, "%lf", &ns) != 1)
		fail("%s: not readable", path);
	fclose(file);
	return ns / 1e3;
}
