/* Objects that this process's user made for somebody else, who owns them. A client owns its segment and its semaphore.
 *
 * An owner may take all rights from its object, also those of its creator. It may give the object to another user or
 * remove it. Its creator may always set the rights of the object. So where rights are missing, the creator makes the
 * object its own alone, with a line in the log. From then on nobody can take it away any more. Whoever has it attached
 * keeps it attached. */
#ifndef IPCQ_OWN_H
#define IPCQ_OWN_H
#include <stddef.h>
#include <sys/sem.h>
#include <sys/shm.h>

int   ipcq_own_segment(int shm, struct shmid_ds *ds);        /* IPC_STAT; 0, or -1 with errno */
int   ipcq_own_semaphore(int sem, struct semid_ds *ds);
/* Attaches a segment that this process's user made, and tells its size. The creator is checked, since ids come again.
 * NULL with errno; EIDRM: it is somebody else's. */
void *ipcq_attach_own(int shm, size_t *bytes);
int   ipcq_attached(int shm);                                /* how often it is attached, or -1 */
#endif
