/* The address of a Redis or Valkey server, as a URL.
 *
 *   redis://[[user]:[password]@]host[:port][/db]
 *   unix://[[user]:[password]@]/path[?db=N]
 *
 * User, password and path may hold %XX; a host that is an IPv6 address stands in [ ]. */
#ifndef REDIS_URL_H
#define REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDIS_PORT 6379

struct url {
	char *host;             /* a name or an address; NULL: path is set */
	char *path;             /* of a Unix domain socket */
	uint16_t port;
	char *user;             /* NULL: not given */
	char *password;         /* NULL: not given */
	uint32_t db;
};

/* 0, or -1 with a sentence in why, in which no part of a password stands; then *url is empty. */
int url_parse(const char *text, struct url *url, char *why, size_t size);

/* Owns the strings. */
void url_free(struct url *url);

/* Writes it without user and password, for people; cut to size. */
void url_show(const struct url *url, char *buf, size_t size);

#endif
