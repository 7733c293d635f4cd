/* Hash tables: uthash, with memory from alloc_resize().  Its own answer to a lack of it is exit(). */
#ifndef HASH_H
#define HASH_H

#include "daemon/core/alloc.h"

#define uthash_malloc(size) alloc_resize(NULL, size)
#include <uthash.h>

#endif
