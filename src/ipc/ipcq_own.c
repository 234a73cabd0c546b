/* ipcq_own - see ipcq_own.h */
#include "ipc/ipcq_own.h"
#include "ipc/ipcq.h"
#include "base/log_peer.h"
#include <errno.h>
#include <unistd.h>

/* 0: they are ours now. -1: EACCES: it is not of our making; else gone */
static int
taken_back(const char *what, int id, int set)
{
	if (set < 0 && errno == EPERM)
		errno = EACCES;
	if (set == 0)
		log_peer(LOG_FROM_WARN, 0, "%s %d: the program that it was made for took all rights from it: it is "
		    "this server's alone now, which harms that program only", what, id);
	return set;
}

int
ipcq_own_segment(int shm, struct shmid_ds *ds)
{
	if (shmctl(shm, IPC_STAT, ds) == 0)
		return 0;
	if (errno != EACCES)
		return -1;
	*ds = (struct shmid_ds){ .shm_perm = { .uid = geteuid(), .gid = getegid(), .mode = 0600 } };
	return taken_back("segment", shm, shmctl(shm, IPC_SET, ds)) < 0 ? -1 : shmctl(shm, IPC_STAT, ds);
}

int
ipcq_own_semaphore(int sem, struct semid_ds *ds)
{
	union semun_arg arg = { .buf = ds };
	if (semctl(sem, 0, IPC_STAT, arg) == 0)
		return 0;
	if (errno != EACCES)
		return -1;
	*ds = (struct semid_ds){ .sem_perm = { .uid = geteuid(), .gid = getegid(), .mode = 0600 } };
	return taken_back("semaphore", sem, semctl(sem, 0, IPC_SET, arg)) < 0 ? -1 : semctl(sem, 0, IPC_STAT, arg);
}

void *
ipcq_attach_own(int shm, size_t *bytes)
{
	struct shmid_ds ds;
	void *p = ipcq_attach(shm, 0);
	if (p == NULL && (errno != EACCES || ipcq_own_segment(shm, &ds) < 0 || (p = ipcq_attach(shm, 0)) == NULL))
		return NULL;
	/* attached, it cannot become another one any more */
	if (ipcq_own_segment(shm, &ds) == 0 && ds.shm_perm.cuid == geteuid()) {
		*bytes = ds.shm_segsz;
		return p;
	}
	shmdt(p);
	errno = EIDRM;
	return NULL;
}

int
ipcq_attached(int shm)
{
	struct shmid_ds ds;
	return ipcq_own_segment(shm, &ds) < 0 ? -1 : (int)ds.shm_nattch;
}
