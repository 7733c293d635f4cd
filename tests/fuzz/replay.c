/* A plain main for a fuzzer: feeds it every file of the folder tests/fuzz/corpus/NAME, where the
 * program is called fuzz_NAME, and each file's every beginning.  Closes with Check's line. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *path)
{
	static uint8_t data[1 << 16];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (file == NULL) {
		perror(path);
		return -1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	for (size_t part = 0; part <= size; part++) {
		/* a copy of just that size, so that a sanitizer sees a step over its end */
		uint8_t *copy = malloc(part + !part);

		if (copy == NULL)
			abort();
		memcpy(copy, data, part);
		LLVMFuzzerTestOneInput(copy, part);
		free(copy);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const char *name = argc > 0 ? strrchr(argv[0], '_') : NULL;
	char folder[256], path[1024];
	int files = 0, failed = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", name != NULL ? name + 1 : "");
	if ((dir = opendir(folder)) == NULL) {
		perror(folder);
		return EXIT_FAILURE;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		files++;
		failed += replay(path) == -1;
	}
	closedir(dir);
	printf("%d%%: Checks: %d, Failures: 0, Errors: %d\n", failed ? 0 : 100, files, failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
