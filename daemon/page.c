/* The lease page: the file beside the socket. */
#include "daemon/page.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/log.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* No lease is longer (config.def): what stands in a cell beyond that was not written by a slotd. */
#define LONGEST_LEASE (600 * 1000 * NSEC_MS)

struct page {
	char *path;
	uint32_t n_cells;
	uint32_t n_inherited;
	bool has_boot_id;
	uint8_t boot_id[16];
	struct page_header *header;     /* mapped; the cells behind it */
	size_t size;
	int fd;                         /* read-only; -1: it is no file */
	struct xch_daemon from;         /* who has left the inherited cells */
};

/* What the page that was found has left to us. */
struct legacy {
	struct xch_daemon from;
	uint64_t eras[PAGE_SHARDS];
	uint64_t high;
	struct page_cell *cells;        /* owned; by group and slot */
	uint32_t n;
};

/* ---------------------------------------------------------------- the one before */

static int
compare_places(const struct page_cell *a, const struct page_cell *b)
{
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return a->slot < b->slot ? -1 : a->slot > b->slot;
}

/* Of several for one slot, the best first: the later hold, the later deadline of one. */
static int
compare_cells(const void *x, const void *y)
{
	const struct page_cell *a = x, *b = y;
	int order = compare_places(a, b);

	if (order != 0)
		return order;
	if (a->token != b->token)
		return a->token > b->token ? -1 : 1;
	return a->deadline > b->deadline ? -1 : a->deadline < b->deadline;
}

/* A hold's, or that of slots which rest. */
static bool
is_alive(const struct page_cell *cell, nsec now)
{
	return cell->token <= WIRE_TOKEN_MAX && cell->slot != 0 &&
	    cell->slot <= WIRE_LIMIT_MAX && cell->deadline > now &&
	    cell->deadline <= now + LONGEST_LEASE;
}

/* Keeps of the cells those that count, in order, one for each slot.  -> how many */
static uint32_t
choose(struct page_cell *cells, uint32_t n, nsec now)
{
	uint32_t alive = 0, kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (is_alive(&cells[i], now))
			cells[alive++] = cells[i];
	if (alive > 0)
		qsort(cells, alive, sizeof *cells, compare_cells);
	for (uint32_t i = 0; i < alive; i++)
		if (kept == 0 || compare_places(&cells[kept - 1], &cells[i]) != 0)
			cells[kept++] = cells[i];
	return kept < PAGE_CELLS_MAX ? kept : PAGE_CELLS_MAX;
}

static bool
read_all(int fd, void *bytes, size_t len, off_t offset)
{
	while (len > 0) {
		ssize_t n = pread(fd, bytes, len, offset);

		if (n <= 0 && !(n < 0 && errno == EINTR))
			return false;
		if (n <= 0)
			continue;
		bytes = (char *)bytes + n;
		len -= (size_t)n;
		offset += n;
	}
	return true;
}

/* -> NULL, or what is wrong with the file. */
static const char *
read_page(int fd, const struct page *page, struct legacy *legacy)
{
	union {
		struct page_header header;
		char bytes[PAGE_HEADER_SIZE];
	} top;
	const struct page_header *header = &top.header;
	struct stat st;
	const char *wrong;
	uint32_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return "not a regular file";
	if (st.st_uid != geteuid())
		return "another user's";
	if (st.st_size < PAGE_HEADER_SIZE)
		return "too short";
	if (!read_all(fd, &top, sizeof top, 0))
		return "cannot be read";
	wrong = page_check(header, (uint64_t)st.st_size, page->boot_id);
	if (wrong != NULL)
		return wrong;
	n = header->n_cells + header->n_inherited;
	legacy->cells = malloc(n > 0 ? n * sizeof *legacy->cells : 1);
	if (legacy->cells == NULL || !read_all(fd, legacy->cells, n * sizeof *legacy->cells,
	    PAGE_HEADER_SIZE))
		return "cannot be read";
	legacy->n = choose(legacy->cells, n, clock_now());
	legacy->from = (struct xch_daemon){
	    .install = header->install, .generation = header->generation};
	memcpy(legacy->eras, header->eras, sizeof legacy->eras);
	legacy->high = header->high <= WIRE_TOKEN_MAX >> XCH_TOKEN_BITS ? header->high : 0;
	return NULL;
}

