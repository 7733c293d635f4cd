/* Reading the lease page: checked once, when it comes, then mapped for as long as a hold is in it.
 *
 * slot_valid() may be about to read a page, in another thread, that nobody has a use for any more.
 * So its place in the address space is kept until the connection is freed; what was there is not,
 * as it would be memory of a file that is long deleted. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/libslot/connection.h"

struct page {
	TAILQ_ENTRY(page) link;         /* conn->pages, which owns it */
	void *map;
	size_t size;
	uint32_t n_cells;
	unsigned n_users;               /* holds, and the connection while it is that of its slotd */
};

static bool
boot_id_read(uint8_t boot_id[16])
{
	char text[64];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return false;
	n = read(fd, text, sizeof text);
	close(fd);
	return n > 0 && page_parse_boot_id(text, (size_t)n, boot_id);
}

static void *
page_map(int fd, size_t *size)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < PAGE_HEADER_SIZE ||
	    (uint64_t)st.st_size > page_size(PAGE_CELLS_MAX, PAGE_CELLS_MAX))
		return NULL;
	*size = (size_t)st.st_size;
	map = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0);
	return map != MAP_FAILED ? map : NULL;
}

struct page *
page_open(int fd)
{
	struct page *page = calloc(1, sizeof *page);
	uint8_t boot_id[16];

	if (page != NULL)
		page->map = page_map(fd, &page->size);
	close(fd);
	if (page == NULL || page->map == NULL)
		goto fail;
	if (!boot_id_read(boot_id) || page_check(page->map, page->size, boot_id) != NULL)
		goto fail;
	page->n_cells = ((const struct page_header *)page->map)->n_cells;
	page->n_users = 1;
	return page;

fail:
	if (page != NULL && page->map != NULL)
		munmap(page->map, page->size);
	free(page);
	return NULL;
}

/* NULL if it is not the hold's: one of another group or slot would be a page that lies. */
const struct page_cell *
page_cell(const struct page *page, uint64_t number, const struct slot_hold *hold)
{
	const struct page_cell *cell;

	if (page == NULL || number >= page->n_cells)
		return NULL;
	cell = page_cells(page->map) + number;
	return cell->group == page_group_hash(hold->group) && cell->slot == hold->slots[0] ? cell : NULL;
}

void
page_use(struct page *page)
{
	page->n_users++;
}

/* If there is no memory for the empty place, the page stays as it is. */
void
page_unuse(struct page *page)
{
	if (--page->n_users == 0)
		(void)mmap(page->map, page->size, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void
page_add(struct page_list *list, struct page *page)
{
	TAILQ_INSERT_TAIL(list, page, link);
}

void
page_free_all(struct page_list *list)
{
	struct page *page;

	while ((page = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, page, link);
		munmap(page->map, page->size);
		free(page);
	}
}
