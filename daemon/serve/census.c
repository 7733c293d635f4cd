/* A census: who holds and who waits at this daemon at one moment. */
#include "daemon/serve/census.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/core/arbiter.h"
#include "proto/wire.h"

#define PIECE 64                /* lines of one piece: about half a millisecond, 12 KB */
#define COMMAND_MAX 15          /* bytes of a program's name, as the kernel cuts it */

struct entry {
	size_t group, label;    /* where they are in `texts` */
	bool is_waiter, is_proven;
	uint32_t uid;
	int64_t pid;
	nsec since;
	nsec until;             /* a holder: the end of the lease; a waiter: of the wait */
	uint64_t token;
	uint32_t slot;
	uint32_t n;
	int64_t limit;
};

struct census {
	struct entry *entries;
	size_t n, size;
	size_t n_written;
	struct output texts;    /* each ends with a NUL */
	bool is_failed;         /* no memory */
	nsec now;               /* the moment */

	const struct arb *arb;  /* while it is made */
	const char *glob;
	nsec deadline;          /* of the group that is being walked */
	size_t group;
};

/* ------------------------------------------------------------------ the moment */

static size_t
keep(struct census *census, const char *text)
{
	size_t at = output_len(&census->texts);

	if (!output_add(&census->texts, text, strlen(text) + 1))
		census->is_failed = true;
	return at;
}

static void
add(struct census *census, const struct entry *entry)
{
	if (census->n == census->size) {
		size_t size = census->size > 0 ? census->size * 2 : 64;
		struct entry *entries = realloc(census->entries, size * sizeof *entries);

		if (entries == NULL) {
			census->is_failed = true;
			return;
		}
		census->entries = entries;
		census->size = size;
	}
	census->entries[census->n++] = *entry;
}

static void
add_holder(void *arg, const struct arb_holder *holder)
{
	struct census *census = arg;

	add(census, &(struct entry){.group = census->group, .label = keep(census, holder->label),
	    .is_proven = holder->proven, .uid = holder->uid, .pid = holder->pid,
	    .since = holder->since, .until = census->deadline, .token = holder->token,
	    .slot = holder->slot});
}

static void
add_waiter(void *arg, const struct arb_waiter *waiter)
{
	struct census *census = arg;

	add(census, &(struct entry){.group = census->group, .label = keep(census, waiter->label),
	    .is_waiter = true, .uid = waiter->uid, .pid = waiter->pid, .since = waiter->since,
	    .until = waiter->until, .n = waiter->n, .limit = waiter->limit});
}

static void
add_group(void *arg, const struct arb_group_status *status)
{
	struct census *census = arg;

	if (census->glob[0] != '\0' && fnmatch(census->glob, status->name, FNM_NOESCAPE) != 0)
		return;
	if (status->held + status->open + status->waiting == 0)
		return;
	census->deadline = status->deadline;
	census->group = keep(census, status->name);
	arb_holders(census->arb, status->name, add_holder, census);
	arb_waiters(census->arb, status->name, add_waiter, census);
}

struct census *
census_new(const struct arb *arb, const char *glob)
{
	struct census *census = calloc(1, sizeof *census);

	if (census == NULL)
		return NULL;
	census->now = clock_now();
	census->arb = arb;
	census->glob = glob;
	arb_groups(arb, add_group, census);
	return census;
}

void
census_free(struct census *census)
{
	free(census->entries);
	output_clear(&census->texts);
	free(census);
}

/* ------------------------------------------------------------------ its lines */

/* The name of the program that a process runs, escaped; "-": it has gone, or is not to be seen. */
static void
command_of(int64_t pid, char escaped[WIRE_ESCAPED(COMMAND_MAX)])
{
	char path[32], name[COMMAND_MAX + 1];
	ssize_t len = 0;
	int fd;

	snprintf(path, sizeof path, "/proc/%lld/comm", (long long)pid);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		len = read(fd, name, sizeof name);
		close(fd);
	}
	if (len > 0 && name[len - 1] == '\n')
		len--;
	wire_escape(name, len > 0 ? (size_t)len : 0, true, escaped, WIRE_ESCAPED(COMMAND_MAX));
}

/* "-" where there is no such value */
static const char *
number(char text[24], bool is_known, long long value)
{
	snprintf(text, 24, "%lld", value);
	return is_known ? text : "-";
}

static bool
write_entry(const struct census *census, const struct entry *e, struct output *out)
{
	const char *texts = census->texts.bytes + census->texts.start;
	const char *name = texts + e->group, *own = texts + e->label;
	char group[WIRE_ESCAPED(WIRE_GROUP_MAX)], label[WIRE_ESCAPED(WIRE_LABEL_MAX)];
	char command[WIRE_ESCAPED(COMMAND_MAX)], pid[24], limit[24], left[24], who[512];
	nsec age = census->now - e->since, rest = e->until > census->now ? e->until - census->now : 0;

	wire_escape(name, strlen(name), false, group, sizeof group);
	wire_escape(own, strlen(own), true, label, sizeof label);
	command_of(e->pid, command);
	snprintf(who, sizeof who, "pid=%s uid=%u command=%s label=%s age=%lld",
	    number(pid, e->pid > 0, e->pid), e->uid, command, label,
	    (long long)(age / NSEC_MS));
	if (e->is_waiter)
		return output_printf(out, "w %s %lld n=%u limit=%s %s left=%s\n", group,
		    (long long)(age / 1000), e->n,
		    number(limit, e->limit >= 0, e->limit), who,
		    number(left, e->until != NSEC_NEVER, rest / NSEC_MS));
	return output_printf(out, "h %s %u token=%llu %s lease_left=%s proven=%s\n", group, e->slot,
	    (unsigned long long)e->token, who,
	    number(left, rest > 0 && e->until != NSEC_NEVER, rest / NSEC_MS),
	    e->is_proven ? "yes" : "no");
}

enum gather_piece
census_write(struct census *census, struct output *out)
{
	for (size_t i = 0; i < PIECE && census->n_written < census->n && !census->is_failed; i++)
		census->is_failed = !write_entry(census, &census->entries[census->n_written++], out);
	if (census->is_failed)
		return GATHER_FAILED;
	return census->n_written < census->n ? GATHER_MORE : GATHER_LAST;
}
