/* The one generator of a run: every choice is drawn from it, so a seed says it all. */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
int64_t rng_between(struct rng *r, int64_t low, int64_t high);  /* low <= x < high */
bool rng_chance(struct rng *r, unsigned permille);
int64_t rng_exponential(struct rng *r, int64_t mean);           /* at most 16 times the mean */

#define RNG_PICK(r, v) ((v)[rng_between((r), 0, (int64_t)(sizeof(v) / sizeof *(v)))])

#endif
