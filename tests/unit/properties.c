/* properties - what may stand between topic and payload, and how far another clock is ahead */
#include <lib/t.h>
#include "base/clock.h"
#include "format/kinds.h"
#include "format/properties.h"
#include <stdio.h>
#include <stdlib.h>

static char bytes[RECORD_MAX];

/* A record whose properties are these n bytes, behind a u16 of that value, with a payload of two bytes. */
static struct record
make(const char *properties, size_t n, uint16_t said)
{
	struct record r = { .type = REC_MESSAGE, .flags = REC_F_PROPERTIES, .topic_len = 1, .number = 1 };
	char *at = record_begin(bytes, &r, "t", (uint32_t)(2 + n + 2));
	put_u16(at, said);
	memcpy(at + 2, properties, n);
	memcpy(at + 2 + n, "ok", 2);
	return r;
}

TEST(lengths, "properties that end behind their record are not sound, whatever they say")
{
	struct record r = make("", 0, 0);
	REQUIRE(record_is_sound(bytes, r.len) && record_data_len(bytes, &r) == 2 &&
	    memcmp(record_data(bytes, &r), "ok", 2) == 0, "no properties");
	make("", 0, 2);
	REQUIRE(record_is_sound(bytes, r.len) && record_data_len(bytes, &r) == 0, "no payload");
	for (unsigned said = 3; said <= UINT16_MAX; said += said < 10 ? 1 : 1000) {
		make("", 0, (uint16_t)said);
		REQUIRE(!record_is_sound(bytes, r.len), "%u bytes of 2", said);
	}
	r = (struct record){ .type = REC_MESSAGE, .flags = REC_F_PROPERTIES, .topic_len = 1 };
	for (uint32_t body = 0; body < 2; body++) {
		record_begin(bytes, &r, "t", body);
		REQUIRE(!record_is_sound(bytes, r.len), "%u bytes have no place for the length", body);
	}
	record_begin(bytes, &r, "t", 2);
	REQUIRE(record_is_sound(bytes, r.len), "none and no payload");
}

#define IS(good, text) is(good, text, sizeof text - 1)

static void
is(int good, const char *text, size_t n)
{
	static struct topic_memo memo;
	char *copy = malloc(n ? n : 1);              /* so that a sanitizer sees each step behind them */
	memcpy(copy, text, n);
	const char *fault = properties_fault(copy, n);
	REQUIRE(good == (fault == NULL), "%s", fault ? fault : "bad ones are taken");
	struct record r = make(text, n, (uint16_t)n);
	enum shape shape = request_shape(bytes, &r, &memo, 1, 2);
	REQUIRE(shape == (good ? SHAPE_GOOD : SHAPE_PROPERTIES_BAD), "%d", (int)shape);
	free(copy);
}

TEST(faults, "each property is held against its rule, in ascending order, headers alone more than once; unknown ones "
    "are carried, the broker's own are refused")
{
	IS(1, "");
	IS(1, "\x01\x08\0\x01\0\0\0\0\0\0\0");
	IS(0, "\x01\x08\0\0\0\0\0\0\0\0\0");
	IS(0, "\x01\x08\0\0\0\0\0\0\0\0\x80");
	IS(0, "\x01\x04\0\x01\0\0\0");
	IS(1, "\x03\x02\0k\0");
	IS(0, "\x03\x01\0\0");
	IS(0, "\x03\x02\0kk");
	IS(0, "\x03\x03\0\0k\0");
	IS(0, "\x03\x02\0\x7f\0");
	IS(0, "\x03\x02\0k\0\x03\x02\0k\0");
	IS(0, "\x05\x02\0k\0\x03\x02\0k\0");
	IS(0, "\x05\x02\0+\0");
	IS(0, "\x05\x02\0 \0");
	IS(1, "\x06\0\0");
	IS(1, "\x06\x02\0\0\xff");
	IS(0, "\x07\x02\0\xff\0");
	IS(1, "\x08\x04\0n\0v\0\x08\x03\0n\0\0");
	IS(0, "\x08\x03\0\0v\0");
	IS(0, "\x08\x03\0n\0v");
	IS(0, "\x08\x02\0n\0");
	IS(0, "\x08\x05\0n\0\0v\0");
	IS(0, "\x08\x02\0nn");
	IS(1, "\x63\x02\0\xff\xff\xbf\0\0");
	IS(0, "\xc0\0\0");
	IS(0, "\x03\x02\0k");
	IS(0, "\x03\x02");
	IS(0, "\x03");
	IS(0, "\x06\xff\xff");
}

