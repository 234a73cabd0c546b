/* shard_needs - a shard's plain state: what is still needed of its log, and what its check-point brings back */
#include <fcntl.h>
#include "format/kinds.h"
#include <stdio.h>
#include <lib/t.h>
#include "worker/checkpoint.c"
#include "worker/shard.c"
#include "worker/shard_apply.c"
#include "worker/groups.c"
#include "worker/hands.c"
#include "worker/groups_apply.c"

enum { SERIAL = 7, OFFSET = 1000 };
static struct shard shard;

static struct machine *
subscriber(uint32_t serial, uint64_t place)
{
	struct client *c = shard_create(&shard, (uint64_t)serial << 32 | 1, 1);
	shard_subscribe(&shard, c, shard_topic(&shard, "news", 4, 1), 0, 0);
	c->machine->place = place;
	return c->machine;
}

static int
message_is_needed(uint64_t offset)
{
	char bytes[256];
	record_make(bytes, &(struct record){ .type = REC_MESSAGE, .topic_len = 4, .offset = offset }, "news", "hello",
	    5);
	return shard_record_is_needed(&shard, bytes);
}

static int
change_is_needed(enum record_type type, uint32_t serial, uint64_t offset)
{
	char bytes[256];
	uint16_t len = type == REC_DESTROY ? 0 : 4;
	record_make(bytes, &(struct record){ .type = (uint8_t)type, .topic_len = len,
	    .publisher = (uint64_t)serial << 32 | 1, .offset = offset }, len ? "news" : NULL, NULL, 0);
	return shard_record_is_needed(&shard, bytes);
}

TEST(needed_at_place, "packing keeps what stands at a machine's place and behind, and nothing below it: the place is "
    "that of the next message")
{
	struct machine *m = subscriber(SERIAL, OFFSET);
	REQUIRE(message_is_needed(OFFSET), "the message at its place would be lost");
	REQUIRE(message_is_needed(OFFSET + 64) && !message_is_needed(OFFSET - 64),
	    "not what lies behind its place, or what lies below");
	for (enum record_type type = REC_SUBSCRIBE; type <= REC_DESTROY; type++) {
		if (type != REC_SUBSCRIBE && type != REC_UNSUBSCRIBE && type != REC_DESTROY)
			continue;
		REQUIRE(change_is_needed(type, SERIAL, OFFSET), "the %s at its place would be lost",
		    kind_of(type)->name);
		REQUIRE(!change_is_needed(type, SERIAL, OFFSET - 64), "it has the %s", kind_of(type)->name);
		REQUIRE(!change_is_needed(type, SERIAL + 1, OFFSET), "a %s of another machine", kind_of(type)->name);
	}
	m->place = OFFSET + 1;
	REQUIRE(!message_is_needed(OFFSET), "its place has passed");
}

static int
message_with_life_is_needed(int64_t expires_ms)
{
	char bytes[256], life[PROPERTY_HEAD + 8 + 2] = { PROPERTY_HEAD + 8, 0, PROPERTY_EXPIRES, 8 };
	put_u64(life + 5, (uint64_t)expires_ms);
	record_make(bytes, &(struct record){ .type = REC_MESSAGE, .flags = REC_F_PROPERTIES, .topic_len = 4,
	    .offset = OFFSET }, "news", life, sizeof life);
	return shard_record_is_needed(&shard, bytes);
}

TEST(needed_while_it_lives, "packing does not keep a message whose life has ended, and keeps one that lives")
{
	subscriber(SERIAL, OFFSET);
	int64_t now = clock_wall_us() / 1000;
	REQUIRE(message_with_life_is_needed(now + 3600000), "it lives for an hour more");
	REQUIRE(!message_with_life_is_needed(now - 1), "nobody gets it any more");
}

TEST(needed_by_pattern, "a message that only a pattern matches is needed by its machine from its place on, and is "
    "counted for it, once though several match")
{
	struct client *c = shard_create(&shard, (uint64_t)SERIAL << 32 | 1, 1);
	struct record r = { .type = REC_MESSAGE, .topic_len = 4, .offset = OFFSET, .publisher = c->subscriber.id,
	    .len = RECORD_HEADER + 5, .number = 1 };
	c->machine->place = OFFSET;
	REQUIRE(!message_is_needed(OFFSET) && !shard_message(&shard, c, &r, "news", 2 * OFFSET), "by nobody yet");
	shard_subscribe(&shard, c, shard_topic(&shard, "new/#", 5, 1), 0, 0);
	REQUIRE(!message_is_needed(OFFSET), "new/# does not match it");
	shard_subscribe(&shard, c, shard_topic(&shard, "#", 1, 1), 0, 0);
	shard_subscribe(&shard, c, shard_topic(&shard, "+", 1, 1), 0, 0);
	REQUIRE(message_is_needed(OFFSET) && message_is_needed(OFFSET + 64) && !message_is_needed(OFFSET - 64), "# is");
	REQUIRE(shard_message(&shard, c, &r, "news", 3 * OFFSET) && c->machine->wanted == 3 * OFFSET, "it is wanted");
	shard_subscribe(&shard, c, shard_topic(&shard, "news", 4, 1), 0, 0);
	REQUIRE(shard_message(&shard, c, &r, "news", 4 * OFFSET) && c->machine->needs_count == 1 &&
	    c->machine->needs[0].bytes == 2 * record_stride(r.len), "%llu bytes for two messages",
	    (unsigned long long)c->machine->needs[0].bytes);
	shard_unsubscribe(&shard, subscriptions_find(&shard.table, &c->subscriber,
	    &shard_topic(&shard, "news", 4, 0)->subscribed));
	shard_unsubscribe(&shard, subscriptions_find(&shard.table, &c->subscriber,
	    &shard_topic(&shard, "#", 1, 0)->subscribed));
	REQUIRE(message_is_needed(OFFSET), "+ matches it still");
	shard_destroy(&shard, c);
	REQUIRE(!message_is_needed(OFFSET), "its client is gone");
}

