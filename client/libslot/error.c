/* What the codes of libslot mean, and what was said about the last error.
 *
 * slotd's own errors come from the one table, proto/errors.def. */
#include <stdlib.h>
#include <string.h>

#include "client/libslot/connection.h"

struct meaning {
	int code;
	const char *word;
	const char *text;
	int again;
};

static const int of_wire[WIRE_NCODES] = {
#define ERR(name, word, todo, text) [WIRE_ERR_##name] = SLOT_E##name,
#include "proto/errors.def"
#undef ERR
};

static const struct meaning own[] = {
	{0, "ok", "no error", 0},
	{SLOT_EINVAL, "inval", "the library was called with an invalid argument", 0},
	{SLOT_EFORK, "fork", "the connection belongs to the process that made it", 0},
	{SLOT_EBUSY, "busy", "not to be called from this callback", 0},
	{SLOT_ENOACCESS, "noaccess", "no permission to connect to slotd's socket", 0},
	{SLOT_ENODAEMON, "nodaemon", "slotd does not listen on its socket", 1},
	{SLOT_ESYSTEM, "system", "a system call failed", 0},
	{SLOT_EUNANSWERED, "unanswered", "slotd did not answer in time", 1},
	{SLOT_EDISCONNECTED, "disconnected", "the connection to slotd has ended", 1},
	{SLOT_EPROTOCOL, "protocol", "what came is not the protocol of slotd", 0},
	{SLOT_EOTHER, "other", "slotd refused, for a reason that this library does not know", 0},
	{SLOT_EUNPROVEN, "unproven", "the hold was not proven any more when it was released", 0},
};

int
code_of_wire(enum wire_code code)
{
	return code < WIRE_NCODES ? of_wire[code] : SLOT_EOTHER;
}

/* -> WIRE_NCODES if it is none of slotd's. */
static enum wire_code
wire_of_code(int code)
{
	for (int i = WIRE_OK + 1; i < WIRE_NCODES; i++)
		if (of_wire[i] == code)
			return (enum wire_code)i;
	return WIRE_NCODES;
}

static const struct meaning *
meaning_find(int code)
{
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if (own[i].code == code)
			return &own[i];
	return NULL;
}

/* In the table of slotd's errors the keys of some stand before the sentence: "max=: slotd has". */
const char *
slot_strerror(int code)
{
	const struct meaning *m = meaning_find(code);
	enum wire_code wire = wire_of_code(code);
	const char *text, *keys;

	if (m != NULL)
		return m->text;
	if (wire == WIRE_NCODES)
		return "no code of libslot";
	text = wire_code_text(wire);
	keys = strstr(text, "=: ");
	return keys != NULL ? keys + strlen("=: ") : text;
}

const char *
slot_error_word(int code)
{
	const struct meaning *m = meaning_find(code);
	enum wire_code wire = wire_of_code(code);

	if (m != NULL)
		return m->word;
	return wire != WIRE_NCODES ? wire_code_word(wire) : "unknown-code";
}

int
slot_error_again(int code)
{
	const struct meaning *m = meaning_find(code);
	enum wire_code wire = wire_of_code(code);

	if (m != NULL)
		return m->again;
	return wire != WIRE_NCODES && strcmp(wire_code_todo(wire), "again") == 0;
}

/* The text begins behind the last of the leading key=value words. */
const char *
slot_error_text(const struct slot_conn *conn)
{
	const char *s;

	if (conn == NULL)
		return slot_strerror(SLOT_EINVAL);
	s = conn->detail;
	for (;;) {
		size_t blanks = strspn(s, " \t");
		size_t word = strcspn(s + blanks, " \t");

		s += blanks;
		if (memchr(s, '=', word) == NULL)
			break;
		s += word;
	}
	return *s != '\0' ? s : slot_strerror(conn->error);
}

int
slot_error_value(const struct slot_conn *conn, const char *key, char *buf, size_t size)
{
	if (conn == NULL || key == NULL || buf == NULL)
		return -1;
	return wire_value(conn->detail, strlen(conn->detail), key, buf, size);
}

int64_t
slot_error_number(const struct slot_conn *conn, const char *key)
{
	return conn != NULL && key != NULL ? answer_number(conn->detail, key) : -1;
}
