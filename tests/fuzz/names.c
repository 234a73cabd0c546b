/* names - proves: of any bytes, a topic is refused or has a path of its own inside topics/ that leads back to it; a
 * client's name, a path, hexadecimal digits, a record's header and the payloads of the handshake are taken as they are
 * or refused, within their lengths.
 * INPUT  u8 what; then its bytes */
#include "base/hex.h"
#include "format/kinds.h"
#include "format/topic.h"
#include "format/wire.h"
#include "take_over.h"

static struct fuzz_input in;

/* What lies below topics/ stays there: no folder is called . or .., or hides, and none is named like a file of views
 * (but where a level that is too long goes on: its first part is nobody's folder). */
static void
check_path(const char *path)
{
	size_t n = strlen(path);
	FUZZ_CHECK(n > 0 && n < TOPIC_PATH_MAX && path[0] != '/' && path[n - 1] != '/');
	for (const char *level = path, *end; *level; level = *end ? end + 1 : end) {
		end = level + strcspn(level, "/");
		FUZZ_CHECK(end > level && end - level <= 255 && level[0] != '.' && 
		    (end - level != 11 || memcmp(level, "subscribers", 11) != 0 ||
		    (level > path + 1 && level[-2] == '%')));
	}
	FUZZ_CHECK(strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%/") == n);
}

static void
run_topic(const char *topic, size_t n)
{
	char path[TOPIC_PATH_MAX], back[MOM_TOPIC_MAX + 1];
	uint32_t shards = 1 + (uint32_t)(n * 7 % SHARDS_MAX);
	if (topic_fault(topic, n))
		return;
	FUZZ_CHECK(n >= 1 && n <= MOM_TOPIC_MAX && memchr(topic, '\0', n) == NULL && memchr(topic, '\n', n) == NULL &&
	    memchr(topic, ' ', n) == NULL);
	FUZZ_CHECK(topic_shard(topic, n, shards) < shards);
	topic_path(topic, n, path);
	check_path(path);
	FUZZ_CHECK(topic_from_path(path, back) == 0 && strcmp(back, topic) == 0);
}

static void
run_name(const char *name, size_t n)
{
	char line[128], back[MOM_NAME_MAX + 4];
	if (client_name_fault(name))
		return;
	FUZZ_CHECK(n >= 1 && strlen(name) <= MOM_NAME_MAX);
	snprintf(line, sizeof line, "uid 1 name %s\n", name);
	FUZZ_CHECK(sscanf(line, "uid 1 name %67s", back) == 1 && strcmp(back, name) == 0);
}

static void
run_hex(const char *text, size_t n)
{
	uint8_t bytes[WIRE_ID_BYTES];
	char again[2 * WIRE_ID_BYTES + 1];
	if (n >= 2 * WIRE_ID_BYTES && hex_bytes(bytes, text, sizeof bytes) == 0) {
		hex_text(again, bytes, sizeof bytes);
		FUZZ_CHECK(memcmp(again, text, 2 * WIRE_ID_BYTES) == 0);
	}
}

static void
run_record(const char *p, size_t n)
{
	struct record r;
	char again[RECORD_HEADER];
	if (n < RECORD_HEADER)
		return;
	record_get(&r, p);
	record_put(again, &r);
	FUZZ_CHECK(memcmp(again, p, RECORD_HEADER) == 0 && kind_of(r.type)->name[0] != '\0');
	if (!record_is_sound(p, n))
		return;
	FUZZ_CHECK(r.len <= n && r.topic_len <= MOM_TOPIC_MAX);
	FUZZ_CHECK((const char *)record_data(p, &r) + record_data_len(p, &r) == p + r.len &&
	    (r.topic_len == 0 || strlen(record_topic(p)) == r.topic_len));
	record_crc(p, r.len, 4711);
}

/* what was read is what is written, but for what is spare */
static void
run_wire(const char *p, size_t n)
{
	char a[HELLO_MOST], b[HELLO_MOST];
	struct hello h;
	struct welcome w;
	struct answer x;
	if (n < HELLO_BYTES)
		return;
	wire_hello_get(&h, p, n < HELLO_MOST ? (uint32_t)n : HELLO_MOST);
	uint32_t len = wire_hello_put(a, &h);
	wire_hello_get(&h, a, len);
	FUZZ_CHECK(wire_hello_put(b, &h) == len && memcmp(a, b, len) == 0 && memcmp(a, p, 52) == 0);
	wire_welcome_get(&w, p);
	wire_welcome_put(a, &w);
	FUZZ_CHECK(memcmp(a, p, WELCOME_BYTES - 4) == 0);
	wire_answer_get(&x, p);
	wire_answer_put(a, &x);
	FUZZ_CHECK(memcmp(a, p, ANSWER_BYTES - 8) == 0);
}

static void
body(void)
{
	static void (*const runs[])(const char *, size_t) = { run_topic, run_name, run_hex, run_record, run_wire };
	unsigned what = (unsigned)fuzz_number(&in, 1);
	size_t n = in.n;
	char *bytes = malloc(n + 1), back[MOM_TOPIC_MAX + 1];
	fuzz_bytes(&in, bytes, n);
	bytes[n] = '\0';
	if (what % 6 == 5) {
		FUZZ_CHECK(topic_from_path(bytes, back) != 0 || strlen(back) <= MOM_TOPIC_MAX);
		return;
	}
	runs[what % 6](bytes, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = (struct fuzz_input){ data, size };
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	char b[1024];
	static const char *const topics[] = { "plant/boiler", "//a//", ".hidden/./..", "a/subscribers/subscribers.b",
	    "\xc3\xa4/%/%2F/_-", "a b", "\xed\xa0\x80" };
	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
		size_t n = (size_t)snprintf(b, sizeof b, "0%s", topics[i]);
		b[0] = 0;
		snprintf(b + 512, 64, "topic-%zu", i);
		seed(b + 512, b, n);
		b[0] = 5;
		snprintf(b + 512, 64, "path-%zu", i);
		seed(b + 512, b, n);
	}
	memset(b, 'a', 256);
	b[0] = 0;
	seed("topic-long", b, 256);
	memset(b + 1, '.', 255);
	seed("topic-dots", b, 256);
	seed("name", "\1billing-2.x_y", 14);
	seed("name-dash", "\1-", 2);
	seed("hex", "\00200112233445566778899aabbccddeeff", 33);
	b[0] = 3;
	size_t n = 1 + record_make(b + 1, &(struct record){ .type = REC_MESSAGE, .topic_len = 4, .number = 7 }, "news",
	    "hello", 5);
	seed("record", b, n);
	memset(b, 4, 65);
	seed("wire", b, 65);
}
