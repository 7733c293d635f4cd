/* What a program hears of its slots, as a text; and scripts' words for holds with a cell. */
#ifndef DIARY_H
#define DIARY_H

#include "tests/unit/lib/peer.h"

#define PROVEN_MS 60000         /* longer than any stall of the machine */

/* "got g1", "full", "lost g1 (taken)", "g1 unproven", "g1 proven"; a blank behind each. */
struct diary {
	char text[256];
	int n;                  /* how many of them */
};

/* With its callbacks. */
struct slot_conn *diary_connect(struct diary *diary, struct peer *peer);
/* Gives back at once what it gets. */
struct slot_request *diary_start(struct diary *diary, struct slot_conn *conn, const char *group,
    struct slot_acquire_options options);
void diary_lost(struct slot_conn *conn, struct slot_hold *hold, const char *reason, void *userdata);

/* Process by the descriptor alone, without asking for a time. */
void diary_watch(const struct diary *diary, struct slot_conn *conn, int n);
void watch_connected(struct slot_conn *conn, int connected);

/* Reads "ACQUIRE group limit=1" and grants slot 1, token 7, with that cell. */
void grant_proven(struct peer *peer, const char *group, int cell, int64_t left_ms);
/* The next slotd; the hold of g has cell 3 there. */
void come_back(struct peer *peer);
void release_ok(struct peer *peer, const char *line);

#endif
