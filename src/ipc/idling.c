/* idling - see idling.h */
#include "ipc/idling.h"
#include "base/clock.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "ipc/ipcq.h"
#include <errno.h>
#include "format/limits.h"
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMED_LOOKS = 8 };              /* so many together are timed as one look */

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
idling_learn(struct idling *l, int64_t now)
{
	int64_t away = now - l->slept_at;
	l->slept_at = 0;
	if (away < IDLING_US)
		l->most = l->most * 2 < IDLING_MOST ? l->most * 2 : IDLING_MOST;
	else
		l->most = l->most / 2 > IDLING_LEAST ? l->most / 2 : IDLING_LEAST;
}

/* A core that was given away to a busy program comes back with a tick of the kernel. To see that none has passed costs
 * a fifth of asking what time it is, which may be a system call where the hardware has no good clock. */
static void
idling_crowd(struct idling *l)
{
	int64_t tick = clock_tick_us();
	if (tick == l->tick_seen)
		return;
	int64_t now = clock_us();
	if (now - l->looked_at >= CROWDED_US) {
		l->crowded_us = l->crowded_us == 0 ? CROWDED_LEAST_US : l->crowded_us * 2 < CROWDED_MOST_US
		    ? l->crowded_us * 2 : CROWDED_MOST_US;
		l->crowded_until = now + l->crowded_us;
	}
	l->looked_at = now;
	l->tick_seen = tick;
}

/* No core is given away: a nap where much flows, else a sleep. */
static int
idling_beside_others(struct idling *l, int64_t now)
{
	int naps = l->flow >= FLOW_LEAST;
	l->looks = 0;
	l->flow = 0;
	if (naps)
		usleep(NAP_US);
	l->slept_at = naps ? 0 : now;
	return naps;
}

/* Woken for nothing: nothing is learnt from it, and it is no reason to look again. */
static int
idling_vain(struct idling *l)
{
	int64_t tick = clock_tick_us();
	l->is_woken = 0;
	l->slept_at = 0;
	l->vain = tick == l->vain_tick ? l->vain + 1 : 1;
	l->vain_tick = tick;
	if (l->vain > VAIN_MOST)
		usleep(VAIN_NAP_US);
	return 0;
}

int
idling_on(struct idling *l)
{
	if (l->is_woken)
		return idling_vain(l);
	int is_timed = l->looks % TIMED_LOOKS == 0;
	int64_t now = is_timed || l->slept_at || l->crowded_us ? clock_us() : 0;
	if (l->most == 0)
		l->most = IDLING_LEAST;
	if (l->slept_at)
		idling_learn(l, now);
	if (l->crowded_us && now < l->crowded_until)
		return idling_beside_others(l, now);
	if (l->crowded_us && now > l->crowded_until + l->crowded_us)
		l->crowded_us = 0;             /* looked as long without one */
	if (l->looks++ < l->most && has_cores()) {
		if (is_timed) {
			l->looked_at = now;
			l->tick_seen = clock_tick_us();
		}
		sched_yield();
		idling_crowd(l);
		return 1;
	}
	l->looks = 0;
	l->flow = 0;
	l->slept_at = now ? now : clock_us();
	return 0;
}

int
idling_serve(const _Atomic int32_t *queue, const _Atomic uint32_t *stopping, int (*round_of_work)(void),
    void (*bells_clear)(void))
{
	for (struct idling l = { 0 }; stopping == NULL || !atomic_load(stopping);) {
		int n = round_of_work();
		if (n) {
			idling_found(&l, (size_t)n);
			continue;
		}
		if (idling_on(&l))
			continue;
		bells_clear();
		if ((n = round_of_work()) != 0 || (stopping && atomic_load(stopping))) {
			idling_found(&l, (size_t)n);
			continue;
		}
		counters_add(COUNT_SLEEPS, 1);
		if (ipcq_wait(atomic_load(queue)) < 0 && errno != EINTR)
			return -1;
		l.is_woken = 1;
	}
	return 0;
}

ssize_t
idling_read(struct idling *l, int socket, void *bytes, size_t n)
{
	for (;;) {
		ssize_t r = recv(socket, bytes, n, MSG_DONTWAIT);
		if (r >= 0 || (errno != EAGAIN && errno != EINTR)) {
			idling_found(l, r > 0 ? (size_t)r / FLOW_BYTES : 0);
			return r;
		}
		if (!idling_on(l))
			break;
	}
	counters_add(COUNT_SLEEPS, 1);
	ssize_t r = fdio_read(socket, bytes, n);
	idling_found(l, r > 0 ? (size_t)r / FLOW_BYTES : 0);
	return r;
}
