/* Which answer a request gets. */
#include "daemon/http/route.h"

#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/http/connection.h"
#include "daemon/http/ready.h"
#include "daemon/metrics/metrics.h"
#include "daemon/serve/server.h"

#define TEXT "text/plain; charset=utf-8"
#define PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"

/* What is said to a request. */
struct response {
	int status;
	const char *type;
	struct output body;
	bool failed;            /* no memory */
};

static void
healthz(const struct server *server, const struct http_request *req, struct response *response)
{
	(void)server;
	(void)req;
	response->failed = !output_printf(&response->body, "ok\n");
}

static void
readyz(const struct server *server, const struct http_request *req, struct response *response)
{
	char why[READY_MAX];

	(void)req;
	response->status = ready(server, why, sizeof why) ? 200 : 503;
	response->failed = !output_printf(&response->body, "%s\n", why);
}

static void
metrics(const struct server *server, const struct http_request *req, struct response *response)
{
	(void)req;
	response->failed = !metrics_text(server, &response->body, NULL);
}

static const struct route {
	const char *path, *type;
	void (*make)(const struct server *, const struct http_request *, struct response *);
} routes[] = {
    {"/metrics", PROMETHEUS, metrics},
    {"/healthz", TEXT, healthz},
    {"/readyz", TEXT, readyz},
};

static const struct route *
find(const char *path)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

void
route_answer(const struct server *server, struct connection *connection)
{
	const struct http_request *req = &connection->request;
	const struct route *route = connection->status == 200 ? find(req->path) : NULL;
	struct response response = {.status = connection->status, .type = TEXT};
	const char *headers = response.status == 405 ? "Allow: GET, HEAD\r\n" : "";

	if (route != NULL) {
		response.type = route->type;
		if (!alloc_is_short())
			route->make(server, req, &response);
		else
			response.failed = true;
	} else if (response.status == 200) {
		response.status = 404;
	}
	if (response.failed) {
		output_clear(&response.body);
		response.status = 503;
		response.type = TEXT;
	}
	connection_answer(connection, response.status, response.type, headers, &response.body);
}
