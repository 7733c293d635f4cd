/* Fuzzes the lease page that a slotd finds when it starts: a good one, with bytes of it overwritten
 * and its length changed.  What it takes over must be in order, alive, and one cell for each slot. */
#include "daemon/page.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())
#define N_CELLS 8
#define LEASE (600000 * NSEC_MS)

static char directory[] = "/dev/shm/slotd-fuzz-XXXXXX";
static char path[64];                   /* of the socket; the page is beside it */
static char page_path[72];
static char good[PAGE_HEADER_SIZE + 4 * N_CELLS * sizeof(struct page_cell)];
static size_t good_len;

static struct page *
open_page(uint64_t generation)
{
	const struct xch_daemon self = {.install = 7, .generation = generation, .nonce = 1};

	return page_new(path, &self, N_CELLS);
}

static void
hold(struct page *page, uint32_t cell, const char *group, uint32_t n, uint32_t first, uint64_t token)
{
	uint32_t slots[4];

	for (uint32_t i = 0; i < n; i++)
		slots[i] = first + i;
	page_set(page, cell, group, n, slots, token, 1000, clock_now() + LEASE / 2);
}

static void
clean_up(void)
{
	unlink(page_path);
	rmdir(directory);
}

/* A page with holds of its own, and others that were inherited. */
static void
make_good(void)
{
	struct page *page;
	int fd;

	log_set_level(LOG_LEVEL_ERROR);
	MUST(mkdtemp(directory) != NULL);
	snprintf(path, sizeof path, "%s/s", directory);
	snprintf(page_path, sizeof page_path, "%s.page", path);
	MUST(atexit(clean_up) == 0);
	page = open_page(1);
	hold(page, 0, "g", 3, 1, 5);
	hold(page, 4, "h", 1, 9, 6);
	page_free(page);
	page = open_page(2);
	hold(page, 1, "i", 2, 4, 7);
	page_free(page);
	MUST((fd = open(page_path, O_RDONLY | O_CLOEXEC)) >= 0);
	good_len = (size_t)read(fd, good, sizeof good);
	MUST(good_len == page_size(N_CELLS, 4));
	close(fd);
}

/* Two bytes change the length; each three more overwrite one byte. */
static void
write_bad(const uint8_t *data, size_t size)
{
	_Alignas(struct page_cell) char bytes[sizeof good] = {0};
	struct page_cell *cells = page_cells(bytes);
	size_t len = good_len;
	int fd;

	memcpy(bytes, good, good_len);
	for (size_t i = 0; i < N_CELLS + 4; i++)        /* it was made a while ago */
		cells[i].deadline = clock_now() + LEASE / 2;
	if (size >= 2)
		len = (good_len + data[0] + ((size_t)data[1] << 8)) % sizeof bytes;
	for (size_t i = 2; i + 2 < size; i += 3)
		bytes[(data[i] | (size_t)data[i + 1] << 8) % sizeof bytes] = (char)data[i + 2];
	MUST((fd = open(page_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) >= 0);
	MUST(write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

static void
check(const struct page *page)
{
	const struct page_cell *cells, *before = NULL;
	struct xch_daemon from;
	uint32_t n;

	cells = page_inherited(page, &n, &from);
	MUST(n <= sizeof good / sizeof *cells);
	for (uint32_t i = 0; i < n; i++) {
		MUST(cells[i].slot != 0 && cells[i].deadline > 0);
		MUST(cells[i].deadline <= clock_now() + LEASE);
		MUST(before == NULL || before->group < cells[i].group ||
		    (before->group == cells[i].group && before->slot < cells[i].slot));
		before = &cells[i];
	}
	MUST(page_inherited_until(page, "g", 1, &(uint32_t){1}, 5, 1) == 0);    /* not of that user */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct page *page;

	if (good_len == 0)
		make_good();
	write_bad(data, size);
	page = open_page(3);
	check(page);
	hold(page, 0, "g", 2, 1, 8);            /* over one that is inherited, or not */
	MUST(page_inherited_until(page, "g", 1, &(uint32_t){1}, 5, 1000) == 0);
	page_free(page);
	page = open_page(4);
	check(page);
	MUST(page_inherited_until(page, "g", 2, (uint32_t[]){1, 2}, 8, 1000) > clock_now());
	page_free(page);
	return 0;
}
