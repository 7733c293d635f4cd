/* Requests of an exchange, and what else the scripts are asked, as commands of Redis. */
#include "daemon/redis/exchange.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FORMAT EXCHANGE_FORMAT

static const char *const key_names[] = {"records", "leases", "lengths", "limits",
    "unaware", "recalls", "owners", "slots", "free", "queue", "wants", "nows", "inbox"};

#define N_KEYS (sizeof key_names / sizeof key_names[0])

static void
add_borrowed(struct exchange_command *cmd, const char *arg, size_t len)
{
	if ((size_t)cmd->argc == cmd->cap) {
		cmd->cap = cmd->cap ? cmd->cap * 2 : 64;
		cmd->argv = alloc_resize(cmd->argv, cmd->cap * sizeof *cmd->argv);
		cmd->lens = alloc_resize(cmd->lens, cmd->cap * sizeof *cmd->lens);
	}
	cmd->argv[cmd->argc] = arg;
	cmd->lens[cmd->argc++] = len;
}

static void
add(struct exchange_command *cmd, const char *arg)
{
	size_t len = strlen(arg);
	char *copy = arena_take(&cmd->text, len + 1);

	add_borrowed(cmd, memcpy(copy, arg, len + 1), len);
}

static void
add_number(struct exchange_command *cmd, int64_t n)
{
	exchange_add(cmd, "%" PRId64, n);
}

static void
add_id(struct exchange_command *cmd, uint64_t id)
{
	exchange_add(cmd, "%016" PRIx64, id);
}

static void
add_daemon(struct exchange_command *cmd, const struct xch_daemon *d)
{
	exchange_add(cmd, "%016" PRIx64 ".%016" PRIx64 ".%016" PRIx64, d->install, d->generation,
	    d->nonce);
}

static void
begin(struct exchange_command *cmd, const char *sha, int n_keys)
{
	arena_reset(&cmd->text);
	cmd->argc = 0;
	add_borrowed(cmd, "EVALSHA", strlen("EVALSHA"));
	add_borrowed(cmd, sha, strlen(sha));
	add_number(cmd, n_keys);
}

/* ---- commands that are no exchanges */

void
exchange_begin(struct exchange_command *cmd, const char *word)
{
	arena_reset(&cmd->text);
	cmd->argc = 0;
	add(cmd, word);
}

void
exchange_add_whole(struct exchange_command *cmd, const char *arg)
{
	add_borrowed(cmd, arg, strlen(arg));
}

void
exchange_add(struct exchange_command *cmd, const char *format, ...)
{
	char buf[1024];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(buf, sizeof buf, format, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof buf)
		abort();
	add(cmd, buf);
}

/* ---- exchanges */

/* The first two are of no group; a group's name may hold colons, the last part of a key does not. */
static void
add_key(struct exchange_command *cmd, const char *prefix, unsigned shard, const char *group,
    const char *name)
{
	exchange_add(cmd, "%s" FORMAT ":{s%02u}:%s%s%s", prefix, shard, group, *group ? ":" : "", name);
}

void
exchange_encode_touch(struct exchange_command *cmd, const char *sha, const char *prefix,
    unsigned shard, const struct xch_daemon *self, uint64_t era, usec grace, bool end)
{
	begin(cmd, sha, 1);
	add_key(cmd, prefix, shard, "", "marker");
	add_daemon(cmd, self);
	add_id(cmd, era);
	add_number(cmd, grace);
	if (end)
		add(cmd, "end");
}

static void
add_channels(struct exchange_command *cmd, const char *prefix)
{
	exchange_add(cmd, "%s" FORMAT ":d:", prefix);
}

/* ------------------------------------------------------------------ binary arguments */

/* Items as the script unpacks them: big-endian, one behind the other.  Whoever begins an argument
 * says how long it becomes. */
struct packer {
	unsigned char *at;
};

static struct packer
add_packed(struct exchange_command *cmd, size_t size)
{
	char *text = arena_take(&cmd->text, size + 1);

	text[size] = '\0';
	add_borrowed(cmd, text, size);
	return (struct packer){(unsigned char *)text};
}

static void
pack(struct packer *p, uint64_t n, int bytes)
{
	while (bytes > 0)
		*p->at++ = (unsigned char)(n >> 8 * --bytes);
}

