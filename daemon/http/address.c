/* Where HTTP is served: an IP address with a port, or the path of a Unix socket. */
#include "daemon/http/address.h"

#include <event2/util.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static bool
is_loopback(const struct address *address)
{
	if (address->ip.any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->ip.v6.sin6_addr);
	return ntohl(address->ip.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

int
address_parse(const char *text, bool is_any, struct address *address, char *why, size_t size)
{
	const size_t path_max = sizeof ((struct sockaddr_un *)0)->sun_path - 1;

	*address = (struct address){.len = sizeof address->ip};
	if (text[0] == '/') {
		address->path = text;
		if (strlen(text) <= path_max)
			return 0;
		snprintf(why, size, "a path of a socket has at most %zu bytes", path_max);
		return -1;
	}
	/* the port is at the same place in both */
	if (evutil_parse_sockaddr_port(text, &address->ip.any, &address->len) < 0 ||
	    address->ip.v4.sin_port == 0) {
		snprintf(why, size, "neither 127.0.0.1:PORT, [::1]:PORT nor a path that begins with /");
		return -1;
	}
	if (!is_any && !is_loopback(address)) {
		snprintf(why, size, "other hosts can connect there, which any_address = yes allows");
		return -1;
	}
	return 0;
}
