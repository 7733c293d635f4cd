/* The page: the board, for people.
 *
 * Its frame and the row of a group are files, in which @name@ stands for what is filled in.  page.js
 * makes the same of status.json: what is changed here is to be changed there. */
#include "daemon/http/html.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/http/assets.h"
#include "daemon/http/board.h"
#include "daemon/http/escape.h"
#include "daemon/loop.h"
#include "daemon/serve/server.h"

struct html {
	const struct board *board;
	const struct board_group *group;        /* of the row that is written */
	struct output *out;
	bool failed;
	uint32_t n_listed;
};

/* What a @name@ stands for: a text for people, which is escaped, or what put() writes. */
struct marker {
	const char *name, *text;
	void (*put)(struct html *html);
};

#define PUT(html, ...) ((html)->failed |= !output_printf((html)->out, __VA_ARGS__))

static void
put(struct html *html, const char *markup, size_t len)
{
	html->failed |= !output_add(html->out, markup, len);
}

static void
put_text(struct html *html, const char *text)
{
	html->failed |= !escape_text(html->out, text);
}

/* Markers end with one that has no name. */
static void
fill(struct html *html, const char *template, const struct marker *markers)
{
	const char *at, *end;
	const struct marker *m;

	while ((at = strchr(template, '@')) != NULL && (end = strchr(at + 1, '@')) != NULL) {
		put(html, template, (size_t)(at - template));
		for (m = markers; m->name != NULL; m++)
			if (strncmp(m->name, at + 1, (size_t)(end - at - 1)) == 0 &&
			    m->name[end - at - 1] == '\0')
				break;
		if (m->put != NULL)
			m->put(html);
		else if (m->text != NULL)
			put_text(html, m->text);
		template = end + 1;
	}
	put(html, template, strlen(template));
}

/* ---------------------------------------------------------------- texts */

struct text {
	char s[64];
};

__attribute__((format(printf, 1, 2))) static struct text
text(const char *fmt, ...)
{
	struct text text;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text.s, sizeof text.s, fmt, args);
	va_end(args);
	return text;
}

/* "850 ms", "3.2 s", "4 min 5 s", "3 h 12 min" or "5 d 3 h" */
static struct text
duration(nsec ns)
{
	long long ms = ns > 0 ? ns / NSEC_MS : 0, s = ms / 1000;

	if (ms < 1000)
		return text("%lld ms", ms);
	if (s < 60)
		return text("%lld.%lld s", s, ms % 1000 / 100);
	if (s < 3600)
		return text("%lld min %lld s", s / 60, s % 60);
	if (s < 24 * 3600)
		return text("%lld h %lld min", s / 3600, s / 60 % 60);
	return text("%lld d %lld h", s / (24 * 3600), s / 3600 % 24);
}

/* Of a bar whose whole is 100; with no limit to hold it against it is empty. */
static struct text
share(uint32_t used, int64_t limit)
{
	if (limit < 0 || used == 0)
		return text("0");
	if (used >= limit)
		return text("100");
	return text("%.1f", 100.0 * used / (double)limit);
}

static struct text
limit_text(int64_t limit)
{
	return limit >= 0 ? text("%" PRId64, limit) : text("–");
}

/* ---------------------------------------------------------------- holders and waiters */

static void
put_who(struct html *html, int64_t pid, uint32_t uid, const char *label, nsec since)
{
	PUT(html, "<td class=\"label\"><bdi>");
	put_text(html, label);
	PUT(html, "</bdi></td><td>%s</td><td>%u</td><td>%s</td>",
	    pid > 0 ? text("%" PRId64, pid).s : "–", uid, duration(html->board->now - since).s);
}

static void
put_holder(void *arg, const struct arb_holder *holder)
{
	struct html *html = arg;

	if (html->n_listed == html->group->n_lines)
		return;
	html->n_listed++;
	PUT(html, "<tr><td>%u</td>", holder->slot);
	put_who(html, holder->pid, holder->uid, holder->label, holder->since);
	PUT(html, "<td>%s</td><td>%" PRIu64 "</td></tr>\n", holder->proven ? "yes" : "no",
	    holder->token);
}

