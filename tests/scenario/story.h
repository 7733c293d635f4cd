/* Stories: what clients of some hosts say and hear, in the order in which it happens, as text.
 *
 *   # a comment
 *   config hosts=2                                 one key a line, before all others; also
 *                                                  lease_ms=4000, idle_ms=1000: the defaults
 *   at 0    A.c1 > ACQUIRE g limit=1 wait=1m       says a line of the protocol, at that time in ms
 *           A.c1 < OK 1 *                          hears one; * is any word, ... any rest
 *   at 10   nothing for A.c1                       has heard nothing more by then
 *   at 20   kill -9 A.c1                           the client; its connection closes
 *   at 30   kill A                                 the daemon
 *   at 40   lose the next push to B
 *   by 90   B.c2 < OK 1 *                          hears it at that time or before
 *
 * Hosts are A to D, with a daemon each; all share one server.  Clients connect when they first speak.
 * A line without a time happens at that of the line before; what is heard, a moment later.  Groups
 * are f and g.  At the end everything that was said must have been heard.
 *
 * Each is played twice.  `build/scenario` plays it with the arbiters of slotd, the memory backend
 * and the network of tests/sim in made-up time, where `at` and `by` are exact.  test_scenario.py
 * plays it with real daemons and a real Redis: each line waits until what the one before has caused
 * is known to Redis, and real time passes only where nothing must be heard. */
#ifndef STORY_H
#define STORY_H

#include <stdbool.h>
#include <stdint.h>

#define STORY_HOSTS_MAX 4
#define STORY_LINES_MAX 64
#define STORY_TEXT_MAX 128

enum story_kind {
	STORY_SAY, STORY_HEAR, STORY_NOTHING, STORY_KILL_CLIENT, STORY_KILL_DAEMON, STORY_LOSE,
};

struct story_line {
	int number;             /* in the file */
	enum story_kind kind;
	int64_t ms;             /* at or by; -1: not given */
	bool by;
	int host;               /* 0 is A */
	int client;
	char text[STORY_TEXT_MAX]; /* SAY, HEAR */
};

struct story {
	const char *path;
	int64_t hosts, lease_ms, idle_ms;
	int n_lines;
	struct story_line lines[STORY_LINES_MAX];
};

/* Keeps path.  0, or -1 when it has said on standard output what is wrong. */
int story_read(struct story *story, const char *path);

/* Is the line what the pattern says? */
bool story_matches(const char *pattern, const char *line);

#endif
