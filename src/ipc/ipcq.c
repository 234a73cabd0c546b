/* ipcq - see ipcq.h */
#include "ipc/ipcq.h"
#include "base/fault.h"
#include <errno.h>
#include "format/limits.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TICKET_TYPE = 1, TICKET_MAX = 8192, LONELY_WAITS = 16 };
struct ticket { long type; uint32_t zero; };
struct any_ticket { long type; char text[TICKET_MAX]; };

static void
ticket_send(const _Atomic int32_t *queue)
{
	struct ticket t = { TICKET_TYPE, 0 };
	for (int tries = 0; tries < 3; tries++) {
		int id = atomic_load(queue);
		if (id < 0)
			return;                 /* its reader is being started and looks at everything */
		if (!fault_hits("msgsnd") && msgsnd(id, &t, sizeof t.zero, IPC_NOWAIT) == 0)
			return;
		if (errno == EAGAIN)
			return;                 /* a full queue has an awake reader */
		if (errno != EINTR && id == atomic_load(queue))
			/* gone: its supervisor makes a new one, whose reader looks at everything */
			return;
	}
}

void
bell_ring(struct bell *bell, const _Atomic int32_t *queue)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&bell->taken) == 0 && atomic_exchange(&bell->taken, 1) == 0)
		ticket_send(queue);
}

void
bell_ring_always(struct bell *bell, const _Atomic int32_t *queue)
{
	atomic_store(&bell->taken, 1);
	ticket_send(queue);
}

void
bell_clear(struct bell *bell)
{
	atomic_store(&bell->taken, 0);
	atomic_thread_fence(memory_order_seq_cst);
}

int
ipcq_drain(int queue)
{
	/* a buffer of msgmax: E2BIG would leave a foreign message at the head for ever */
	struct any_ticket t;
	for (int i = 0; i < QUEUE_DRAIN; i++) {
		if (msgrcv(queue, &t, sizeof t.text, 0, IPC_NOWAIT | MSG_NOERROR) < 0)
			return errno == ENOMSG || errno == EINTR ? i : -1;
	}
	return QUEUE_DRAIN;
}

int
ipcq_wait(int queue)
{
	static unsigned alone;          /* waits since a second ticket was there: a process has one queue */
	struct any_ticket t;
	if (fault_hits("msgrcv") || msgrcv(queue, &t, sizeof t.text, 0, MSG_NOERROR) < 0)
		return -1;
	/* To ask costs a system call, and a ticket that stays costs one look more: asked always while many come, else
	 * now and then. */
	if (alone && alone++ % LONELY_WAITS)
		return 0;
	int more = ipcq_drain(queue);
	alone = more == 0;
	return more < 0 ? -1 : 0;
}

void
ipcq_post(int sem)
{
	union semun_arg one = { .val = 1 };
	if (sem >= 0)
		semctl(sem, 0, SETVAL, one);     /* it only wakes, and the sleeper looks again within a second anyway */
}

int
ipcq_sleep(int sem, int timeout_ms)
{
	struct sembuf down = { 0, -1, 0 };
	struct timespec t = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	if (fault_hits("semtimedop"))
		return -1;
	return semtimedop(sem, &down, 1, &t);
}

void *
ipcq_attach(int shm, int dont_fork)
{
	struct shmid_ds ds;
	void *p = fault_hits("shmat") ? (void *)-1 : shmat(shm, NULL, 0);
	if (p == (void *)-1)
		return NULL;
	if (dont_fork && shmctl(shm, IPC_STAT, &ds) == 0)
		madvise(p, ds.shm_segsz, MADV_DONTFORK);
	return p;
}

const void *
ipcq_attach_to_read(int shm)
{
	const void *p = shmat(shm, NULL, SHM_RDONLY);
	return p == (const void *)-1 ? NULL : p;
}

uint64_t
ipcq_namespace(void)
{
	struct stat st;
	/* of the thread: a process whose first thread has ended shows nothing under its own name */
	return stat("/proc/thread-self/ns/ipc", &st) == 0 ? st.st_ino : 0;
}

size_t
ipcq_bytes(int shm)
{
	struct shmid_ds ds;
	return shmctl(shm, IPC_STAT, &ds) < 0 ? 0 : ds.shm_segsz;
}

void
ipcq_detach(const void *memory)
{
	if (memory)
		shmdt(memory);
}

const char *
ipcq_hint(int error)
{
	switch (error) {
	case ENOSPC: return "the kernel's limit on System V objects is reached (kernel.msgmni, kernel.shmmni, "
	    "kernel.shmall, kernel.sem), not the disk; try `mom ipc`";
	case ENOMEM: return "no memory for it; see `free`";
	case EINVAL: return "larger than kernel.shmmax allows";
	case EACCES: return "it belongs to another user";
	default:     return "see ipcs -l";
	}
}

const char *
ipcq_attach_hint(int error)
{
	switch (error) {
	case EINVAL:
	case EIDRM:  return "it was removed by somebody: it is made anew";
	case ENOMEM: return "no memory for it; see `free` and `ulimit -v`";
	case EMFILE: return "too many segments for this process; it is tried again";
	case EACCES: return "it belongs to another user: run all of this server as one";
	default:     return "it is tried again";
	}
}
