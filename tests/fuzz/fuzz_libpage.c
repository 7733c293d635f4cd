/* Fuzzes how libslot reads a lease page: a good one, with bytes of it overwritten and its length
 * changed.  Either it is no page, or every cell that it vouches for lies within it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/libslot/connection.h"
#include "proto/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())
#define N_CELLS 4

static char good[PAGE_HEADER_SIZE + 2 * N_CELLS * sizeof(struct page_cell)];

static void
make_good(void)
{
	struct page_header header = {
	    .version = PAGE_VERSION,
	    .header_size = PAGE_HEADER_SIZE,
	    .cell_size = sizeof(struct page_cell),
	    .n_cells = N_CELLS,
	    .n_inherited = 1,
	};
	struct page_cell *cells = page_cells(good);
	char text[64];
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");

	MUST(file != NULL && fgets(text, sizeof text, file) != NULL);
	fclose(file);
	memcpy(header.magic, PAGE_MAGIC, sizeof header.magic);
	MUST(page_parse_boot_id(text, strlen(text), header.boot_id));
	memcpy(good, &header, sizeof header);
	for (uint32_t i = 0; i < N_CELLS; i++)
		cells[i] = (struct page_cell){.token = 5 + i, .deadline = INT64_MAX,
		    .group = page_group_hash("g"), .slot = i + 1};
}

/* Two bytes change the length; each three more overwrite one byte.  -> the length */
static size_t
make_bad(char bytes[sizeof good], const uint8_t *data, size_t size)
{
	size_t len = page_size(N_CELLS, 1);

	memcpy(bytes, good, sizeof good);
	if (size >= 2)
		len = (len + data[0] + ((size_t)data[1] << 8)) % sizeof good;
	for (size_t i = 2; i + 2 < size; i += 3)
		bytes[(data[i] | (size_t)data[i + 1] << 8) % sizeof good] = (char)data[i + 2];
	return len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static struct slot_hold *hold;          /* of one slot of g */
	struct page_list pages = TAILQ_HEAD_INITIALIZER(pages);
	_Alignas(struct page_cell) char bytes[sizeof good];
	size_t len;
	struct page *page;

	if (fd < 0) {
		make_good();
		MUST((fd = memfd_create("page", MFD_CLOEXEC)) >= 0);
		MUST((hold = calloc(1, sizeof *hold + sizeof hold->slots[0])) != NULL);
		hold->group[0] = 'g';
		hold->n = 1;
	}
	len = make_bad(bytes, data, size);
	MUST(ftruncate(fd, (off_t)len) == 0 && pwrite(fd, bytes, len, 0) == (ssize_t)len);
	page = page_open(dup(fd));
	if (page == NULL)
		return 0;
	MUST(memcmp(bytes, PAGE_MAGIC, 8) == 0);
	for (uint64_t i = 0; i < 3 * N_CELLS; i++) {
		const struct page_cell *cell;

		hold->slots[0] = (uint32_t)(i % N_CELLS) + 1;
		cell = page_cell(page, i, hold);
		MUST(cell == NULL || (cell->slot == hold->slots[0] &&
		    PAGE_HEADER_SIZE + (i + 1) * sizeof *cell <= len));
		MUST(cell == NULL || page_deadline(cell, 0) == 0 || cell->token == 0);
	}
	MUST(page_cell(page, UINT64_MAX, hold) == NULL);
	page_add(&pages, page);
	page_free_all(&pages);
	return 0;
}
