/* The first words on a connection: HELLO, and what slotd has to say of itself, such as its page. */
#include <string.h>
#include <unistd.h>

#include "client/libslot/connection.h"

/* wants_page: as slotd is asked at first.  If that does not work out it must know: who does not
 * read the page has to be told when his lease ends. */
static int
say_hello(struct slot_conn *conn, bool has_page, bool wants_page)
{
	struct slot_request *hello;
	struct wire_request wire;
	int code;

	request_init(&wire, WIRE_HELLO);
	strcpy(wire.label, conn->label);
	wire.has_events = wire.events = true;
	wire.has_detail = wire.detail = true;
	wire.has_page = has_page;
	wire.page = wants_page;
	conn->greet_asked = now_ns();
	code = request_start(conn, &wire, NEVER, &hello);
	if (code == 0)
		request_over(hello);    /* its answer comes to greet_ok() or greet_refused() */
	return code;
}

int
greet_begin(struct slot_conn *conn)
{
	return say_hello(conn, true, true);
}

/* The page of this slotd, if its OK speaks of one that can be believed.  Its clock must be ours: in
 * another time namespace the deadlines mean nothing. */
static struct page *
take_page(struct slot_conn *conn, const char *rest)
{
	int64_t lease = answer_number(rest, "lease"), margin = answer_number(rest, "margin");
	int64_t left = answer_number(rest, "left"), theirs = answer_number(rest, "now");
	struct page *page;

	if (conn->passed < 0 || lease < 1 || margin < 0 || left < 0 || theirs < conn->greet_asked ||
	    theirs > now_ns())
		return NULL;
	page = page_open(conn->passed);
	conn->passed = -1;
	if (page != NULL) {
		conn->lease_ms = lease;
		conn->margin_ms = margin;
		conn->left_ms = left;
		page_add(&conn->pages, page);
	}
	return page;
}

void
greet_ok(struct slot_conn *conn, const char *rest)
{
	char protocol[8];

	if (conn->is_greeted)           /* the answer to page=off */
		return;
	if (wire_value(rest, strlen(rest), "protocol", protocol, sizeof protocol) <= 0 ||
	    strcmp(protocol, "1") != 0) {
		conn_end(conn, SLOT_EPROTOCOL, NULL);
		return;
	}
	if (conn->page != NULL)
		page_unuse(conn->page);
	conn->lease_ms = conn->margin_ms = conn->left_ms = 0;
	conn->page = take_page(conn, rest);
	if (conn->passed >= 0)
		close(conn->passed);
	conn->passed = -1;
	if (conn->page == NULL && answer_number(rest, "lease") >= 0 && say_hello(conn, true, false) != 0) {
		conn_break(conn, SLOT_ENOMEM, NULL);
		return;
	}
	conn->is_greeted = conn->was_greeted = true;
	conn->pause_ms = PAUSE_FIRST_MS;
	conn_say_all(conn);
}

/* An older slotd does not know page=. */
void
greet_refused(struct slot_conn *conn, int code, const char *detail)
{
	char key[8];

	if (code == SLOT_EBADKEY && wire_value(detail, strlen(detail), "key", key, sizeof key) > 0 &&
	    strcmp(key, "page") == 0) {
		code = say_hello(conn, false, false);
		detail = NULL;
	}
	if (slot_error_again(code))
		conn_break(conn, code, detail);
	else if (code != 0)
		conn_end(conn, code, detail);
}
