/* Fuzzes the reader of slotd.conf: any bytes as a file.  Either it is refused with a complaint, or
 * every value lies within the bounds that config.def says. */
#include "daemon/config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config_keys.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static void
complain(void *arg, const char *message)
{
	for (const char *c = message; *c != '\0'; c++)
		MUST((unsigned char)*c >= ' ' && *c != 0x7f);
	++*(unsigned *)arg;
}

static void
check_key(const struct config_key *key, const void *base)
{
	const void *field = (const char *)base + key->offset;
	int64_t number = *(const int64_t *)field;
	size_t len;

	switch (key->type) {
	case CONFIG_TEXT:
		len = strlen(*(char *const *)field);
		MUST(len <= (size_t)key->max && (len >= (size_t)key->min || key->fallback[0] == '\0'));
		break;
	case CONFIG_NUMBER:
	case CONFIG_OPTIONAL:
		MUST(number <= key->max && (number >= key->min || key->fallback[0] == '\0'));
		break;
	case CONFIG_WAIT:
		MUST(number == WIRE_FOREVER || (number >= key->min && number <= key->max));
		break;
	default:
		MUST(number >= 0 && number <= 0777);
	}
}

/* What holds the keys of a section. */
static const void *
struct_of(const struct config *conf, enum config_section section)
{
	switch (section) {
	case CONFIG_redis:
		return &conf->redis;
	case CONFIG_metrics:
		return &conf->metrics;
	case CONFIG_group:
		return &conf->other;
	default:
		return conf;
	}
}

static void
check(const struct config *conf)
{
	const struct config_group *group = NULL;

	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		check_key(key, struct_of(conf, key->section));
	MUST(conf->margin_ms * 2 <= conf->lease_ms && conf->grace_ms >= 0);
	while ((group = config_group_next(conf, group)) != NULL) {
		MUST(config_group(conf, group->name) == group);
		MUST(strcmp(config_closest(conf, group->name), group->name) == 0);
		for (const struct config_key *key = config_keys; key->name != NULL; key++)
			if (key->section == CONFIG_group)
				check_key(key, group);
	}
	config_group(conf, "some-group");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[64];
	static int fd = -1;
	unsigned complaints = 0;
	struct config *conf;

	if (fd < 0) {
		MUST((fd = memfd_create("slotd.conf", MFD_CLOEXEC)) >= 0);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	MUST(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	conf = config_load(path, complain, &complaints);
	MUST((conf == NULL) == (complaints > 0));
	if (conf != NULL)
		check(conf);
	config_free(conf);
	return 0;
}
