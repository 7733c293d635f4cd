/* Metrics: all that slotd counts and measures, as text for Prometheus. */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/serve/output.h"

struct config;
struct server;
struct tallies;

/* Appends the text to out; *n_lines may be NULL.  False: no memory, and out is incomplete. */
bool metrics_text(const struct server *server, struct output *out, uint32_t *n_lines);

/* Counts apart the groups that the configuration names, from now on: so each is there, with zeros,
 * before it is used.  To be called for every configuration that is taken. */
void metrics_keep(struct tallies *tallies, const struct config *config);

#endif
