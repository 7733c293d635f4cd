/* Reload: the configuration is read again, and what may change while slotd runs is in force at once. */
#include "daemon/serve/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/core/alloc.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/metrics/metrics.h"
#include "daemon/serve/live.h"
#include "daemon/serve/server.h"
#include "daemon/systemd.h"

static void
complain(void *arg, const char *message)
{
	struct reload *reload = arg;

	log_error("%s", message);
	if (reload->n_wrong++ == 0)
		snprintf(reload->wrong, sizeof reload->wrong, "%s", message);
}

static const struct config_group *
section_of(const struct config *config, const char *name)
{
	const struct config_group *group = config_group(config, name);

	return group != NULL ? group : &config->other;
}

/* Groups of which the arbiter keeps something that has changed. */
struct changed {
	const struct config *before, *config;
	char **names;           /* owned: the arbiter may forget a group at any step */
	size_t n, size;
};

static void
add_if_changed(void *arg, const struct arb_group_status *status)
{
	struct changed *all = arg;
	const struct config_group *was = section_of(all->before, status->name);
	const struct config_group *is = section_of(all->config, status->name);

	if (was->limit == is->limit && was->max_waiters == is->max_waiters &&
	    was->on_lease_end == is->on_lease_end && was->on_backend_down == is->on_backend_down)
		return;
	ALLOC_ROOM(all->names, all->n, all->size, 1);
	all->names[all->n] = alloc_new(strlen(status->name) + 1);
	strcpy(all->names[all->n++], status->name);
}

static void
configure(struct server *server, const char *name)
{
	const struct config_group *group = section_of(server->config, name);
	const struct arb_event event = {
	    .type = ARB_CONFIGURE,
	    .configure = {
		.group = name,
		.limit = group->limit > 0 ? group->limit : XCH_NO_LIMIT,
		.max_waiters = (uint32_t)group->max_waiters,
		.drop_on_lapse = group->on_lease_end != 0,
		.on_down = live_on_down(server, name, group),
	    },
	};

	loop_step(server->loop, &event);
}

/* Who waits in a group, and its idle slots, feel it at once. */
static void
configure_groups(struct server *server, const struct config *before)
{
	struct changed all = {.before = before, .config = server->config};

	arb_groups(loop_arb(server->loop), add_if_changed, &all);
	for (size_t i = 0; i < all.n; i++) {
		configure(server, all.names[i]);
		free(all.names[i]);
	}
	free(all.names);
}

/* A comma is escaped, too. */
static void
add_live_name(struct reload *reload, const char *group)
{
	char name[WIRE_ESCAPED(WIRE_GROUP_MAX)], *to = reload->live + strlen(reload->live);
	const char *end = reload->live + sizeof reload->live;

	wire_escape(group, strlen(group), true, name, sizeof name);
	if (3 * strlen(name) + 2 > (size_t)(end - to))
		return;
	if (to > reload->live)
		*to++ = ',';
	for (const char *c = name; *c != '\0'; c++)
		to += sprintf(to, *c == ',' ? "%%2C" : "%c", *c);
}

/* Whoever has changed a limit in the file, and sees nothing of it, is to know why. */
static void
tell_live(const struct server *server, struct reload *reload)
{
	const struct live *live, *after;

	TABLE_FOREACH (live, after, &loop_lives(server->loop)->groups) {
		const struct live_setting *set = live_view(server, live->name).counts;
		const struct config_group *group = config_group(server->config, live->name);

		if (set == NULL || group == NULL || group->limit == 0 || set->limit == group->limit)
			continue;
		reload->n_live++;
		add_live_name(reload, live->name);
		log_info("group %s: the configured limit of %lld counts for nothing while the live one "
		    "of %lld is set, by %s", live->name, (long long)group->limit,
		    (long long)set->limit, set->by);
	}
}

/* fresh has what was in force before, afterwards. */
static void
take(struct server *server, struct config *fresh, struct reload *reload)
{
	struct config *config = server->config;

	reload->n_changed = config_take(config, fresh, reload->restart, sizeof reload->restart);
	reload->n_groups = config_n_sections(config);
	log_set_level((enum log_level)config->log_level);
	server_limit_clients(server);
	loop_set_max_groups(server->loop, (uint32_t)config->max_groups);
	metrics_keep(loop_tallies(server->loop), config);
	if (reload->n_changed > 0)
		configure_groups(server, fresh);
	config_free(fresh);
	log_info("reloaded: %u sections of groups, %u of them changed", reload->n_groups,
	    reload->n_changed);
	tell_live(server, reload);
	if (reload->restart[0] != '\0')
		log_warnx("reloaded, but a restart is needed for %s", reload->restart);
}

void
reload_run(struct server *server, struct reload *reload)
{
	struct config *fresh;

	*reload = (struct reload){0};
	systemd_notify_reloading();
	fresh = server->read_config(server->read_config_arg, complain, reload);
	if (fresh != NULL)
		take(server, fresh, reload);
	else
		log_error("not reloaded, and nothing has changed; mistakes: %u", reload->n_wrong);
	server->reload.at = clock_date();
	server->reload.failed = fresh == NULL;
	systemd_notify("READY=1");
}
