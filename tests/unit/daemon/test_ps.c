/* What hosts have said, put together: the order, the places, and what is left out. */
#include "tests/unit/daemon/suites.h"

#include <stdio.h>
#include <string.h>

#include "daemon/serve/ps.h"

static struct gather_part parts[3];
static struct output records;
static struct gathered gathered;
static struct output out;

static void
setup(void)
{
	memset(parts, 0, sizeof parts);
	records = out = (struct output){0};
	for (unsigned i = 0; i < 3; i++) {
		snprintf(parts[i].name, sizeof parts[i].name, "%016x", i + 1);
		snprintf(parts[i].host, sizeof parts[i].host, "host%u", i + 1);
	}
	gathered = (struct gathered){.parts = parts, .n_parts = 3, .records = &records};
}

static void
teardown(void)
{
	for (unsigned i = 0; i < 3; i++)
		output_clear(&parts[i].text);
	output_clear(&records);
	output_clear(&out);
	output_free_spares();
}

static void
says(struct output *text, const char *lines)
{
	ck_assert(output_add(text, lines, strlen(lines)));
}

static void
expect(const char *reply)
{
	ck_assert(ps_write(&gathered, true, &out));
	ck_assert(output_add(&out, "", 1));
	ck_assert_str_eq(out.bytes + out.start, reply);
}

START_TEST(nobody)
{
	expect("OK 1\nkind=fleet hosts=3 answered=3 redis=up complete=yes\n");
}
END_TEST

START_TEST(in_order)
{
	says(&parts[0].text, "h b 10 token=1 x\nw b 500 n=1\nw b 1500 n=2\nh a 2 token=2 x\n");
	says(&parts[1].text, "w b 1000 n=3\nh b 9 token=3 x\nw a 7 n=1\n");
	says(&parts[2].text, "w b 1000 n=4\n");
	expect("OK 9\n"
	    "host=host1 group=a kind=hold slot=2 token=2 x daemon=0000000000000001 answering=yes\n"
	    "host=host2 group=a kind=wait place=1 n=1 daemon=0000000000000002 answering=yes\n"
	    "host=host2 group=b kind=hold slot=9 token=3 x daemon=0000000000000002 answering=yes\n"
	    "host=host1 group=b kind=hold slot=10 token=1 x daemon=0000000000000001 answering=yes\n"
	    "host=host1 group=b kind=wait place=1 n=2 daemon=0000000000000001 answering=yes\n"
	    "host=host2 group=b kind=wait place=2 n=3 daemon=0000000000000002 answering=yes\n"
	    "host=host3 group=b kind=wait place=3 n=4 daemon=0000000000000003 answering=yes\n"
	    "host=host1 group=b kind=wait place=4 n=1 daemon=0000000000000001 answering=yes\n"
	    "kind=fleet hosts=3 answered=3 redis=up complete=yes\n");
}
END_TEST

/* Hosts of one name are told apart. */
START_TEST(namesakes)
{
	strcpy(parts[0].host, "same");
	strcpy(parts[1].host, "same");
	strcpy(parts[1].name, "0000000000000000");
	says(&parts[0].text, "w g 5 n=1\n");
	says(&parts[1].text, "w g 5 n=1\n");
	gathered.n_parts = 2;
	expect("OK 3\n"
	    "host=same group=g kind=wait place=1 n=1 daemon=0000000000000000 answering=yes\n"
	    "host=same group=g kind=wait place=2 n=1 daemon=0000000000000001 answering=yes\n"
	    "kind=fleet hosts=2 answered=2 redis=up complete=yes\n");
}
END_TEST

START_TEST(on_record)
{
	says(&records, "far 00000000000000ff h g 3 token=- lease_left=9\n- - p g 0 text\n"
	    "far 00000000000000ff w g 20 n=1\nbad line\n");
	says(&parts[0].text, "w g 10 n=2\n");
	gathered.n_parts = 1;
	gathered.n_silent = 1;
	expect("OK 4\n"
	    "host=far group=g kind=hold slot=3 token=- lease_left=9 daemon=00000000000000ff answering=no\n"
	    "host=far group=g kind=wait place=1 n=1 daemon=00000000000000ff answering=no\n"
	    "host=host1 group=g kind=wait place=2 n=2 daemon=0000000000000001 answering=yes\n"
	    "kind=fleet hosts=2 answered=1 redis=up complete=no\n");
}
END_TEST

START_TEST(alone)
{
	gathered.n_parts = 1;
	gathered.is_alone = true;
	expect("OK 1\nkind=fleet hosts=1 answered=1 redis=away complete=no\n");
}
END_TEST

/* Another daemon's lines are no more than lines: what is none is left out. */
START_TEST(nonsense)
{
	char line[4096];

	says(&parts[0].text, "\n\nh\nh g\nh g 1\nh g x rest\nh g -1 rest\nq g 1 rest\nhh g 1 rest\n"
	    "h g 18446744073709551616 rest\nh g 1 \x01\nh g 1 r\xc3\xbc\n  \n");
	snprintf(line, sizeof line, "h g 1 %02000d\n", 7);
	says(&parts[0].text, line);
	ck_assert(output_add(&parts[0].text, "h g 1 a\0b\n", 10));
	says(&parts[0].text, "h g 4 rest\nh g 5 no end");
	gathered.n_parts = 1;
	expect("OK 2\nhost=host1 group=g kind=hold slot=4 rest daemon=0000000000000001 answering=yes\n"
	    "kind=fleet hosts=1 answered=1 redis=up complete=yes\n");
}
END_TEST

Suite *
ps_suite(void)
{
	Suite *s = suite_create("ps");
	TCase *tc = tcase_create("ps");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nobody);
	tcase_add_test(tc, in_order);
	tcase_add_test(tc, namesakes);
	tcase_add_test(tc, on_record);
	tcase_add_test(tc, alone);
	tcase_add_test(tc, nonsense);
	suite_add_tcase(s, tc);
	return s;
}
