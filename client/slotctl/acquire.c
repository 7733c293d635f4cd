/* slotctl acquire: a slot for a shell script, held while standard input is open. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/slotctl/hold.h"

/* Holds the slot until stdin ends (0), a signal (it), or a loss (-1). */
static int
hold_while_open(struct taken *t, const struct ctl *c, struct signals *signals)
{
	struct pollfd fds[3] = {
		{.fd = signals->fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = slot_fd(t->conn), .events = POLLIN},
	};
	char ignored[4096];
	bool from_terminal;
	ssize_t n;
	int signo;

	for (;;) {
		if (taken_lost(t) != NULL)
			return -1;
		taken_say_news(t, c);
		if (poll(fds, 3, -1) < 0)
			continue;
		while ((signo = signals_next(signals, &from_terminal)) != 0)
			if (signo != SIGCHLD)
				return signo;
		if (fds[1].revents == 0)
			continue;
		n = read(STDIN_FILENO, ignored, sizeof ignored);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
	}
}

int
ctl_acquire(const struct ctl *c)
{
	char slots[TAKEN_SLOTS_SIZE];
	struct signals signals;
	struct taken t;
	int status;

	if (signals_open(&signals) < 0) {
		ctl_say("signalfd: %s", strerror(errno));
		return CTL_SYSTEM;
	}
	if (!taken_wait(&t, c, &signals, &status))
		return status;
	taken_slots(&t, slots);
	printf("%s %" PRIu64 "\n", slots, slot_hold_token(t.hold));
	if ((status = ctl_printed()) != 0) {
		taken_give_back(&t);
		return status;
	}

	status = hold_while_open(&t, c, &signals);
	if (status < 0) {
		ctl_say("%s: the slot is lost (%s)", c->arg, taken_lost(&t));
		taken_close(&t);
		return CTL_LOST;
	}
	if (!taken_give_back(&t)) {
		ctl_say("%s: the slot was lost before it was given back", c->arg);
		return CTL_LOST;
	}
	return status > 0 ? CTL_SIGNAL + status : EXIT_SUCCESS;
}
