/* Where HTTP is served: an IP address with a port, or the path of a Unix socket. */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct address {
	const char *path;       /* points into the text; NULL: it is an IP address */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} ip;
	int len;                /* of ip */
};

/* "127.0.0.1:9717", "[::1]:9717" or an absolute path.  Whatever other hosts can reach must be allowed
 * by is_any.  0, or -1 with a sentence in why. */
int address_parse(const char *text, bool is_any, struct address *address, char *why, size_t size);

#endif
