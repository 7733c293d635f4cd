/* A link: one connection to Redis, from the name of its host to a server that serves us. */
#include "daemon/redis/link.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/core/alloc.h"
#include "daemon/log.h"

#define WHY_MAX 256
#define LINK_CHANNELS_MAX 2
#define BACKOFF_MIN (100 * NSEC_MS)

static void link_try(struct link *link);

static const char *const state_names[LINK_N_STATES] = {
    [LINK_WAITING] = "waiting",
    [LINK_RESOLVING] = "resolving",
    [LINK_CONNECTING] = "connecting",
    [LINK_CONNECTED] = "connected",
    [LINK_AUTHENTICATING] = "authenticating",
    [LINK_SELECTING] = "selecting",
    [LINK_CHECKING] = "checking",
    [LINK_LOADING] = "loading",
    [LINK_PROVING] = "proving",
    [LINK_UP] = "up",
};

/* libevent's timers are hints: on_timer() looks at the clock again. */
static void
set_timer(struct link *link, nsec after)
{
	struct timeval tv = {after / (1000 * NSEC_MS), after / 1000 % 1000000};

	if (event_add(link->timer, &tv) < 0)
		log_warnx("no timer for a connection to Redis");
}

static nsec
connect_timeout(const struct link *link)
{
	return link->env->config->connect_timeout_ms * NSEC_MS;
}

static nsec
command_timeout(const struct link *link)
{
	return link->env->config->command_timeout_ms * NSEC_MS;
}

/* It has come up, and is not about to fail as it did before. */
static void
settle(struct link *link)
{
	link->is_shaky = false;
	link->n_failures = 0;
	link->trouble = TROUBLE_NONE;
}

/* Until it is settled the timer fires no later than commands need it. */
static void
watch_shaky(struct link *link, nsec now)
{
	nsec left = link->up_since + link->env->backoff_max - now;

	if (left <= 0) {
		settle(link);
		link->env->settled(link->env->arg);
	} else {
		set_timer(link, left < command_timeout(link) ? left : command_timeout(link));
	}
}

void
link_enter(struct link *link, enum link_state state)
{
	log_debug("redis %s: %s -> %s", link->name, state_names[link->state], state_names[state]);
	link->state = state;
	if (state != LINK_UP)
		return;
	link->up_since = clock_now();
	event_del(link->timer);
	if (link->is_shaky)
		watch_shaky(link, link->up_since);
	else
		settle(link);
}

/* ------------------------------------------------------------------ its end */

/* Callbacks of the context may come even now; without a link they do nothing. */
static void
drop_context(struct link *link)
{
	redisAsyncContext *context = link->context;

	link->context = NULL;
	link->first = link->n_commands = 0;
	link->is_loading = false;
	if (context == NULL)
		return;
	context->data = NULL;
	redisAsyncFree(context);
}

/* Doubled with each failure, and a random half of it: not all hosts at once. */
static nsec
backoff(struct link *link, enum trouble trouble)
{
	nsec most = trouble_is_stubborn(trouble) ? link->env->backoff_max : BACKOFF_MIN;
	uint32_t random = 0;

	for (unsigned i = 0; i < link->n_failures && most < link->env->backoff_max; i++)
		most *= 2;
	if (most > link->env->backoff_max)
		most = link->env->backoff_max;
	link->n_failures++;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = 0;
	return most / 2 + (nsec)((double)(most / 2) * random / UINT32_MAX);
}

static void
note_trouble(struct link *link, enum trouble trouble, const char *why)
{
	link->env->trouble(link->env->arg, trouble, why);
	link->trouble = link->last_trouble = trouble;
}

