/* The key of a name: SipHash-2-4, Aumasson and Bernstein 2012. */
#include "daemon/core/name.h"

#include <string.h>

static uint64_t secret[2];

void
name_set_secret(const uint64_t its_secret[2])
{
	memcpy(secret, its_secret, sizeof secret);
}

static uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void
sip_rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
}

/* n bytes, at most 8, the lowest first. */
static uint64_t
word_of(const unsigned char *bytes, size_t n)
{
	uint64_t word = 0;

	while (n-- > 0)
		word = word << 8 | bytes[n];
	return word;
}

uint64_t
name_key_n(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t v[4] = {secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
	    secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573};
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8)
		sip_word(v, word_of(p, 8));
	sip_word(v, (uint64_t)len << 56 | word_of(p, left));
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
name_key(const char *name)
{
	return name_key_n(name, strlen(name));
}
