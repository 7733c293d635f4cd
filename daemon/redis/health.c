/* Health: what has been said in the log of a Redis, and how often it failed us, for STATS. */
#include "daemon/redis/health.h"

#include <stdio.h>
#include <string.h>

#include "daemon/log.h"

void
health_trouble(struct health *health, enum trouble trouble, const char *why, bool is_known)
{
	health->n_troubles[trouble]++;
	if (!is_known)
		log_warnx("%s: %s: %s; trying again", health->name, trouble_word(trouble), why);
}

void
health_checked(struct health *health, const struct server_info *server)
{
	for (unsigned i = 0; i < SERVER_N_WARNINGS; i++) {
		if (strcmp(health->warnings[i], server->warnings[i]) == 0)
			continue;
		memcpy(health->warnings[i], server->warnings[i], sizeof health->warnings[i]);
		if (health->warnings[i][0] != '\0')
			log_warnx("%s: %s", health->name, health->warnings[i]);
	}
}

void
health_whole(struct health *health, const char *version)
{
	health->is_whole = true;
	health->n_connected++;
	log_info("%s: connected to %s", health->name, version);
}

void
health_stats(const struct health *health,
    void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	char name[40];

	fn(arg, "redis_up", health->is_whole);
	fn(arg, "redis_connected", health->n_connected);
	for (enum trouble trouble = TROUBLE_NONE + 1; trouble < TROUBLE_N; trouble++) {
		snprintf(name, sizeof name, "redis_%s", trouble_word(trouble));
		fn(arg, name, health->n_troubles[trouble]);
	}
	fn(arg, "redis_warn_eviction", health->warnings[WARN_EVICTION][0] != '\0');
	fn(arg, "redis_warn_replicas", health->warnings[WARN_REPLICAS][0] != '\0');
}
