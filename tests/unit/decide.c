/* decide - may a request be taken? The rules of request numbers, as plain numbers */
#include <lib/t.h>
#include "worker/decide.c"

static void
is(struct decision d, enum verdict verdict, uint64_t from, uint64_t to)
{
	REQUIRE(d.verdict == verdict && d.lost_from == from && d.lost_to == to,
	    "verdict %d lost %llu to %llu, wanted %d, %llu to %llu", (int)d.verdict,
	    (unsigned long long)d.lost_from, (unsigned long long)d.lost_to, (int)verdict, (unsigned long long)from,
	    (unsigned long long)to);
}

TEST(in_order, "the next number is taken, an older one is acknowledged again")
{
	is(decide_request(5, 0, 6, 1), VERDICT_TAKE, 0, 0);
	is(decide_request(5, 0, 5, 1), VERDICT_AGAIN, 0, 0);
	is(decide_request(5, 0, 1, 1), VERDICT_AGAIN, 0, 0);
}

TEST(gap, "a gap is legal only up to `first`, and told as lost; anything else is a broken client")
{
	is(decide_request(5, 0, 9, 9), VERDICT_TAKE, 6, 8);
	is(decide_request(5, 0, 9, 8), VERDICT_BROKEN, 0, 0);
	is(decide_request(5, 0, 9, 1), VERDICT_BROKEN, 0, 0);
	is(decide_request(5, 0, 7, 6), VERDICT_BROKEN, 0, 0);
}

TEST(generation, "a rise of the generation is no gap")
{
	is(decide_request(number_make(1, 77), 0, number_make(2, 1), number_make(2, 1)), VERDICT_TAKE, 0, 0);
	is(decide_request(number_make(2, 1), 0, number_make(1, 99), 1), VERDICT_AGAIN, 0, 0);
}

TEST(refused, "after a refusal nothing is taken until `first` has passed it; what was refused is not told as lost")
{
	is(decide_request(5, 6, 6, 1), VERDICT_IGNORE, 0, 0);
	is(decide_request(5, 6, 7, 6), VERDICT_IGNORE, 0, 0);
	is(decide_request(5, 6, 9, 9), VERDICT_TAKE, 0, 0);
	is(decide_request(5, 7, 9, 9), VERDICT_TAKE, 6, 6);
}
