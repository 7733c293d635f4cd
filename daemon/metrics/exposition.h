/* The exposition format of Prometheus, version 0.0.4: families of samples as text.
 *
 * Fast, since a scrape can have a hundred thousand lines, and slotd does nothing else meanwhile. */
#ifndef METRICS_EXPOSITION_H
#define METRICS_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/histogram.h"
#include "daemon/serve/output.h"

#define EXPOSITION_LABELS_MAX 280       /* of one sample, escaped; with the NUL */

enum metric {
#define METRIC(id, name, type, labels, sentence) METRIC_##id,
#include "daemon/metrics/metrics.def"
#undef METRIC
	METRIC_N,
};

struct exposition {
	struct output *out;             /* the caller's */
	const char *name;               /* of the family, behind slotd_ */
	uint32_t n;                     /* lines */
	bool failed;                    /* no memory: the text is incomplete */
};

/* The samples that follow are of this metric.  Each family is begun once. */
void exposition_begin(struct exposition *e, enum metric metric);

/* labels: what stands between { and }, as label_add() makes it; "": none. */
void exposition_count(struct exposition *e, const char *labels, uint64_t value);
/* With one label more, whose value needs no escape. */
void exposition_word(struct exposition *e, const char *labels, const char *label, const char *word,
    uint64_t value);
void exposition_seconds(struct exposition *e, const char *labels, nsec value);
void exposition_histogram(struct exposition *e, const char *labels, const struct histogram *h);

/* Appends name="value", escaped, to labels[EXPOSITION_LABELS_MAX]. */
void label_add(char *labels, const char *name, const char *value);

#endif
