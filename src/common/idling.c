/* idling - see idling.h */
#include "common/idling.h"
#include "common/clock.h"
#include "common/counters.h"
#include "common/fdio.h"
#include "common/ipcq.h"
#include <errno.h>
#include <mom/limits.h>
#include <sched.h>
#include <sys/socket.h>

static int
has_cores(void)
{
	static int known;                      /* 1: one core, 2: more */
	cpu_set_t cores;
	if (known == 0)
		known = sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) == 1 ? 1 : 2;
	return known == 2;
}

/* Back from a sleep: was it worth it? */
static void
idling_learn(struct idling *l)
{
	int64_t away = clock_us() - l->slept_at;
	l->slept_at = 0;
	if (away < IDLING_US)
		l->most = l->most * 2 < IDLING_MOST ? l->most * 2 : IDLING_MOST;
	else
		l->most = l->most / 2 > IDLING_LEAST ? l->most / 2 : IDLING_LEAST;
}

int
idling_on(struct idling *l)
{
	if (l->most == 0)
		l->most = IDLING_LEAST;
	if (l->slept_at)
		idling_learn(l);
	if (l->looks++ < l->most && has_cores()) {
		sched_yield();
		return 1;
	}
	l->looks = 0;
	l->slept_at = clock_us();
	return 0;
}

int
idling_serve(const _Atomic int32_t *queue, const _Atomic uint32_t *stopping, int (*round_of_work)(void), void (*bells_clear)(void))
{
	for (struct idling l = { 0 }; stopping == NULL || !atomic_load(stopping);) {
		if (round_of_work()) {
			l.looks = 0;
			continue;
		}
		if (idling_on(&l))
			continue;
		bells_clear();
		if (round_of_work() || (stopping && atomic_load(stopping)))
			continue;
		counters_add(COUNT_SLEEPS, 1);
		if (ipcq_wait(atomic_load(queue)) < 0 && errno != EINTR)
			return -1;
	}
	return 0;
}

ssize_t
idling_read(struct idling *l, int socket, void *bytes, size_t n)
{
	l->looks = 0;
	do {
		ssize_t r = recv(socket, bytes, n, MSG_DONTWAIT);
		if (r >= 0 || (errno != EAGAIN && errno != EINTR))
			return r;
	} while (idling_on(l));
	counters_add(COUNT_SLEEPS, 1);
	return fdio_read(socket, bytes, n);
}
