/* A process that has run dry looks again a few times before it sleeps, and lets others run in between. To wake a
 * process on another core takes 10 to 40 us, longer than most of the work that it is woken for. A process looks longer
 * if its sleeps turned out to be short, and hardly at all if nothing comes. A process with one core only does not look
 * again: there others must run first.
 *
 * A process does not look again either while other programs want the cores. If it lets a busy program run, it gets its
 * core back only after that program's whole slice, some milliseconds, while a sleeper that is woken goes first. So the
 * looks are timed. If some of them took very long, there was a busy program beside us, whether they found something or
 * not. From then on no core is given away for a while; the while doubles each time it was tried in vain. If much flows
 * meanwhile, the process naps before it looks again (as network cards do). So it works in few large batches and not at
 * each ticket.
 *
 * A process that is woken and finds nothing sleeps again at once. Its clients may write to its queue, so one of them
 * can ring without end. If a process is often woken for nothing, it naps before the next look. So the cores are left to
 * the others. */
#ifndef IDLING_H
#define IDLING_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct idling {
	unsigned looks, most;          /* looks in a row that found nothing; most: how many before it sleeps */
	unsigned flow;                 /* what came since it last slept or napped, in messages or so */
	int64_t slept_at;              /* since when it sleeps; 0: it does not */
	int64_t looked_at, tick_seen;  /* when the timed looks began, and the kernel's tick then */
	int64_t crowded_until;         /* a busy program wants our cores: none is given away until then */
	unsigned crowded_us;           /* how long the last such time was */
	int is_woken;                  /* a ticket woke it, and nothing was found since */
	int64_t vain_tick;             /* the kernel's tick in which it was last woken for nothing ... */
	unsigned vain;                 /* ... and how often it was woken for nothing in that tick */
};

/* To be called when nothing was found. 1: others ran, look again. 0: sleep now. */
int idling_on(struct idling *l);

/* To be called when something was found: so many messages, or so. */
static inline void
idling_found(struct idling *l, size_t messages)
{
	l->looks = 0;
	l->is_woken = 0;
	l->flow = messages < UINT32_MAX - l->flow ? l->flow + (unsigned)messages : UINT32_MAX;
}

/* The life of a process that sleeps on its queue. round_of_work looks at everything and returns how many messages or so
 * there were. bells_clear is called before the last look, so that whoever writes from then on rings. Returns 0 once
 * *stopping (NULL: never) is set, or -1: errno of a queue that is gone. */
int idling_serve(const _Atomic int32_t *queue, const _Atomic uint32_t *stopping, int (*round_of_work)(void),
    void (*bells_clear)(void));
/* fdio_read of a socket; it looks again before it sleeps */
ssize_t idling_read(struct idling *l, int socket, void *bytes, size_t n);
#endif
