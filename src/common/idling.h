/* Before it sleeps, whoever has run dry looks again a few times and lets others run in between: to wake a process on another core takes
 * 10 to 40 us, longer than most of what it is woken for. It looks longer where sleeping turned out to be short, and hardly at all where
 * nothing comes. Not where this process has one core only: there others must run first. */
#ifndef IDLING_H
#define IDLING_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
struct idling { unsigned looks, most; int64_t slept_at; };     /* looks: in a row that found nothing; most: before it sleeps */
int     idling_on(struct idling *l);     /* 1: others ran, look again. 0: sleep now */
/* The life of a process that sleeps on its queue. round_of_work: looks at everything; not 0: there was something. bells_clear: before the last look,
 * so that whoever writes from then on rings. 0 once *stopping (NULL: never) is set; -1: errno of a queue that is gone. */
int     idling_serve(const _Atomic int32_t *queue, const _Atomic uint32_t *stopping, int (*round_of_work)(void), void (*bells_clear)(void));
ssize_t idling_read(struct idling *l, int socket, void *bytes, size_t n);      /* fdio_read of a socket, that looks again before it sleeps */
#endif
