/* Requests that concern every host: PS, EVICT, AUDIT, WHY. */
#include "daemon/serve/hosts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/core/alloc.h"
#include "daemon/gather.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/serve/answer.h"
#include "daemon/serve/census.h"
#include "daemon/serve/ps.h"
#include "daemon/serve/server.h"
#include "daemon/serve/why.h"
#include "proto/wire.h"

#define RETRY_MS 1000

static bool
is_shared(const struct server *server)
{
	return server->config->redis.url[0] != '\0';
}

/* That matches the groups which the request is about, and others where it is about one whose name would
 * be another glob. */
static const char *
glob_of(const struct wire_request *req)
{
	return req->verb != WIRE_PS && strpbrk(req->group, "*?[") != NULL ? "" : req->group;
}

/* ------------------------------------------------------------------ asked by a daemon */

/* What is said to a question: lines in pieces, or one line. */
struct answer {
	struct census *census;  /* owned; NULL: the line */
	char line[32];          /* "": it failed, for lack of memory */
};

static uint64_t
evict(struct server *server, const struct wire_request *req)
{
	const struct arb_event event = {.type = ARB_EVICT,
	    .evict = {.group = req->group, .slot = req->slots[0], .token = req->token}};
	struct arb_stats before, after;

	arb_stats(loop_arb(server->loop), &before);
	loop_step(server->loop, &event);
	arb_stats(loop_arb(server->loop), &after);
	if (after.evictions > before.evictions)
		log_info("slot %u of group %s is taken back, as an operator asks", req->slots[0],
		    req->group);
	return after.evictions - before.evictions;
}

/* EVICT without a token only asks for it.  A daemon that was stopped hears its questions late: it may
 * then end no hold but the one that was meant. */
static void
answer_evict(struct server *server, const struct wire_request *req, struct answer *answer)
{
	if (req->token != 0)
		snprintf(answer->line, sizeof answer->line, "evicted=%llu",
		    (unsigned long long)evict(server, req));
	else
		snprintf(answer->line, sizeof answer->line, "token=%llu", (unsigned long long)
		    arb_token(loop_arb(server->loop), req->group, req->slots[0]));
}

/* Whoever may speak in Redis for the daemons may ask: rights are looked at where the client is. */
static void *
on_question(void *arg, const char *line)
{
	struct server *server = arg;
	struct wire_request req;
	struct wire_fault fault;
	struct answer *answer;

	if (wire_parse(line, strlen(line), &req, &fault) < 0 ||
	    (req.verb != WIRE_PS && req.verb != WIRE_EVICT && req.verb != WIRE_WHY))
		return NULL;
	answer = alloc_new(sizeof *answer);
	*answer = (struct answer){0};
	if (req.verb == WIRE_EVICT)
		answer_evict(server, &req, answer);
	else
		answer->census = census_new(loop_arb(server->loop), glob_of(&req));
	return answer;
}

static enum gather_piece
on_answer(void *arg, void *state, struct output *out)
{
	struct answer *answer = state;

	(void)arg;
	if (answer->census != NULL)
		return census_write(answer->census, out);
	return answer->line[0] != '\0' && output_add(out, answer->line, strlen(answer->line)) ?
	    GATHER_LAST : GATHER_FAILED;
}

static void
on_drop(void *arg, void *state)
{
	struct answer *answer = state;

	(void)arg;
	if (answer->census != NULL)
		census_free(answer->census);
	free(answer);
}

/* ------------------------------------------------------------------ asked by a client */

/* The line is the question, too; a daemon that is asked to AUDIT only shows that it is there. */
void
hosts_ask(struct server *server, uint64_t client, uint64_t request, const struct wire_request *req)
{
	enum gather_records records = req->verb == WIRE_AUDIT ? GATHER_CHECK : GATHER_RECORDS;
	struct wire_request question = *req;
	char line[WIRE_LINE_MAX + 1], refusal[ANSWER_MAX];
	int len;

	question.tag[0] = '\0';
	len = wire_format(&question, line, sizeof line);
	assert(len > 0);
	line[len - 1] = '\0';
	if (!loop_gather(server->loop, client, request, line, records, glob_of(req)))
		server_answer(server, client, request, refusal, answer_unavailable(RETRY_MS, "asked",
		    "too many ask all hosts just now", refusal));
}

