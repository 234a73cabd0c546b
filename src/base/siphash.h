/* SipHash-C-D (Aumasson and Bernstein, 2012). Whoever does not know the key cannot choose bytes whose hashes are equal.
 * The rounds are arguments, so that a test can compare this with the published vectors of SipHash-2-4. The functions
 * are inline: with constant rounds no loop over them is left. */
#ifndef SIPHASH_H
#define SIPHASH_H
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct siphash { uint64_t v[4]; };

static inline __attribute__((always_inline)) uint64_t
siphash_rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline __attribute__((always_inline)) void
siphash_rounds(struct siphash *s, int rounds)
{
	uint64_t a = s->v[0], b = s->v[1], c = s->v[2], d = s->v[3];
	for (int i = 0; i < rounds; i++) {
		a += b;
		c += d;
		b = siphash_rotate(b, 13) ^ a;
		d = siphash_rotate(d, 16) ^ c;
		a = siphash_rotate(a, 32) + d;
		c += b;
		d = siphash_rotate(d, 21) ^ a;
		b = siphash_rotate(b, 17) ^ c;
		c = siphash_rotate(c, 32);
	}
	*s = (struct siphash){ { a, b, c, d } };
}

static inline __attribute__((always_inline)) void
siphash_word(struct siphash *s, uint64_t word, int rounds)
{
	s->v[3] ^= word;
	siphash_rounds(s, rounds);
	s->v[0] ^= word;
}

/* c rounds for each word, d rounds at the end */
static inline __attribute__((always_inline)) uint64_t
siphash(uint64_t k0, uint64_t k1, const void *bytes, size_t len, int c, int d)
{
	struct siphash s = { { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
	    k1 ^ 0x7465646279746573u } };
	const unsigned char *p = bytes;
	uint64_t word, last = (uint64_t)len << 56;
	size_t left = len;
	for (; left >= 8; p += 8, left -= 8) {
		memcpy(&word, p, 8);
		siphash_word(&s, le64toh(word), c);
	}
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << 8 * i;
	siphash_word(&s, last, c);
	s.v[2] ^= 0xff;
	siphash_rounds(&s, d);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}
#endif