void
link_fail(struct link *link, enum trouble trouble, const char *fmt, ...)
{
	enum link_state was = link->state;
	char why[WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	log_debug("redis %s: %s: %s", link->name, trouble_word(trouble), why);
	resolver_forget(&link->resolve);
	drop_context(link);
	link_enter(link, LINK_WAITING);
	if (was == LINK_CONNECTING && ++link->address < link->resolved.n) {
		set_timer(link, 0);     /* the next address, at once */
		return;
	}
	link->resolved.n = 0;
	if (was == LINK_UP)
		link->is_shaky = link->last_trouble == trouble &&
		    clock_now() - link->up_since < link->env->backoff_max;
	set_timer(link, backoff(link, trouble));
	note_trouble(link, trouble, why);
	if (was == LINK_UP)
		link->owner->down(link->owner->arg, link);
}

void
link_refused(struct link *link, const char *command, const char *error)
{
	enum trouble trouble = trouble_of_error(error);

	link_fail(link, trouble != TROUBLE_NONE ? trouble : TROUBLE_UNFIT, "%s: %s", command,
	    error);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	nsec now = clock_now(), deadline = link->deadline;

	(void)fd;
	(void)what;
	if (link->state == LINK_WAITING) {
		link_try(link);
		return;
	}
	if (link->state == LINK_CONNECTED) {
		set_timer(link, deadline > now ? deadline - now : 0);
		link_greet(link);
		return;
	}
	if (link->state > LINK_CONNECTED && link->context == NULL) {
		link_fail(link, TROUBLE_AWAY, "no memory");
		return;
	}
	if (link->state == LINK_UP) {
		if (link->is_shaky)
			watch_shaky(link, now);
		if (link->n_commands == 0)
			return;
		deadline = link->commands[link->first].sent + command_timeout(link);
	}
	if (now < deadline)
		set_timer(link, deadline - now);
	else if (link->state == LINK_RESOLVING)         /* it ends by itself; late is not never */
		note_trouble(link, TROUBLE_AWAY, "the name server does not answer");
	else if (link->state == LINK_UP)
		link_fail(link, TROUBLE_HUNG, "no answer within %lld ms",
		    (long long)link->env->config->command_timeout_ms);
	else
		link_fail(link, TROUBLE_HUNG, "%s: not done within %lld ms", state_names[link->state],
		    (long long)link->env->config->connect_timeout_ms);
}

/* ------------------------------------------------------------------ commands */

static void
on_reply(redisAsyncContext *context, void *reply, void *unused)
{
	struct link *link = context->data;
	struct link_command command;

	(void)unused;
	if (link == NULL || reply == NULL)
		return;         /* dropped, or lost: the other callbacks say it */
	assert(link->n_commands > 0);
	command = link->commands[link->first];
	link->first = (link->first + 1) % link->size;
	link->n_commands--;
	command.done(command.arg, link, reply);
	if (link->state == LINK_PROVING && link->context != NULL && link->n_commands == 0)
		link_advance(link);
}

static void
push_command(struct link *link, link_done *done, void *arg)
{
	if (link->n_commands == link->size) {
		size_t size = link->size > 0 ? link->size * 2 : 128;
		struct link_command *ring = alloc_resize(NULL, size * sizeof *ring);

		for (size_t i = 0; i < link->n_commands; i++)
			ring[i] = link->commands[(link->first + i) % link->size];
		free(link->commands);
		link->commands = ring;
		link->size = size;
		link->first = 0;
	}
	link->commands[(link->first + link->n_commands++) % link->size] =
	    (struct link_command){.sent = clock_now(), .done = done, .arg = arg};
}

/* Where a command is lost, no reply behind it could be told from the next: then the connection is
 * over, and the timer says so, for the caller may be in the middle of something. */
void
link_command(struct link *link, int argc, const char **argv, const size_t *lengths, link_done *done,
    void *arg)
{
	if (link->context == NULL)
		return;
	if (redisAsyncCommandArgv(link->context, on_reply, NULL, argc, argv, lengths) != REDIS_OK) {
		drop_context(link);
		set_timer(link, 0);
		return;
	}
	push_command(link, done, arg);
	if (link->state == LINK_UP && !evtimer_pending(link->timer, NULL))
		set_timer(link, command_timeout(link));
}

void
link_send(struct link *link, int argc, const char **argv, const size_t *lengths, link_done *done,
    void *arg)
{
	assert(link->state == LINK_PROVING || link->state == LINK_UP);
	link_command(link, argc, argv, lengths, done, arg);
}

static void
on_message(redisAsyncContext *context, void *reply, void *unused)
{
	struct link *link = context->data;

	(void)unused;
	if (link != NULL && reply != NULL)
		link->message(link->owner->arg, link, reply);
}

void
link_subscribe(struct link *link, size_t n, const char *const *channels, link_done *done)
{
	const char *argv[1 + LINK_CHANNELS_MAX] = {"SUBSCRIBE"};

	assert(link->state == LINK_UP && link->n_commands == 0 && n <= LINK_CHANNELS_MAX);
	link->message = done;
	memcpy(argv + 1, channels, n * sizeof *channels);
	redisAsyncCommandArgv(link->context, on_message, NULL, (int)n + 1, argv, NULL);
}

/* ------------------------------------------------------------------ connecting */

/* Old versions of hiredis use the context after this returns, so nothing is done here that could
 * free it.  After a failure it is theirs already. */
static void
on_connect(const redisAsyncContext *context, int status)
{
	struct link *link = context->data;

	if (link == NULL)
		return;
	if (status == REDIS_OK) {
		link_enter(link, LINK_CONNECTED);
		set_timer(link, 0);
	} else {
		link->context = NULL;
		link_fail(link, TROUBLE_AWAY, "%s", context->c.errstr);
	}
}

static void
on_disconnect(const redisAsyncContext *context, int status)
{
	struct link *link = context->data;
	enum trouble trouble = trouble_of_error(context->errstr);

	(void)status;
	if (link == NULL)
		return;
	link->context = NULL;
	if (trouble == TROUBLE_NONE)
		trouble = context->err == REDIS_ERR_PROTOCOL ? TROUBLE_UNFIT : TROUBLE_AWAY;
	link_fail(link, trouble, "the connection was closed: %s", context->errstr);
}

/* What hiredis leaves out.  A subscriber sends nothing, so it needs the keepalive; where we send,
 * the user timeout counts. */
static void
set_socket(int fd, bool is_tcp, nsec timeout)
{
	const struct {
		int level, name, value;
	} options[] = {
	    {SOL_SOCKET, SO_KEEPALIVE, 1},
	    {IPPROTO_TCP, TCP_KEEPIDLE, 15},
	    {IPPROTO_TCP, TCP_KEEPINTVL, 5},
	    {IPPROTO_TCP, TCP_KEEPCNT, 3},
	    {IPPROTO_TCP, TCP_USER_TIMEOUT, (int)(timeout / NSEC_MS)},
	};

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	for (size_t i = 0; is_tcp && i < sizeof options / sizeof options[0]; i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			sizeof options[i].value) < 0)
			log_debug("setsockopt: %s", strerror(errno));
}

