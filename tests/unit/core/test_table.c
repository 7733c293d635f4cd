/* The hash table against a plain array, under random adds and removes. */
#include "tests/unit/core/suites.h"

#include <stdbool.h>

#include "daemon/core/name.h"
#include "daemon/core/table.h"

enum { N = 3000 };

struct item {
	uint64_t name;
	bool is_in, is_met;
	struct table_node by_name, by_key;
};

static struct item items[N];
static struct table by_name, by_key;
static uint32_t n_in;

/* Of by_key every key has three items. */
static uint64_t
key_of(const struct item *it)
{
	return (uint64_t)(it - items) / 3;
}

static void
flip(struct item *it)
{
	it->is_in = !it->is_in;
	if (it->is_in) {
		table_add(&by_name, it, it->name);
		table_add(&by_key, it, key_of(it));
		n_in++;
	} else {
		table_remove(&by_name, it);
		table_remove(&by_key, it);
		n_in--;
	}
}

static void
check_one(const struct item *it)
{
	const struct item *other = table_find(&by_key, key_of(it));

	ck_assert_ptr_eq(table_find(&by_name, it->name), it->is_in ? it : NULL);
	while (other != NULL && other != it) {
		ck_assert_uint_eq(key_of(other), key_of(it));
		other = table_find_next(&by_key, other);
	}
	ck_assert_ptr_eq(other, it->is_in ? it : NULL);
}

static void
check_walk(const struct table *table)
{
	struct item *it, *after;
	uint32_t n = 0;

	for (int i = 0; i < N; i++)
		items[i].is_met = false;
	TABLE_FOREACH (it, after, table) {
		ck_assert(it->is_in && !it->is_met);
		it->is_met = true;
		n++;
	}
	ck_assert_uint_eq(n, n_in);
	ck_assert_uint_eq(table->n, n_in);
}

static void
begin(void)
{
	by_name = TABLE_OF(struct item, by_name);
	by_key = TABLE_OF(struct item, by_key);
	n_in = 0;
	for (int i = 0; i < N; i++)
		items[i] = (struct item){.name = (uint64_t)i << 12 | i % 2};
}

/* `many` of the items are in use: only a few, so that the array comes and goes, or all. */
static void
use(int many)
{
	uint32_t x = 12345;

	for (int round = 0; round < 20000; round++) {
		x = x * 1664525 + 1013904223;
		flip(&items[(x >> 8) % (uint32_t)many]);
		check_one(&items[(x >> 8) % (uint32_t)many]);
		if (round % 500 == 0) {
			check_walk(&by_name);
			check_walk(&by_key);
		}
	}
	for (int i = 0; i < N; i++)
		check_one(&items[i]);
}

START_TEST(random_use)
{
	begin();
	use(5);
	use(40);
	use(N);
}
END_TEST

START_TEST(removed_in_a_walk)
{
	struct item *it, *after;

	begin();
	for (int i = 0; i < N; i++)
		flip(&items[i]);
	TABLE_FOREACH (it, after, &by_name)
		if (it->name % 2 == 0)
			flip(it);
	check_walk(&by_name);
	TABLE_FOREACH (it, after, &by_name)
		flip(it);
	ck_assert_uint_eq(n_in, 0);
	ck_assert_ptr_null(table_first(&by_key));
	ck_assert_uint_eq(by_key.bits, 0);      /* its memory is given back */
}
END_TEST

/* From the paper, and the empty one from its authors' code. */
START_TEST(names)
{
	const uint64_t secret[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908}, none[2] = {0};
	unsigned char bytes[15];

	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)i;
	name_set_secret(secret);
	ck_assert_uint_eq(name_key_n(bytes, 15), 0xa129ca6149be45e5);
	ck_assert_uint_eq(name_key(""), 0x726fdb47dd0e0e31);
	name_set_secret(none);
	ck_assert_uint_ne(name_key(""), 0x726fdb47dd0e0e31);
}
END_TEST

Suite *
table_suite(void)
{
	Suite *s = suite_create("table");
	TCase *tc = tcase_create("table");

	tcase_add_test(tc, random_use);
	tcase_add_test(tc, removed_in_a_walk);
	tcase_add_test(tc, names);
	suite_add_tcase(s, tc);
	return s;
}