static uint32_t
count_held(const struct legacy *legacy)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < legacy->n; i++)
		n += legacy->cells[i].token != 0;
	return n;
}

/* Nothing is left where there is no page, or none that may be believed. */
static struct legacy
find_legacy(const struct page *page, const struct xch_daemon *self)
{
	struct legacy legacy = {0};
	const char *wrong;
	int fd = open(page->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return legacy;
	if (fd < 0)
		wrong = errno == ELOOP ? "a symbolic link" : strerror(errno);
	else
		wrong = read_page(fd, page, &legacy);
	if (fd >= 0)
		close(fd);
	if (wrong != NULL) {
		log_warnx("%s: %s; what was held before this start cannot be resumed", page->path,
		    wrong);
		free(legacy.cells);
		return (struct legacy){0};
	}
	/* a copied lock file can say anything; but whoever was before us was before us */
	if (legacy.from.install == self->install && legacy.from.generation >= self->generation)
		legacy.from.generation = self->generation - 1;
	if (count_held(&legacy) > 0)
		log_info("%s: %u slots held since generation %" PRIu64 " can be resumed",
		    page->path, count_held(&legacy), legacy.from.generation);
	return legacy;
}

/* ---------------------------------------------------------------- making one */

static bool
read_boot_id(uint8_t boot_id[16])
{
	char text[64];
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;

	if (fd >= 0)
		close(fd);
	return n > 0 && page_parse_boot_id(text, (size_t)n, boot_id);
}

static void
fill(struct page *page, const struct xch_daemon *self, const struct legacy *legacy)
{
	struct page_header *header = page->header;

	memcpy(header->magic, PAGE_MAGIC, sizeof header->magic);
	header->version = PAGE_VERSION;
	header->header_size = PAGE_HEADER_SIZE;
	header->cell_size = sizeof(struct page_cell);
	header->n_cells = page->n_cells;
	header->n_inherited = legacy->n;
	memcpy(header->boot_id, page->boot_id, sizeof header->boot_id);
	header->install = self->install;
	header->generation = self->generation;
	memcpy(header->eras, legacy->eras, sizeof header->eras);
	header->high = legacy->high;
	if (legacy->n > 0)
		memcpy(page_cells(header) + page->n_cells, legacy->cells,
		    legacy->n * sizeof *legacy->cells);
}

static void
unmap(struct page *page)
{
	if (page->fd >= 0)
		close(page->fd);
	if (page->header != NULL)
		munmap(page->header, page->size);
	page->fd = -1;
	page->header = NULL;
}

/* Its memory is there: no write to it can fail later. */
static bool
map_file(struct page *page, int fd)
{
	int error = posix_fallocate(fd, 0, (off_t)page->size);
	void *map;

	if (error != 0) {
		errno = error;
		return false;
	}
	map = mmap(NULL, page->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	page->header = map != MAP_FAILED ? map : NULL;
	return page->header != NULL;
}

/* A new file in the place of the one before, which those who have it mapped keep. */
static bool
make_file(struct page *page, const struct xch_daemon *self, const struct legacy *legacy)
{
	char path[4096];
	int fd, error;

	if ((size_t)snprintf(path, sizeof path, "%s.new", page->path) >= sizeof path) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return false;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	if (map_file(page, fd)) {
		fill(page, self, legacy);
		page->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	error = errno;
	close(fd);
	if (page->fd >= 0 && rename(path, page->path) == 0)
		return true;
	if (page->fd >= 0)
		error = errno;
	unmap(page);
	unlink(path);
	errno = error;
	return false;
}

static void
make(struct page *page, const struct xch_daemon *self, const struct legacy *legacy)
{
	void *map;

	page->size = page_size(page->n_cells, legacy->n);
	page->n_inherited = legacy->n;
	page->from = legacy->from;
	if (page->has_boot_id && make_file(page, self, legacy))
		return;
	log_warn("%s: cannot be made: no client can read how long it may believe, and none can resume "
	    "what it holds when slotd is started again", page->has_boot_id ? page->path : BOOT_ID);
	map = mmap(NULL, page->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		fatal("the lease page");
	page->header = map;
	fill(page, self, legacy);
}

struct page *
page_new(const char *socket, const struct xch_daemon *self, uint32_t n_cells)
{
	struct page *page = calloc(1, sizeof *page);
	struct legacy legacy;

	assert(n_cells <= PAGE_CELLS_MAX);
	if (page == NULL || asprintf(&page->path, "%s.page", socket) < 0)
		fatal("the lease page");
	page->n_cells = n_cells;
	page->fd = -1;
	page->has_boot_id = read_boot_id(page->boot_id);
	legacy = find_legacy(page, self);
	make(page, self, &legacy);
	free(legacy.cells);
	return page;
}

void
page_renew(struct page *page, const struct xch_daemon *self)
{
	struct legacy legacy = {0};

	memcpy(legacy.eras, page->header->eras, sizeof legacy.eras);
	legacy.high = page->header->high;
	unmap(page);
	make(page, self, &legacy);
}

void
page_free(struct page *page)
{
	if (page == NULL)
		return;
	unmap(page);
	free(page->path);
	free(page);
}

int
page_fd(const struct page *page)
{
	return page->fd;
}

uint64_t *
page_eras(struct page *page)
{
	return page->header->eras;
}

uint64_t *
page_high(struct page *page)
{
	return &page->header->high;
}

/* ---------------------------------------------------------------- cells */

static struct page_cell *
inherited_cells(const struct page *page)
{
	return page_cells(page->header) + page->n_cells;
}

static struct page_cell *
find_inherited(const struct page *page, uint64_t group, uint32_t slot)
{
	const struct page_cell key = {.group = group, .slot = slot};
	struct page_cell *cells = inherited_cells(page);
	uint32_t low = 0, high = page->n_inherited;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare_places(&key, &cells[middle]);

		if (order == 0)
			return &cells[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* A reader that has the new deadline finds no token. */
static void
clear(struct page_cell *cell, nsec rest)
{
	__atomic_store_n(&cell->token, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&cell->deadline, rest, __ATOMIC_RELEASE);
}

void
page_set(struct page *page, uint32_t cell, const char *group, uint32_t n, const uint32_t *slots,
    uint64_t token, uint32_t uid, nsec deadline)
{
	struct page_cell *cells = page_cells(page->header) + cell;
	uint64_t hash;

	assert(n <= page->n_cells && cell <= page->n_cells - n);
	if (cells->token == token) {    /* they end together, so they are renewed together */
		for (uint32_t i = 0; i < n; i++)
			__atomic_store_n(&cells[i].deadline, deadline, __ATOMIC_RELEASE);
		return;
	}
	hash = page_group_hash(group);
	for (uint32_t i = 0; i < n; i++) {
		struct page_cell *inherited = find_inherited(page, hash, slots[i]);

		assert(cells[i].token == 0);
		cells[i].group = hash;
		cells[i].slot = slots[i];
		cells[i].uid = uid;
		__atomic_store_n(&cells[i].deadline, deadline, __ATOMIC_RELEASE);
		__atomic_store_n(&cells[i].token, token, __ATOMIC_RELEASE);
		if (inherited != NULL)
			clear(inherited, 0);
	}
}

void
page_end(struct page *page, uint32_t cell, uint32_t n, nsec rest)
{
	assert(n <= page->n_cells && cell <= page->n_cells - n);
	for (uint32_t i = 0; i < n; i++)
		clear(page_cells(page->header) + cell + i, rest);
}

nsec
page_inherited_until(const struct page *page, const char *group, uint32_t n,
    const uint32_t *slots, uint64_t token, uint32_t uid)
{
	uint64_t hash = page_group_hash(group);
	nsec until = NSEC_NEVER;

	for (uint32_t i = 0; i < n; i++) {
		const struct page_cell *cell = find_inherited(page, hash, slots[i]);

		if (cell == NULL || cell->token != token || cell->uid != uid)
			return 0;
		if (cell->deadline < until)
			until = cell->deadline;
	}
	return until;
}

const struct page_cell *
page_inherited(const struct page *page, uint32_t *n, struct xch_daemon *from)
{
	*n = page->n_inherited;
	*from = page->from;
	return inherited_cells(page);
}
