/* Plays stories in made-up time.
 *
 * usage: scenario [FILE...]
 *
 * Without files all of tests/scenario.  The trace of one that does not go as it says is shown; with
 * files that of each. */
#include <glob.h>
#include <stdio.h>

#include "tests/scenario/stage.h"

#define TAIL 60

/* -> true: it went as it says */
static bool
play(const char *path, bool print)
{
	static const struct options options = {.check_every = 1};
	static struct story story;
	static struct stage stage;
	bool ok;

	if (story_read(&story, path) < 0)
		return false;
	trace_start(print, TAIL);
	stage.story = &story;
	ok = world_run(&stage.world, &options, 1);
	if (!ok)
		trace_show();
	world_fini(&stage.world);
	return ok;
}

int
main(int argc, char **argv)
{
	glob_t all = {0};
	size_t n = 0, failed = 0;

	if (argc < 2 && glob("tests/scenario/*.story", 0, NULL, &all) != 0)
		printf("no stories in tests/scenario\n");
	for (int i = 1; i < argc; i++, n++)
		failed += !play(argv[i], true);
	for (size_t i = 0; i < all.gl_pathc; i++, n++)
		failed += !play(all.gl_pathv[i], false);
	globfree(&all);
	printf("%d%%: Checks: %zu, Failures: %zu, Errors: 0\n", failed == 0 ? 100 : 0, n, failed);
	return failed != 0;
}
