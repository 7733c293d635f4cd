/* slotctl run: a command that has a slot while it runs.
 *
 * The command inherits the connection (unless --close), and so do its children: the kernel keeps
 * it, and with it the slot, until the last of them has ended, whatever becomes of this process.
 * PR_SET_PDEATHSIG alone would not do: the kernel closes the files of a dying process before it
 * signals its children, so another's job could begin while this one still runs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "client/slotctl/field.h"
#include "client/slotctl/strict.h"
#include "client/slotctl/watch.h"

#define LABEL_MAX 64            /* bytes */

static int
set_environment(const struct taken *t)
{
	char slots[TAKEN_SLOTS_SIZE], token[24], limit[16];

	taken_slots(t, slots);
	snprintf(token, sizeof token, "%" PRIu64, slot_hold_token(t->hold));
	snprintf(limit, sizeof limit, "%" PRIu32, slot_hold_limit(t->hold));
	return setenv("SLOT_GROUP", slot_hold_group(t->hold), 1) | setenv("SLOT_NUMBER", slots, 1) |
	    setenv("SLOT_TOKEN", token, 1) | setenv("SLOT_LIMIT", limit, 1);
}

static int
say_not_started(const struct child *child, const char *command, int error)
{
	if (!child->failed_exec) {
		ctl_say("cannot start %s: %s", command, strerror(error));
		return CTL_SYSTEM;
	}
	ctl_say("%s: %s", command, strerror(error));
	return error == ENOENT || error == ENOTDIR ? CTL_NOT_FOUND : CTL_CANNOT_RUN;
}

/* After the child's end.  One that exited has finished its work: the slot is given back, even if
 * something that it left behind has the connection.  One that was killed may have left processes
 * that still work: the slot is theirs until they have closed it too.
 * -> false if the slot had been lost meanwhile. */
static bool
settle(struct taken *t, int status)
{
	if (taken_lost(t) != NULL)
		return false;
	return !WIFEXITED(status) || taken_give_back(t);
}

/* The name of the command, without its directory: what a label may not have is "?" there, and what
 * is too long for one is cut off. */
static void
make_label(const char *command, char label[LABEL_MAX + 1])
{
	const char *slash = strrchr(command, '/');
	const char *name = slash != NULL && slash[1] != '\0' ? slash + 1 : command;
	size_t n = 0;
	int length;

	for (; *name != '\0'; name += length > 0 ? length : 1) {
		bool is_good = (length = utf8_length(name)) > 1 ||
		    (length == 1 && (unsigned char)*name >= ' ' && *name != 0x7F);
		size_t add = is_good ? (size_t)length : 1;

		if (n + add > LABEL_MAX)
			break;
		memcpy(label + n, is_good ? name : "?", add);
		n += add;
	}
	label[n] = '\0';
}

int
ctl_run(const struct ctl *given)
{
	char label[LABEL_MAX + 1];
	struct ctl labelled = *given;
	const struct ctl *c = &labelled;
	struct signals signals;
	struct family family;
	struct taken t;
	struct watch w = {.c = c, .taken = &t, .signals = &signals, .family = &family};
	int status, error;

	if (labelled.label == NULL && c->rest[0][0] != '\0') {
		make_label(c->rest[0], label);
		labelled.label = label;
	}
	if (signals_open(&signals) < 0 || watch_open(&w) < 0) {
		ctl_say("%s", strerror(errno));
		return CTL_SYSTEM;
	}
	if (!taken_wait(&t, c, &signals, &status))
		return status;
	w.kill_after_ms = strict_kill_after_ms(c, t.conn);
	family_open(&family);
	if (set_environment(&t) != 0)
		error = ENOMEM, w.child.failed_exec = false;
	else
		error = child_start(&w.child, c->rest, c->close ? -1 : slot_socket_fd(t.conn), &signals);
	if (error != 0) {
		taken_give_back(&t);
		family_close(&family);
		return say_not_started(&w.child, c->rest[0], error);
	}

	watch_run(&w);
	if (!w.is_lost && !settle(&t, w.status)) {
		ctl_say("%s: the slot was lost before the command ended", c->arg);
		w.is_lost = true;
	}
	taken_close(&t);
	family_close(&family);
	if (w.is_lost && !c->warn_on_loss)
		return CTL_LOST;
	return WIFEXITED(w.status) ? WEXITSTATUS(w.status) : CTL_SIGNAL + WTERMSIG(w.status);
}