/* The group of a row, decoded.  False: it is no group's name. */
static bool
group_of(const struct ps_row *row, char name[WIRE_GROUP_MAX + 1])
{
	int len = wire_unescape(row->group, (size_t)row->group_len, name, WIRE_GROUP_MAX + 1);

	return len > 0 && wire_name_ok(name, (size_t)len, WIRE_GROUP_MAX, false);
}

/* ------------------------------------------------------------------ EVICT */

static uint64_t
number_in(const char *text, size_t text_len, const char *key)
{
	char buf[24];
	uint64_t value;
	int len = wire_value(text, text_len, key, buf, sizeof buf);

	return len > 0 && wire_parse_number(buf, (size_t)len, INT64_MAX, &value) == 0 ? value : 0;
}

/* Of the one daemon that has the slot; 0: none has. */
static uint64_t
find_number(const struct gathered *gathered, const char *key)
{
	uint64_t value = 0;

	for (size_t i = 0; i < gathered->n_parts && value == 0; i++) {
		const struct output *text = &gathered->parts[i].text;

		if (output_len(text) > 0)
			value = number_in(text->bytes + text->start, output_len(text), key);
	}
	return value;
}

/* The slot, if it is on record for a daemon that does not answer. */
static const struct ps_row *
find_silent(const struct wire_request *req, const struct ps_row *rows, size_t n)
{
	char name[WIRE_GROUP_MAX + 1];

	for (size_t i = 0; i < n; i++)
		if (rows[i].kind == 'h' && rows[i].number == req->slots[0] &&
		    group_of(&rows[i], name) && strcmp(name, req->group) == 0)
			return &rows[i];
	return NULL;
}

/* Nobody who has answered holds it. */
static size_t
say_not_evicted(const struct wire_request *req, const struct gathered *gathered, char *line)
{
	const struct ps_row *silent;
	struct ps_row *rows;
	char why[ANSWER_MAX / 2];
	size_t n, len;

	ps_rows(gathered, &rows, &n);
	silent = find_silent(req, rows, n);
	if (silent != NULL) {
		snprintf(why, sizeof why, "slot %u is of a slotd on %.*s that does not answer: it is "
		    "free when the lease ends", req->slots[0], silent->host_len, silent->host);
		len = answer_unavailable((int64_t)number_in(silent->rest, (size_t)silent->rest_len,
		    "lease_left"), "silent", why, line);
	} else if (gathered->is_alone || gathered->is_partial || gathered->n_silent > 0) {
		len = answer_unavailable(RETRY_MS, gathered->is_alone ? "away" : "silent",
		    "nobody here holds it, and not every host has answered", line);
	} else {
		len = (size_t)sprintf(line, "OK evicted=0\n");
	}
	free(rows);
	return len;
}

/* First whose hold it is, then the end of that hold. */
static void
go_on_evict(struct server *server, struct wire_request *req, const struct gathered *gathered)
{
	uint64_t value = find_number(gathered, req->token == 0 ? "token" : "evicted");
	char line[ANSWER_MAX];
	size_t len;

	if (req->token == 0 && value != 0) {
		req->token = value;
		hosts_ask(server, gathered->client, gathered->request, req);
		return;
	}
	len = value != 0 ? (size_t)sprintf(line, "OK evicted=%llu\n", (unsigned long long)value) :
	    say_not_evicted(req, gathered, line);
	server_answer(server, gathered->client, gathered->request, line, len);
}

/* ------------------------------------------------------------------ AUDIT */

