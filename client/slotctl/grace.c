/* slotctl grace: how long nothing is granted yet, after Redis was new or has lost data; and its end
 * by hand, for somebody who knows that nothing is held. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/slot.h"
#include "client/slotctl/answer.h"
#include "client/slotctl/slotctl.h"

/* "grace_left=MS" */
static void
take_left(const char *line, void *userdata)
{
	int64_t *left = userdata;

	if (sscanf(line, "grace_left=%" SCNd64, left) != 1)
		*left = 0;
}

static void
see_whether_away(const char *line, void *userdata)
{
	bool *is_away = userdata;

	if (strcmp(line, "redis_up=0") == 0)
		*is_away = true;
}

/* *is_away, unless NULL: slotd knows of no grace, but its Redis is away.
 * -> 0, or an exit status, explained */
static int
ask(const struct ctl *c, const char *word, int64_t *left, bool *is_away)
{
	struct slot_conn *conn;
	int code = ctl_connect(c, -1, &conn), status = 0;

	*left = 0;
	if (code == 0)
		code = slot_query(conn, "GRACE", word, take_left, left);
	if (code == 0 && *left == 0 && is_away != NULL)
		code = slot_query(conn, "STATS", NULL, see_whether_away, is_away);
	if (code != 0)
		status = ctl_explain(c, code, conn, errno);
	slot_close(conn);
	return status;
}

static bool
is_confirmed(int64_t left)
{
	char age[CTL_AGE_SIZE], line[16];

	ctl_age(left, age);
	fprintf(stderr,
	    "Redis is new to slotd or has lost data.  For %s more, nothing is granted in any group,\n"
	    "so that every slotd can claim what its clients hold.  If that ends now, whatever a slotd\n"
	    "has not claimed yet is given to others, on all hosts, while its holder works on.\n"
	    "Is nothing held anywhere that a slotd could not claim yet?  Type yes: ", age);
	if (fgets(line, sizeof line, stdin) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, "yes") == 0;
}

static int
end(const struct ctl *c, int64_t left)
{
	char age[CTL_AGE_SIZE];
	int64_t rest;
	int status;

	if (left == 0) {
		printf("there is no grace to end\n");
		return ctl_printed();
	}
	if (!c->yes && !isatty(STDIN_FILENO)) {
		ctl_say("nobody to confirm it at standard input: see slotctl(1), and say --yes");
		return CTL_USAGE;
	}
	if (!c->yes && !is_confirmed(left)) {
		ctl_say("the grace goes on");
		return 1;
	}
	if ((status = ask(c, "end", &rest, NULL)) != 0)
		return status;
	ctl_age(left, age);
	printf("the grace has ended in all groups, on all hosts; %s were left\n", age);
	return ctl_printed();
}

int
ctl_grace(const struct ctl *c)
{
	char age[CTL_AGE_SIZE];
	int64_t left;
	bool is_away = false;
	int status;

	if (c->arg != NULL && strcmp(c->arg, "end") != 0) {
		ctl_say("%s: neither nothing nor end (try slotctl grace --help)", c->arg);
		return CTL_USAGE;
	}
	if ((status = ask(c, NULL, &left, &is_away)) != 0)
		return status;
	if (is_away) {
		ctl_say("slotd cannot reach Redis now, and does not know whether there is a grace");
		return CTL_UNAVAILABLE;
	}
	if (c->arg != NULL)
		return end(c, left);
	ctl_age(left, age);
	if (c->json)
		printf("{\"grace_left\": %" PRId64 "}\n", left);
	else if (left > 0)
		printf("nothing is granted for %s more\n", age);
	else
		printf("there is no grace\n");
	return ctl_printed();
}
