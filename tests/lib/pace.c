/* pace - see pace.h */
#include <lib/pace.h>
#include <lib/t.h>
#include <sys/syscall.h>
#include <unistd.h>

/* CALLS took REFERENCE_US on the machine where the limits were chosen: idle, 200 ns a system call. Long enough to share
 * the core with others. */
enum { CALLS = 50000, REFERENCE_US = 10000, MEASURE_EACH_MS = 3000, MOST_PERCENT = 2000 };

void
pace_measure(struct t_state *s)
{
	int64_t began = t_now_us();
	if (s->pace_at_us && began - s->pace_at_us < MEASURE_EACH_MS * INT64_C(1000))
		return;
	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	int64_t percent = (t_now_us() - began) * 100 / REFERENCE_US;
	s->pace_at_us = began;
	percent = percent < 100 ? 100 : percent < MOST_PERCENT ? percent : MOST_PERCENT;
	if (percent > __atomic_load_n(&s->slowness, __ATOMIC_RELAXED))
		__atomic_store_n(&s->slowness, (int)percent, __ATOMIC_RELAXED);
}

int
t_slowness_percent(void)
{
	int percent = __atomic_load_n(&t_state->slowness, __ATOMIC_RELAXED);
	return percent > 100 ? percent : 100;
}

int
t_patience_ms(void)
{
	enum { PATIENCE_MS = 20000 };
	return PATIENCE_MS / 100 * t_slowness_percent();
}
