/* bench_judge - the judge of mom_bench: what it must say of messages that are lost, doubled, changed or out of order */
#include <lib/t.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench/bench_judge.c"

enum { SIZE = 64, TOPICS = 2, PUBLISHERS = 2, RUN = 77 };

void
bench_die(int status, const char *format, ...)
{
	(void)format;
	exit(status);
}

static struct judge judge;
static unsigned char payload[SIZE];

static struct mom_message
message(uint32_t publisher, uint64_t sequence)
{
	static char topic[32];
	struct stamp s = { .publisher = publisher, .run = RUN, .sequence = sequence };
	stamp_fill(payload, SIZE);
	stamp_put(payload, SIZE, &s);
	snprintf(topic, sizeof topic, "bench/x/%d", (int)(sequence % TOPICS));
	return (struct mom_message){ .topic = topic, .data = payload, .len = SIZE };
}

static void
comes(uint32_t publisher, uint64_t sequence)
{
	struct mom_message m = message(publisher, sequence);
	judge_message(&judge, &m);
}

static void
begin(uint64_t messages)
{
	judge_init(&judge, RUN, SIZE, PUBLISHERS, TOPICS);
	for (uint64_t i = 0; i < messages; i++)
		comes(0, i);
	REQUIRE(tally_is_clean(&judge.tally) && judge.tally.got == messages, "%s", judge.tally.first);
}

static void
says(uint64_t got, uint64_t lost, uint64_t doubled, uint64_t wrong, uint64_t disorder, const char *words)
{
	const struct tally *t = &judge.tally;
	char text[400];
	tally_text(t, text, sizeof text);
	REQUIRE(t->got == got && t->lost == lost && t->doubled == doubled && t->changed == wrong &&
	    t->disorder == disorder,
	    "got %llu: %s", (unsigned long long)t->got, text);
	REQUIRE(tally_is_clean(t) == (lost + doubled + wrong + disorder == 0) && strstr(text, words), "%s", text);
	judge_free(&judge);
}

TEST(clean, "messages in order by publisher and topic are right, however publishers and topics are mixed")
{
	begin(4);
	comes(1, 1);
	comes(1, 0);
	comes(0, 5);
	comes(0, 4);
	says(8, 0, 0, 0, 0, "");
}

TEST(lost, "a number that is passed over is lost")
{
	begin(4);
	comes(0, 6);
	comes(0, 10);
	says(6, 2, 0, 0, 0, "2 lost; the first: publisher 0, topic 0: message 3 came where 2 was next");
}

TEST(doubled, "a message that comes again is doubled")
{
	begin(4);
	comes(0, 2);
	comes(0, 3);
	says(4, 0, 2, 0, 0, "2 doubled");
}

TEST(late, "a message that comes after its successor is out of order, not lost; coming again it is doubled")
{
	begin(4);
	comes(0, 10);
	comes(0, 6);
	says(6, 2, 0, 0, 1, "2 lost, 1 out of order");
	begin(4);
	comes(0, 6);
	comes(0, 4);
	comes(0, 4);
	says(6, 0, 1, 0, 1, "1 doubled, 1 out of order");
}

static void
changed_at(size_t byte)
{
	struct mom_message m = message(0, 4);
	payload[byte] ^= 1;
	judge_message(&judge, &m);
}

TEST(bytes_changed, "each single byte of a payload that is another is noticed")
{
	for (size_t i = 0; i < SIZE; i++) {
		begin(4);
		changed_at(i);
		REQUIRE(!tally_is_clean(&judge.tally), "byte %zu", i);
		judge_free(&judge);
	}
}

TEST(wrong_whole, "another length, another run, another topic, a gap that is told, two halves of two messages")
{
	struct mom_message m;
	begin(4);
	m = message(0, 4);
	m.len--;
	judge_message(&judge, &m);
	m = message(0, 4);
	m.topic = "bench/x/1";
	judge_message(&judge, &m);
	m = message(0, 4);
	m.flags = MOM_GAP;
	judge_message(&judge, &m);
	says(4, 0, 0, 3, 0, "3 changed; the first: length is 63, wanted 64");
	begin(4);
	m = message(0, 4);
	unsigned char first[SIZE / 2];
	memcpy(first, payload, sizeof first);
	m = message(0, 6);
	memcpy(payload, first, sizeof first);
	judge_message(&judge, &m);
	judge.run++;
	m = message(0, 4);
	judge_message(&judge, &m);
	says(4, 0, 0, 2, 0, "2 changed; the first: the stamp at the end");
}
