/* Troubles: the ways in which a Redis fails us, told apart. */
#include "daemon/redis/trouble.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *word, *text;
	bool is_stubborn;
} troubles[TROUBLE_N] = {
    [TROUBLE_NONE] = {"none", "nothing is wrong", false},
    [TROUBLE_AWAY] = {"away", "Redis cannot be reached", false},
    [TROUBLE_HUNG] = {"hung", "Redis does not answer", false},
    [TROUBLE_LOADING] = {"loading", "Redis is loading its data", false},
    [TROUBLE_BUSY] = {"busy", "Redis is busy with somebody's script", false},
    [TROUBLE_READONLY] = {"readonly", "this Redis is a replica, and read-only", false},
    [TROUBLE_OOM] = {"oom", "Redis has no memory left", false},
    [TROUBLE_NOAUTH] = {"noauth", "Redis does not accept slotd's user and password", true},
    [TROUBLE_NOPERM] = {"noperm", "slotd's user may not do in Redis what it must", true},
    [TROUBLE_MISCONF] = {"misconf", "Redis cannot write its data to its disk", false},
    [TROUBLE_NOREPLICAS] = {"noreplicas", "Redis has fewer replicas than it needs to take writes", false},
    [TROUBLE_MASTERDOWN] = {"masterdown", "this Redis is a replica that has lost its primary", false},
    [TROUBLE_CLUSTER] = {"cluster", "this Redis is in cluster mode, which is not spoken yet", true},
    [TROUBLE_MAXCLIENTS] = {"maxclients", "Redis has as many connections as it takes", false},
    [TROUBLE_UNFIT] = {"unfit", "what answers is no Redis that slotd can use", true},
};

/* An error begins with its code, and that ends at a blank.  A server that tells more in the text
 * has the longer beginning first. */
static const struct {
	const char *code;
	enum trouble trouble;
} codes[] = {
    {"LOADING", TROUBLE_LOADING},
    {"BUSY", TROUBLE_BUSY},
    {"UNKILLABLE", TROUBLE_BUSY},
    {"READONLY", TROUBLE_READONLY},
    {"OOM", TROUBLE_OOM},
    {"NOAUTH", TROUBLE_NOAUTH},
    {"WRONGPASS", TROUBLE_NOAUTH},
    {"ERR AUTH", TROUBLE_NOAUTH},           /* a password, and none is configured there */
    {"DENIED", TROUBLE_NOAUTH},             /* no password anywhere, and it is not local */
    {"NOPERM", TROUBLE_NOPERM},
    {"ERR ACL failure in script:", TROUBLE_NOPERM},
    {"ERR The user executing the script", TROUBLE_NOPERM},  /* Redis 7.0 */
    {"MISCONF", TROUBLE_MISCONF},
    {"NOREPLICAS", TROUBLE_NOREPLICAS},
    {"MASTERDOWN", TROUBLE_MASTERDOWN},
    {"CLUSTERDOWN", TROUBLE_CLUSTER},
    {"MOVED", TROUBLE_CLUSTER},
    {"ASK", TROUBLE_CLUSTER},
    {"TRYAGAIN", TROUBLE_CLUSTER},
    {"CROSSSLOT", TROUBLE_CLUSTER},
    {"ERR max number of clients", TROUBLE_MAXCLIENTS},
    {"NOSCRIPT", TROUBLE_UNFIT},            /* it was loaded a moment ago */
};

enum trouble
trouble_of_error(const char *error)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		size_t len = strlen(codes[i].code);

		if (strncmp(error, codes[i].code, len) == 0 &&
		    (error[len] == ' ' || error[len] == '\0'))
			return codes[i].trouble;
	}
	return TROUBLE_NONE;
}

const char *
trouble_word(enum trouble trouble)
{
	return troubles[trouble].word;
}

const char *
trouble_text(enum trouble trouble)
{
	return troubles[trouble].text;
}

bool
trouble_is_stubborn(enum trouble trouble)
{
	return troubles[trouble].is_stubborn;
}
