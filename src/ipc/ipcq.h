/* The System V calls: queues that carry tickets, semaphores that wake, segments. EINTR and a full queue are handled
 * here. A hint names the kernel limit behind an errno. */
#ifndef IPCQ_H
#define IPCQ_H
#include <stddef.h>
#include <stdatomic.h>
#include <stdint.h>

/* of semctl(2), which wants it declared here */
union semun_arg { int val; struct semid_ds *buf; unsigned short *array; };

/* "At most one unread ticket": the writer takes it before msgsnd, the reader clears it before it looks. Lies in shared
 * memory. */
struct bell { _Atomic uint32_t taken; };

void  bell_ring(struct bell *bell, const _Atomic int32_t *queue);      /* one ticket, unless one is unread */
/* whatever the flag says: at a start, and for the dead */
void  bell_ring_always(struct bell *bell, const _Atomic int32_t *queue);
void  bell_clear(struct bell *bell);
/* sleep for a ticket, take the others, too, where many come; 0, or -1: EIDRM, EINVAL (gone), EINTR (a signal) */
int   ipcq_wait(int queue);
int   ipcq_drain(int queue);                   /* take what is there, without sleeping: how many, or -1 */

/* wake whoever sleeps on it; errors mean that the owner is busy remaking it */
void  ipcq_post(int sem);
int   ipcq_sleep(int sem, int timeout_ms);     /* until posted; 0, or -1: EAGAIN (time), EINTR, EIDRM, EINVAL */
void *ipcq_attach(int shm, int dont_fork);     /* NULL with errno */
const void *ipcq_attach_to_read(int shm);
void  ipcq_detach(const void *memory);
uint64_t ipcq_namespace(void);                 /* of this process, as /proc names it; 0: not known */
size_t ipcq_bytes(int shm);                    /* its size, by the kernel's word; 0: it is gone */
const char *ipcq_attach_hint(int error);                     /* of ipcq_attach */
const char *ipcq_hint(int error);              /* what to do about a failed get */
#endif
