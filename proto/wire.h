/* The line protocol: a line <-> a struct.
 *
 * Pure: no I/O, no allocation, no globals; shared by the daemon, libslot and the fuzzer.
 * PROTOCOL.txt is the contract that this file speaks. */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_PROTOCOL  1
#define WIRE_LINE_MAX  1024     /* bytes of a line, its line end included */
#define WIRE_GROUP_MAX 128      /* bytes of a group's name, decoded */
#define WIRE_LABEL_MAX 64       /* bytes of a label, decoded */
#define WIRE_WHY_MAX   100      /* of a reason, decoded */
#define WIRE_TAG_MAX   32
#define WIRE_N_MAX     64       /* slots at once */
#define WIRE_LIMIT_MAX 1000000  /* of slot numbers too */
#define WIRE_TOKEN_MAX INT64_MAX
#define WIRE_TIME_MAX  (366LL * 24 * 3600 * 1000) /* ms */
#define WIRE_ESCAPED(n) (3 * (n) + 1) /* room for n bytes escaped, and a NUL */

#define WIRE_ABSENT  (-1)       /* a time that was not given */
#define WIRE_FOREVER (-2)       /* wait=forever */
#define WIRE_NONE    (-3)       /* LIVE limit=none */

enum wire_verb {
	WIRE_HELLO, WIRE_ACQUIRE, WIRE_RELEASE, WIRE_CANCEL, WIRE_RESUME, WIRE_LIST, WIRE_STATUS,
	WIRE_HOLDERS, WIRE_WAITERS, WIRE_STATS, WIRE_METRICS, WIRE_PS, WIRE_EVICT, WIRE_AUDIT,
	WIRE_GRACE, WIRE_WHY, WIRE_RELOAD, WIRE_DRAIN, WIRE_LIVE, WIRE_HISTORY, WIRE_PING, WIRE_VERSION,
	WIRE_HELP, WIRE_QUIT, WIRE_NVERBS
};

enum wire_code {
	WIRE_OK,
#define ERR(name, word, todo, text) WIRE_ERR_##name,
#include "errors.def"
#undef ERR
	WIRE_NCODES
};

/* What a request line says.  Strings are decoded and end with a NUL; "" means not given. */
struct wire_request {
	enum wire_verb verb;
	bool all;                       /* RELEASE * */
	bool end;                       /* GRACE end */
	bool fix;                       /* AUDIT fix */
	bool has_drain, drain;          /* DRAIN on, DRAIN off */
	bool has_events, events;        /* HELLO events= */
	bool has_detail, detail;        /* HELLO detail= */
	bool has_page, page;            /* HELLO page= */
	bool has_pause, pause;          /* LIVE pause= */
	uint32_t limit;                 /* 0: not given */
	int64_t live_limit;             /* LIVE limit=: or WIRE_ABSENT, WIRE_NONE */
	uint32_t n;                     /* 1 unless given */
	int64_t wait_ms;                /* or WIRE_ABSENT, WIRE_FOREVER */
	int64_t hold_ms;                /* or WIRE_ABSENT */
	int64_t for_ms;                 /* LIVE for=, or WIRE_ABSENT */
	uint64_t token;                 /* 0: not given */
	uint32_t n_slots;
	uint32_t slots[WIRE_N_MAX];     /* RELEASE, RESUME: distinct, in the order given; or 0 alone;
					   EVICT: one, not 0 */
	char tag[WIRE_TAG_MAX + 1];     /* without the # */
	char cancel[WIRE_TAG_MAX + 1];  /* CANCEL: the other tag, without the # */
	char label[WIRE_LABEL_MAX + 1];
	char why[WIRE_WHY_MAX + 1];     /* LIVE why= */
	char group[WIRE_GROUP_MAX + 1]; /* LIST, PS: the glob */
};

/* Why a line is no request: what goes behind ERR.  `key` is "" or the key at fault (cut to
 * what is printable), `what` a static text for people. */
struct wire_fault {
	enum wire_code code;
	const char *what;
	char key[33];
};

