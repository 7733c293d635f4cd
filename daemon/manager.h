/* The service manager, and what it is told while slotd runs: how it is (STATUS=), and that its loop
 * turns (WATCHDOG=1). */
#ifndef MANAGER_H
#define MANAGER_H

struct manager;
struct server;

/* NULL where there is no manager: then nothing is watched, and nothing costs anything.  Keeps the
 * pointer to server. */
struct manager *manager_new(const struct server *server);
void manager_free(struct manager *manager);

/* After each turn of the loop.  What has changed is told within two seconds, and once for all turns
 * of that time; a daemon in which nothing happens does not wake up for this. */
void manager_turn(struct manager *manager);

#endif
