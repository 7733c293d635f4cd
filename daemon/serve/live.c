/* Live limits and pauses as clients set and see them. */
#include "daemon/serve/live.h"

#include <pwd.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/serve/answer.h"
#include "daemon/serve/output.h"
#include "daemon/serve/server.h"
#include "daemon/serve/session.h"

/* ------------------------------------------------------------------ what is in force */

struct live_view
live_view(const struct server *server, const char *group)
{
	struct live_view view = {0};
	const struct live *live = loop_live(server->loop, group, &view.now);
	const struct live_setting **of[N_LIVE_KINDS] = {
	    [LIVE_PAUSE] = &view.pause, [LIVE_LIMIT] = &view.limit};

	for (int kind = 0; live != NULL && kind < N_LIVE_KINDS; kind++)
		if (live_is_in_force(&live->settings[kind], view.now))
			*of[kind] = &live->settings[kind];
	view.counts = view.pause != NULL ? view.pause : view.limit;
	return view;
}

/* The arbiter knows, too, but only of groups that are in use. */
enum arb_on_down
live_on_down(const struct server *server, const char *group, const struct config_group *section)
{
	enum arb_on_down how = (enum arb_on_down)section->on_backend_down;
	const struct live_setting *set =
	    how == ARB_DOWN_OPEN ? live_view(server, group).counts : NULL;

	return set != NULL && set->limit == 0 ? ARB_DOWN_WAIT : how;
}

struct word
live_left(const struct live_setting *s, usec now)
{
	bool ends = s != NULL && s->until != USEC_NEVER;

	return number_or_dash(ends, ends ? (s->until - now) / 1000 : 0);
}

struct live_who
live_who(const struct live_setting *s)
{
	char by[LIVE_BY_MAX + 1], reason[WIRE_WHY_MAX + 1];
	bool has_reason = strcmp(s->why, "-") != 0;
	struct live_who who;

	if (wire_unescape(s->by, strlen(s->by), by, sizeof by) < 0 ||
	    wire_unescape(s->why, strlen(s->why), reason, sizeof reason) < 0)
		return (struct live_who){"?"};  /* never: both were escaped, or looked at, before */
	snprintf(who.text, sizeof who.text, "%s%s%s", by, has_reason ? ": " : "",
	    has_reason ? reason : "");
	return who;
}

bool
live_add_status(const struct server *server, const char *group, struct output *out)
{
	struct live_view view = live_view(server, group);
	const struct live_setting *s = view.counts;

	return output_printf(out, " live_by=%s live_at=%s live_why=%s live_left=%s paused=%s",
	    s != NULL ? s->by : "-", number_or_dash(s != NULL, s != NULL ? s->at / 1000 : 0).text,
	    s != NULL ? s->why : "-", live_left(s, view.now).text, view.pause != NULL ? "yes" : "no");
}

bool
live_add(const struct server *server, const char *group, struct output *out)
{
	const struct config_group *configured = config_group(server->config, group);
	struct live_view view = live_view(server, group);
	const struct live_setting *s = view.counts;
	char escaped[WIRE_ESCAPED(WIRE_GROUP_MAX)];

	wire_escape(group, strlen(group), true, escaped, sizeof escaped);
	return output_printf(out,
	    "OK group=%s limit=%s limit_left=%s paused=%s pause_left=%s by=%s uid=%s at=%s why=%s"
	    " configured=%s backend=%s\n", escaped,
	    number_or_dash(view.limit != NULL, view.limit != NULL ? view.limit->limit : 0).text,
	    live_left(view.limit, view.now).text, view.pause != NULL ? "yes" : "no",
	    live_left(view.pause, view.now).text, s != NULL ? s->by : "-",
	    number_or_dash(s != NULL, s != NULL ? s->uid : 0).text,
	    number_or_dash(s != NULL, s != NULL ? s->at / 1000 : 0).text, s != NULL ? s->why : "-",
	    number_or_dash(configured != NULL && configured->limit > 0,
	    configured != NULL ? configured->limit : 0).text,
	    server->config->redis.url[0] != '\0' ? "redis" : "memory");
}

/* ------------------------------------------------------------------ setting */

/* As /etc/passwd has it, else the number: another source of names could keep all clients waiting. */
static void
user_name(uint32_t uid, char *name, size_t size)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user = NULL;

	while (file != NULL && (user = fgetpwent(file)) != NULL && user->pw_uid != uid)
		;
	if (user != NULL)
		snprintf(name, size, "%s", user->pw_name);
	else
		snprintf(name, size, "%u", uid);
	if (file != NULL)
		fclose(file);
}

enum live_kind
live_wanted(const struct client *client, const struct wire_request *req,
    struct live_setting *setting, usec *length)
{
	char name[64], by[LIVE_BY_MAX + 1];

	user_name(client->uid, name, sizeof name);
	snprintf(by, sizeof by, "%s@%.63s", name, loop_host(client->server->loop));
	*setting = (struct live_setting){.limit = XCH_NO_LIMIT, .uid = client->uid};
	wire_escape(by, strlen(by), true, setting->by, sizeof setting->by);
	wire_escape(req->why, strlen(req->why), true, setting->why, sizeof setting->why);
	*length = req->for_ms != WIRE_ABSENT ? req->for_ms * 1000 : USEC_NEVER;
	if (req->has_pause) {
		setting->limit = req->pause ? 0 : XCH_NO_LIMIT;
		return LIVE_PAUSE;
	}
	if (req->live_limit != WIRE_NONE)
		setting->limit = req->live_limit;
	return LIVE_LIMIT;
}

/* ------------------------------------------------------------------ what was said */

static bool
add_said(const struct live_said *said, struct output *out)
{
	const struct live_setting *s = &said->setting;
	bool ends = s->until != USEC_NEVER, is_pause = said->kind == LIVE_PAUSE;
	struct word value = number_or_dash(s->limit != XCH_NO_LIMIT, s->limit);

	return output_printf(out, "at=%lld by=%s uid=%u what=%s value=%s for=%s why=%s\n",
	    (long long)(s->at / 1000), s->by, s->uid, is_pause ? "pause" : "limit",
	    !is_pause && s->limit != XCH_NO_LIMIT ? value.text : is_pause && s->limit == 0 ? "on" :
	    is_pause ? "off" : "none",
	    number_or_dash(ends, ends ? (s->until - s->at) / 1000 : 0).text, s->why);
}

static bool
add_history(const struct live_said *said, unsigned n_said, struct output *out)
{
	bool done = output_printf(out, "OK %u\n", n_said);

	for (unsigned i = 0; i < n_said && done; i++)
		done = add_said(&said[i], out);
	return done;
}

void
live_on_done(void *arg, const struct live_done *done)
{
	struct server *server = arg;
	struct output out = {0};
	char line[ANSWER_MAX];

	if (done->is_history ? add_history(done->said, done->n_said, &out) :
	    live_add(server, done->group, &out))
		server_answer(server, done->client, done->request, out.bytes, output_len(&out));
	else
		server_answer(server, done->client, done->request, line,
		    answer_error(WIRE_ERR_NOMEM, line));
	output_clear(&out);
}
