/* slotctl metrics: all that slotd counts, for Prometheus; to standard output, or into a file that the
 * textfile collector of node_exporter reads, which must never see half of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/slotctl/answer.h"
#include "client/slotctl/slotctl.h"

/* A new file beside the other, which the collector does not take for one of its own.  As readable as
 * any file that is made here: mkstemp() makes private ones.  NULL: errno says why not. */
static FILE *
open_beside(char *path)
{
	mode_t mask = umask(0);
	FILE *file;
	int fd;

	umask(mask);
	if ((fd = mkstemp(path)) < 0)
		return NULL;
	if (fchmod(fd, 0666 & ~mask) == 0 && (file = fdopen(fd, "w")) != NULL)
		return file;
	close(fd);
	unlink(path);
	return NULL;
}

/* -> whether all of it has arrived; errno says why not. */
static bool
write_lines(FILE *file, const struct answer *answer)
{
	bool is_bad = false;

	for (size_t i = 0; i < answer->n; i++)
		is_bad |= fprintf(file, "%s\n", answer->line[i]) < 0;
	return fclose(file) == 0 && !is_bad;
}

/* A device, a fifo or a link would be gone for ever when the file takes its place. */
static bool
may_replace(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
		return true;
	ctl_say("%s: no regular file, so it is not replaced; --output - writes to standard output",
	    path);
	return false;
}

static int
write_file(const char *path, const struct answer *answer)
{
	static const char suffix[] = ".XXXXXX";
	size_t len = strlen(path);
	char *beside;
	FILE *file;
	int status = 0;

	if (!may_replace(path))
		return CTL_SYSTEM;
	beside = malloc(len + sizeof suffix);
	if (beside == NULL) {
		ctl_say("%s: %s", path, strerror(errno));
		return CTL_SYSTEM;
	}
	memcpy(beside, path, len);
	memcpy(beside + len, suffix, sizeof suffix);
	file = open_beside(beside);
	if (file == NULL || !write_lines(file, answer) || rename(beside, path) < 0) {
		ctl_say("%s: %s", path, strerror(errno));
		if (file != NULL)
			unlink(beside);
		status = CTL_SYSTEM;
	}
	free(beside);
	return status;
}

int
ctl_metrics(const struct ctl *c)
{
	struct answer answer;
	int status;

	if ((status = ctl_ask(c, "METRICS", NULL, &answer)) != 0)
		return status;
	if (c->output != NULL && strcmp(c->output, "-") != 0)
		status = write_file(c->output, &answer);
	else
		for (size_t i = 0; i < answer.n; i++)
			printf("%s\n", answer.line[i]);
	answer_free(&answer);
	return status != 0 ? status : ctl_printed();
}
