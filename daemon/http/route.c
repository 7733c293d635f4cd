/* Which answer a request gets. */
#include "daemon/http/route.h"

#include <stdio.h>
#include <string.h>

#include "daemon/core/alloc.h"
#include "daemon/http/board.h"
#include "daemon/http/connection.h"
#include "daemon/http/html.h"
#include "daemon/http/json.h"
#include "daemon/http/ready.h"
#include "daemon/metrics/metrics.h"
#include "daemon/serve/server.h"

#define TEXT "text/plain; charset=utf-8"
#define PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"

/* What is said to a request. */
struct response {
	int status;
	const char *type;
	char csp[160];          /* what the body may make a browser do; "": nothing at all */
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

static void
status_json(const struct server *server, const struct http_request *req, struct response *response)
{
	struct board board;

	response->failed = !board_make(&board, server, req->group) ||
	    !json_write(&board, &response->body);
	board_free(&board);
}

/* Nothing runs in it but what bears the number that was drawn for this answer. */
static void
page(const struct server *server, const struct http_request *req, struct response *response)
{
	struct html_nonce nonce;
	struct board board;

	response->failed = !board_make(&board, server, req->group) ||
	    !html_write(&board, &response->body, &nonce);
	board_free(&board);
	if (!response->failed)
		snprintf(response->csp, sizeof response->csp, "script-src 'nonce-%s'; "
		    "style-src 'nonce-%s'; connect-src 'self'; img-src data:; ", nonce.text,
		    nonce.text);
}

static const struct route {
	const char *path, *type;
	bool is_light;
	void (*make)(const struct server *, const struct http_request *, struct response *);
} routes[] = {
    {"/", "text/html; charset=utf-8", false, page},
    {"/status.json", "application/json", false, status_json},
    {"/metrics", PROMETHEUS, false, metrics},
    {"/healthz", TEXT, true, healthz},
    {"/readyz", TEXT, true, readyz},
};

/* NULL if the request is none, or for nothing that there is. */
static const struct route *
find(const struct connection *connection)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		if (connection->status == 200 &&
		    strcmp(routes[i].path, connection->request.path) == 0)
			return &routes[i];
	return NULL;
}

bool
route_is_light(const struct connection *connection)
{
	const struct route *route = find(connection);

	return route == NULL || route->is_light;
}

void
route_answer(const struct server *server, struct connection *connection)
{
	const struct http_request *req = &connection->request;
	const struct route *route = find(connection);
	struct response response = {.status = connection->status, .type = TEXT};
	char headers[320];

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
	snprintf(headers, sizeof headers, "%sContent-Security-Policy: %sdefault-src 'none'; "
	    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n",
	    response.status == 405 ? "Allow: GET, HEAD\r\n" : "", response.csp);
	connection_answer(connection, response.status, response.type, headers, &response.body);
}