static void
put_waiter(void *arg, const struct arb_waiter *waiter)
{
	struct html *html = arg;

	if (html->n_listed == html->group->n_lines)
		return;
	html->n_listed++;
	PUT(html, "<tr><td>%u</td>", waiter->place);
	put_who(html, waiter->pid, waiter->uid, waiter->label, waiter->since);
	PUT(html, "<td>%u</td><td>%s</td></tr>\n", waiter->n,
	    waiter->until == NSEC_NEVER ? "–" : duration(waiter->until - html->board->now).s);
}

#define WHO_HEADS "<th scope=\"col\">Label</th><th scope=\"col\">Pid</th><th scope=\"col\">Uid</th>"

static void
begin_list(struct html *html, const char *caption, const char *heads)
{
	PUT(html, "<div class=\"list\"><table><caption>%s</caption><thead><tr>%s</tr></thead><tbody>\n",
	    caption, heads);
	html->n_listed = 0;
}

/* A link to all of the group's lists. */
static void
put_link(struct html *html, const char *text)
{
	PUT(html, "<p><a href=\"?group=");
	html->failed |= !escape_url(html->out, html->group->status.name);
	PUT(html, "\">%s</a></p>", text);
}

static void
end_list(struct html *html, uint32_t n)
{
	PUT(html, "</tbody></table>");
	if (n > html->n_listed)
		put_link(html, text("and %u more", n - html->n_listed).s);
	PUT(html, "</div>");
}

static void
put_lists(struct html *html)
{
	const struct arb_group_status *status = &html->group->status;
	const struct arb *arb = loop_arb(html->board->server->loop);
	uint32_t n_holds = status->held + status->open;

	if (n_holds == 0 && status->waiting == 0) {
		PUT(html, "<p>Nobody on this host holds or waits.</p>");
		return;
	}
	if (html->group->n_lines == 0) {
		put_link(html, text("%u hold, %u wait", n_holds, status->waiting).s);
		return;
	}
	if (n_holds > 0) {
		begin_list(html, "Holders", "<th scope=\"col\">Slot</th>" WHO_HEADS
		    "<th scope=\"col\">Held for</th><th scope=\"col\">Proven</th>"
		    "<th scope=\"col\">Token</th>");
		arb_holders(arb, status->name, put_holder, html);
		end_list(html, n_holds);
	}
	if (status->waiting > 0) {
		begin_list(html, "Waiters", "<th scope=\"col\">Place</th>" WHO_HEADS
		    "<th scope=\"col\">Waits for</th><th scope=\"col\">Slots</th>"
		    "<th scope=\"col\">Gives up in</th>");
		arb_waiters(arb, status->name, put_waiter, html);
		end_list(html, status->waiting);
	}
}

/* ---------------------------------------------------------------- groups */

/* The name as it is, for the script. */
static void
put_key(struct html *html)
{
	html->failed |= !escape_attribute(html->out, html->group->status.name);
}

/* "paused by ann@web-3: the database moves, for another 4 min 5 s" */
static void
put_live(struct html *html)
{
	const struct live_view *view = &html->group->live;
	struct board_live live = board_live(view);

	PUT(html, "<span>%s", view->pause != NULL ? "paused" : "limit set");
	if (live.by[0] != '\0') {
		PUT(html, " by ");
		put_text(html, live.by);
	}
	if (live.why[0] != '\0') {
		PUT(html, ": ");
		put_text(html, live.why);
	}
	if (live.left != NSEC_NEVER)
		PUT(html, ", for another %s", duration(live.left).s);
	PUT(html, "</span>");
}

static void
put_notes(struct html *html)
{
	const struct arb_group_status *status = &html->group->status;

	if (html->group->live.counts != NULL)
		put_live(html);
	if (status->unproven > 0)
		PUT(html, "<span>%u unproven</span>", status->unproven);
	if (status->open > 0)
		PUT(html, "<span>%u without a slot</span>", status->open);
	if (status->n_differs > 0)
		PUT(html, "<span>hosts differ</span>");
}

static const char *
class_of(const struct board_group *group)
{
	if (group->limit >= 0 && group->used > group->limit)
		return "over";
	if (group->status.waiting > 0)
		return "waits";
	return group->limit >= 0 && group->used == group->limit ? "full" : "free";
}