TEST(sizes, "properties of more than 32 KiB are refused, and so are those where no payload may be")
{
	static struct topic_memo memo;
	static char text[PROPERTIES_MOST];
	text[0] = MOM_P_CORRELATION;
	put_u16(text + 1, PROPERTIES_MOST - 5);
	struct record r = make(text, PROPERTIES_MOST - 2, PROPERTIES_MOST - 2);
	REQUIRE(request_shape(bytes, &r, &memo, 1, 2) == SHAPE_GOOD, "the largest");
	put_u16(text + 1, PROPERTIES_MOST - 4);
	r = make(text, PROPERTIES_MOST - 1, PROPERTIES_MOST - 1);
	REQUIRE(request_shape(bytes, &r, &memo, 1, 2) == SHAPE_PROPERTIES_LARGE, "one byte more");
	r = make("", 0, 0);
	bytes[9] = (char)(r.type = REC_SUBSCRIBE);
	REQUIRE(request_shape(bytes, &r, &memo, 1, 2) == SHAPE_PAYLOAD_UNWANTED, "a subscribe");
	r = (struct record){ .type = REC_SUBSCRIBE, .flags = REC_F_PROPERTIES, .topic_len = 1 };
	put_u16(record_begin(bytes, &r, "t", 2), 0);
	REQUIRE(request_shape(bytes, &r, &memo, 1, 2) == SHAPE_PAYLOAD_UNWANTED, "a subscribe with none");
}

TEST(life, "a life becomes a point in time, once; its end is the first millisecond in which nobody gets the message")
{
	struct record r = make("\x01\x08\0\x10\x27\0\0\0\0\0\0", 11, 11);
	record_expires_from(bytes, &r, 1000000);
	REQUIRE(record_expires(bytes, &r) == 1010000 && record_data_len(bytes, &r) == 2, "%lld",
	    (long long)record_expires(bytes, &r));
	REQUIRE(!record_is_expired(bytes, &r, 1009999) && record_is_expired(bytes, &r, 1010000), "its end");
	r = make("\x03\x02\0k\0", 5, 5);
	record_expires_from(bytes, &r, 1000000);
	REQUIRE(record_expires(bytes, &r) == 0 && !record_is_expired(bytes, &r, INT64_MAX), "without a life");
	r.flags = 0;
	REQUIRE(record_expires(bytes, &r) == 0 && record_data_len(bytes, &r) == 9, "without properties");
}

TEST(other_clock, "how far a clock is ahead is the most that its messages show; drift is followed, and a step at once")
{
	REQUIRE(clock_ahead(5000, 4900) == 4900 && clock_ahead(5000, 9000) == 9000, "a better look");
	REQUIRE(clock_ahead(500000, 400000) == 499000, "a late message");
	REQUIRE(clock_ahead(5000000, 3900000) == 3900000 && clock_ahead(-5000000, 3900000) == 3900000, "a step");
	int64_t known = 0;
	for (int i = 1; i <= 1000; i++)
		known = clock_ahead(known, -i * INT64_C(300) - (i % 10 ? 200000 : 0));    /* 100 millionths slower */
	REQUIRE(known >= -300000 && known <= -290000, "after 1000 messages: %lld", (long long)known);
}
