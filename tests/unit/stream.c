/* stream - a machine's list of subscriptions: complete, in linear work, and the machine hears something meanwhile */
#include <lib/t.h>
#include "format/kinds.h"
#include <lib/work.h>
#include "broker/stream.h"
#include "worker/checkpoint.h"
#include "format/record.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MACHINE = 7, OTHER = 8 };

static size_t alive_calls;

static void
alive(void)
{
	alive_calls++;
}

static void
subscribe(struct shard *s, uint64_t id, const char *topic)
{
	struct client *c = shard_client(s, id) ? shard_client(s, id) : shard_create(s, id, 0);
	shard_subscribe(s, c, shard_topic(s, topic, (uint16_t)strlen(topic), 1), 64, 0);
}

/* A check-point in which a machine's clients have n topics of their own and one together; another has as many. */
static int
checkpoint_of(size_t n)
{
	static struct shard s;
	char topic[40];
	s = (struct shard){ .dir = open(t_dir(), O_RDONLY | O_DIRECTORY) };
	for (size_t i = 0; i < n; i++) {
		snprintf(topic, sizeof topic, "plant/%zu/state", i);
		subscribe(&s, (uint64_t)MACHINE << 32 | i % 4, topic);
		subscribe(&s, (uint64_t)OTHER << 32 | i % 4, topic);
	}
	for (uint64_t i = 0; i < 4; i++)
		subscribe(&s, (uint64_t)MACHINE << 32 | i, "together");
	REQUIRE(s.dir >= 0 && checkpoint_write(&s, 4096) == 0, "the check-point");
	return s.dir;
}

static size_t
listed(const struct stream *s)
{
	struct record r;
	size_t n = 0;
	record_get(&r, s->out);
	REQUIRE(r.type == REC_LIST, "it begins with %s", kind_of(r.type)->name);
	for (size_t q = record_stride(r.len); q < s->have; q += record_stride(get_u32(s->out + q)), n++)
		REQUIRE((uint8_t)s->out[q + 9] == REC_LISTED && get_u64(s->out + q + 32) >> 32 == MACHINE, "%zu", n);
	REQUIRE(n == r.aux, "%zu entries, and it says %llu", n, (unsigned long long)r.aux);
	return n;
}

static double
list_ms(size_t n)
{
	int dir = checkpoint_of(n);
	struct stream s = { .serial = MACHINE, .dir = dir, .alive = alive };
	double began = work_ms();
	alive_calls = 0;
	REQUIRE(stream_start(&s, 1024, 0) == 0, "it does not start");
	double ms = work_ms() - began;
	REQUIRE(listed(&s) == n + 4, "%zu of %zu are listed", listed(&s), n + 4);
	REQUIRE(alive_calls >= 2 * n / STREAM_SHARE, "%zu signs of life while %zu were looked at", alive_calls, 2 * n);
	free(s.out);
	close(dir);
	return ms;
}

TEST(list, "a long list is complete, its work is linear, and the machine hears something while it is made")
{
	size_t n = t_is_long() ? 250000 : 20000;
	work_is_linear(list_ms, n);
}
