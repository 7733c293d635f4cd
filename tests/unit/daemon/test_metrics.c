/* The text for Prometheus: how samples are written; and slotd-metrics(7) lists every metric. */
#include "tests/unit/daemon/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/metrics/exposition.h"

#define PAGE "daemon/slotd-metrics.7"

static struct output out;
static struct exposition e;

static void
setup(void)
{
	out = (struct output){0};
	e = (struct exposition){.out = &out};
}

static void
teardown(void)
{
	output_clear(&out);
	output_free_spares();
}

static void
expect(const char *text)
{
	ck_assert(!e.failed);
	ck_assert(output_add(&out, "", 1));
	ck_assert_str_eq(out.bytes + out.start, text);
}

START_TEST(samples)
{
	exposition_begin(&e, METRIC_START_TIME);
	exposition_count(&e, "", UINT64_MAX);
	exposition_begin(&e, METRIC_OLDEST_WAIT);
	exposition_seconds(&e, "group=\"g\"", 0);
	exposition_seconds(&e, "group=\"h\"", 1500 * NSEC_MS);
	exposition_seconds(&e, "group=\"i\"", 10000123456);
	ck_assert_uint_eq(e.n, 8);
	expect("# HELP slotd_start_time_seconds When slotd was started, since 1970.\n"
	       "# TYPE slotd_start_time_seconds gauge\n"
	       "slotd_start_time_seconds 18446744073709551615\n"
	       "# HELP slotd_oldest_wait_seconds For how long the oldest of them has waited; "
	       "0 if there is none.\n"
	       "# TYPE slotd_oldest_wait_seconds gauge\n"
	       "slotd_oldest_wait_seconds{group=\"g\"} 0\n"
	       "slotd_oldest_wait_seconds{group=\"h\"} 1.5\n"
	       "slotd_oldest_wait_seconds{group=\"i\"} 10.000123\n");
}
END_TEST

START_TEST(buckets_add_up)
{
	struct histogram h = {.bounds = histogram_short};

	e.name = "x_seconds";
	histogram_add(&h, 0);
	histogram_add(&h, 3 * NSEC_MS);
	histogram_add(&h, 3 * NSEC_MS);
	histogram_add(&h, 2000 * NSEC_MS);
	exposition_histogram(&e, "group=\"g\"", &h);
	expect("slotd_x_seconds_bucket{group=\"g\",le=\"0.0001\"} 1\n"
	       "slotd_x_seconds_bucket{group=\"g\",le=\"0.00025\"} 1\n"
	       "slotd_x_seconds_bucket{group=\"g\",le=\"0.0005\"} 1\n"
	       "slotd_x_seconds_bucket{group=\"g\",le=\"0.001\"} 1\n"
	       "slotd_x_seconds_bucket{group=\"g\",le=\"0.0025\"} 1\n"
	       "slotd_x_seconds_bucket{group=\"g\",le=\"0.005\"} 3\n"
	       "slotd_x_seconds_bucket{group=\"g\",le=\"0.01\"} 3\n"
	       "slotd_x_seconds_bucket{group=\"g\",le=\"0.05\"} 3\n"
	       "slotd_x_seconds_bucket{group=\"g\",le=\"0.25\"} 3\n"
	       "slotd_x_seconds_bucket{group=\"g\",le=\"1\"} 3\n"
	       "slotd_x_seconds_bucket{group=\"g\",le=\"+Inf\"} 4\n"
	       "slotd_x_seconds_sum{group=\"g\"} 2.006\n"
	       "slotd_x_seconds_count{group=\"g\"} 4\n");
}
END_TEST

START_TEST(labels_are_escaped)
{
	char labels[EXPOSITION_LABELS_MAX] = "", longest[WIRE_GROUP_MAX + 1];

	label_add(labels, "group", "a\\b\"} 1\nc{Z\xc3\xbcrich");
	label_add(labels, "result", "full");
	ck_assert_str_eq(labels, "group=\"a\\\\b\\\"} 1\\nc{Z\xc3\xbcrich\",result=\"full\"");

	memset(longest, '"', WIRE_GROUP_MAX);
	longest[WIRE_GROUP_MAX] = '\0';
	labels[0] = '\0';
	label_add(labels, "group", longest);
	e.name = "acquires_total";
	exposition_word(&e, labels, "result", "unavailable", UINT64_MAX);
	ck_assert_uint_eq(e.n, 1);
}
END_TEST

static const struct {
	const char *name, *type, *labels, *sentence;
} metrics[] = {
#define GAUGE "gauge"
#define COUNTER "counter"
#define HISTOGRAM "histogram"
#define METRIC(id, name, type, labels, sentence) {name, type, labels, sentence},
#include "daemon/metrics/metrics.def"
#undef METRIC
};

static char *
slurp(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	ck_assert_msg(file != NULL, "%s (run from the top of the source)", path);
	ck_assert_uint_lt(fread(text, 1, 65535, file), 65535);
	fclose(file);
	return text;
}

static int
count(const char *text, const char *needle)
{
	int n = 0;

	for (; (text = strstr(text, needle)) != NULL; n++)
		text += strlen(needle);
	return n;
}

START_TEST(metric_in_page)
{
	char *text = slurp(PAGE), expected[512], labels[64] = "";
	const char *from = metrics[_i].labels;

	if (*from != '\0')
		strcpy(labels, " by ");
	for (char *to = labels + strlen(labels); *from != '\0'; from++) {
		*to++ = *from;
		if (*from == ',')
			*to++ = ' ';
	}
	snprintf(expected, sizeof expected, ".It Cm slotd_%s Pq %s%s\n%s\n", metrics[_i].name,
	    metrics[_i].type, labels, metrics[_i].sentence);
	ck_assert_msg(count(text, expected) == 1, "not in " PAGE ": %s", expected);
	free(text);
}
END_TEST

START_TEST(no_metric_besides)
{
	char *text = slurp(PAGE);

	ck_assert_int_eq(count(text, "\n.It Cm slotd_"), METRIC_N);
	free(text);
}
END_TEST

Suite *
metrics_suite(void)
{
	Suite *s = suite_create("metrics");
	TCase *tc = tcase_create("metrics");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, samples);
	tcase_add_test(tc, buckets_add_up);
	tcase_add_test(tc, labels_are_escaped);
	tcase_add_loop_test(tc, metric_in_page, 0, METRIC_N);
	tcase_add_test(tc, no_metric_besides);
	suite_add_tcase(s, tc);
	return s;
}