static void
put_group(struct html *html, const struct board_group *group)
{
	const struct arb_group_status *status = &group->status;
	struct text used = share(group->used, group->limit), here = share(status->held, group->limit);
	struct text count = text("%u / %s", group->used, limit_text(group->limit).s);
	struct text waiting = text("%u", status->waiting), grants = text("%" PRIu64, group->grants);
	struct text oldest = duration(html->board->now - status->oldest);
	const struct marker markers[] = {
	    {"class", class_of(group), NULL},
	    {"key", NULL, put_key},
	    {"name", status->name, NULL},
	    {"open", html->board->only[0] != '\0' ? " open" : "", NULL},
	    {"notes", NULL, put_notes},
	    {"used", used.s, NULL},
	    {"here", here.s, NULL},
	    {"count", count.s, NULL},
	    {"waiting", waiting.s, NULL},
	    {"oldest", status->waiting > 0 ? oldest.s : "–", NULL},
	    {"grants", group->is_counted ? grants.s : "–", NULL},
	    {"lists", NULL, put_lists},
	    {NULL, NULL, NULL},
	};

	html->group = group;
	fill(html, asset_row_html, markers);
}

static void
put_rows(struct html *html)
{
	for (size_t i = 0; i < html->board->n && !html->failed; i++)
		put_group(html, &html->board->groups[i]);
}

/* An empty row, for the script to make others of. */
static void
put_template(struct html *html)
{
	const struct marker none = {NULL, NULL, NULL};

	fill(html, asset_row_html, &none);
}

/* ---------------------------------------------------------------- the frame */

static void
put_css(struct html *html)
{
	put(html, asset_page_css, strlen(asset_page_css));
}

static void
put_js(struct html *html)
{
	put(html, asset_page_js, strlen(asset_page_js));
}

static void
put_caption(struct html *html)
{
	if (html->board->only[0] == '\0') {
		PUT(html, "Groups");
		return;
	}
	PUT(html, "Group <bdi>");
	put_text(html, html->board->only);
	PUT(html, "</bdi> · <a href=\"?\">all groups</a>");
}

static bool
draw_nonce(struct html_nonce *nonce)
{
	unsigned char bytes[(sizeof nonce->text - 1) / 2];

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return false;
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(nonce->text + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

bool
html_write(const struct board *board, struct output *out, struct html_nonce *nonce)
{
	const struct server *server = board->server;
	struct html html = {.board = board, .out = out};
	struct text holds = text("%u", board->stats.holds), waiters = text("%u", board->stats.waiters);
	struct text clients = text("%u of %u", server->n_clients, server->max_clients);
	struct text grants = text("%" PRIu64, board->stats.grants);
	struct text n_more = text("and %zu more, which are less busy", board->n_more);
	struct text backend = board->is_shared ? text("Redis, %s", board->backend) : text("memory");
	struct text uptime = duration(board->now - server->started);
	const struct marker markers[] = {
	    {"nonce", nonce->text, NULL},
	    {"css", NULL, put_css},
	    {"js", NULL, put_js},
	    {"host", loop_host(server->loop), NULL},
	    {"state", board->is_ready ? "ready" : "unready", NULL},
	    {"why", board->why, NULL},
	    {"backend", backend.s, NULL},
	    {"holds", holds.s, NULL},
	    {"waiters", waiters.s, NULL},
	    {"clients", clients.s, NULL},
	    {"grants", grants.s, NULL},
	    {"uptime", uptime.s, NULL},
	    {"caption", NULL, put_caption},
	    {"rows", NULL, put_rows},
	    {"template", NULL, put_template},
	    {"none", board->n > 0 ? " hidden" : "", NULL},
	    {"more", board->n_more == 0 ? " hidden" : "", NULL},
	    {"n_more", n_more.s, NULL},
	    {"version", SLOTD_VERSION, NULL},
	    {NULL, NULL, NULL},
	};

	if (!draw_nonce(nonce))
		return false;
	fill(&html, asset_page_html, markers);
	return !html.failed;
}
