/* clock - time and randomness, as the programs see them */
#include "sim.h"
#include <string.h>
#include "calls.h"

int
sim_clock_gettime(clockid_t clock, struct timespec *t)
{
	sim_enter("clock");
	const struct machine *m = &S.machines[S.cur->machine];
	int64_t us = clock == CLOCK_REALTIME ? INT64_C(1700000000) * SECOND + S.now + m->wall
	    : S.now - m->booted + SECOND;
	*t = (struct timespec){ us / SECOND, us % SECOND * 1000 };
	return 0;
}

int
sim_sched_yield(void)
{
	sim_enter("sched_yield");
	return (int)sim_back(0);
}

int
sim_sched_getaffinity(pid_t pid, size_t n, cpu_set_t *cores)
{
	sim_enter("sched_getaffinity");
	(void)pid;
	memset(cores, 0, n);
	CPU_SET(0, cores);
	CPU_SET(1, cores);
	return (int)sim_back(0);
}

int
sim_usleep(useconds_t us)
{
	sim_enter("usleep");
	return sim_sleep(&S.cur->started, S.now + us) < 0 ? (int)sim_fail(4) : (int)sim_back(0);
}

ssize_t
sim_getrandom(void *bytes, size_t n, unsigned flags)
{
	sim_enter("getrandom");
	(void)flags;
	for (size_t at = 0; at < n; at += 8) {
		uint64_t r = sim_random();
		memcpy((char *)bytes + at, &r, n - at < 8 ? n - at : 8);
	}
	return sim_back((long)n);
}
