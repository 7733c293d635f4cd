/* Sixteen waiters for one slot, each of whom works for a millisecond: is the order kept, and does
 * everybody get the same? */
#include <poll.h>
#include <string.h>

#include "tests/bench/bench.h"

#define WAITERS 16
#define GRANTS 1600
#define WORK_US 1000

void
bench_order(void)
{
	static struct peer peers[WAITERS];
	struct pollfd fds[WAITERS];
	unsigned line[WAITERS], got[WAITERS] = {0}, inversions = 0;
	double sum = 0, squares = 0;
	struct slotd slotd;

	slotd_start(&slotd, "");
	for (unsigned i = 0; i < WAITERS; i++) {
		peer_open(&peers[i], slotd.socket);
		fds[i] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
		peer_send(&peers[i], "ACQUIRE order limit=1 wait=forever\n");
		peer_ask(&peers[i], "#p PING\n", i == 0 ? "OK 1 " : "#p OK pong");
		line[i] = i;
	}
	peer_ask(&peers[0], "", "#p OK pong");
	/* peers[line[0]] holds the slot; the others asked in the order of line[]. */
	for (unsigned grants = 0; grants < GRANTS; grants++) {
		unsigned holder = line[0], next = 0, place = 1;

		got[holder]++;
		nap_us(WORK_US);
		peer_send(&peers[holder], "RELEASE order 1\n");
		peer_ask(&peers[holder], "ACQUIRE order limit=1 wait=forever\n", "OK");
		if (poll(fds, WAITERS, 30000) <= 0)
			fail("nobody is next");
		while (next < WAITERS - 1 && fds[next].revents == 0)
			next++;
		peer_ask(&peers[next], "", "OK 1 ");
		while (place < WAITERS - 1 && line[place] != next)
			place++;
		inversions += place - 1;
		/* he takes the first place, and the former holder the last */
		memmove(line + place, line + place + 1, (WAITERS - 1 - place) * sizeof *line);
		line[0] = next;
		line[WAITERS - 1] = holder;
	}
	for (unsigned i = 0; i < WAITERS; i++) {
		sum += got[i];
		squares += (double)got[i] * got[i];
		peer_close(&peers[i]);
	}
	table_number("16 waiters, limit 1, 1 ms holds: overtaken", "times", inversions);
	table_number("16 waiters, limit 1, 1 ms holds: Jain's index of fairness", "",
	    sum * sum / (WAITERS * squares));
	slotd_stop(&slotd);
}
