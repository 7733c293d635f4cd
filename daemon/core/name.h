/* The key by which a name is found in a table, with a secret: names are chosen by clients, and
 * nobody shall find many that fall into one chain. */
#ifndef NAME_H
#define NAME_H

#include <stddef.h>
#include <stdint.h>

/* Before anything has a key; 0 until then. */
void name_set_secret(const uint64_t secret[2]);

uint64_t name_key(const char *name);
uint64_t name_key_n(const void *bytes, size_t len);

#endif