TEST(wants_all, "a machine whose patterns take too long to look through is taken to want all, until they change")
{
	struct client *c = shard_create(&shard, (uint64_t)SERIAL << 32 | 1, 1);
	char deep[256] = "", pattern[64];
	for (int i = 0; i < 100; i++)
		strcat(deep, "a/");
	strcat(deep, "c");
	c->machine->place = OFFSET;
	shard_subscribe(&shard, c, shard_topic(&shard, "plant/#", 7, 1), 0, 0);
	for (int i = 0; i < 50; i++) {
		uint16_t len = (uint16_t)snprintf(pattern, sizeof pattern, "#/a/#/a/#/a/#/b%d", i);
		shard_subscribe(&shard, c, shard_topic(&shard, pattern, len, 1), 0, 0);
	}
	REQUIRE(!message_is_needed(OFFSET), "news is looked up in time");
	REQUIRE(shard_reach(&shard, deep, (uint16_t)strlen(deep)) && c->machine->wants_all &&
	    shard_reach(&shard, "other", 5), "it is looked through to its end");
	while (c->subscriber.count > 1)
		shard_unsubscribe(&shard, c->subscriber.first);
	REQUIRE(!message_is_needed(OFFSET) && !shard_reach(&shard, deep, (uint16_t)strlen(deep)) &&
	    shard_reach(&shard, "plant/1", 7) && c->machine->pattern_levels == 2, "what is left is looked at exactly");
	shard_destroy(&shard, c);
	REQUIRE(shard.machines->pattern_levels == 0 && shard.machines->patterns.count == 0, "something is left");
}

TEST(needed_from, "the log is needed from the lowest place of a machine that subscribes or is connected, to the byte; "
    "of others nothing")
{
	struct machine *low = subscriber(SERIAL, OFFSET);
	subscriber(SERIAL + 1, 2 * OFFSET);
	REQUIRE(shard_needed_from(&shard, 9 * OFFSET) == OFFSET, "from %llu",
	    (unsigned long long)shard_needed_from(&shard, 9 * OFFSET));
	REQUIRE(shard_needed_from(&shard, OFFSET + 1) == OFFSET && shard_needed_from(&shard, OFFSET - 1) == OFFSET - 1,
	    "not below the least");
	shard_unsubscribe(&shard, shard_client(&shard, (uint64_t)SERIAL << 32 | 1)->subscriber.first);
	REQUIRE(shard_needed_from(&shard, 9 * OFFSET) == 2 * OFFSET,
	    "a machine that subscribes to nothing pins the log");
	low->live = 1;
	REQUIRE(shard_needed_from(&shard, 9 * OFFSET) == OFFSET,
	    "a connected machine has to hear that it subscribes to nothing");
}

TEST(checkpoint, "a check-point brings machines back with their places, their time away and what was forgotten of "
    "them; starts, topics, clients, wills")
{
	struct shard again = { 0 };
	char will[256];
	struct machine *m = subscriber(SERIAL, OFFSET);
	struct client *c = shard_client(&shard, (uint64_t)SERIAL << 32 | 1);
	shard.dir = again.dir = open(t_dir(), O_RDONLY | O_DIRECTORY);
	m->away = 4711;
	m->expired_below = 17;
	c->last = c->result_number = number_make(3, 9);
	c->result_code = -5;
	c->result_value = 99;
	record_make(will, &(struct record){ .type = REC_WILL, .topic_len = 4 }, "gone", "he has", 6);
	shard_will(&shard, c, will);
	shard_start(&shard, OFFSET, 0xabcdef);
	shard_topic(&shard, "kept", 4, 1)->kept = 1;
	REQUIRE(shard.dir >= 0 && checkpoint_write(&shard, 3 * OFFSET) == 0 && checkpoint_load(&again) == 0,
	    "written and read");
	struct machine *n = shard_machine(&again, SERIAL);
	struct client *d = shard_client(&again, c->subscriber.id);
	REQUIRE(n->place == OFFSET && n->away == 4711 && n->expired_below == 17,
	    "place %llu, away %u s, forgotten below %u", (unsigned long long)n->place, n->away, n->expired_below);
	REQUIRE(n->clients == 1 && n->subscriptions == 1 && again.checkpoint == 3 * OFFSET,
	    "%zu clients, %zu subscriptions", n->clients, n->subscriptions);
	REQUIRE(d && d->durable && d->last == c->last && d->result_number == c->last && d->result_code == -5 &&
	    d->result_value == 99, "the client");
	REQUIRE(d->will && get_u32(d->will) == get_u32(will) && again.wills_bytes == shard.wills_bytes, "its will");
	REQUIRE(again.starts_count == 1 && shard_knows_start(&again, OFFSET, 0xabcdef) && !shard_knows_start(&again,
	    OFFSET, 0xabcdee), "the starts");
	REQUIRE(shard_topic(&again, "kept", 4, 0) && shard_topic(&again, "kept", 4, 0)->kept && !shard_topic(&again,
	    "news", 4, 0)->kept, "the topics");
}
