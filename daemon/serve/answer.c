/* Answers: what the arbiter decided -> a line for the client. */
#include "daemon/serve/answer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/serve/reload.h"

static const char *const lost_words[] = {
    [ARB_LOST_HOLD] = "hold",
    [ARB_LOST_LEASE] = "lease",
    [ARB_LOST_TAKEN] = "taken",
    [ARB_LOST_EVICT] = "evict",
};

__attribute__((format(printf, 3, 4))) static size_t
add(char *line, size_t len, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line + len, ANSWER_MAX - len, fmt, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < ANSWER_MAX - len);
	return len + (size_t)n;
}

/* ERR code, then key=value words if keys is not empty, then text */
#define ERROR(line, code, keys, text, ...)                                                      \
	add(line, 0, "ERR %s " keys text "\n", wire_code_word(code), __VA_ARGS__)

/* Decimal, without the detour through printf: every grant goes this way. */
static size_t
add_number(char *line, size_t len, uint64_t value)
{
	char digits[20];
	size_t n = sizeof digits;

	do
		digits[--n] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	memcpy(line + len, digits + n, sizeof digits - n);
	return len + sizeof digits - n;
}

/* slot[,slot...] token */
static size_t
add_slots(char *line, size_t len, const struct arb_action *action)
{
	uint32_t i;

	assert(action->n_slots <= WIRE_N_MAX);
	for (i = 0; i < action->n_slots; i++) {
		if (i > 0)
			line[len++] = ',';
		len = add_number(line, len, action->slots[i]);
	}
	line[len++] = ' ';
	return add_number(line, len, action->token);
}

static size_t
answer_ok(enum wire_verb verb, bool detail, const struct arb_action *action, char *line)
{
	size_t len = 2;

	memcpy(line, "OK", 2);
	if (verb == WIRE_ACQUIRE || verb == WIRE_RESUME) {
		line[len++] = ' ';
		len = add_slots(line, len, action);
		if (action->slots[0] == 0)
			len = add(line, len, " unproven=yes");
		else if (detail)
			len = add(line, len, " limit=%u", action->limit);
		if (action->cell != ARB_NO_CELL)
			len = add(line, len, " cell=%u", action->cell);
	} else if (verb == WIRE_RELEASE && action->group == NULL) {
		len = add(line, len, " holds=%u waits=%u", action->n, action->m);
	}
	line[len++] = '\n';
	return len;
}

size_t
answer_to(enum wire_verb verb, bool detail, const struct arb_action *action, char *line)
{
	enum wire_code code = action->code;
	char text[512];

	switch (code) {
	case WIRE_OK:
		return answer_ok(verb, detail, action, line);
	case WIRE_ERR_FULL:
		return ERROR(line, code, "limit=%u ", "all %u slots are taken", action->limit,
		    action->limit);
	case WIRE_ERR_TIMEOUT:
		return ERROR(line, code, "limit=%u waited=%lld ", "no slot was free in time",
		    action->limit, (long long)(action->waited / NSEC_MS));
	case WIRE_ERR_TOOBIG:
		return ERROR(line, code, "limit=%u n=%u ", "that many are never free at once",
		    action->limit, action->n);
	case WIRE_ERR_QUEUEFULL:
		return ERROR(line, code, "waiting=%u max=%u ", "too many wait for it already",
		    action->n, action->m);
	case WIRE_ERR_GROUPS:
		return ERROR(line, code, "max=%u ", "slotd knows as many groups as it may", action->m);
	case WIRE_ERR_HOLDS:
		if (action->is_of_user)
			return ERROR(line, code, "max=%u uid=%u ",
			    "this user holds or waits for as many slots as it may", action->m,
			    action->uid);
		return ERROR(line, code, "max=%u ", "the connection holds as many slots as it may",
		    action->m);
	case WIRE_ERR_LOST:
		if (verb == WIRE_RESUME)
			return ERROR(line, code, "", "slot %u: it ended before, or is not yours",
			    action->slot);
		return ERROR(line, code, "",
		    "slot %u: the hold ended before, or the token is not its; nothing was freed",
		    action->slot);
	case WIRE_ERR_NOTHOLD:
		return ERROR(line, code, "", "this connection does not hold slot %u",
		    action->slot);
	case WIRE_ERR_UNAVAILABLE:
		return ERROR(line, code, "retry=%lld reason=%s ", "%s",
		    (long long)(action->retry / NSEC_MS), action->why, action->text);
	case WIRE_ERR_BACKEND:
		log_clean(action->text, text, sizeof text);
		return ERROR(line, code, "", "%s", text);
	default:
		return answer_error(code, line);
	}
}

