/* http_limits - limits and how much of each is in use: of a server, and of the kernel that we depend on; a part of
 * mom_http */
#include "tools/http/http.h"
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

/* limit 0: there is none */
static void
limit(FILE *f, int *first, const char *what, const char *unit, const char *knob, uint64_t used, uint64_t most)
{
	fprintf(f, "%s{\"what\":\"%s\",\"unit\":\"%s\",\"knob\":\"%s\",\"used\":%llu,\"limit\":%llu}",
	    *first ? "" : ",", what, unit, knob, (unsigned long long)used,
	    (unsigned long long)most);
	*first = 0;
}

static void
limits_of_kernel(FILE *f, int *first)
{
	struct msginfo msg, msg_used;
	struct shminfo shm;
	struct shm_info shm_used;
	struct seminfo sem, sem_used;
	union { struct seminfo *info; void *pointer; } to = { &sem }, to_used = { &sem_used };
	long page = sysconf(_SC_PAGESIZE);
	if (msgctl(0, IPC_INFO, (struct msqid_ds *)&msg) >= 0 && msgctl(0, MSG_INFO, (struct msqid_ds *)&msg_used) >= 0)
		limit(f, first, "System V queues", "", "kernel.msgmni", (uint64_t)msg_used.msgpool,
		    (uint64_t)msg.msgmni);
	if (semctl(0, 0, IPC_INFO, to) >= 0 && semctl(0, 0, SEM_INFO, to_used) >= 0)
		limit(f, first, "System V semaphore sets", "", "kernel.sem", (uint64_t)sem_used.semusz,
		    (uint64_t)sem.semmni);
	if (shmctl(0, IPC_INFO, (struct shmid_ds *)&shm) < 0 || shmctl(0, SHM_INFO, (struct shmid_ds *)&shm_used) < 0)
		return;
	limit(f, first, "System V shared memory segments", "", "kernel.shmmni", (uint64_t)shm_used.used_ids,
	    (uint64_t)shm.shmmni);
	uint64_t pages = UINT64_MAX / (uint64_t)page;               /* the default of shmall means: any */
	limit(f, first, "System V shared memory", "B", "kernel.shmall", shm_used.shm_tot * (uint64_t)page,
	    shm.shmall < pages / 2 ? shm.shmall * (uint64_t)page : 0);
}

static void
limits_of_broker(FILE *f, int *first, const struct broker_table *t, const struct watch_server *v)
{
	uint32_t used = 0, conns = atomic_load(&t->conns);
	for (uint32_t i = 0; i < conns && i < t->capacity; i++)
		used += atomic_load(&t->conn[i].state) != CONN_FREE;
	limit(f, first, "machines", "", "kernel.shmmni", used, t->capacity);
	limit(f, first, "store", "B", "--store-max", v->disk_used, t->store_max);
}

static void
limits_of_daemon(FILE *f, int *first, const struct machine_table *t)
{
	uint32_t used = 0, slots = atomic_load(&t->slots);
	for (uint32_t i = 0; i < slots && i < t->capacity; i++)
		used += atomic_load(&t->slot[i].state) != SLOT_FREE;
	limit(f, first, "clients", "", "kernel.shmmni", used, t->capacity);
}

void
http_limits(FILE *f, const struct look_server *s, const struct watch_server *v)
{
	int first = 1;
	if (s == NULL) {
		limits_of_kernel(f, &first);
		return;
	}
	if (s->broker)
		limits_of_broker(f, &first, s->broker, v);
	if (s->machine)
		limits_of_daemon(f, &first, s->machine);
	if (v->disk_used || v->disk_free)
		limit(f, &first, "disk", "B", "", v->disk_used, v->disk_used + v->disk_free);
}
