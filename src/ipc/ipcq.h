/* The System V calls: queues that carry tickets, semaphores that wake, segments. EINTR and a full queue are handled
 * here. A hint says which limit of the kernel is behind an errno. */
#ifndef IPCQ_H
#define IPCQ_H
#include <stddef.h>
#include <stdatomic.h>
#include <stdint.h>

/* The argument of semctl(2): each program has to declare it itself. */
union semun_arg { int val; struct semid_ds *buf; unsigned short *array; };

/* With a bell at most one ticket of a writer is unread. The writer takes the bell before msgsnd. The reader clears it
 * before it looks. A bell lies in shared memory. */
struct bell { _Atomic uint32_t taken; };

void  bell_ring(struct bell *bell, const _Atomic int32_t *queue);      /* sends a ticket, unless one is unread */
/* Sends a ticket whatever the flag says. For starts, and for tickets that a dead process took. */
void  bell_ring_always(struct bell *bell, const _Atomic int32_t *queue);
void  bell_clear(struct bell *bell);
/* Sleeps for a ticket. If many come, it takes the others, too. 0, or -1: EIDRM or EINVAL (the queue is gone), EINTR (a
 * signal). */
int   ipcq_wait(int queue);
int   ipcq_drain(int queue);                   /* takes the tickets that are there, without sleeping: how many, or -1 */

/* Wakes whoever sleeps on the semaphore. Errors do not matter: its owner is making it anew then. */
void  ipcq_post(int sem);
int   ipcq_sleep(int sem, int timeout_ms);     /* sleeps until posted; 0, or -1: EAGAIN (time), EINTR, EIDRM, EINVAL */
void *ipcq_attach(int shm, int dont_fork);     /* NULL with errno */
const void *ipcq_attach_to_read(int shm);
void  ipcq_detach(const void *memory);
uint64_t ipcq_namespace(void);                 /* IPC namespace of this process, as /proc names it; 0: not known */
size_t ipcq_bytes(int shm);                    /* its size, as the kernel says; 0: it is gone */
const char *ipcq_attach_hint(int error);                     /* what to do about a failed ipcq_attach */
const char *ipcq_hint(int error);              /* what to do about a failed msgget, shmget or semget */
#endif