size_t
answer_event(const struct arb_action *action, char *line)
{
	const char *name = action->type == ARB_TELL_LOST ? "LOST" :
	    action->type == ARB_TELL_UNPROVEN ? "UNPROVEN" : "KEPT";
	char group[WIRE_ESCAPED(WIRE_GROUP_MAX)];
	size_t len;

	wire_escape(action->group, strlen(action->group), false, group, sizeof group);
	len = add(line, 0, "!%s %s ", name, group);
	len = add_slots(line, len, action);
	if (action->type == ARB_TELL_LOST)
		len = add(line, len, " %s", lost_words[action->reason]);
	return add(line, len, "\n");
}

size_t
answer_error(enum wire_code code, char *line)
{
	return ERROR(line, code, "", "%s", wire_code_text(code));
}

size_t
answer_fault(const struct wire_fault *fault, char *line)
{
	if (fault->key[0] == '\0')
		return ERROR(line, fault->code, "", "%s", fault->what);
	return ERROR(line, fault->code, "key=%s ", "%s", fault->key, fault->what);
}

size_t
answer_no_group(const char *closest, char *line)
{
	char name[WIRE_ESCAPED(WIRE_GROUP_MAX)];

	if (closest == NULL)
		return ERROR(line, WIRE_ERR_NOGROUP, "", "%s", "the group is not configured");
	wire_escape(closest, strlen(closest), true, name, sizeof name);
	return ERROR(line, WIRE_ERR_NOGROUP, "closest=%s ", "the group is not configured", name);
}

size_t
answer_grace(nsec left, char *line)
{
	return add(line, 0, "OK grace_left=%lld\n", (long long)(left / NSEC_MS));
}

size_t
answer_denied(const char *rule, const char *section, uint32_t uid, char *line)
{
	bool is_admin = strcmp(rule, "admin") == 0;
	char name[WIRE_ESCAPED(WIRE_GROUP_MAX)];

	if (section == NULL)
		return ERROR(line, WIRE_ERR_DENIED, "rule=%s ", "uid %u is no admin of this slotd",
		    rule, uid);
	wire_escape(section, strlen(section), false, name, sizeof name);
	return ERROR(line, WIRE_ERR_DENIED, "rule=%s ", "uid %u is not among %s of [group %s]", rule,
	    uid, is_admin ? "the admins" : "the users", name);
}

size_t
answer_unavailable(int64_t retry_ms, const char *reason, const char *text, char *line)
{
	return ERROR(line, WIRE_ERR_UNAVAILABLE, "retry=%lld reason=%s ", "%s", (long long)retry_ms,
	    reason, text);
}

size_t
answer_reload(const struct reload *reload, char *line)
{
	if (reload->n_wrong > 0)
		return ERROR(line, WIRE_ERR_CONFIG, "wrong=%u ", "%s", reload->n_wrong, reload->wrong);
	return add(line, 0, "OK groups=%u changed=%u restart=%s overridden=%u live=%s\n",
	    reload->n_groups, reload->n_changed,
	    reload->restart[0] != '\0' ? reload->restart : "-", reload->n_live,
	    reload->live[0] != '\0' ? reload->live : "-");
}

size_t
answer_drain(bool on, uint32_t held, char *line)
{
	return add(line, 0, "OK draining=%s held=%u\n", on ? "yes" : "no", held);
}

size_t
answer_too_many(uint32_t max, char *line)
{
	return ERROR(line, WIRE_ERR_TOOMANY, "max=%u ", "too many requests are not answered yet",
	    max);
}

size_t
answer_clients(uint32_t max, const char *why, char *line)
{
	return ERROR(line, WIRE_ERR_CLIENTS, "max=%u ", "%s", max, why);
}

size_t
answer_clients_of(uint32_t uid, uint32_t max, char *line)
{
	return ERROR(line, WIRE_ERR_CLIENTS, "max=%u uid=%u ",
	    "this user has as many connections as it may", max, uid);
}
