/* The lease page: what clients find in it, and what one slotd leaves to the next. */
#include "tests/unit/daemon/suites.h"

#include "daemon/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/log.h"

#define SEC (1000 * NSEC_MS)
#define N_CELLS 64
#define UID 1000

static char directory[32], socket_path[64], page_path[64];
static const struct xch_daemon first = {7, 1, 1}, second = {7, 2, 2}, third = {7, 3, 3};
static nsec now;

static void
setup(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	strcpy(directory, "/tmp/slotd-page-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(socket_path, sizeof socket_path, "%s/s", directory);
	snprintf(page_path, sizeof page_path, "%s/s.page", directory);
	now = clock_now();
}

static void
teardown(void)
{
	unlink(page_path);
	rmdir(page_path);
	ck_assert_int_eq(rmdir(directory), 0);  /* nothing else is left in it */
}

static void
set(struct page *page, uint32_t cell, const char *group, uint32_t slot, uint64_t token, nsec left)
{
	page_set(page, cell, group, 1, &slot, token, UID, now + left);
}

/* ms that are left of the hold that is inherited, 0: it is not */
static nsec
until(const struct page *page, const char *group, uint32_t slot, uint64_t token)
{
	nsec at = page_inherited_until(page, group, 1, &slot, token, UID);

	return at == 0 ? 0 : (at - now) / NSEC_MS;
}

static uint32_t
n_inherited(const struct page *page)
{
	struct xch_daemon from;
	uint32_t n;

	page_inherited(page, &n, &from);
	return n;
}

/* As a client has it. */
static void *
map(const struct page *page, size_t *size)
{
	struct stat st;
	void *bytes;

	ck_assert_int_eq(fstat(page_fd(page), &st), 0);
	*size = (size_t)st.st_size;
	bytes = mmap(NULL, *size, PROT_READ, MAP_SHARED, page_fd(page), 0);
	ck_assert_ptr_ne(bytes, MAP_FAILED);
	return bytes;
}

/* ------------------------------------------------------------------ for clients */

START_TEST(file)
{
	struct page *page = page_new(socket_path, &first, N_CELLS);
	const struct page_header *header;
	struct stat st;
	size_t size;

	ck_assert_int_eq(stat(page_path, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_ge(st.st_blocks * 512, 4096 + 32 * N_CELLS);
	header = map(page, &size);
	ck_assert_uint_eq(size, 4096 + 32 * N_CELLS);
	ck_assert_ptr_null(page_check(header, size, header->boot_id));
	ck_assert_uint_eq(header->n_cells, N_CELLS);
	ck_assert_uint_eq(header->install, 7);
	ck_assert_uint_eq(header->generation, 1);
	ck_assert_ptr_eq(mmap(NULL, size, PROT_WRITE, MAP_SHARED, page_fd(page), 0), MAP_FAILED);
	ck_assert_int_eq(ftruncate(page_fd(page), 0), -1);
	munmap((void *)header, size);
	page_free(page);
	ck_assert_int_eq(stat(page_path, &st), 0);
}
END_TEST

START_TEST(what_clients_read)
{
	struct page *page = page_new(socket_path, &first, N_CELLS);
	const uint32_t slots[] = {4, 2};
	const struct page_cell *cells;
	size_t size;
	void *bytes = map(page, &size);

	cells = page_cells(bytes);
	page_set(page, N_CELLS - 2, "a", 2, slots, 99, UID, 12345);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(cells[N_CELLS - 2 + i].token, 99);
		ck_assert_int_eq(cells[N_CELLS - 2 + i].deadline, 12345);
		ck_assert_uint_eq(cells[N_CELLS - 2 + i].slot, slots[i]);
		ck_assert_uint_eq(cells[N_CELLS - 2 + i].uid, UID);
		ck_assert_uint_eq(cells[N_CELLS - 2 + i].group, 0xaf63dc4c8601ec8c);
	}
	ck_assert_int_eq(page_deadline(&cells[N_CELLS - 2], 99), 12345);
	ck_assert_int_eq(page_deadline(&cells[N_CELLS - 2], 98), 0);
	page_set(page, N_CELLS - 2, "a", 2, slots, 99, UID, 23456);
	ck_assert_int_eq(page_deadline(&cells[N_CELLS - 1], 99), 23456);
	page_end(page, N_CELLS - 2, 1, 0);
	ck_assert_uint_eq(cells[N_CELLS - 2].token, 0);
	ck_assert_int_eq(page_deadline(&cells[N_CELLS - 1], 99), 23456);
	page_end(page, N_CELLS - 1, 1, 0);
	ck_assert_int_eq(page_deadline(&cells[N_CELLS - 1], 99), 0);
	munmap(bytes, size);
	page_free(page);
}
END_TEST

/* ------------------------------------------------------------------ for the next slotd */

START_TEST(inherits)
{
	struct page *page = page_new(socket_path, &first, N_CELLS);
	const uint32_t many[] = {5, 3}, turned[] = {3, 5};
	struct xch_daemon from;
	uint32_t n;

	set(page, 0, "a", 1, 100, 5 * SEC);
	page_set(page, 1, "a", 2, many, 200, UID, now + 4 * SEC);
	set(page, 9, "b", 1, 300, 3 * SEC);
	set(page, 10, "a", 7, 400, -1);         /* expired */
	set(page, 11, "a", 8, 500, 3600 * SEC); /* no lease is that long */
	set(page, 12, "a", 9, 600, SEC);
	page_end(page, 12, 1, 0);
	page_free(page);

	page = page_new(socket_path, &second, N_CELLS);
	page_inherited(page, &n, &from);
	ck_assert_uint_eq(n, 4);
	ck_assert_uint_eq(from.install, 7);
	ck_assert_uint_eq(from.generation, 1);
	ck_assert_int_eq(until(page, "a", 1, 100), 5000);
	ck_assert_int_eq(until(page, "b", 1, 300), 3000);
	ck_assert_int_eq(page_inherited_until(page, "a", 2, turned, 200, UID), now + 4 * SEC);
	ck_assert_int_eq(page_inherited_until(page, "a", 2, turned, 200, UID + 1), 0);
	ck_assert_int_eq(until(page, "a", 1, 101), 0);
	ck_assert_int_eq(until(page, "a", 2, 100), 0);
	ck_assert_int_eq(until(page, "c", 1, 100), 0);
	ck_assert_int_eq(until(page, "a", 7, 400), 0);
	ck_assert_int_eq(until(page, "a", 8, 500), 0);
	page_free(page);
}
END_TEST

/* A slot that was taken from its holder just now: nobody can resume it, and nobody else have it yet. */
START_TEST(inherits_rest)
{
	struct page *page = page_new(socket_path, &first, N_CELLS);
	const struct page_cell *cells;
	struct xch_daemon from;
	uint32_t n;

	set(page, 0, "a", 1, 100, 5 * SEC);
	set(page, 1, "a", 2, 200, 5 * SEC);
	set(page, 2, "a", 3, 300, 5 * SEC);
	page_end(page, 0, 1, now + 2 * SEC);
	page_end(page, 1, 1, now - 1);
	page_end(page, 2, 1, 0);
	page_free(page);

	page = page_new(socket_path, &second, N_CELLS);
	cells = page_inherited(page, &n, &from);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(cells[0].token, 0);
	ck_assert_uint_eq(cells[0].slot, 1);
	ck_assert_int_eq(cells[0].deadline, now + 2 * SEC);
	ck_assert_int_eq(until(page, "a", 1, 100), 0);
	page_free(page);
}
END_TEST

/* What nobody has come back for is left to the one after that; what somebody has is his to end. */
START_TEST(inherits_twice)
{
	struct page *page = page_new(socket_path, &first, N_CELLS);

	set(page, 0, "a", 1, 100, 5 * SEC);
	set(page, 1, "a", 2, 200, 5 * SEC);
	set(page, 2, "a", 3, 300, 5 * SEC);
	set(page, 3, "a", 4, 400, 5 * SEC);
	page_free(page);
	page = page_new(socket_path, &second, N_CELLS);
	set(page, 0, "a", 1, 100, 6 * SEC);     /* taken up */
	set(page, 1, "a", 2, 200, 6 * SEC);     /* taken up, given back */
	page_end(page, 1, 1, 0);
	set(page, 1, "a", 3, 999, 6 * SEC);     /* another's by now */
	page_free(page);
	page = page_new(socket_path, &third, N_CELLS);
	ck_assert_uint_eq(n_inherited(page), 3);
	ck_assert_int_eq(until(page, "a", 1, 100), 6000);
	ck_assert_int_eq(until(page, "a", 2, 200), 0);
	ck_assert_int_eq(until(page, "a", 3, 300), 0);
	ck_assert_int_eq(until(page, "a", 3, 999), 6000);
	ck_assert_int_eq(until(page, "a", 4, 400), 5000);
	page_free(page);
}
END_TEST

/* A slotd that was killed while it wrote: of two cells for a slot the later hold's counts. */
START_TEST(later_hold_wins)
{
	struct page *page = page_new(socket_path, &first, N_CELLS);

	set(page, 0, "a", 1, 100, 5 * SEC);
	set(page, 1, "a", 1, 101, 3 * SEC);
	set(page, 2, "a", 1, 99, 9 * SEC);
	page_free(page);
	page = page_new(socket_path, &second, N_CELLS);
	ck_assert_uint_eq(n_inherited(page), 1);
	ck_assert_int_eq(until(page, "a", 1, 101), 3000);
	page_free(page);
}
END_TEST

START_TEST(eras_stay)
{
	struct page *page = page_new(socket_path, &first, N_CELLS);

	page_eras(page)[0] = 11;
	page_eras(page)[PAGE_SHARDS - 1] = 12;
	*page_high(page) = 13;
	set(page, 0, "a", 1, 100, 5 * SEC);
	page_renew(page, &second);
	ck_assert_uint_eq(page_eras(page)[0], 11);
	ck_assert_uint_eq(*page_high(page), 13);
	ck_assert_uint_eq(n_inherited(page), 0);        /* what another has taken nobody resumes */
	page_free(page);
	page = page_new(socket_path, &third, 2 * N_CELLS);
	ck_assert_uint_eq(page_eras(page)[0], 11);
	ck_assert_uint_eq(page_eras(page)[PAGE_SHARDS - 1], 12);
	ck_assert_uint_eq(*page_high(page), 13);
	*page_high(page) = UINT64_MAX;          /* no slotd writes that */
	page_free(page);
	page = page_new(socket_path, &third, 2 * N_CELLS);
	ck_assert_uint_eq(*page_high(page), 0);
	page_free(page);
}
END_TEST

/* The lock file was copied from elsewhere, or put back: we are no predecessor of ourselves. */
START_TEST(generation_went_back)
{
	struct page *page = page_new(socket_path, &third, N_CELLS);
	struct xch_daemon from;
	uint32_t n;

	page_free(page);
	page = page_new(socket_path, &second, N_CELLS);
	page_inherited(page, &n, &from);
	ck_assert_uint_eq(from.generation, 1);
	page_free(page);
}
END_TEST

/* ------------------------------------------------------------------ what is no page */

static void
poke(long offset, const void *bytes, size_t len)
{
	int fd = open(page_path, O_WRONLY);

	ck_assert_int_eq(pwrite(fd, bytes, len, offset), (ssize_t)len);
	close(fd);
}

static const struct {
	const char *name;
	long offset;
	uint32_t value;
	long size;              /* the file's then; 0: as it is */
} damages[] = {
	{"empty", 0, 0, -1},
	{"half a header", 0, 0, 2000},
	{"no cells", 0, 0, PAGE_HEADER_SIZE},
	{"half a cell", 0, 0, PAGE_HEADER_SIZE + 32 * N_CELLS - 16},
	{"too long", 0, 0, PAGE_HEADER_SIZE + 32 * N_CELLS + 32},
	{"other magic", 4, 1, 0},
	{"other version", 8, 2, 0},
	{"other header", 12, 8192, 0},
	{"other cells", 16, 64, 0},
	{"more cells", 20, N_CELLS + 1, 0},
	{"all cells", 20, UINT32_MAX, 0},
	{"more inherited", 24, 1, 0},
	{"as many as overflow", 24, 0x08000000, 0},
	{"other boot", 40, 1, 0},
};

START_TEST(damaged)
{
	struct page *page = page_new(socket_path, &first, N_CELLS);

	set(page, 0, "a", 1, 100, 5 * SEC);
	page_eras(page)[0] = 11;
	page_free(page);
	if (damages[_i].size != 0)
		ck_assert_int_eq(truncate(page_path, damages[_i].size < 0 ? 0 : damages[_i].size), 0);
	else
		poke(damages[_i].offset, &damages[_i].value, sizeof damages[_i].value);
	page = page_new(socket_path, &second, N_CELLS);
	ck_assert_msg(n_inherited(page) == 0 && page_eras(page)[0] == 0, "%s", damages[_i].name);
	ck_assert_int_ge(page_fd(page), 0);
	set(page, 0, "a", 1, 100, 5 * SEC);
	page_free(page);
	page = page_new(socket_path, &third, N_CELLS);  /* and this one is good */
	ck_assert_uint_eq(n_inherited(page), 1);
	page_free(page);
}
END_TEST

/* Neither followed nor written to. */
START_TEST(symbolic_link)
{
	struct page *page = page_new(socket_path, &first, N_CELLS);
	char target[64];
	struct stat st;

	set(page, 0, "a", 1, 100, 5 * SEC);
	page_free(page);
	snprintf(target, sizeof target, "%s/elsewhere", directory);
	ck_assert_int_eq(rename(page_path, target), 0);
	ck_assert_int_eq(symlink(target, page_path), 0);
	page = page_new(socket_path, &second, N_CELLS);
	ck_assert_uint_eq(n_inherited(page), 0);
	ck_assert_int_eq(lstat(page_path, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	page_free(page);
	ck_assert_int_eq(unlink(target), 0);
}
END_TEST

START_TEST(fifo)
{
	struct page *page;
	struct stat st;

	ck_assert_int_eq(mkfifo(page_path, 0600), 0);
	page = page_new(socket_path, &first, N_CELLS);
	ck_assert_int_eq(lstat(page_path, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	page_free(page);
}
END_TEST

/* It cannot be made: nobody has a descriptor, and all else goes on. */
START_TEST(directory_in_its_place)
{
	struct page *page;
	struct stat st;

	ck_assert_int_eq(mkdir(page_path, 0700), 0);
	page = page_new(socket_path, &first, N_CELLS);
	ck_assert_int_eq(page_fd(page), -1);
	ck_assert_uint_eq(n_inherited(page), 0);
	page_eras(page)[0] = 11;
	page_renew(page, &second);
	ck_assert_uint_eq(page_eras(page)[0], 11);
	ck_assert_int_eq(lstat(page_path, &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	page_free(page);
}
END_TEST

/* What was left half made is no hindrance. */
START_TEST(leftover)
{
	char path[80];
	struct page *page;

	snprintf(path, sizeof path, "%s.new", page_path);
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	page = page_new(socket_path, &first, N_CELLS);
	ck_assert_int_ge(page_fd(page), 0);
	page_free(page);
}
END_TEST

START_TEST(another_user)
{
	struct page *page = page_new(socket_path, &first, N_CELLS);

	set(page, 0, "a", 1, 100, 5 * SEC);
	page_free(page);
	if (geteuid() == 0)     /* only root can make one */
		ck_assert_int_eq(chown(page_path, 65534, 65534), 0);
	page = page_new(socket_path, &second, N_CELLS);
	ck_assert_uint_eq(n_inherited(page), geteuid() == 0 ? 0 : 1);
	page_free(page);
}
END_TEST

/* ------------------------------------------------------------------ the boot's id */

START_TEST(boot_ids)
{
	static const char good[] = "01234567-89ab-cdef-0123-456789abcdef\n";
	static const char *const bad[] = {"", "\n", "01234567-89ab-cdef-0123-456789abcde",
	    "01234567-89ab-cdef-0123-456789abcdef0", "01234567089ab-cdef-0123-456789abcdef",
	    "01234567-89ab-cdef-0123-456789abcdeg", "0123456--89ab-cdef-0123-456789abcdef"};
	uint8_t id[16];

	ck_assert(page_parse_boot_id(good, strlen(good), id));
	ck_assert(page_parse_boot_id(good, strlen(good) - 1, id));
	ck_assert_mem_eq(id, "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef", 16);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!page_parse_boot_id(bad[i], strlen(bad[i]), id), "<%s>", bad[i]);
}
END_TEST

Suite *
page_suite(void)
{
	Suite *s = suite_create("page");
	TCase *tc = tcase_create("page");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, file);
	tcase_add_test(tc, what_clients_read);
	tcase_add_test(tc, inherits);
	tcase_add_test(tc, inherits_rest);
	tcase_add_test(tc, inherits_twice);
	tcase_add_test(tc, later_hold_wins);
	tcase_add_test(tc, eras_stay);
	tcase_add_test(tc, generation_went_back);
	tcase_add_loop_test(tc, damaged, 0, (int)(sizeof damages / sizeof damages[0]));
	tcase_add_test(tc, symbolic_link);
	tcase_add_test(tc, fifo);
	tcase_add_test(tc, directory_in_its_place);
	tcase_add_test(tc, leftover);
	tcase_add_test(tc, another_user);
	tcase_add_test(tc, boot_ids);
	return s;
}
