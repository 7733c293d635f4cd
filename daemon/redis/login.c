/* A link's way from connected to up: AUTH, SELECT, INFO, SCRIPT LOAD, the owner's first commands. */
#include "daemon/redis/link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/redis/server.h"

#define PASSWORD_MAX 1024

/* True if the reply is an error, which ends the link. */
static bool
is_refused(struct link *link, const redisReply *reply, const char *command)
{
	if (reply->type != REDIS_REPLY_ERROR)
		return false;
	link_refused(link, command, reply->str);
	return true;
}

/* A server that has no AUTH repeats what it was told, and with it the password: not in our log. */
static void
on_auth(void *arg, struct link *link, const redisReply *reply)
{
	char *repeated = reply->type == REDIS_REPLY_ERROR ? strstr(reply->str, ", with args") : NULL;

	(void)arg;
	if (repeated != NULL)
		*repeated = '\0';
	if (!is_refused(link, reply, "AUTH"))
		link_advance(link);
}

static void
on_select(void *arg, struct link *link, const redisReply *reply)
{
	(void)arg;
	if (!is_refused(link, reply, "SELECT"))
		link_advance(link);
}

static void
on_info(void *arg, struct link *link, const redisReply *reply)
{
	struct server_info server;

	(void)arg;
	if (is_refused(link, reply, "INFO"))
		return;
	if (reply->type != REDIS_REPLY_STRING) {
		link_fail(link, TROUBLE_UNFIT, "INFO: not answered by a text");
		return;
	}
	server_read(reply->str, reply->len, &server);
	if (server.trouble != TROUBLE_NONE) {
		link_fail(link, server.trouble, "%s", server.why);
		return;
	}
	link->env->checked(link->env->arg, &server);
	memcpy(link->version, server.version, sizeof link->version);
	if (link->state == LINK_CHECKING)
		link_advance(link);
}

static void
on_load(void *arg, struct link *link, const redisReply *reply)
{
	(void)arg;
	if (is_refused(link, reply, "SCRIPT LOAD"))
		return;
	if (reply->type != REDIS_REPLY_STRING || reply->len != sizeof link->sha - 1) {
		link_fail(link, TROUBLE_UNFIT, "SCRIPT LOAD: not answered by a SHA-1");
		return;
	}
	memcpy(link->sha, reply->str, sizeof link->sha);
	link->is_loading = false;
	if (link->state == LINK_LOADING)
		link_advance(link);
}

static void
send_words(struct link *link, link_done *done, int argc, ...)
{
	const char *argv[4];
	va_list ap;

	va_start(ap, argc);
	for (int i = 0; i < argc; i++)
		argv[i] = va_arg(ap, const char *);
	va_end(ap);
	link_command(link, argc, argv, NULL, done, NULL);
}

void
link_check(struct link *link)
{
	send_words(link, on_info, 1, "INFO");
}

bool
link_forgot_script(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
}

void
link_reload(struct link *link)
{
	if (link->is_loading)
		return;
	link->is_loading = true;
	send_words(link, on_load, 3, "SCRIPT", "LOAD", link->script);
}

/* Into buf, without a line end.  0, or -1 with errno. */
static int
read_password(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, size);
	close(fd);
	if (n >= 0 && (size_t)n == size) {
		errno = EFBIG;
		return -1;
	}
	if (n < 0)
		return -1;
	buf[n] = '\0';
	buf[strcspn(buf, "\r\n")] = '\0';
	return 0;
}

/* AUTH goes alone: behind one that is refused, commands run as the default user. */
void
link_greet(struct link *link)
{
	const struct config_redis *config = link->env->config;
	const char *user = config->address.user != NULL ? config->address.user : config->username;
	const char *password = config->address.password;
	char buf[PASSWORD_MAX];

	if (config->password_file[0] != '\0') {
		if (read_password(config->password_file, buf, sizeof buf) < 0) {
			link_fail(link, TROUBLE_NOAUTH, "%s: %s", config->password_file,
			    strerror(errno));
			return;
		}
		password = buf;
	}
	link_enter(link, LINK_AUTHENTICATING);
	if (user[0] != '\0')
		send_words(link, on_auth, 3, "AUTH", user, password != NULL ? password : "");
	else if (password != NULL)
		send_words(link, on_auth, 2, "AUTH", password);
	else
		link_advance(link);
	explicit_bzero(buf, sizeof buf);
}

static void
prove(struct link *link)
{
	link_enter(link, LINK_PROVING);
	if (link->owner->prove != NULL)
		link->owner->prove(link->owner->arg, link);
	if (link->state == LINK_PROVING && link->context != NULL && link->n_commands == 0)
		link_advance(link);
}

void
link_advance(struct link *link)
{
	char db[16];

	switch (link->state) {
	case LINK_AUTHENTICATING:
		if (link->env->config->address.db > 0) {
			link_enter(link, LINK_SELECTING);
			snprintf(db, sizeof db, "%u", link->env->config->address.db);
			send_words(link, on_select, 2, "SELECT", db);
			break;
		}
		/* fallthrough */
	case LINK_SELECTING:
		link_enter(link, LINK_CHECKING);
		link_check(link);
		break;
	case LINK_CHECKING:
		if (link->script != NULL) {
			link_enter(link, LINK_LOADING);
			link_reload(link);
			break;
		}
		/* fallthrough */
	case LINK_LOADING:
		prove(link);
		break;
	case LINK_PROVING:
		link_enter(link, LINK_UP);
		link->owner->up(link->owner->arg, link);
		break;
	default:
		assert(!"a state without a command");
	}
}