static void
pack_id(struct packer *p, uint64_t id)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*p->at++ = (unsigned char)"0123456789abcdef"[id >> shift & 15];
}

static void
add_head(struct exchange_command *cmd, const struct xch_request *q)
{
	struct packer p = add_packed(cmd, 6 * 8 + 16 + 3);

	pack(&p, q->seq, 8);
	pack(&p, q->incarnation, 8);
	pack(&p, (uint64_t)q->lease, 8);
	pack(&p, (uint64_t)q->grace, 8);
	pack(&p, q->high, 8);
	pack(&p, (uint64_t)q->limit, 8);
	pack_id(&p, q->era);
	pack(&p, q->full, 1);
	pack(&p, q->lapsed, 1);
	pack(&p, q->keep, 1);
}

static void
add_slots(struct exchange_command *cmd, const struct xch_slot *v, uint32_t n)
{
	struct packer p = add_packed(cmd, n * (size_t)(4 + 8));

	for (; n > 0; n--, v++) {
		pack(&p, v->slot, 4);
		pack(&p, v->number, 8);
	}
}

static void
add_ids(struct exchange_command *cmd, const uint64_t *v, uint32_t n)
{
	struct packer p = add_packed(cmd, n * (size_t)16);

	for (; n > 0; n--, v++)
		pack_id(&p, *v);
}

static void
add_wants(struct exchange_command *cmd, const struct xch_want *v, uint32_t n)
{
	struct packer p = add_packed(cmd, n * (size_t)(16 + 1 + 1 + 8 + 8));

	for (; n > 0; n--, v++) {
		pack_id(&p, v->id);
		pack(&p, v->n, 1);
		pack(&p, v->now, 1);
		pack(&p, (uint64_t)v->limit, 8);
		pack(&p, (uint64_t)v->age, 8);
	}
}

static void
add_adopts(struct exchange_command *cmd, const struct xch_adopt *v, uint32_t n)
{
	size_t size = 0;
	struct packer p;

	for (uint32_t i = 0; i < n; i++)
		size += 16 + 8 + 8 + 1 + v[i].n * (size_t)4;
	p = add_packed(cmd, size);
	for (; n > 0; n--, v++) {
		pack_id(&p, v->id);
		pack(&p, v->number, 8);
		pack(&p, (uint64_t)v->limit, 8);
		pack(&p, v->n, 1);
		for (uint32_t i = 0; i < v->n; i++)
			pack(&p, v->slots[i], 4);
	}
}

void
exchange_encode(
    struct exchange_command *cmd, const char *sha, const char *prefix, const struct xch_request *q)
{
	unsigned shard = exchange_shard(q->group);

	begin(cmd, sha, N_KEYS + 2);
	add_key(cmd, prefix, shard, "", "marker");
	add_key(cmd, prefix, shard, "", "live");
	for (size_t i = 0; i < N_KEYS; i++)
		add_key(cmd, prefix, shard, q->group, key_names[i]);
	add_daemon(cmd, &q->from);
	add_head(cmd, q);
	add(cmd, q->host);
	add_channels(cmd, prefix);
	add(cmd, q->group);
	if (q->full)
		add_slots(cmd, q->claim, q->n_claim);
	else
		add_slots(cmd, q->release, q->n_release);
	add_ids(cmd, q->cancel, q->n_cancel);
	add_wants(cmd, q->want, q->n_want);
	add_adopts(cmd, q->adopt, q->n_adopt);
}

void
exchange_encode_survey(struct exchange_command *cmd, const char *sha, const char *prefix,
    const char *group, bool is_check, const char *from, const char *but, size_t size, size_t n)
{
	static const char *const names[] = {
	    "records", "leases", "owners", "slots", "queue", "wants", "nows", "inbox"};
	unsigned shard = exchange_shard(group);

	begin(cmd, sha, sizeof names / sizeof names[0]);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		add_key(cmd, prefix, shard, group, names[i]);
	add(cmd, is_check ? "check" : "list");
	add(cmd, from);
	for (; n > 0; n--, but += size)
		add(cmd, but);
}

void
exchange_command_fini(struct exchange_command *cmd)
{
	free(cmd->argv);
	free(cmd->lens);
	arena_fini(&cmd->text);
	*cmd = (struct exchange_command){0};
}
