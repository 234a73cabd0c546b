/* properties - proves: properties of any bytes are refused, or each is what mom_property and mom_header say; a receiver
 * reads nothing behind them, whatever they are; and what a publisher gives is taken by everybody and comes back the
 * same.
 * INPUT  u8 flags; then either the bytes of the properties (flag 1), or u16 life, then texts, a newline behind each:
 * key, reply-to, content type, correlation, and headers as NAME=VALUE */
#include "format/kinds.h"
#include "format/properties.h"
#include "api/handle.h"
#include "take_over.h"
#include "api/properties.c"

static struct fuzz_input in;
static char *record;

/* A message whose memory ends where its payload of no bytes begins, so that each step behind its properties is seen. */
static struct record
record_of(uint32_t properties)
{
	struct record r = { .type = REC_MESSAGE, .flags = properties ? REC_F_PROPERTIES : 0, .topic_len = 1,
	    .number = 1 };
	free(record);
	record = malloc(RECORD_HEADER + 2 + properties + 8);
	record_begin(record, &r, "t", properties);
	char *exact = malloc(r.len);                   /* without the zeros of the stride */
	memcpy(exact, record, r.len);
	free(record);
	record = exact;
	return r;
}

static void
look_at_all(const struct record *r)
{
	struct mom_message m = { .topic = record_topic(record), .data = record_data(record, r),
	    .len = record_data_len(record, r), .flags = r->flags & REC_F_PROPERTIES ? MOM_PROPERTIES : 0 };
	const char *end = m.data;
	struct mom_header h;
	for (int name = -1; name < 257; name++) {
		size_t len = 0;
		const char *p = mom_property(&m, (enum mom_property_name)name, &len);
		FUZZ_CHECK(p == NULL || (p > m.topic && p + len <= end));
		FUZZ_CHECK(p == NULL || name == MOM_P_CORRELATION || (strlen(p) == len && p + len < end));
	}
	for (size_t i = 0; mom_header_at(&m, i, &h); i++) {
		FUZZ_CHECK(h.name > m.topic && h.value == h.name + strlen(h.name) + 1 &&
		    h.value + strlen(h.value) < end);
		FUZZ_CHECK(mom_header(&m, h.name) != NULL);
	}
	(void)mom_expires(&m);
}

static void
any_bytes(void)
{
	static struct topic_memo memo;
	static char bytes[UINT16_MAX];
	size_t n = fuzz_bytes(&in, bytes, sizeof bytes);
	struct record r = record_of((uint32_t)n);
	memcpy(record + RECORD_HEADER + 2, bytes, n);
	if (!record_is_sound(record, r.len))
		return;
	int64_t lives = record_expires(record, &r);
	enum shape shape = request_shape(record, &r, &memo, 1, UINT16_MAX);
	FUZZ_CHECK(shape == SHAPE_GOOD || shape == SHAPE_PROPERTIES_BAD || shape == SHAPE_PROPERTIES_LARGE);
	FUZZ_CHECK(shape != SHAPE_GOOD || (lives >= 0 && lives <= MOM_TTL_MAX));
	record_expires_from(record, &r, 1700000000000);
	if (shape == SHAPE_GOOD)
		FUZZ_CHECK(record_expires(record, &r) == (lives ? lives + 1700000000000 : 0));
	look_at_all(&r);
}

static const char *
text(char *room, size_t most)
{
	size_t n = 0;
	while (in.n && n < most && *in.p && *in.p != '\n') {
		room[n++] = (char)*in.p++;
		in.n--;
	}
	if (in.n) {
		in.p++;
		in.n--;
	}
	room[n] = '\0';
	return n ? room : NULL;
}

static int
is_same(const void *given, size_t n, const struct mom_message *m, enum mom_property_name name)
{
	size_t len = 0;
	const char *p = mom_property(m, name, &len);
	return given ? p && len == n && memcmp(p, given, n) == 0 : p == NULL;
}

static size_t
length(const char *given)
{
	return given ? strlen(given) : 0;
}

static void
given(void)
{
	enum { HEADERS = 8, MOST = 20000 };
	static char room[4 + HEADERS][MOST + 1];
	static struct handle h;
	static struct topic_memo memo;
	struct mom_properties p = MOM_PROPERTIES_INIT;
	struct mom_header headers[HEADERS];
	p.ttl_ms = (int64_t)fuzz_number(&in, 2);
	p.key = text(room[0], MOST);
	p.reply_to = text(room[1], MOST);
	p.content_type = text(room[2], MOST);
	p.correlation = text(room[3], MOST);
	p.correlation_len = length(p.correlation);
	while (in.n && p.header_count < HEADERS) {
		char *name = room[4 + p.header_count], *value;
		if (text(name, MOST) == NULL)
			break;
		value = strchr(name, '=');
		if (value)
			*value++ = '\0';
		headers[p.header_count++] = (struct mom_header){ name, value ? value : "" };
	}
	p.headers = headers;
	long size = properties_check(&h, &p);
	FUZZ_CHECK(size >= 0 ? size <= PROPERTIES_MOST : size == MOM_EINVAL || size == MOM_ETOOBIG);
	if (size <= 0)
		return;
	struct record r = record_of((uint32_t)size);
	FUZZ_CHECK(properties_put(record + RECORD_HEADER + 2, &p, (uint32_t)size) == record + r.len);
	FUZZ_CHECK(record_is_sound(record, r.len) && request_shape(record, &r, &memo, 1, 0) == SHAPE_GOOD);
	look_at_all(&r);
	struct mom_message m = { .topic = record_topic(record), .data = record + r.len, .flags = MOM_PROPERTIES };
	FUZZ_CHECK(mom_expires(&m) == p.ttl_ms && is_same(p.key, length(p.key), &m, MOM_P_KEY) &&
	    is_same(p.reply_to, length(p.reply_to), &m, MOM_P_REPLY_TO) &&
	    is_same(p.content_type, length(p.content_type), &m, MOM_P_CONTENT_TYPE) &&
	    is_same(p.correlation, p.correlation_len, &m, MOM_P_CORRELATION));
	for (size_t i = 0; i < p.header_count; i++) {
		struct mom_header back;
		FUZZ_CHECK(mom_header_at(&m, i, &back) && strcmp(back.name, headers[i].name) == 0 &&
		    strcmp(back.value, headers[i].value) == 0);
	}
}

static void
body(void)
{
	record = NULL;
	if (fuzz_number(&in, 1) & 1)
		any_bytes();
	else
		given();
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
	static const char all[] = "\1\x52\0\1\x08\0\x10\x27\0\0\0\0\0\0\3\2\0k\0\5\4\0r/t\0\6\2\0\0\xff\7\3\0t/p\0"
	    "\x08\4\0n\0v\0\x08\3\0n\0\0\x63\1\0x";
	static const char texts[] = "\0\x10\x27key\nr/t\ntext/plain\n42\nunit=C\nunit=K\nempty=\n";
	static const char bad[] = "\1\x0a\0\5\2\0k\0\3\2\0k\0";
	char bytes[sizeof all];
	memcpy(bytes, all, sizeof all);
	put_u16(bytes + 1, sizeof all - 4);            /* the flags, this number, the text's own NUL */
	seed("all", bytes, sizeof all - 1);
	seed("texts", texts, sizeof texts - 1);
	seed("order", bad, sizeof bad - 1);
}
