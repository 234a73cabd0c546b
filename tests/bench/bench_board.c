/* bench_board - the phases that all processes of a run go through together, and who publishes what; see bench.h */
#include "bench/bench.h"
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

void
board_phase(struct board *b, enum phase phase)
{
	atomic_store(&b->phase, phase);
	syscall(SYS_futex, &b->phase, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* a thousand subscribers that poll would be what is measured: they sleep */
void
board_wait(struct board *b, enum phase phase)
{
	for (unsigned now; (now = atomic_load(&b->phase)) < phase;)
		syscall(SYS_futex, &b->phase, FUTEX_WAIT, now, NULL, NULL, 0);
}

uint64_t
load_due(const struct load *l, int subscriber, uint64_t sent)
{
	uint64_t part = (uint64_t)(subscriber % l->parts), parts = (uint64_t)l->parts, rest = sent % l->topics;
	uint64_t a_round = (l->heard + parts - 1 - part) / parts;
	if (l->topics == 1)
		return sent;
	return sent / l->topics * a_round + ((rest < l->heard ? rest : l->heard) + parts - 1 - part) / parts;
}

void
load_topic(uint64_t run, uint64_t topic, char name[40])
{
	snprintf(name, 40, "bench/%llx/%llu", (unsigned long long)(run & 0xffffffff), (unsigned long long)topic);
}
