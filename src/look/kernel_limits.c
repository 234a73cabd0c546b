/* kernel_limits - see kernel_limits.h */
#include "look/kernel_limits.h"
#include "format/limits.h"
#include <limits.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static const struct kernel_limit known[KERNEL_LIMITS] = {
	[KERNEL_MSGMNI] = { "kernel.msgmni", "queues", "one a worker and machine of a broker, two a daemon",
	    "sysctl kernel.msgmni=32000", 0, 0, SLOTS_MAX },
	[KERNEL_SHMMNI] = { "kernel.shmmni", "segments", "one a client and a machine",
	    "sysctl kernel.shmmni=32768, then start the servers again", 0, 0, SLOTS_MAX },
	[KERNEL_SHMALL] = { "kernel.shmall", "pages of segments", "of all segments",
	    "sysctl kernel.shmall=18446744073692774399", 0, 0, UINT64_MAX },
	[KERNEL_SHMMAX] = { "kernel.shmmax", "bytes of a segment", "of a client's or a machine's segment",
	    "sysctl kernel.shmmax=18446744073692774399", 0, UINT64_MAX, UINT64_MAX },
	[KERNEL_SEMMNI] = { "kernel.sem semmni", "semaphore sets", "one a client; the 4th number of kernel.sem",
	    "sysctl kernel.sem='32000 1024000000 500 32000'", 0, 0, SLOTS_MAX },
	[KERNEL_SEMMNS] = { "kernel.sem semmns", "semaphores", "one a client; the 2nd number of kernel.sem",
	    "sysctl kernel.sem='32000 1024000000 500 32000'", 0, 0, INT_MAX },
};

int
kernel_limits(struct kernel_limit limit[KERNEL_LIMITS])
{
	struct msginfo msg, msg_used;
	struct shminfo shm;
	struct shm_info shm_used;
	struct seminfo sem, sem_used;
	union { struct seminfo *info; } to = { &sem }, to_used = { &sem_used };
	memcpy(limit, known, sizeof known);
	if (msgctl(0, IPC_INFO, (struct msqid_ds *)&msg) < 0 || msgctl(0, MSG_INFO, (struct msqid_ds *)&msg_used) < 0 ||
	    shmctl(0, IPC_INFO, (struct shmid_ds *)&shm) < 0 || shmctl(0, SHM_INFO, (struct shmid_ds *)&shm_used) < 0 ||
	    semctl(0, 0, IPC_INFO, to) < 0 || semctl(0, 0, SEM_INFO, to_used) < 0)
		return -1;
	limit[KERNEL_MSGMNI].most = (uint64_t)msg.msgmni;
	limit[KERNEL_MSGMNI].used = (uint64_t)msg_used.msgpool;
	limit[KERNEL_SHMMNI].most = shm.shmmni;
	limit[KERNEL_SHMMNI].used = (uint64_t)shm_used.used_ids;
	limit[KERNEL_SHMALL].most = shm.shmall;
	limit[KERNEL_SHMALL].used = shm_used.shm_tot;
	limit[KERNEL_SHMMAX].most = shm.shmmax;
	limit[KERNEL_SEMMNI].most = (uint64_t)sem.semmni;
	limit[KERNEL_SEMMNI].used = (uint64_t)sem_used.semusz;
	limit[KERNEL_SEMMNS].most = (uint64_t)sem.semmns;
	limit[KERNEL_SEMMNS].used = (uint64_t)sem_used.semaem;
	return 0;
}