/* Parses one line without its LF (a CR at its end is dropped).  0, or -1 with *fault filled in;
 * req->tag is set in both cases if the tag itself was well formed, so that the error can carry
 * it.  The line must not be empty or all blanks: see wire_is_blank(). */
int wire_parse(const char *line, size_t len, struct wire_request *req, struct wire_fault *fault);

/* True if a line has no word at all: such lines are ignored. */
bool wire_is_blank(const char *line, size_t len);

/* Writes the canonical line of a request, LF and a NUL included, into buf.  -> its length without
 * the NUL, or -1 if it does not fit.  WIRE_LINE_MAX + 1 is enough for whatever wire_parse accepts,
 * but for a RESUME of dozens of slots with a long group and label, escaped: it is to go without the
 * label then.  wire_parse of the result gives the same struct again. */
int wire_format(const struct wire_request *req, char *buf, size_t size);

/* An answer or event, as a client reads it.  Offsets are into the line that was parsed. */
enum wire_kind { WIRE_KIND_OK, WIRE_KIND_ERR, WIRE_KIND_EVENT };

struct wire_answer {
	enum wire_kind kind;
	char tag[WIRE_TAG_MAX + 1];     /* "" if none */
	enum wire_code code;            /* WIRE_KIND_ERR; WIRE_NCODES: a code that we do not know */
	const char *rest;               /* behind OK, behind ERR code, or the event's name; no blanks before it */
	size_t rest_len;
};

/* Parses one line (without LF) of what slotd sends; lines of a list reply have no such form and
 * are the caller's to count.  0, or -1: it is none. */
int wire_parse_answer(const char *line, size_t len, struct wire_answer *answer);

/* "1,2,3 TOKEN ..." as behind the OK of an ACQUIRE or RESUME.  -> number of slots, or -1. */
int wire_parse_grant(const char *rest, size_t len, uint32_t slots[WIRE_N_MAX], uint64_t *token);

/* Finds key=value among the words of text; copies the value, decoded, with a NUL.  -> its length,
 * or -1 if there is none or it does not fit. */
int wire_value(const char *text, size_t len, const char *key, char *buf, size_t size);

/* The next word of text from *pos on: sets *word and moves *pos behind it.  -> its length; 0: no
 * word is left. */
size_t wire_word(const char *text, size_t len, size_t *pos, const char **word);

/* Decimal digits only, no sign, at most max.  0, or -1. */
int wire_parse_number(const char *s, size_t len, uint64_t max, uint64_t *value);

/* TIME of the protocol: ms, or with a unit (ms s m h).  0, or -1.  *has_unit may be NULL. */
int wire_parse_time(const char *s, size_t len, int64_t *ms, bool *has_unit);

/* A tag without its #.  0, or -1. */
int wire_parse_tag(const char *s, size_t len, char tag[WIRE_TAG_MAX + 1]);

/* "1,2,3": 1 to WIRE_N_MAX different slots; or "0", that of a hold without one.  -> how many, or -1. */
int wire_parse_slots(const char *s, size_t len, uint32_t slots[WIRE_N_MAX]);

/* %XX for all that is not printable ASCII, and for % itself.  Writes a NUL; -> length, or -1 if it
 * does not fit.  An empty string becomes "-", and "-" itself "%2D", if dash is set. */
int wire_escape(const char *s, size_t len, bool dash, char *buf, size_t size);

/* The reverse.  -> length, or -1: a malformed %XX, or -2: it does not fit.  Writes a NUL. */
int wire_unescape(const char *s, size_t len, char *buf, size_t size);

/* Decoded names: 1 to max bytes of valid UTF-8 without control characters (and blanks, unless
 * allowed). */
bool wire_name_ok(const char *s, size_t len, size_t max, bool blanks);

const char *wire_verb_word(enum wire_verb verb);
const char *wire_code_word(enum wire_code code);      /* "full" */
const char *wire_code_text(enum wire_code code);      /* its sentence in errors.def */
const char *wire_code_todo(enum wire_code code);      /* "again", "never", "bug", "told" */
const char *const *wire_help(void);                   /* one line a request; ends with NULL */

#endif
