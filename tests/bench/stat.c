/* Samples of one figure: median and the worst of a hundred. */
#include <stdlib.h>
#include <time.h>

#include "tests/bench/bench.h"

double
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

void
nap_us(long us)
{
	struct timespec nap = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&nap, NULL);
}

void
sample(struct samples *s, double value)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 1024;
		s->values = realloc(s->values, s->cap * sizeof *s->values);
		if (s->values == NULL)
			fail("no memory");
	}
	s->values[s->n++] = value;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* the value that `share` of them do not exceed */
static double
quantile(struct samples *s, double share)
{
	if (s->n == 0)
		return 0;
	qsort(s->values, s->n, sizeof *s->values, compare);
	return s->values[(size_t)((double)(s->n - 1) * share)];
}

double
median(struct samples *s)
{
	return quantile(s, 0.5);
}

double
p99(struct samples *s)
{
	return quantile(s, 0.99);
}

void
samples_free(struct samples *s)
{
	free(s->values);
	*s = (struct samples){0};
}
