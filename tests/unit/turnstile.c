/* turnstile - who is not let in costs others at most a quarter of the time; who is let in is never slowed */
#include <lib/t.h>
#include "base/turnstile.h"

/* Rounds of 100 us, one after the other, as long as nobody has to rest: how many of 100,000 us were spent so. */
static int64_t
spent_of(int64_t span_us, int welcome)
{
	struct turnstile t = { .spent_us = 0 };
	int64_t now = 1, spent = 0;
	while (now < span_us) {
		if (turnstile_rests(&t, now)) {
			now = t.rest_until_us;
			continue;
		}
		for (int i = 0; i < 3; i++)
			turnstile_came(&t);
		for (int i = 0; i < welcome; i++)
			turnstile_let_in(&t);
		turnstile_spent(&t, now, now + 100);
		now += 100;
		spent += 100;
	}
	return spent;
}

TEST(strangers, "those who are not let in take at most a quarter of the time and a turn")
{
	REQUIRE(spent_of(100000, 0) <= 25000 + 2 * TURN_US && spent_of(100000, 0) >= 20000, "%lld us of 100000",
	    (long long)spent_of(100000, 0));
	REQUIRE(spent_of(100000, 1) <= 25000 + 2 * TURN_US, "one in three is let in: %lld us of 100000",
	    (long long)spent_of(100000, 1));
}

TEST(welcome, "a crowd of those who are let in is never slowed, and neither is one with a few strangers")
{
	struct turnstile t = { .spent_us = 0 };
	REQUIRE(spent_of(100000, 3) >= 99900, "%lld us of 100000", (long long)spent_of(100000, 3));
	for (int i = 0; i < TURN_STRANGERS - 1; i++)
		turnstile_came(&t);
	turnstile_spent(&t, 0, 50000);
	REQUIRE(!turnstile_rests(&t, 50001), "%u strangers", t.strangers);
	turnstile_charge(&t, INT64_MAX);
	turnstile_let_in(&t);
	turnstile_came(&t);
	turnstile_came(&t);
	turnstile_spent(&t, 50000, 50001);
	REQUIRE(turnstile_rests(&t, 50002) && !turnstile_rests(&t, 50001 + 3 * (2 * TURN_MOST_US + 1)),
	    "%u strangers, until %lld", t.strangers, (long long)t.rest_until_us);
}
