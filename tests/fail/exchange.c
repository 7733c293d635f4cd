/* Each exchange of a story fails once in turn: it is not heard, or its reply is not, or the backend
 * cannot do it for the moment.  The rules that the fleet watches over hold, and all are served in the
 * end.  Closes with Check's line. */
#include "tests/fuzz/fleet.h"

#define MS NSEC_MS
#define ROUNDS 3        /* each begins with what the one before has left */

enum how { REQUEST_LOST, REPLY_LOST, REFUSED, N_HOWS };

static struct fleet *fleet;
static enum how fail_how;
static unsigned fail_at, n_exchanges;

static void
exchange(unsigned daemon, unsigned link)
{
	bool fails = ++n_exchanges == fail_at;

	if (fails && fail_how == REFUSED) {
		fleet_serve(fleet, daemon, link, "it is of the wrong type");
	} else if (!fails || fail_how == REPLY_LOST) {
		fleet_serve(fleet, daemon, link, NULL);
	}
	if (fails && fail_how != REFUSED) {
		fleet_link(fleet, daemon, link, false);
		fleet_link(fleet, daemon, link, true);
	}
	fleet_deliver(fleet, daemon, link);
}

/* All that is under way arrives, but for the one. */
static void
settle(void)
{
	for (bool any = true; any;) {
		any = false;
		for (unsigned d = 0; d < FLEET_DAEMONS; d++) {
			for (unsigned l = 0; l < FLEET_LINKS; l++) {
				if (fleet->daemons[d].links[l].n_asked > 0) {
					exchange(d, l);
					any = true;
				}
			}
			if (fleet->daemons[d].n_pushes > 0) {
				fleet_push(fleet, d, false, false);
				any = true;
			}
		}
	}
}

static void
acquire(unsigned client, unsigned group, uint32_t n, nsec wait, nsec hold)
{
	fleet_acquire(fleet, client, group, &(struct arb_acquire){.n = n, .limit = 3, .wait = wait,
	    .hold = hold});
	settle();
}

static void
pass(nsec time)
{
	fleet_advance(fleet, time, 0);
	settle();
}

/* Slots go from host to host and from daemon to daemon.  Clients 0 to 3 are at the one host, the
 * others at the other; of each the last is strict. */
static void
story(void)
{
	for (unsigned c = 0; c < FLEET_CLIENTS; c++)
		fleet_open(fleet, c, c / 4, 0, c % 4 == 3);
	acquire(0, 0, 3, NSEC_NEVER, NSEC_NEVER);
	acquire(4, 0, 1, NSEC_NEVER, NSEC_NEVER);
	acquire(7, 0, 2, NSEC_NEVER, NSEC_NEVER);
	acquire(1, 0, 1, 0, NSEC_NEVER);
	fleet_release(fleet, 0, 1);             /* one of its three */
	settle();
	fleet_release(fleet, 0, 2);
	settle();
	acquire(3, 1, 1, NSEC_NEVER, 300 * MS);
	acquire(5, 1, 2, NSEC_NEVER, NSEC_NEVER);
	acquire(6, 1, 1, 5000 * MS, NSEC_NEVER);
	pass(400 * MS);                         /* ends the hold */
	pass(600 * MS);
	acquire(3, 1, 1, NSEC_NEVER, NSEC_NEVER);
	fleet_release_all(fleet, 4);            /* idle at the one host, wanted at the other */
	settle();
	acquire(2, 0, 1, 0, NSEC_NEVER);
	pass(300 * MS);
	fleet_cancel(fleet, 2, 0);
	fleet_restart(fleet, 1, false);
	fleet_open(fleet, 7, 1, 0, true);
	for (unsigned b = 0; b < FLEET_BELIEFS; b++)
		fleet_resume(fleet, 7, b);
	settle();
	pass(2600 * MS);                        /* leases are renewed */
	fleet_close(fleet, 3, true);
	fleet_restart(fleet, 0, true);
	pass(1100 * MS);
}

/* -> the number of exchanges */
static unsigned
play(enum how how, unsigned at)
{
	fleet = malloc(sizeof *fleet);
	MUST(fleet != NULL);
	fail_how = how;
	fail_at = at;
	n_exchanges = 0;
	fleet_init(fleet);
	for (unsigned round = 0; round < ROUNDS; round++)
		story();
	fleet_drain(fleet);
	fleet_fini(fleet);
	free(fleet);
	return n_exchanges;
}

int
main(void)
{
	unsigned n = play(REFUSED, 0), n_played = 0;

	MUST(n > 30);
	for (enum how how = 0; how < N_HOWS; how++)
		for (unsigned at = 1; at <= n; at++, n_played++)
			play(how, at);
	printf("100%%: Checks: %u, Failures: 0, Errors: 0\n", n_played);
	return EXIT_SUCCESS;
}
