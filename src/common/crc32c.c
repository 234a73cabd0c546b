/* crc32c - by the processor's instruction where there is one, else by tables; both give the same. */
#include "common/crc32c.h"
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
__attribute__((target("sse4.2"))) static uint32_t
crc32c_hard(uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t c = crc, w;
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
