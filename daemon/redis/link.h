/* A link: one connection to Redis, from the name of its host to a server that serves us; and again,
 * for as long as slotd runs.
 *
 *   WAITING -> RESOLVING -> CONNECTING -> CONNECTED -> AUTHENTICATING -> SELECTING -> CHECKING
 *      ^      (a host's name)                         (with a password)  (db > 0)         |
 *      |                                                                                  v
 *      +---- whatever goes wrong, in any state ------------------ UP <- PROVING <----- LOADING
 *                                                                               (with a script)
 *
 * Replies come in the order of the commands.  When a link goes down the outcome of what it has not
 * answered is unknown, and nobody is told of it one by one. */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/core/arbiter.h"
#include "daemon/redis/resolve.h"
#include "daemon/redis/trouble.h"

struct config_redis;
struct event;
struct event_base;
struct link;
struct redisAsyncContext;
struct redisReply;
struct server_info;

enum link_state {
	LINK_WAITING,           /* until it is time to try (again) */
	LINK_RESOLVING,
	LINK_CONNECTING,
	LINK_CONNECTED,         /* and nothing said yet */
	LINK_AUTHENTICATING,
	LINK_SELECTING,
	LINK_CHECKING,          /* is it a server that we can use? */
	LINK_LOADING,           /* the script */
	LINK_PROVING,           /* the owner's first commands are under way */
	LINK_UP,
	LINK_N_STATES,
};

/* What all links of one Redis have in common; it and what it points to outlive them. */
struct link_env {
	struct event_base *base;
	const struct config_redis *config;
	struct resolver *resolver;      /* NULL: a Unix domain socket */
	nsec backoff_max;
	/* A link failed.  link->trouble is still what was the matter with it before. */
	void (*trouble)(void *arg, enum trouble trouble, const char *why);
	void (*settled)(void *arg);     /* a link that had come up only to fail again is up to stay */
	void (*checked)(void *arg, const struct server_info *server);   /* it can be used */
	void *arg;
};

/* Its owner.  None of these may free the link. */
struct link_owner {
	void (*prove)(void *arg, struct link *link);    /* sends the first commands; may be NULL */
	void (*up)(void *arg, struct link *link);
	void (*down)(void *arg, struct link *link);     /* it was up */
	void *arg;
};

/* Gets the reply, which lives until it returns. */
typedef void link_done(void *arg, struct link *link, const struct redisReply *reply);

struct link_command {
	nsec sent;
	link_done *done;
	void *arg;
};

struct link {
	const struct link_env *env;
	const struct link_owner *owner;
	char name[24];                  /* in the log */
	const char *script;             /* NULL: none */
	char sha[41];                   /* of the script, as the server says */
	bool is_loading;                /* SCRIPT LOAD is under way */
	char version[32];               /* "Redis 7.0.15" */
	enum link_state state;
	struct redisAsyncContext *context;      /* NULL unless CONNECTING or behind it */
	struct event *timer;
	nsec deadline;                  /* of the attempt */
	unsigned n_failures;            /* since it was up for longer than a moment */
	enum trouble trouble;           /* what is the matter; TROUBLE_NONE once it is up to stay */
	enum trouble last_trouble;      /* of the last failure, however long ago */
	nsec up_since;
	bool is_shaky;                  /* when it was up last, the same trouble came back at once */

	struct resolve resolve;
	struct resolved resolved;
	int address;                    /* that is tried */

	struct link_command *commands;  /* a ring: those not answered */
	size_t first, n_commands, size;
	link_done *message;             /* of a subscription */
};

/* Starts it.  Copies neither env, nor owner, nor script. */
void link_init(struct link *link, const char *name, const struct link_env *env,
    const struct link_owner *owner, const char *script);
void link_fini(struct link *link);

/* Only while PROVING or UP.  done gets arg, and must not be NULL. */
void link_send(struct link *link, int argc, const char **argv, const size_t *lengths,
    link_done *done, void *arg);

/* From here on nothing else is sent on this link.  done gets each message, arg is the owner's. */
void link_subscribe(struct link *link, size_t n, const char *const *channels, link_done *done);

/* Asks whether the server is still one that we can use, and set up well: env->checked() follows. */
void link_check(struct link *link);

/* The server does not know the script any more: loads it again, in front of whatever is sent from
 * here on. */
bool link_forgot_script(const struct redisReply *reply);
void link_reload(struct link *link);

/* Drops the connection and tries anew. */
__attribute__((format(printf, 3, 4))) void link_fail(struct link *link, enum trouble trouble,
    const char *fmt, ...);
/* The same, where the answer to a command that has nothing to do with any group was an error. */
void link_refused(struct link *link, const char *command, const char *error);

/* ---- link.c and login.c */

/* The one door to the state. */
void link_enter(struct link *link, enum link_state state);

/* link_send() in any state behind CONNECTED. */
void link_command(struct link *link, int argc, const char **argv, const size_t *lengths,
    link_done *done, void *arg);

/* Connected: the first step. */
void link_greet(struct link *link);

/* The state's command has been answered well: the next step. */
void link_advance(struct link *link);

#endif
