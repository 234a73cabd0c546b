/* coding - payloads: what was put is got, byte for byte as mom_coding.h says; what does not fit or is not there fails
 * once and for all */
#include <lib/t.h>
#include <mom_coding.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TEST(bytes, "the bytes are what the header says: little endian, a length before bytes and strings, no padding")
{
	static const unsigned char wanted[] = { 0xfe, 0x02, 0x01, 0x04, 0x03, 0x02, 0x01, 8, 7, 6, 5, 4, 3, 2, 1, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 2, 'h', 'i', 2, 0, 'h', 'i', 2, 0, 0, 0, 'h', 'i', 1, 0, 'r' };
	unsigned char b[100];
	struct mom_writer w;
	mom_writer_init(&w, b, sizeof b);
	mom_put_u8(&w, 0xfe);
	mom_put_u16(&w, 0x0102);
	mom_put_u32(&w, 0x01020304);
	mom_put_u64(&w, 0x0102030405060708);
	mom_put_i64(&w, -1);
	mom_put_f64(&w, 1.0);
	mom_put_string8(&w, "hi");
	mom_put_string16(&w, "hi");
	mom_put_string32(&w, "hi");
	mom_put_bytes8(&w, "\0", 1);
	mom_put_raw(&w, "r", 1);
	REQUIRE(!mom_writer_failed(&w) && w.len == sizeof wanted && memcmp(b, wanted, w.len) == 0, "%zu bytes", w.len);
}

TEST(round_trip, "every value comes back, also the smallest, the largest and what is no number")
{
	static const uint64_t numbers[] = { 0, 1, 0x7f, 0x80, 0xff, 0x8000, 0xffff, 0x80000000, 0xffffffff,
	    0x8000000000000000, UINT64_MAX };
	static const double doubles[] = { 0.0, -0.0, 0.1, -1e308, 5e-324, INFINITY };
	unsigned char b[200];
	struct mom_writer w;
	struct mom_reader r;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		uint64_t n = numbers[i];
		mom_writer_init(&w, b, sizeof b);
		mom_put_u8(&w, (uint8_t)n), mom_put_u16(&w, (uint16_t)n), mom_put_u32(&w, (uint32_t)n),
		    mom_put_u64(&w, n), mom_put_i64(&w, (int64_t)n);
		mom_reader_init(&r, b, w.len);
		REQUIRE(mom_get_u8(&r) == (uint8_t)n && mom_get_u16(&r) == (uint16_t)n &&
		    mom_get_u32(&r) == (uint32_t)n && mom_get_u64(&r) == n &&
		    mom_get_i64(&r) == (int64_t)n && !mom_reader_failed(&r) && mom_reader_left(&r) == 0, "%llx",
		    (unsigned long long)n);
	}
	for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
		mom_writer_init(&w, b, sizeof b);
		mom_put_f64(&w, doubles[i]), mom_put_f64(&w, NAN);
		mom_reader_init(&r, b, w.len);
		double back = mom_get_f64(&r), none = mom_get_f64(&r);
		REQUIRE(memcmp(&back, &doubles[i], 8) == 0 && none != none, "%g came back as %g", doubles[i], back);
	}
}

TEST(writer_full, "what does not fit fails for good and writes nothing, not even its length; a byte less than needed "
    "is too little")
{
	for (size_t size = 0; size <= 20; size++) {
		unsigned char *b = malloc(size + 1);
		struct mom_writer w;
		b[size] = 0xaa;
		mom_writer_init(&w, b, size);
		mom_put_u32(&w, 1), mom_put_bytes16(&w, "ten bytes.", 10), mom_put_u32(&w, 2);
		REQUIRE(mom_writer_failed(&w) == (size < 20) && b[size] == 0xaa, "size %zu", size);
		REQUIRE(w.len == (size < 4 ? 0u : size < 16 ? 4u : size < 20 ? 16u : 20u), "size %zu: %zu written",
		    size, w.len);
		if (mom_writer_failed(&w)) {
			mom_put_u8(&w, 1);
			REQUIRE(w.len == (size < 4 ? 0u : size < 16 ? 4u : 16u), "size %zu: written after a failure",
			    size);
		}
		free(b);
	}
}

TEST(prefix_full, "255 bytes are the most after a u8, 65535 after a u16")
{
	static char text[70000], b[70010];
	struct mom_writer w;
	memset(text, 'x', sizeof text);
	static const struct { size_t len; int in8, in16; } cases[] = { { 255, 0, 0 }, { 256, 1, 0 }, { 65535, 1, 0 },
	    { 65536, 1, 1 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		mom_writer_init(&w, b, sizeof b), mom_put_bytes8(&w, text, cases[i].len);
		REQUIRE(mom_writer_failed(&w) == cases[i].in8, "u8 before %zu", cases[i].len);
		mom_writer_init(&w, b, sizeof b), mom_put_bytes16(&w, text, cases[i].len);
		REQUIRE(mom_writer_failed(&w) == cases[i].in16, "u16 before %zu", cases[i].len);
		mom_writer_init(&w, b, sizeof b), mom_put_bytes32(&w, text, cases[i].len);
		REQUIRE(!mom_writer_failed(&w), "u32 before %zu", cases[i].len);
	}
}

TEST(reader_short, "a message cut anywhere fails, and everything after the cut is 0 or empty")
{
	unsigned char b[64];
	struct mom_writer w;
	mom_writer_init(&w, b, sizeof b);
	mom_put_u32(&w, 7), mom_put_string16(&w, "text"), mom_put_bytes8(&w, "bytes", 5), mom_put_u64(&w, 9);
	for (size_t n = 0; n <= w.len; n++) {
		unsigned char *cut = malloc(n ? n : 1);      /* so long and no longer: a sanitizer sees a look beyond */
		struct mom_reader r;
		char text[16];
		size_t bytes;
		memcpy(cut, b, n);
		mom_reader_init(&r, cut, n);
		mom_get_u32(&r);
		size_t len = mom_get_string16(&r, text, sizeof text);
		const void *p = mom_get_bytes8(&r, &bytes);
		uint64_t last = mom_get_u64(&r);
		REQUIRE(mom_reader_failed(&r) == (n < w.len) && strlen(text) == len && p, "cut at %zu", n);
		REQUIRE(n == w.len ? len == 4 && bytes == 5 && last == 9
		    : last == 0 && mom_reader_left(&r) == 0 && mom_get_raw(&r, 0) == NULL, "cut at %zu", n);
		free(cut);
	}
}

TEST(hostile, "lengths that lie, texts that are too long or have a NUL inside are refused, and nothing beyond is "
    "touched")
{
	static const struct { const char *bytes; size_t len; } bad[] = { { "\xff\xff\xff\xff" "abc", 7 },
	    { "\x05\0\0\0" "abcd", 8 }, { "\x03\0\0\0" "a\0b", 7 }, { "\x08\0\0\0" "abcdefgh", 12 },
		{ "\0\0\0\x80" "abcd", 8 }, { "", 0 } };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct mom_reader r;
		char text[9] = "unharmed";
		mom_reader_init(&r, bad[i].len ? bad[i].bytes : NULL, bad[i].len);
		REQUIRE(mom_get_string32(&r, text, 8) == 0 && text[0] == '\0' && mom_reader_failed(&r) &&
		    text[8] == '\0', "number %zu", i);
	}
}
