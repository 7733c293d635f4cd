/* The rules of the exchange by name, so that each can be switched off to show what it prevents.
 *
 * RULE(NAME) stands where the rule stands.  It is true in the product: the name is all that is left
 * of it.  Objects built with -DARB_MUTATIONS obey every rule but `rule_off`, and the simulator must
 * then find a violation: `make mutants`. */
#ifndef RULES_H
#define RULES_H

#include <stdbool.h>

/* X(name, what goes wrong without it) */
#define RULES(X)                                                                                \
	X(TIME_NUMBERS, "numbers, and with them tokens, repeat after a loss of all data")       \
	X(HIGH_WATER, "tokens fall after a failover to a server whose clock is behind")         \
	X(GROUP_CLOCK, "a step of the server's clock ends everybody's lease at once")           \
	X(MARKER, "wiped data: slots are granted while others hold them")                       \
	X(SID, "a failover behind a proxy: the same")                                           \
	X(ERAS, "back on a former server with its old data: the same")                          \
	X(MARKER_CLOCK, "a step of the server's clock ends a grace")                            \
	X(LONG_GRACE, "a grace ends before the lease of one who could not claim")               \
	X(NO_GRANT_IN_GRACE, "slots are granted before their holders could claim them")         \
	X(HIGHER_WINS, "a holder loses its slot to a record that is older than its own")        \
	X(LAPSED_CLAIMS, "an unproven hold comes back after another had the slot")              \
	X(LAPSED_IN_GRACE, "an unproven hold is proven by a server that remembers nothing")     \
	X(SEQ, "a delayed copy of a request frees a slot that was granted since")               \
	X(SUPERSEDE, "two daemons of one install undo each other's work")                       \
	X(INC, "deltas are applied to a record that stands for another picture")                \
	X(RELEASE_NUMBER, "a late release frees the next holder's slot")                        \
	X(DEAD_KEEP_SLOTS, "a successor's sync frees what its predecessor's clients hold")      \
	X(SYNC_FREES, "what a daemon does not claim stays taken")                               \
	X(CANCEL_FREES, "a grant that crosses its cancel stays taken")                          \
	X(NOBODY_GIVES_BACK, "a grant that nobody waits for any more stays taken")              \
	X(UNWANTED_PUSH, "a grant that a cancel has freed is handed on")                        \
	X(UNWANTED_OLD, "a grant that was given back is handed on")                             \
	X(AGE_ORDER, "after a failover the younger is served first")                            \
	X(BLOCKED, "a big request is passed by small ones")                                     \
	X(FULL_KNOWING, "full is said while a slot lies idle")                                  \
	X(RECALL, "idle slots are used elsewhere while somebody is queued for them")            \
	X(REAP, "a dead daemon's slots are never free again")                                   \
	X(EXPIRE, "a daemon that is cut off lets its clients go on")                            \
	X(SENT_AT, "a lease is counted from the reply, not from the request")                   \
	X(MARGIN, "two clocks that run differently disagree on the end of a lease")             \
	X(STALE_REPLY, "a daemon that was stopped believes an old reply")                       \
	X(SYNC_AFTER_BREAK, "the reply that was lost with its connection was a grant")          \
	X(PUSH_GUARD, "a push from before a full sync is believed")                             \
	X(OLD_LEASE, "a hold begins with less time left than it may count on")                 \
	X(CELLS, "a client that reads late believes on")                                        \
	X(LOST_FIRST, "a slot is given away before its holder can have heard of the end")       \
	X(ADOPT_DEADLINE, "a hold is resumed after its cell has expired")                       \
	X(LEAVE_ADOPTED, "what a client of the former daemon holds is given back, and it believes on")  \
	X(TOKEN_GROWS, "two holds of one grant have the same token")                            \
	X(IDLE_LIMIT, "an idle slot is given to a caller whose limit it exceeds")               \
	X(IDLE_ORDER, "an idle slot is given to one who comes later")                           \
	X(HAND_OVER_ALONE, "slots are handed over at home while somebody elsewhere waits")      \
	X(OWN_IDLE_BACK, "a waiter is queued while a slot lies idle at home")                   \
	X(SKIP_TOO_BIG, "a request for more than the limit waits for ever")                     \
	X(LIVE_TOLD, "a live limit is in force only when somebody happens to exchange")         \
	X(LIVE_ENDS, "slots are handed on under a live limit that is over")                     \
	X(LIVE_DRAINS, "slots are handed on while more are in use than a live limit allows")    \
	X(LIVE_NEWER, "a live limit that was taken away comes back")

#ifdef ARB_MUTATIONS
#define RULE_ENUM(name, what) RULE_##name,
enum rule { RULE_NONE, RULES(RULE_ENUM) N_RULES };
#undef RULE_ENUM
extern enum rule rule_off;
#define RULE(name) (rule_off != RULE_##name)
#else
#define RULE(name) true
#endif

#endif
