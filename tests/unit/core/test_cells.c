/* Which cells are free, against a plain list of those that are used. */
#include "tests/unit/core/suites.h"

#include <stdlib.h>

#include "daemon/core/cells.h"

#define MOST 200

static struct cells cells;

START_TEST(next_fit)
{
	ck_assert(cells_init(&cells, 3));
	ck_assert_uint_eq(cells_take(&cells, 1), 0);
	cells_give_back(&cells, 0);
	ck_assert_uint_eq(cells_take(&cells, 1), 1);    /* 0 rests */
	ck_assert_uint_eq(cells_take(&cells, 1), 2);
	ck_assert_uint_eq(cells_take(&cells, 1), 0);
	ck_assert_uint_eq(cells_take(&cells, 1), CELL_NONE);
	cells_give_back(&cells, 1);
	ck_assert_uint_eq(cells_take(&cells, 2), CELL_NONE);
	ck_assert_uint_eq(cells_take(&cells, 1), 1);
	cells_fini(&cells);
}
END_TEST

START_TEST(none)
{
	ck_assert(cells_init(&cells, 0));
	ck_assert_uint_eq(cells_take(&cells, 1), CELL_NONE);
	cells_fini(&cells);
}
END_TEST

/* In a row, and also across the place where the search begins. */
START_TEST(runs)
{
	ck_assert(cells_init(&cells, 8));
	ck_assert_uint_eq(cells_take(&cells, 5), 0);
	ck_assert_uint_eq(cells_take(&cells, 1), 5);
	for (uint32_t cell = 0; cell < 5; cell++)
		cells_give_back(&cells, cell);
	ck_assert_uint_eq(cells_take(&cells, 1), 6);
	ck_assert_uint_eq(cells_take(&cells, 2), 0);    /* 7 and 0 are not in a row */
	ck_assert_uint_eq(cells_take(&cells, 4), CELL_NONE);
	ck_assert_uint_eq(cells_take(&cells, 3), 2);
	cells_give_back(&cells, 6);
	cells_give_back(&cells, 5);
	ck_assert_uint_eq(cells_take(&cells, 3), 5);
	cells_fini(&cells);
}
END_TEST

static bool
has_run(const bool *used, uint32_t size, uint32_t n)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < size; i++) {
		run = used[i] ? 0 : run + 1;
		if (run == n)
			return true;
	}
	return false;
}

/* A run is found whenever there is one, and nothing is given twice. */
START_TEST(as_a_plain_list)
{
	uint32_t size = (const uint32_t[]){1, 63, 64, 65, 128, MOST}[_i];
	bool used[MOST] = {false};

	srand((unsigned)_i);
	ck_assert(cells_init(&cells, size));
	for (int step = 0; step < 20000; step++) {
		uint32_t n = rand() % 4 > 0 ? 1 : 1 + (uint32_t)rand() % 70, at;

		if (rand() % 2) {
			at = (uint32_t)rand() % size;
			if (used[at])
				cells_give_back(&cells, at);
			used[at] = false;
			continue;
		}
		at = cells_take(&cells, n);
		ck_assert(n <= size || at == CELL_NONE);
		ck_assert_int_eq(at != CELL_NONE, has_run(used, size, n));
		for (uint32_t i = 0; at != CELL_NONE && i < n; i++) {
			ck_assert(at + i < size && !used[at + i]);
			used[at + i] = true;
		}
	}
	cells_fini(&cells);
}
END_TEST

Suite *
cells_suite(void)
{
	Suite *s = suite_create("cells");
	TCase *tc = tcase_create("cells");

	tcase_add_test(tc, next_fit);
	tcase_add_test(tc, none);
	tcase_add_test(tc, runs);
	tcase_add_loop_test(tc, as_a_plain_list, 0, 6);
	suite_add_tcase(s, tc);
	return s;
}
