/* slotd: keeps "at most N at once" for the processes of a host. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/core/alloc.h"
#include "daemon/core/name.h"
#include "daemon/http/http.h"
#include "daemon/lock.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/manager.h"
#include "daemon/page.h"
#include "daemon/serve/listener.h"
#include "daemon/serve/reload.h"
#include "daemon/serve/server.h"
#include "daemon/systemd.h"

/* Exit statuses; 0 is the end by a signal, 1 (fatal) a start that failed.  See slotd(8). */
enum { EXIT_USAGE = 64, EXIT_CONFIG = 78 };

#define WHY_MAX 256
/* Descriptors that are not a client's, with room to spare. */
#define OWN_FDS (48 + HTTP_CONNECTIONS)
#define LAST_S 30               /* ample for the end of every connection and of slotd itself */

struct options {
	const char *config, *socket, *redis;
	bool only_check;
};

static const char usage[] =
    "usage: slotd [--config FILE] [--socket PATH] [--redis URL]\n"
    "       slotd --check-config [--config FILE]\n"
    "       slotd --help | --version\n"
    "\n"
    "  --config FILE    read this file instead of " CONFIG_PATH "\n"
    "  --socket PATH    listen here, whatever the file says\n"
    "  --redis URL      share the slots through this Redis, whatever the file says\n"
    "  --check-config   say what is wrong with the configuration, and exit\n"
    "  --help           print this, and exit\n"
    "  --version        print the version, and exit\n";

static struct options
parse_options(int argc, char **argv)
{
	static const struct option known[] = {
	    {"config", required_argument, NULL, 'c'}, {"socket", required_argument, NULL, 's'},
	    {"redis", required_argument, NULL, 'r'},  {"check-config", no_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'},         {"version", no_argument, NULL, 'v'},
	    {NULL, 0, NULL, 0}};
	struct options options = {0};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			options.config = optarg;
			break;
		case 's':
			options.socket = optarg;
			break;
		case 'r':
			options.redis = optarg;
			break;
		case 'n':
			options.only_check = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'v':
			puts("slotd " SLOTD_VERSION);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "slotd: what is \"%s\"?\n%s", argv[optind], usage);
		exit(EXIT_USAGE);
	}
	return options;
}

static void
complain_log(void *arg, const char *message)
{
	(void)arg;
	log_error("%s", message);
}

/* To whoever checks a file, not to the log: editors and scripts find file:line: at the start. */
static void
complain_plain(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "%s\n", message);
}

/* What the command line says goes before what the file says.  0, or -1 with a sentence in why. */
static int
put_options(struct config *config, const struct options *options, char why[WHY_MAX])
{
	char reason[200];

	if (options->socket != NULL && config_set_socket(config, options->socket) < 0) {
		snprintf(why, WHY_MAX, "--socket %s: not 1 to 107 bytes", options->socket);
		return -1;
	}
	if (options->redis != NULL &&
	    config_set_redis(config, options->redis, reason, sizeof reason) < 0) {
		snprintf(why, WHY_MAX, "--redis: %s", reason);
		return -1;
	}
	return 0;
}

static struct config *
read_config(const struct options *options)
{
	struct config *config = config_load(options->config,
	    options->only_check ? complain_plain : complain_log, NULL);
	char why[WHY_MAX];

	if (config == NULL)
		exit(EXIT_CONFIG);
	if (put_options(config, options, why) < 0) {
		log_error("%s", why);
		exit(EXIT_USAGE);
	}
	return config;
}

/* A descriptor of ours must never be 0, 1 or 2: what is printed there would go to a client. */
static void
keep_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* As many descriptors as we may have.  -> as many clients as they last for */
static uint32_t
raise_most_clients(void)
{
	struct rlimit fds;
	rlim_t most;

	if (getrlimit(RLIMIT_NOFILE, &fds) < 0)
		fatal("getrlimit");
	fds.rlim_cur = fds.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &fds) < 0)
		log_warn("setrlimit: RLIMIT_NOFILE");
	if (fds.rlim_cur <= OWN_FDS)
		fatalx("only %ju file descriptors are allowed (RLIMIT_NOFILE)",
		    (uintmax_t)fds.rlim_cur);
	most = fds.rlim_cur - OWN_FDS;
	return most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

static void
draw_secret(void)
{
	uint64_t secret[2];

	if (getrandom(secret, sizeof secret, 0) != sizeof secret)
		fatal("getrandom");
	name_set_secret(secret);
}

static struct xch_daemon
identity(const struct lock *lock)
{
	struct xch_daemon self = {.install = lock->install, .generation = lock->generation};

	if (getrandom(&self.nonce, sizeof self.nonce, 0) != sizeof self.nonce)
		fatal("getrandom");
	return self;
}