static void
link_connect(struct link *link)
{
	const struct url *url = &link->env->config->address;
	redisAsyncContext *context;

	link_enter(link, LINK_CONNECTING);
	link->deadline = clock_now() + connect_timeout(link);
	context = url->path != NULL ? redisAsyncConnectUnix(url->path) :
	    redisAsyncConnect(link->resolved.address[link->address], url->port);
	if (context == NULL) {
		link_fail(link, TROUBLE_AWAY, "no memory");
		return;
	}
	link->context = context;
	if (context->err != 0) {
		link_fail(link, TROUBLE_AWAY, "%s", context->errstr);
		return;
	}
	context->data = link;
	set_socket(context->c.fd, url->path == NULL, command_timeout(link));
	if (redisLibeventAttach(context, link->env->base) != REDIS_OK ||
	    redisAsyncSetConnectCallback(context, on_connect) != REDIS_OK ||
	    redisAsyncSetDisconnectCallback(context, on_disconnect) != REDIS_OK) {
		link_fail(link, TROUBLE_AWAY, "no memory");
		return;
	}
	set_timer(link, connect_timeout(link));
}

static void
on_resolved(void *arg, const struct resolved *resolved)
{
	struct link *link = arg;

	if (resolved->n == 0) {
		link_fail(link, TROUBLE_AWAY, "%s: %s", link->env->config->address.host, resolved->why);
		return;
	}
	link->resolved = *resolved;
	link->address = 0;
	link_connect(link);
}

static void
link_try(struct link *link)
{
	if (link->env->resolver == NULL || link->address < link->resolved.n) {
		link_connect(link);
		return;
	}
	link_enter(link, LINK_RESOLVING);
	link->deadline = clock_now() + connect_timeout(link);
	set_timer(link, connect_timeout(link));
	if (!resolver_ask(link->env->resolver, &link->resolve))
		link_fail(link, TROUBLE_AWAY, "resolver: %s", strerror(errno));
}

void
link_init(struct link *link, const char *name, const struct link_env *env,
    const struct link_owner *owner, const char *script)
{
	*link = (struct link){.env = env, .owner = owner, .script = script};
	snprintf(link->name, sizeof link->name, "%s", name);
	link->resolve = (struct resolve){.done = on_resolved, .arg = link};
	link->timer = evtimer_new(env->base, on_timer, link);
	if (link->timer == NULL)
		abort();
	set_timer(link, 0);
}

void
link_fini(struct link *link)
{
	resolver_forget(&link->resolve);
	drop_context(link);
	event_free(link->timer);
	free(link->commands);
}
