/* A Redis or Valkey of the test's own, on a socket in a directory of its own. */
#include "tests/diff/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void
fail(const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

char *
server_find(const char *name)
{
	const char *path = getenv("PATH");
	char *program = NULL;

	for (; path != NULL && program == NULL;
	     path = strchr(path, ':') ? strchr(path, ':') + 1 : NULL) {
		if (asprintf(&program, "%.*s/%s", (int)strcspn(path, ":"), path, name) == -1)
			fail("no memory");
		if (access(program, X_OK) == -1) {
			free(program);
			program = NULL;
		}
	}
	return program;
}

/* Reads what the server prints until it says that it is ready. */
static void
wait_until_ready(struct server *server)
{
	char log[16384];
	size_t n = 0;

	for (;;) {
		ssize_t got = read(server->log, log + n, sizeof log - 1 - n);

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			fail("the server did not start:\n%.*s", (int)n, log);
		n += (size_t)got;
		log[n] = '\0';
		if (strstr(log, "eady to accept connections") != NULL)
			return;
	}
}

void
server_start(struct server *server, const char *program)
{
	const char *tmp = getenv("TMPDIR");
	pid_t parent = getpid();
	int log[2];

	if (snprintf(server->dir, sizeof server->dir, "%s/slotd-diff-XXXXXX", tmp ? tmp : "/tmp") >=
		(int)sizeof server->dir ||
	    mkdtemp(server->dir) == NULL)
		fail("no directory below %s: %s", tmp ? tmp : "/tmp", strerror(errno));
	snprintf(server->socket, sizeof server->socket, "%s/socket", server->dir);
	if (pipe2(log, O_CLOEXEC) == -1)
		fail("pipe: %s", strerror(errno));
	server->pid = fork();
	if (server->pid == -1)
		fail("fork: %s", strerror(errno));
	if (server->pid == 0) {
		dup2(log[1], STDOUT_FILENO);
		dup2(log[1], STDERR_FILENO);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
			_exit(EXIT_FAILURE);
		execl(program, program, "--port", "0", "--unixsocket", server->socket, "--dir",
		    server->dir, "--save", "", "--appendonly", "no", (char *)NULL);
		_exit(EXIT_FAILURE);
	}
	close(log[1]);
	server->log = log[0];
	wait_until_ready(server);
}

redisContext *
server_connect(const struct server *server)
{
	redisContext *link = redisConnectUnix(server->socket);

	if (link == NULL || link->err)
		fail("%s: %s", server->socket, link ? link->errstr : "no memory");
	return link;
}

void
server_stop(struct server *server)
{
	kill(server->pid, SIGKILL);
	while (waitpid(server->pid, NULL, 0) == -1 && errno == EINTR)
		;
	close(server->log);
	unlink(server->socket);
	rmdir(server->dir);
}

redisReply *
server_reply(redisContext *link)
{
	redisReply *reply = NULL;

	if (redisGetReply(link, (void **)&reply) != REDIS_OK)
		fail("the link to the server: %s", link->errstr);
	if (reply->type == REDIS_REPLY_ERROR)
		fail("the server says: %s", reply->str);
	return reply;
}

redisReply *
server_command(redisContext *link, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (redisvAppendCommand(link, format, ap) != REDIS_OK)
		fail("the link to the server: %s", link->errstr);
	va_end(ap);
	return server_reply(link);
}
