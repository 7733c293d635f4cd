/* The exposition format of Prometheus, version 0.0.4: families of samples as text. */
#include "daemon/metrics/exposition.h"

#include <assert.h>
#include <string.h>

#define PREFIX "slotd_"
#define NUMBER_MAX 32

static const struct {
	const char *name, *type, *sentence;
} metrics[METRIC_N] = {
#define GAUGE "gauge"
#define COUNTER "counter"
#define HISTOGRAM "histogram"
#define METRIC(id, name, type, labels, sentence) {name, type, sentence},
#include "daemon/metrics/metrics.def"
#undef METRIC
};

void
exposition_begin(struct exposition *e, enum metric metric)
{
	const char *name = metrics[metric].name;

	e->name = name;
	e->n += 2;
	e->failed |= !output_printf(e->out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name,
	    metrics[metric].sentence, name, metrics[metric].type);
}

static char *
put(char *to, const char *text)
{
	size_t len = strlen(text);

	memcpy(to, text, len);
	return to + len;
}

static char *
put_number(char *to, uint64_t value)
{
	char digits[20], *p = digits + sizeof digits;

	do
		*--p = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	memcpy(to, p, (size_t)(digits + sizeof digits - p));
	return to + (digits + sizeof digits - p);
}

/* Exactly, without zeros at the end. */
static char *
put_us(char *to, uint64_t us)
{
	uint64_t digit = 100000, rest = us % 1000000;

	to = put_number(to, us / 1000000);
	if (rest > 0)
		*to++ = '.';
	for (; rest > 0; digit /= 10) {
		*to++ = (char)('0' + rest / digit);
		rest %= digit;
	}
	return to;
}

/* One line up to its value.  label NULL: there is no label but `labels`. */
static char *
put_name(char *to, const struct exposition *e, const char *suffix, const char *labels,
    const char *label, const char *word)
{
	to = put(to, PREFIX);
	to = put(to, e->name);
	to = put(to, suffix);
	if (labels[0] != '\0' || label != NULL) {
		*to++ = '{';
		to = put(to, labels);
		if (label != NULL) {
			if (labels[0] != '\0')
				*to++ = ',';
			to = put(put(to, label), "=\"");
			to = put(to, word);
			*to++ = '"';
		}
		*to++ = '}';
	}
	*to++ = ' ';
	return to;
}

#define SAMPLE_MAX (sizeof PREFIX + 64 + EXPOSITION_LABELS_MAX + 2 * NUMBER_MAX)

static void
finish(struct exposition *e, char *line, char *end)
{
	*end++ = '\n';
	assert((size_t)(end - line) <= SAMPLE_MAX);
	e->n++;
	e->failed |= !output_add(e->out, line, (size_t)(end - line));
}

static void
sample(struct exposition *e, const char *suffix, const char *labels, const char *label,
    const char *word, uint64_t value)
{
	char line[SAMPLE_MAX];

	finish(e, line, put_number(put_name(line, e, suffix, labels, label, word), value));
}

static void
sample_us(struct exposition *e, const char *suffix, const char *labels, uint64_t us)
{
	char line[SAMPLE_MAX];

	finish(e, line, put_us(put_name(line, e, suffix, labels, NULL, NULL), us));
}

void
exposition_count(struct exposition *e, const char *labels, uint64_t value)
{
	sample(e, "", labels, NULL, NULL, value);
}

void
exposition_word(struct exposition *e, const char *labels, const char *label, const char *word,
    uint64_t value)
{
	sample(e, "", labels, label, word, value);
}

void
exposition_seconds(struct exposition *e, const char *labels, nsec value)
{
	sample_us(e, "", labels, value > 0 ? (uint64_t)value / 1000 : 0);
}

void
exposition_histogram(struct exposition *e, const char *labels, const struct histogram *h)
{
	char le[NUMBER_MAX];
	uint64_t n = 0;

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		n += h->n[i];
		*put_us(le, (uint64_t)h->bounds[i] / 1000) = '\0';
		sample(e, "_bucket", labels, "le", le, n);
	}
	n += h->n[HISTOGRAM_BOUNDS];
	sample(e, "_bucket", labels, "le", "+Inf", n);
	sample_us(e, "_sum", labels, h->sum);
	sample(e, "_count", labels, NULL, NULL, n);
}

void
label_add(char *labels, const char *name, const char *value)
{
	char *to = labels + strlen(labels);

	assert(strlen(labels) + strlen(name) + 2 * strlen(value) + 5 <= EXPOSITION_LABELS_MAX);
	if (to > labels)
		*to++ = ',';
	to = put(put(to, name), "=\"");
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			*to++ = '\\';
		*to++ = *value == '\n' ? 'n' : *value;
	}
	strcpy(to, "\"");
}
