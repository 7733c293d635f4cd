/* xoshiro256** (Blackman, Vigna 2018), seeded by splitmix64. */
#include "tests/sim/random.h"

#include <assert.h>

void
rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t x = seed += 0x9e3779b97f4a7c15;

		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
		x = (x ^ x >> 27) * 0x94d049bb133111eb;
		r->s[i] = x ^ x >> 31;
	}
}

static uint64_t
rotate(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

uint64_t
rng_next(struct rng *r)
{
	uint64_t result = rotate(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rotate(r->s[3], 45);
	return result;
}

int64_t
rng_between(struct rng *r, int64_t low, int64_t high)
{
	assert(low < high);
	return low + (int64_t)(rng_next(r) % (uint64_t)(high - low));
}

bool
rng_chance(struct rng *r, unsigned permille)
{
	return rng_next(r) % 1000 < permille;
}

/* In whole numbers: the bits of a libm may differ, those of a seed must not.  Bits are drawn until
 * one is set: each is a factor of 2 less likely, and within that factor the draw is even. */
int64_t
rng_exponential(struct rng *r, int64_t mean)
{
	int64_t halving = mean * 7 / 10; /* ln 2 */
	int k = 0;

	while (k < 20 && (rng_next(r) >> 63) == 0)
		k++;
	return k * halving + rng_between(r, 0, halving + 1);
}