static bool
write_finding(const struct ps_row *row, struct output *out)
{
	if (row->kind == 'p')
		return output_printf(out, "group=%.*s kind=record text=%.*s\n", row->group_len,
		    row->group, row->rest_len, row->rest);
	if (row->kind == 'h')
		return output_printf(out, "group=%.*s kind=hold slot=%llu host=%.*s daemon=%.*s %.*s\n",
		    row->group_len, row->group, (unsigned long long)row->number, row->host_len,
		    row->host, row->install_len, row->install, row->rest_len, row->rest);
	return output_printf(out, "group=%.*s kind=wait host=%.*s daemon=%.*s %.*s\n", row->group_len,
	    row->group, row->host_len, row->host, row->install_len, row->install, row->rest_len,
	    row->rest);
}

/* Whose lease has ended is forgotten at the next exchange of its group.  -> in how many groups */
static size_t
reap(struct server *server, const struct gathered *gathered)
{
	char last[WIRE_GROUP_MAX + 1] = "", name[WIRE_GROUP_MAX + 1];
	struct ps_row *rows;
	size_t n, n_groups = 0;

	ps_rows(gathered, &rows, &n);

	for (size_t i = 0; i < n; i++) {
		struct arb_event event = {.type = ARB_REAP, .reap.group = name};

		if (rows[i].kind == 'p' || !group_of(&rows[i], name) || strcmp(name, last) == 0)
			continue;
		loop_step(server->loop, &event);
		strcpy(last, name);
		n_groups++;
	}
	free(rows);
	return n_groups;
}

static bool
write_audit(const struct server *server, const struct gathered *gathered, struct output *out)
{
	struct ps_row *rows;
	size_t n;
	bool done = ps_rows(gathered, &rows, &n) && output_printf(out, "OK %zu\n", n + 1);

	for (size_t i = 0; i < n && done; i++)
		done = write_finding(&rows[i], out);
	free(rows);
	return done && ps_write_fleet(gathered, is_shared(server), !gathered->is_partial, out);
}

/* ------------------------------------------------------------------ WHY */

/* Nothing, if the client has gone: it is about what that may. */
static bool
write_why(struct server *server, const struct wire_request *req, const struct gathered *gathered,
    struct output *out)
{
	const struct client *client = table_find(&server->clients, gathered->client);

	return client == NULL || why_write(client, req, gathered, out);
}

/* ------------------------------------------------------------------ what came of it */

static bool
write_lines(struct server *server, const struct wire_request *req, const struct gathered *gathered,
    struct output *out)
{
	switch (req->verb) {
	case WIRE_PS:
		return ps_write(gathered, is_shared(server), out);
	case WIRE_AUDIT:
		return write_audit(server, gathered, out);
	default:
		return write_why(server, req, gathered, out);
	}
}

static void
on_gathered(void *arg, const struct gathered *gathered)
{
	struct server *server = arg;
	struct wire_request req;
	struct wire_fault fault;
	struct output out = {0};
	char line[ANSWER_MAX];

	if (wire_parse(gathered->question, strlen(gathered->question), &req, &fault) < 0)
		assert(!"what we have asked is a request");
	if (req.verb == WIRE_EVICT) {
		go_on_evict(server, &req, gathered);
	} else if (req.verb == WIRE_AUDIT && gathered->is_alone) {
		server_answer(server, gathered->client, gathered->request, line,
		    answer_unavailable(RETRY_MS, "away", "what is on record cannot be read now", line));
	} else if (req.fix && reap(server, gathered) > 0) {
		req.fix = false;        /* what has been freed is known when all are asked again */
		hosts_ask(server, gathered->client, gathered->request, &req);
	} else if (write_lines(server, &req, gathered, &out)) {
		server_answer(server, gathered->client, gathered->request, out.bytes + out.start,
		    output_len(&out));
	} else {
		server_answer(server, gathered->client, gathered->request, line,
		    answer_error(WIRE_ERR_NOMEM, line));
	}
	output_clear(&out);
}

void
hosts_init(struct server *server)
{
	const struct gather_hooks hooks = {on_question, on_answer, on_drop, on_gathered, server};

	loop_set_gather_hooks(server->loop, &hooks);
}
