/* record - the bytes of records and frames never change: golden files in tests/golden (GOLDEN=write makes them) */
#include <lib/t.h>
#include "base/crc32c.h"
#include "format/record.h"
#include "format/wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
golden(const char *name, const char *bytes, size_t n)
{
	char wanted[4096], *path = t_text("tests/golden/%s.bin", name);
	const char *write_them = getenv("GOLDEN");
	FILE *f = fopen(path, write_them ? "wb" : "rb");
	REQUIRE(f != NULL, "%s", path);
	if (write_them)
		fwrite(bytes, 1, n, f);
	else
		REQUIRE(fread(wanted, 1, sizeof wanted, f) == n && memcmp(wanted, bytes, n) == 0, "%s differs", path);
	fclose(f);
}

TEST(message, "a MESSAGE record")
{
	char b[256];
	struct record r = { .type = REC_MESSAGE, .flags = REC_F_DURABLE, .topic_len = 4, .shard = 1,
	    .offset = 0x10000000160, .time = 1700000000000000,
		.publisher = 0x100000002, .number = number_make(3, 4), .aux = 5 }, back;
	golden("message", b, record_make(b, &r, "news", "hello", 5));
	record_get(&back, b);
	REQUIRE(memcmp(&r, &back, sizeof r) == 0 && record_is_sound(b, sizeof b) && record_data_len(b, &back) == 5,
	    "read back");
	REQUIRE(strcmp(record_topic(b), "news") == 0 && memcmp(record_data(b, &back), "hello", 5) == 0, "contents");
	b[RECORD_HEADER + 4] = 'x';
	REQUIRE(!record_is_sound(b, sizeof b), "a topic without its NUL is sound");
}

TEST(handshake, "HELLO and WELCOME")
{
	char b[256], p[HELLO_MOST], again[HELLO_MOST];
	struct hello h = { .version = 1, .features = 2, .message_max = MOM_MESSAGE_MAX, .slots = 4096, .window = WINDOW,
	    .token = 0x1122334455667788 }, h2;
	struct welcome w = { .version = 1, .features = 2, .serial = 7, .shards = 3, .message_max = MOM_MESSAGE_MAX,
	    .window = WINDOW,
		.token = 0x1122334455667788, .expiry = 604800 }, w2;
	memset(h.machine, 0xaa, sizeof h.machine);
	memset(h.store, 0xbb, sizeof h.store);
	memcpy(w.store, h.store, sizeof w.store);
	REQUIRE(wire_hello_put(p, &h) == HELLO_BYTES, "a HELLO without a host's name has another length");
	wire_hello_get(&h2, p, HELLO_BYTES);
	wire_hello_put(again, &h2);                    /* not the structs themselves, which have holes */
	REQUIRE(memcmp(again, p, HELLO_BYTES) == 0 && h2.token == h.token && h2.slots == h.slots, "HELLO read back");
	golden("hello", b, record_make(b, &(struct record){ .type = REC_HELLO }, NULL, p, HELLO_BYTES));
	wire_host(h.host, "web-1.example", 13);
	REQUIRE(wire_hello_put(p, &h) == HELLO_BYTES + 13, "a HELLO with a host's name");
	wire_hello_get(&h2, p, HELLO_BYTES + 13);
	REQUIRE(strcmp(h2.host, "web-1.example") == 0, "%s", h2.host);
	golden("hello_host", b, record_make(b, &(struct record){ .type = REC_HELLO }, NULL, p, HELLO_BYTES + 13));
	memset(p + HELLO_BYTES, '\033', HOST_BYTES);
	wire_hello_get(&h2, p, HELLO_MOST);
	REQUIRE(strspn(h2.host, "_") == HOST_BYTES && h2.host[HOST_BYTES] == '\0', "%s", h2.host);
	wire_welcome_put(p, &w);
	wire_welcome_get(&w2, p);
	wire_welcome_put(again, &w2);
	REQUIRE(memcmp(again, p, WELCOME_BYTES) == 0 && w2.token == w.token && w2.expiry == w.expiry,
	    "WELCOME read back");
	golden("welcome", b, record_make(b, &(struct record){ .type = REC_WELCOME }, NULL, p, WELCOME_BYTES));
}

TEST(answers, "an ANSWERS frame")
{
	char b[256], p[2 * ANSWER_BYTES];
	struct answer a = { 9, 1, ANSWER_ACKED, number_make(1, 2), 0, 0 },
	    r = { 10, 0, ANSWER_RESULT, 3, MOM_EEXIST, 0x10000000160 }, back;
	wire_answer_put(p, &a);
	wire_answer_put(p + ANSWER_BYTES, &r);
	wire_answer_get(&back, p + ANSWER_BYTES);
	REQUIRE(back.slot == 10 && back.code == MOM_EEXIST && back.value == r.value && back.kind == ANSWER_RESULT,
	    "read back");
	golden("answers", b, record_make(b, &(struct record){ .type = REC_ANSWERS }, NULL, p, sizeof p));
}

TEST(crc32c, "CRC32C is Castagnoli's, however the bytes are cut")
{
	char zeros[32] = { 0 };
	REQUIRE(crc32c(0, "123456789", 9) == 0xe3069283, "%08x", crc32c(0, "123456789", 9));
	REQUIRE(crc32c(0, zeros, 32) == 0x8a9136aa, "%08x", crc32c(0, zeros, 32));
	for (size_t i = 0; i <= 9; i++)
		REQUIRE(crc32c(crc32c(0, "123456789", i), &"123456789"[i], 9 - i) == 0xe3069283, "cut at %zu", i);
}

TEST(crc32c_long, "CRC32C of long runs is what it is of their pieces, wherever they begin and end")
{
	static char bytes[6000];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	for (size_t begin = 0; begin < 9; begin++) {
		uint32_t by_bytes = 0;
		for (size_t n = 0; begin + n < sizeof bytes; n++) {
			REQUIRE(crc32c(0, bytes + begin, n) == by_bytes, "%zu bytes from %zu on", n, begin);
			by_bytes = crc32c(by_bytes, bytes + begin + n, 1);
		}
	}
}
