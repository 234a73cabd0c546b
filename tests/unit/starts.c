/* starts - a shard's list of its worker's starts: it ends, and what goes is harmless */
#include <lib/t.h>
#include "worker/shard.c"
#include "worker/shard_apply.c"
#include "worker/groups.c"
#include "worker/hands.c"
#include "worker/groups_apply.c"
#include <string.h>

static struct shard s;

static uint64_t
offset_of(uint64_t i)
{
	return i << 40;
}

static void
start(uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i <= to; i++)
		shard_start(&s, offset_of(i), i * 7);
}

TEST(ends, "the list keeps the last 4,096 starts: of those another history is noticed, of older ones none is refused "
    "for it")
{
	start(1, STARTS_MOST);
	REQUIRE(s.starts_count == STARTS_MOST && shard_knows_start(&s, offset_of(1), 7) &&
	    !shard_knows_start(&s, offset_of(1), 8), "not full yet");
	REQUIRE(!shard_knows_start(&s, offset_of(1) + 1, 7), "an offset that is none");
	start(STARTS_MOST + 1, 2 * STARTS_MOST);
	REQUIRE(s.starts_count == STARTS_MOST, "%zu", s.starts_count);
	for (uint64_t i = 1; i <= 2 * STARTS_MOST; i++) {
		REQUIRE(shard_knows_start(&s, offset_of(i), i * 7), "start %llu: a machine that was away for so long "
		    "is refused", (unsigned long long)i);
		REQUIRE(shard_knows_start(&s, offset_of(i), 1) == (i <= STARTS_MOST), "start %llu of another history",
		    (unsigned long long)i);
	}
	/* an older one changes nothing: a check-point and the log tell of the same */
	shard_start(&s, offset_of(3), 1);
	REQUIRE(shard_knows_start(&s, offset_of(STARTS_MOST + 1), (STARTS_MOST + 1) * 7) &&
	    s.starts_count == STARTS_MOST, "an older start is taken");
}

TEST(of_nobody_else, "no request of any type adds a start: only the worker's own does, so nobody pushes another's out")
{
	char bytes[RECORD_HEADER + 8];
	start(1, 3);
	for (int type = 0; type < 256; type++) {
		struct record r = { .type = (uint8_t)type, .publisher = (uint64_t)1 << 32 | 1, .number = 1,
		    .offset = offset_of(9), .aux = 1 };
		record_make(bytes, &r, NULL, NULL, 0);
		if (record_is_request(r.type))
			shard_apply(&s, bytes, 0);
	}
	REQUIRE(s.starts_count == 3 && !record_is_request(REC_START), "%zu starts", s.starts_count);
}
