/* Answers: what the arbiter decided -> a line for the client. */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/arbiter.h"
#include "proto/wire.h"

struct reload;

#define ANSWER_MAX 1200         /* any line that is made here, LF included: the longest is a !LOST
				   of 64 slots in a group whose name is escaped */
#define ANSWER_PROTOCOL "1"

/* Each writes one line with its LF, without a tag, into line[ANSWER_MAX]; -> its length. */
size_t answer_to(enum wire_verb verb, bool detail, const struct arb_action *action, char *line);
size_t answer_event(const struct arb_action *action, char *line);       /* ARB_TELL_* */
size_t answer_error(enum wire_code code, char *line);
size_t answer_fault(const struct wire_fault *fault, char *line);
size_t answer_no_group(const char *closest, char *line);        /* closest may be NULL */
size_t answer_grace(nsec left, char *line);
size_t answer_denied(const char *rule, const char *section, uint32_t uid, char *line); /* of a group, or NULL */
size_t answer_unavailable(int64_t retry_ms, const char *reason, const char *text, char *line);
size_t answer_reload(const struct reload *reload, char *line);
size_t answer_drain(bool on, uint32_t held, char *line);
size_t answer_too_many(uint32_t max, char *line);
size_t answer_clients(uint32_t max, const char *why, char *line);
size_t answer_clients_of(uint32_t uid, uint32_t max, char *line);

#endif
