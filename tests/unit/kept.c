/* kept - what was executed for whom: which requests are new, how long answers are kept, and that all of it moves */
#include <lib/t.h>
#include <string.h>
#include "api/rpc/kept.c"

static enum kept_verdict
take(struct kept *k, uint64_t caller, uint64_t number, int64_t now, struct kept_call **c)
{
	*c = NULL;
	return kept_take(k, caller, number, now, c);
}

TEST(numbers, "a caller's number is new once; a lower one is old; callers do not disturb each other")
{
	struct kept k = { 0 };
	struct kept_call *c;
	REQUIRE(take(&k, 1, 5, 0, &c) == KEPT_NEW && take(&k, 1, 5, 0, &c) == KEPT_AGAIN &&
	    take(&k, 1, 4, 0, &c) == KEPT_OLD && take(&k, 1, 9, 0, &c) == KEPT_NEW, "one caller");
	for (uint64_t caller = 2; caller < 5000; caller++)
		REQUIRE(take(&k, caller, 5, 0, &c) == KEPT_NEW, "caller %u", (unsigned)caller);
	REQUIRE(take(&k, 1, 9, 0, &c) == KEPT_AGAIN && take(&k, 4999, 5, 0, &c) == KEPT_AGAIN, "many callers");
	kept_free(&k);
}

TEST(answers, "an answer is kept until its caller's next call, and for a minute after it was asked for last; its "
    "number for a day")
{
	struct kept k = { 0 };
	struct kept_call *c;
	take(&k, 1, 5, 1, &c);
	kept_answer(&k, 1, 4, "old", 3);
	kept_answer(&k, 1, 5, "five", 4);
	kept_answer(&k, 1, 5, "other", 5);
	REQUIRE(take(&k, 1, 5, 1, &c) == KEPT_AGAIN && c->len == 4 && memcmp(c->answer, "five", 4) == 0,
	    "not the first answer");
	kept_sweep(&k, 50000);
	REQUIRE(take(&k, 1, 5, 50000, &c) == KEPT_AGAIN && c->answer, "gone too early");
	kept_sweep(&k, 105000);
	REQUIRE(take(&k, 1, 5, 105000, &c) == KEPT_AGAIN && c->answer, "gone though it was asked for again");
	kept_sweep(&k, 170000);
	REQUIRE(take(&k, 1, 5, 170000, &c) == KEPT_AGAIN && c->answer == NULL, "kept for ever, or executed again");
	take(&k, 1, 6, 170000, &c);
	kept_answer(&k, 1, 6, "six", 3);
	REQUIRE(take(&k, 1, 7, 170000, &c) == KEPT_NEW && c->answer == NULL, "the last call's answer is still there");
	kept_sweep(&k, 170000 + INT64_C(25) * 3600000);
	REQUIRE(k.calls.used == 0, "%zu callers after a day", k.calls.used);
	kept_free(&k);
}

TEST(moves, "what is kept moves as it is")
{
	unsigned char bytes[1000];
	struct kept k = { 0 }, there = { 0 };
	struct kept_call *c;
	struct mom_writer w;
	struct mom_reader r;
	take(&k, 1, 5, 1, &c);
	kept_answer(&k, 1, 5, "five", 4);
	take(&k, 2, 7, 1, &c);
	mom_writer_init(&w, bytes, sizeof bytes);
	kept_save(&k, &w);
	mom_reader_init(&r, bytes, w.len);
	REQUIRE(!mom_writer_failed(&w) && kept_load(&there, &r, 1) == 0 && mom_reader_left(&r) == 0, "load");
	REQUIRE(take(&there, 1, 5, 1, &c) == KEPT_AGAIN && c->len == 4 && memcmp(c->answer, "five", 4) == 0,
	    "the answer");
	REQUIRE(take(&there, 2, 7, 1, &c) == KEPT_AGAIN && c->answer == NULL && take(&there, 2, 6, 1, &c) == KEPT_OLD,
	    "the number");
	kept_free(&there);
	for (size_t n = 0; n < w.len; n++) {
		mom_reader_init(&r, bytes, n);
		REQUIRE(kept_load(&there, &r, 1) < 0, "cut at %zu it is whole", n);
		kept_free(&there);
		there = (struct kept){ 0 };
	}
	kept_free(&k);
}
