/* crc32c - by the processor's instruction where there is one, else by tables; both give the same. */
#include "base/crc32c.h"
#include <string.h>

static uint32_t table[8][256];
static int have_table;

static void
crc32c_fill(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
		table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int k = 1; k < 8; k++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
	__atomic_store_n(&have_table, 1, __ATOMIC_RELEASE);
}

static uint32_t
crc32c_soft(uint32_t c, const unsigned char *p, size_t n)
{
	if (!__atomic_load_n(&have_table, __ATOMIC_ACQUIRE))
		crc32c_fill();
	for (; n >= 4; p += 4, n -= 4) {
		c ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		c = table[3][c & 255] ^ table[2][c >> 8 & 255] ^ table[1][c >> 16 & 255] ^ table[0][c >> 24];
	}
	while (n--)
		c = c >> 8 ^ table[0][(c ^ *p++) & 255];
	return c;
}

#if defined(__x86_64__)
/* The instruction takes 3 cycles but begins every cycle: three lanes of LANE bytes run side by side. What a lane's CRC
 * becomes when the next lane's bytes follow is linear in its bits: a table a byte. */
enum { LANE = 256 };
static uint32_t behind[4][256];
static int have_behind;

__attribute__((target("sse4.2"))) static void
behind_fill(void)
{
	uint32_t bit[32];
	for (int i = 0; i < 32; i++) {
		uint64_t c = UINT32_C(1) << i;
		for (int k = 0; k < LANE / 8; k++)
			c = __builtin_ia32_crc32di(c, 0);
		bit[i] = (uint32_t)c;
	}
	for (int k = 0; k < 4; k++)
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = 0;
			for (int b = 0; b < 8; b++)
				c ^= i >> b & 1 ? bit[8 * k + b] : 0;
			behind[k][i] = c;
		}
	__atomic_store_n(&have_behind, 1, __ATOMIC_RELEASE);
}

static uint32_t
lane_shift(uint32_t c)
{
	return behind[0][c & 255] ^ behind[1][c >> 8 & 255] ^ behind[2][c >> 16 & 255] ^ behind[3][c >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t
crc32c_hard(uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t c = crc, w, w1, w2;
	if (n >= 3 * LANE && !__atomic_load_n(&have_behind, __ATOMIC_ACQUIRE))
		behind_fill();
	for (; n >= 3 * LANE; p += 3 * LANE, n -= 3 * LANE) {
		uint64_t c1 = 0, c2 = 0;
		for (size_t i = 0; i < LANE; i += 8) {
			memcpy(&w, p + i, 8);
			memcpy(&w1, p + LANE + i, 8);
			memcpy(&w2, p + 2 * LANE + i, 8);
			c = __builtin_ia32_crc32di(c, w);
			c1 = __builtin_ia32_crc32di(c1, w1);
			c2 = __builtin_ia32_crc32di(c2, w2);
		}
		c = lane_shift(lane_shift((uint32_t)c) ^ (uint32_t)c1) ^ (uint32_t)c2;
	}
	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&w, p, 8);
		c = __builtin_ia32_crc32di(c, w);
	}
	while (n--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return (uint32_t)c;
}
#endif

uint32_t
crc32c(uint32_t crc, const void *bytes, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_hard(~crc, bytes, n);
#endif
	return ~crc32c_soft(~crc, bytes, n);
}

uint32_t
crc32c_salted(uint64_t salt, const void *bytes, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_hard(crc32c_hard(~0u, (const unsigned char *)&salt, sizeof salt), bytes, n);
#endif
	return crc32c(crc32c(0, &salt, sizeof salt), bytes, n);
}
