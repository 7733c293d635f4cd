/* A Redis or Valkey of the test's own, on a socket in a directory of its own. */
#ifndef DIFF_SERVER_H
#define DIFF_SERVER_H

#include <sys/types.h>

#include <hiredis/hiredis.h>

#define SERVER_PATH_MAX 100

struct server {
	pid_t pid;
	int log; /* what it prints */
	char dir[SERVER_PATH_MAX - 10];
	char socket[SERVER_PATH_MAX];
};

/* The path of that program, or NULL; the caller frees it. */
char *server_find(const char *name);
/* Starts it and waits until it listens.  Ends the test if it cannot. */
void server_start(struct server *server, const char *program);
redisContext *server_connect(const struct server *server);
void server_stop(struct server *server);

/* For what only a broken test or machine can cause. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A reply that is not an error, or the end of the test. */
redisReply *server_reply(redisContext *link);
redisReply *server_command(redisContext *link, const char *format, ...);

#endif
