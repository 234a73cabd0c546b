/* Before it sleeps, whoever has run dry looks again a few times and lets others run in between: to wake a process on
 * another core takes 10 to 40 us, longer than most of what it is woken for. It looks longer where sleeping turned out
 * to be short, and hardly at all where nothing comes. Not where this process has one core only: there others must run
 * first.
 *
 * Nor where others want the cores. Whoever lets a busy program run gets its core back after that program's whole slice,
 * some milliseconds, while a sleeper that is woken goes first. So the looks are timed: some that took very long were
 * beside a busy program, whether they found something or not. From then on no core is given away, for a while that
 * doubles each time it was tried in vain. Where much flows meanwhile, a process naps before it looks again (as network
 * cards do), so that it works in few large batches and not at each ticket.
 *
 * A process that is woken and finds nothing sleeps again at once. Its queue is its clients' to write to: one of them
 * can ring without end. So where this happens often it naps before the next look, and the cores are left to the
 * others. */
#ifndef IDLING_H
#define IDLING_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct idling {
	unsigned looks, most;          /* in a row that found nothing; most: before it sleeps */
	unsigned flow;                 /* what came since it last slept or napped, in messages or so */
	int64_t slept_at;              /* 0: not */
	int64_t looked_at, tick_seen;  /* when the looks began that are timed, and the kernel's tick then */
	int64_t crowded_until;         /* a busy program wants our cores: until then none is given away */
	unsigned crowded_us;           /* how long the last such time was */
	int is_woken;                  /* by a ticket, and nothing was found since */
	int64_t vain_tick;             /* the kernel's tick in which it was last woken for nothing ... */
	unsigned vain;                 /* ... and how often in it */
};

/* Nothing was found. 1: others ran, look again. 0: sleep now. */
int idling_on(struct idling *l);

/* Something was found: so many messages, or so. */
static inline void
idling_found(struct idling *l, size_t messages)
{
	l->looks = 0;
	l->is_woken = 0;
	l->flow = messages < UINT32_MAX - l->flow ? l->flow + (unsigned)messages : UINT32_MAX;
}

/* The life of a process that sleeps on its queue. round_of_work: looks at everything; how many messages or so there
 * were. bells_clear: before the last look, so that whoever writes from then on rings. 0 once *stopping (NULL: never) is
 * set; -1: errno of a queue that is gone. */
int idling_serve(const _Atomic int32_t *queue, const _Atomic uint32_t *stopping, int (*round_of_work)(void),
    void (*bells_clear)(void));
/* fdio_read of a socket, that looks again before it sleeps */
ssize_t idling_read(struct idling *l, int socket, void *bytes, size_t n);
#endif
