/* kinds - the table of record kinds: what others say of it is what it says */
#include <lib/t.h>
#include "format/kinds.h"
#include <stdio.h>
#include <string.h>

enum { SHARDS = 4, LARGEST = 1000 };

static enum shape
shape_of(uint8_t type, const char *topic, size_t payload, uint32_t shard_off)
{
	static char bytes[4096], data[2 * LARGEST];
	struct topic_memo memo = { 0 };
	struct record r = { .type = type, .topic_len = (uint16_t)strlen(topic) };
	r.shard = (uint16_t)((topic_shard(topic, strlen(topic), SHARDS) + shard_off) % SHARDS);
	record_make(bytes, &r, topic, data, (uint32_t)payload);
	return request_shape(bytes, &r, &memo, SHARDS, LARGEST);
}

TEST(requests, "a request has the shape that its kind may have, and no other")
{
	static const struct { uint8_t type; enum shape alone, topic, payload, both; } want[] = {
		{ REC_MESSAGE, SHAPE_TOPIC_BAD, SHAPE_GOOD, SHAPE_TOPIC_BAD, SHAPE_GOOD },
		{ REC_SUBSCRIBE, SHAPE_TOPIC_BAD, SHAPE_GOOD, SHAPE_TOPIC_BAD, SHAPE_PAYLOAD_UNWANTED },
		{ REC_UNSUBSCRIBE, SHAPE_GOOD, SHAPE_GOOD, SHAPE_PAYLOAD_UNWANTED, SHAPE_PAYLOAD_UNWANTED },
		{ REC_CREATE, SHAPE_GOOD, SHAPE_TOPIC_UNWANTED, SHAPE_PAYLOAD_UNWANTED, SHAPE_TOPIC_UNWANTED },
		{ REC_DESTROY, SHAPE_GOOD, SHAPE_TOPIC_UNWANTED, SHAPE_PAYLOAD_UNWANTED, SHAPE_TOPIC_UNWANTED },
		{ REC_WILL, SHAPE_GOOD, SHAPE_GOOD, SHAPE_PAYLOAD_UNWANTED, SHAPE_GOOD },
		{ REC_PING, SHAPE_NO_REQUEST, SHAPE_NO_REQUEST, SHAPE_NO_REQUEST, SHAPE_NO_REQUEST },
		{ 200, SHAPE_NO_REQUEST, SHAPE_NO_REQUEST, SHAPE_NO_REQUEST, SHAPE_NO_REQUEST },
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		uint8_t t = want[i].type;
		const char *name = kind_of(t)->name;
		CHECK(shape_of(t, "", 0, 0) == want[i].alone, "%s alone", name);
		CHECK(shape_of(t, "news", 0, 0) == want[i].topic, "%s with a topic", name);
		CHECK(shape_of(t, "", 5, 0) == want[i].payload, "%s with a payload", name);
		CHECK(shape_of(t, "news", LARGEST, 0) == want[i].both, "%s with both", name);
	}
	CHECK(shape_of(REC_MESSAGE, "news", 5, 1) == SHAPE_TOPIC_ELSEWHERE, "a topic of another shard");
	CHECK(shape_of(REC_MESSAGE, "a b", 5, 0) == SHAPE_TOPIC_BAD, "a topic with a space");
	CHECK(shape_of(REC_MESSAGE, "news", LARGEST + 1, 0) == SHAPE_PAYLOAD_LARGE, "a payload of one byte too much");
}

TEST(patterns, "a pattern stands in a request that changes a subscription, for each shard, and in no other")
{
	for (uint8_t type = REC_MESSAGE; type <= REC_WILL; type++) {
		int may = type == REC_SUBSCRIBE || type == REC_UNSUBSCRIBE;
		for (uint32_t off = 0; may && off < SHARDS; off++)
			CHECK(shape_of(type, "plant/+/temp", 0, off) == SHAPE_GOOD, "%s", kind_of(type)->name);
		CHECK(may || shape_of(type, "plant/+/temp", type == REC_MESSAGE, 0) != SHAPE_GOOD, "%s",
		    kind_of(type)->name);
		CHECK(shape_of(type, "plant/a+", 0, 0) != SHAPE_GOOD, "%s of no pattern", kind_of(type)->name);
	}
}

TEST(room, "what ends something, and who comes back for what is his, finds room in a full store; all else does not")
{
	static const struct { uint8_t type; uint16_t topic_len; int makes_room; } want[] = {
		{ REC_MESSAGE, 4, 0 }, { REC_SUBSCRIBE, 4, 0 }, { REC_UNSUBSCRIBE, 4, 1 }, { REC_UNSUBSCRIBE, 0, 1 },
		{ REC_CREATE, 0, 1 }, { REC_DESTROY, 0, 1 }, { REC_WILL, 4, 0 }, { REC_WILL, 0, 1 },
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		const struct kind *k = kind_of(want[i].type);
		CHECK(kind_carries(k->makes_room, want[i].topic_len) == want[i].makes_room, "%s, topic of %u bytes",
		    k->name, want[i].topic_len);
	}
}

TEST(range, "what record_is_request takes for a request is one by the table, and nothing else is")
{
	for (int type = 0; type < 256; type++) {
		const struct kind *k = kind_of((uint8_t)type);
		REQUIRE((k->way == WAY_REQUEST) == record_is_request((uint8_t)type), "type %d, %s", type, k->name);
		REQUIRE((k->way == WAY_NONE) == (strcmp(k->name, "UNKNOWN") == 0), "type %d, %s", type, k->name);
	}
}

static const char *
way_in_words(const struct kind *k)
{
	if (k->way == WAY_LOG && k->is_delivered)
		return "down";
	switch (k->way) {
	case WAY_REQUEST: case WAY_UP: return "up";
	case WAY_DOWN: return "down";
	case WAY_BOTH: return "both";
	default: return NULL;
	}
}

TEST(protocol, "the table of frames in diagrams/protocol.md has every kind that travels, by number, name and way, and "
    "no other")
{
	char *text = t_read_file("diagrams/protocol.md"), name[40], way[40];
	int number, told[256] = { 0 };
	REQUIRE(*text, "no diagrams/protocol.md");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "| %d | %39[A-Z] | %39[a-z] |", &number, name, way) != 3)
			continue;
		REQUIRE(number > 0 && number < 256 && !told[number]++, "%s: its number", line);
		const struct kind *k = kind_of((uint8_t)number);
		const char *want = way_in_words(k);
		REQUIRE(strcmp(name, k->name) == 0, "%s: number %d is %s", line, number, k->name);
		REQUIRE(want && strcmp(way, want) == 0, "%s: its way is %s", line, want ? want : "none");
	}
	for (int type = 0; type < 256; type++) {
		const struct kind *k = kind_of((uint8_t)type);
		REQUIRE((way_in_words(k) != NULL) == told[type], "%s stands %d times there", k->name, told[type]);
	}
}
