/* Fuzzes the arbiter and the backend in memory: each few bytes are something that happens to a
 * fleet of two daemons.  What must not happen is said in fleet.h, and by arb_check(). */
#include "tests/fuzz/fleet.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MS NSEC_MS
#define OPS_MAX 400

/* The input, and behind its end zeros. */
struct input {
	const uint8_t *data;
	size_t size;
};

static unsigned
take(struct input *in, unsigned below)
{
	unsigned byte = 0;

	if (in->size > 0) {
		byte = *in->data++;
		in->size--;
	}
	return byte % below;
}

static void
acquire(struct fleet *f, struct input *in)
{
	static const nsec waits[] = {NSEC_NEVER, 0, 5000 * MS, 20 * MS};
	static const nsec holds[] = {NSEC_NEVER, NSEC_NEVER, NSEC_NEVER, 300 * MS};
	unsigned client = take(in, FLEET_CLIENTS), how = take(in, 256), which = take(in, 256);
	struct arb_acquire a = {
	    .n = (which >> 2 & 3) == 3 ? 2 + (which >> 4 & 1) : 1,
	    .limit = (which & 3) == 3 && (how & 64) != 0 ? XCH_NO_LIMIT : (int64_t)(which & 3) + 1,
	    .wait = waits[how & 3],
	    .hold = holds[how >> 2 & 3],
	    .max_waiters = (how & 128) != 0 ? 2 : 0,
	    .max_holds = (how & 128) != 0 ? 3 : 0,
	    .drop_on_lapse = (how & 32) != 0,
	};

	fleet_acquire(f, client, how >> 4 & 1, &a);
}

static void
advance(struct fleet *f, struct input *in)
{
	static const nsec steps[] = {1 * MS, 30 * MS, 260 * MS, 1100 * MS, 2100 * MS, 2600 * MS,
	    9600 * MS, 10100 * MS};
	unsigned how = take(in, 256), asleep = how >> 6;

	fleet_advance(f, steps[how & 7], asleep == 3 ? 0 : asleep);
}

/* Where daemon, link and two bits more are named by one byte. */
static void
network(struct fleet *f, struct input *in)
{
	unsigned how = take(in, 256), daemon = how & 1, link = how >> 1 & 1, what = how >> 2 & 7;
	bool flag = (how >> 5 & 1) != 0;

	switch (what) {
	case 0:
		fleet_serve(f, daemon, link, flag && how >> 6 == 3 ? "it is of the wrong type" : NULL);
		break;
	case 1:
		fleet_deliver(f, daemon, link);
		break;
	case 2:
		fleet_serve(f, daemon, link, NULL);
		fleet_deliver(f, daemon, link);
		break;
	case 3:
		fleet_push(f, daemon, flag, (how >> 6 & 1) != 0);
		break;
	case 4:
		fleet_link(f, daemon, link, flag);
		break;
	case 5:
		fleet_sub(f, daemon, flag);
		break;
	case 6:
		fleet_stray(f, how >> 5);
		break;
	default:
		fleet_settle(f);
	}
}

static void
fault(struct fleet *f, struct input *in)
{
	unsigned how = take(in, 256);

	switch (how & 7) {
	case 0:
	case 1:
		fleet_restart(f, how & 1, (how & 8) != 0);
		break;
	case 2:
		fleet_wipe(f);
		break;
	case 3:
		fleet_copy(f);
		break;
	case 4:
		fleet_fail_over(f, (how & 8) != 0);
		break;
	case 5:
		if ((how & 16) == 0 && how >> 5 != 0) { /* else the limit is taken away, as below */
			fleet_evict(f, how >> 3 & 1, how >> 6 & 1, 1 + (how >> 5 & 1));
			break;
		}
		/* fallthrough */
	default:
		fleet_live_limit(f, how >> 3 & 1, (how & 16) != 0 ? 1 + (int64_t)(how >> 5 & 3) : XCH_NO_LIMIT);
	}
}

static void
happen(struct fleet *f, struct input *in)
{
	unsigned client, which;

	switch (take(in, 15)) {
	case 0:
	case 1:
		acquire(f, in);
		break;
	case 2:
		advance(f, in);
		break;
	case 3:
	case 4:
		network(f, in);
		break;
	case 5:
		which = take(in, FLEET_BELIEFS);
		fleet_release(f, which, 1 + take(in, 4));
		break;
	case 6:
		client = take(in, FLEET_CLIENTS);
		fleet_resume(f, client, take(in, FLEET_BELIEFS));
		break;
	case 7:
		client = take(in, FLEET_CLIENTS);
		fleet_close(f, client, take(in, 2) != 0);
		break;
	case 8:
		which = take(in, 256);
		fleet_open(f, which & 7, which >> 3 & 1, which >> 4 & 1, (which >> 5 & 1) != 0);
		break;
	case 9:
		fault(f, in);
		break;
	case 10:
		client = take(in, FLEET_CLIENTS);
		which = take(in, 10);
		fleet_release_any(f, client, which & 1, 1 + (which >> 1), take(in, 3));
		break;
	case 11:
		fleet_release_all(f, take(in, FLEET_CLIENTS));
		break;
	case 12:
		client = take(in, FLEET_CLIENTS);
		fleet_cancel(f, client, take(in, FLEET_ASKS));
		break;
	case 13:
		client = take(in, FLEET_CLIENTS);
		fleet_turn_strict(f, client, take(in, 2) != 0);
		break;
	default:
		fleet_settle(f);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct fleet *f = malloc(sizeof *f);

	MUST(f != NULL);
	fleet_init(f);
	for (unsigned c = 0; c < FLEET_CLIENTS; c++)    /* so that the first bytes do something */
		fleet_open(f, c, c & 1, 0, c >= FLEET_CLIENTS / 2);
	for (unsigned n = 0; n < OPS_MAX && in.size > 0; n++)
		happen(f, &in);
	fleet_drain(f);
	fleet_fini(f);
	free(f);
	return 0;
}