/* This host's name as others are told it: what is not printable is a "?". */
static const char *
host_name(void)
{
	static char name[XCH_HOST_MAX + 1];

	if (gethostname(name, sizeof name - 1) < 0 && errno != ENAMETOOLONG)
		fatal("gethostname");
	if (name[0] == '\0')
		name[0] = '?';
	for (char *c = name; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			*c = '?';
	return name;
}

static struct loop *
make_loop(const struct config *config, const struct xch_daemon *self, struct page *page)
{
	struct arb_conf conf = {
	    .self = *self,
	    .host = host_name(),
	    .lease = config->lease_ms * NSEC_MS,
	    .margin = config->margin_ms * NSEC_MS,
	    .grace = config->grace_ms * NSEC_MS,
	    .idle = config->idle_ms * NSEC_MS,
	    .recall = config->recall_ms * NSEC_MS,
	    .command_timeout = config->redis.command_timeout_ms * NSEC_MS,
	    .max_cells = (uint32_t)config->max_cells,
	    .max_groups = (uint32_t)config->max_groups,
	    .n_links = (unsigned)config->redis.pool,
	};

	if (config->redis.url[0] == '\0') {     /* memory: it answers at once, and to us alone */
		conf.command_timeout = conf.lease;
		conf.grace = 0;
		conf.sole = true;
		conf.n_links = 1;
	} else if (config->redis.address.password != NULL && config->is_public) {
		log_warnx("every user of this host can read the configuration, and the password of "
		    "Redis in it; chmod it, or use password_file");
	}
	return loop_new(&conf, &config->redis, page);
}

struct running {
	const struct options *options;
	struct server server;
	struct listener *listener;
	struct http *http;
	struct lock lock;
};

/* A copied virtual machine or directory, most likely. */
static struct xch_daemon
on_gone(void *arg)
{
	struct running *running = arg;

	log_error("another slotd runs with the install %016" PRIx64 " of this one, as a copy of the "
	    "lock file makes it; every connection is closed, and a new install begins",
	    running->lock.install);
	server_close_all(&running->server, "another slotd has taken its slots");
	lock_renew(&running->lock);
	return identity(&running->lock);
}

/* As at the start.  A file that was there and has gone is a mistake: it would set nothing. */
static struct config *
read_config_again(void *arg, config_complain *complain, void *complain_arg)
{
	const struct running *running = arg;
	const char *path = running->options->config;
	struct config *config;
	char why[WHY_MAX];

	if (path == NULL && running->server.config->is_file)
		path = CONFIG_PATH;
	config = config_load(path, complain, complain_arg);
	if (config != NULL && put_options(config, running->options, why) < 0) {
		complain(complain_arg, why);
		config_free(config);
		config = NULL;
	}
	return config;
}

/* ---------------------------------------------------------------- the end */

/* stop_ms can be longer than the manager would wait by itself; LAST_S is for what comes after it. */
static void
tell_stopping(const struct config *config)
{
	char state[80];

	snprintf(state, sizeof state, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
	    ((long long)config->stop_ms + LAST_S * 1000) * 1000);
	systemd_try_notify(state);
}

static void
on_signal(evutil_socket_t signal, short what, void *arg)
{
	struct running *running = arg;

	(void)what;
	log_info("stopping: signal %d", (int)signal);
	tell_stopping(running->server.config);
	listener_free(running->listener);
	running->listener = NULL;
	server_stop(&running->server);
}

/* From a terminal it says that this has gone: then on_signal(). */
static void
on_hangup(evutil_socket_t signal, short what, void *arg)
{
	struct running *running = arg;
	struct reload reload;

	(void)signal;
	(void)what;
	reload_run(&running->server, &reload);
}

static struct event *
watch_signal(struct loop *loop, int number, event_callback_fn callback, struct running *running)
{
	struct event *event = evsignal_new(loop_base(loop), number, callback, running);

	if (event == NULL || event_add(event, NULL) < 0)
		fatalx("no signal handlers");
	return event;
}

int
main(int argc, char **argv)
{
	struct options options = parse_options(argc, argv);
	struct config *config;
	struct running running;
	struct xch_daemon self;
	struct page *page;
	struct loop *loop;
	struct manager *manager;
	struct event *term, *interrupt, *hangup;
	char *path = NULL;
	int fd;

	keep_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);       /* as process 1 of a container we inherit others' orphans */
	if (alloc_is_short())
		fatal("no memory to keep in reserve");
	draw_secret();
	config = read_config(&options);
	if (options.only_check) {
		config_free(config);
		return 0;
	}
	log_set_level((enum log_level)config->log_level);

	fd = systemd_listen_fd(&path);
	running.lock = lock_take(fd >= 0 ? path : config->socket);
	self = identity(&running.lock);
	page = page_new(fd >= 0 ? path : config->socket, &self, (uint32_t)config->max_cells);
	loop = make_loop(config, &self, page);
	loop_set_gone(loop, on_gone, &running);
	server_init(&running.server, loop, config, raise_most_clients());
	running.options = &options;
	running.server.read_config = read_config_again;
	running.server.read_config_arg = &running;
	running.listener = listener_new(&running.server, config, fd);
	running.http = http_new(&running.server, config);
	term = watch_signal(loop, SIGTERM, on_signal, &running);
	interrupt = watch_signal(loop, SIGINT, on_signal, &running);
	hangup = watch_signal(loop, SIGHUP, isatty(STDERR_FILENO) ? on_signal : on_hangup, &running);
	log_info("slotd " SLOTD_VERSION " listens on %s (libevent %s, install %016" PRIx64
	    ", generation %" PRIu64 ")", fd >= 0 ? path : config->socket, event_get_version(),
	    running.lock.install, running.lock.generation);
	manager = manager_new(&running.server);
	systemd_notify("READY=1");

	while (running.server.is_running) {
		loop_turn(loop);
		manager_turn(manager);
	}
	loop_finish(loop);

	event_free(term);
	event_free(interrupt);
	event_free(hangup);
	listener_free(running.listener);
	http_free(running.http);
	manager_free(manager);
	server_fini(&running.server);
	loop_free(loop);
	page_free(page);
	close(running.lock.fd);
	config_free(config);
	free(path);
	log_info("stopped");
	return 0;
}
