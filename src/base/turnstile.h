/* turnstile - who knocks and is not let in costs all others at most a quarter of the time
 *     if (turnstile_rests(&t, now_us)) ...do not accept until t.rest_until_us...
 *     turnstile_came(&t);                 for each that is accepted
 *     turnstile_let_in(&t);               for each that turns out to be welcome: a crowd of these is never slowed
 *     turnstile_spent(&t, began, now);    after each round that had to do with them */
#ifndef TURNSTILE_H
#define TURNSTILE_H
#include <stdint.h>

/* TURN_MOST_US: what counts of one stranger, and of one round, at most: nobody is kept out for long. */
enum { TURN_US = 2000, TURN_STRANGERS = 32, TURN_MOST_US = 10000 };

struct turnstile { int64_t spent_us, rest_until_us; uint32_t strangers; };

static inline int turnstile_rests(const struct turnstile *t, int64_t now_us) { return now_us < t->rest_until_us; }
static inline void turnstile_came(struct turnstile *t) { t->strangers++; }
static inline void turnstile_let_in(struct turnstile *t) { t->strangers -= t->strangers > 0; }

/* What a stranger's own process cost. */
static inline void
turnstile_charge(struct turnstile *t, int64_t us)
{
	t->spent_us += us < TURN_MOST_US ? us : TURN_MOST_US;
}

static inline void
turnstile_spent(struct turnstile *t, int64_t began_us, int64_t now_us)
{
	turnstile_charge(t, now_us - began_us);
	if (t->spent_us < TURN_US || t->strangers < TURN_STRANGERS)
		return;
	t->rest_until_us = now_us + 3 * t->spent_us;
	*t = (struct turnstile){ .rest_until_us = t->rest_until_us };
}
#endif
