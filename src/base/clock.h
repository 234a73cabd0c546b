/* Time: monotonic milliseconds for timers (the time of a suspend counts), wall-clock microseconds for records only. */
#ifndef CLOCK_H
#define CLOCK_H
#include <stdint.h>
#include <time.h>
static inline int64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}
static inline int64_t clock_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}
/* the time of the kernel's last tick: some milliseconds coarse, and cheap everywhere */
static inline int64_t clock_tick_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}
static inline int64_t clock_wall_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}
/* How far another clock is ahead of ours, from what was known of it and what its last message shows. A message's way
 * only makes that less, so the most of what was seen is nearest to the truth; it is forgotten slowly, since clocks
 * drift, and at once where one of them was set. */
enum { CLOCK_DRIFT_US = 1000, CLOCK_STEP_US = 1000000 };
static inline int64_t clock_ahead(int64_t known, int64_t seen)
{
	return seen >= known - CLOCK_DRIFT_US || seen < known - CLOCK_STEP_US ? seen : known - CLOCK_DRIFT_US;
}
#endif
