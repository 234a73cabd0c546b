/* Objects that this process's user made for somebody else, who owns them: a client its segment and its semaphore.
 *
 * An owner may take all rights from its object, also from its creator, give it to another user or remove it. What its
 * creator may always do is to set its rights. So where rights are missing the object becomes its creator's alone, with
 * a line in the log: it can be taken from nobody any more, and whoever has it attached keeps it so. */
#ifndef IPCQ_OWN_H
#define IPCQ_OWN_H
#include <stddef.h>
#include <sys/sem.h>
#include <sys/shm.h>

int   ipcq_own_segment(int shm, struct shmid_ds *ds);        /* IPC_STAT; 0, or -1 with errno */
int   ipcq_own_semaphore(int sem, struct semid_ds *ds);
/* ipcq_attach of a segment that this process's user made, with its size: ids come again. NULL with errno; EIDRM: it is
 * another's */
void *ipcq_attach_own(int shm, size_t *bytes);
int   ipcq_attached(int shm);                                /* processes attached, or -1 */
#endif
