/* sysv - System V queues (16384 bytes, 8192 a message), semaphores and segments; one namespace a machine
 * Segments are the only memory that processes share. */
#include "sim.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <stdarg.h>
#include <time.h>
#include "calls.h"

/* OBJECTS: kernel.shmmni, the capacity of the product's tables */
enum { QUEUE_BYTES = 16384, MESSAGE_BYTES = 8192, OBJECTS = 32 };
enum type { QUEUE, SEMAPHORE, SEGMENT };

struct message { long type; size_t n; struct message *next; char text[]; };
struct object {
	enum type type;
	int machine, id, gone;
	uint32_t key;
	int64_t changed;
	unsigned mode;
	struct message *first, **last;            /* QUEUE */
	size_t bytes;
	int value;                                /* SEMAPHORE */
	struct object *next;
};
struct segment { struct object o; char *memory; size_t size; int attached; };

static struct object *all;
static int next_id;

static void
strike(struct object *o)
{
	struct object **at = &all;
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;                            /* who sleeps on it still looks at it */
	o->gone = 1;
}

static void
segment_free(struct segment *s)
{
	if (s->memory)
		munmap(s->memory, s->size);
	s->memory = NULL;
}

void
sysv_reset(void)
{
	for (struct object *o = all; o; o = o->next)
		if (o->type == SEGMENT)
			segment_free((struct segment *)o);
	all = NULL;
	next_id = 1;
}

static int
get(enum type type, key_t key, size_t size, int flags)
{
	struct object *o;
	for (o = all; o; o = o->next)
		if (o->type == type && o->machine == S.cur->machine && o->key == (uint32_t)key)
			break;
	if (o)
		return (flags & IPC_EXCL) ? (int)sim_fail(EEXIST) : (int)sim_back(o->id);
	if (!(flags & IPC_CREAT))
		return (int)sim_fail(ENOENT);
	o = sim_alloc(type == SEGMENT ? sizeof(struct segment) : sizeof *o);
	*o = (struct object){ .type = type, .machine = S.cur->machine, .id = next_id++, .key = (uint32_t)key,
	    .changed = S.now / SECOND, .mode = (unsigned)flags & 0777 };
	o->last = &o->first;
	if (type == SEGMENT) {
		struct segment *s = (struct segment *)o;
		s->size = (size + 4095) / 4096 * 4096;
		s->memory = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0);
		if (s->memory == MAP_FAILED)
			abort();
	}
	o->next = all;
	all = o;
	return (int)sim_back(o->id);
}

static struct object *
find(enum type type, int id)
{
	for (struct object *o = all; o; o = o->next)
		if (o->type == type && o->id == id && o->machine == S.cur->machine)
			return o;
	errno = EINVAL;
	return NULL;
}

static void
perm_put(struct ipc_perm *p, const struct object *o)
{
	memset(p, 0, sizeof *p);
	p->uid = p->cuid = 1000;
	p->mode = (unsigned short)o->mode;
	p->__key = o->type == SEGMENT && o->gone ? 0 : (key_t)o->key;
}

static void
destroy(struct object *o)
{
	struct segment *s = (struct segment *)o;
	o->key = 0;
	if (o->type == SEGMENT && s->attached > 0) {
		o->mode |= SHM_DEST;
		return;                           /* by its id it can still be attached */
	}
	strike(o);
	if (o->type == SEGMENT)
		segment_free(s);
	sim_wake(o);
}

int sim_msgget(key_t key, int flags) { sim_enter("msgget"); return get(QUEUE, key, 0, flags); }
int sim_semget(key_t key, int n, int flags) { sim_enter("semget"); (void)n; return get(SEMAPHORE, key, 0, flags); }
int sim_shmget(key_t key, size_t size, int flags) { sim_enter("shmget"); return get(SEGMENT, key, size, flags); }

/* ---- queues ---- */

int
sim_msgctl(int id, int command, struct msqid_ds *ds)
{
	sim_enter("msgctl");
	struct object *o = find(QUEUE, id);
	if (o == NULL)
		return (int)sim_fail(EINVAL);
	if (command == IPC_RMID)
		destroy(o);
	else if (command == IPC_STAT) {
		memset(ds, 0, sizeof *ds);
		perm_put(&ds->msg_perm, o);
		ds->msg_ctime = o->changed;
	} else {
		o->mode = ds->msg_perm.mode;
		o->changed = S.now / SECOND;
	}
	return (int)sim_back(0);
}

int
sim_msgsnd(int id, const void *message, size_t n, int flags)
{
	sim_enter("msgsnd");
	struct object *o = find(QUEUE, id);
	if (o == NULL)
		return (int)sim_fail(EINVAL);
	if (n > MESSAGE_BYTES || !(flags & IPC_NOWAIT))
		abort();
	if (o->bytes + n > QUEUE_BYTES)
		return (int)sim_fail(EAGAIN);
	struct message *m = sim_alloc(sizeof *m + n);
	m->n = n;
	memcpy(&m->type, message, sizeof m->type);
	memcpy(m->text, (const char *)message + sizeof m->type, n);
	*o->last = m;
	o->last = &m->next;
	o->bytes += n;
	sim_wake(o);
	return (int)sim_back(0);
}

ssize_t
sim_msgrcv(int id, void *message, size_t n, long type, int flags)
{
	sim_enter("msgrcv");
	struct object *o = find(QUEUE, id);
	(void)type;
	if (o == NULL)
		return sim_fail(EINVAL);
	while (o->first == NULL) {
		if (flags & IPC_NOWAIT)
			return sim_fail(ENOMSG);
		int r = sim_sleep(o, NEVER);
		if (o->gone)
			return sim_fail(EIDRM);
		if (r < 0)
			return sim_fail(EINTR);
	}
	struct message *m = o->first;
	o->first = m->next;
	if (o->first == NULL)
		o->last = &o->first;
	o->bytes -= m->n;
	if (n > m->n)
		n = m->n;
	memcpy(message, &m->type, sizeof m->type);
	memcpy((char *)message + sizeof m->type, m->text, n);
	return sim_back((long)n);
}

/* ---- semaphores: one a set ---- */

union semun_value { int val; struct semid_ds *buf; };

int
sim_semctl(int id, int number, int command, ...)
{
	sim_enter("semctl");
	va_list ap;
	va_start(ap, command);
	union semun_value arg = va_arg(ap, union semun_value);
	va_end(ap);
	(void)number;
	struct object *o = find(SEMAPHORE, id);
	if (o == NULL)
		return (int)sim_fail(EINVAL);
	if (command == IPC_RMID)
		destroy(o);
	else if (command == SETVAL) {
		o->value = arg.val;
		sim_wake(o);
	} else if (command == IPC_STAT) {
		memset(arg.buf, 0, sizeof *arg.buf);
		perm_put(&arg.buf->sem_perm, o);
		arg.buf->sem_ctime = o->changed;
	}
	return (int)sim_back(0);
}

int
sim_semtimedop(int id, struct sembuf *op, size_t n, const struct timespec *t)
{
	sim_enter("semtimedop");
	struct object *o = find(SEMAPHORE, id);
	int64_t until = S.now + t->tv_sec * SECOND + t->tv_nsec / 1000;
	if (n != 1 || op->sem_op != -1)
		abort();
	if (o == NULL)
		return (int)sim_fail(EINVAL);
	while (o->value == 0) {
		int r = sim_sleep(o, until);
		if (o->gone)
			return (int)sim_fail(EIDRM);
		if (r)
			return (int)sim_fail(r < 0 ? EINTR : EAGAIN);
	}
	o->value--;
	return (int)sim_back(0);
}

/* ---- segments ---- */

static void
detach(struct attachment *a)
{
	struct segment *s = a->segment;
	a->at = NULL;
	if (--s->attached == 0 && (s->o.mode & SHM_DEST)) {
		strike(&s->o);
		segment_free(s);
	}
}

void *
sim_shmat(int id, const void *where, int flags)
{
	sim_enter("shmat");
	struct segment *s = (struct segment *)find(SEGMENT, id);
	(void)where, (void)flags;
	if (s == NULL) {
		sim_fail(EINVAL);
		return (void *)-1;
	}
	for (int k = 0; k < ATTACHED; k++) {
		struct attachment *a = &S.cur->attached[k];
		if (a->at)
			continue;
		a->at = s->memory;
		a->segment = s;
		s->attached++;
		return s->memory;
	}
	sim_fault("%s[%d] has %d segments attached", S.cur->role, S.cur->pid, ATTACHED);
	return (void *)-1;
}

int
sim_shmdt(const void *at)
{
	sim_enter("shmdt");
	for (int k = 0; k < ATTACHED; k++)
		if (S.cur->attached[k].at == at) {
			detach(&S.cur->attached[k]);
			return (int)sim_back(0);
		}
	sim_fault("%s[%d] detaches what it has not attached", S.cur->role, S.cur->pid);
	return (int)sim_fail(EINVAL);
}

void
sysv_detach_all(struct proc *p)
{
	for (int k = 0; k < ATTACHED; k++)
		if (p->attached[k].at)
			detach(&p->attached[k]);
}

int
sim_shmctl(int id, int command, struct shmid_ds *ds)
{
	sim_enter("shmctl");
	if (command == IPC_INFO) {
		struct shminfo *info = (struct shminfo *)ds;
		memset(info, 0, sizeof *info);
		info->shmmni = OBJECTS;
		return 0;
	}
	struct segment *s = (struct segment *)find(SEGMENT, id);
	if (s == NULL)
		return (int)sim_fail(EINVAL);
	if (command == IPC_RMID)
		destroy(&s->o);
	else if (command == IPC_STAT) {
		memset(ds, 0, sizeof *ds);
		perm_put(&ds->shm_perm, &s->o);
		ds->shm_segsz = s->size;
		ds->shm_nattch = (shmatt_t)s->attached;
		ds->shm_ctime = s->o.changed;
	}
	return (int)sim_back(0);
}

/* ---- the machine ---- */

void
sysv_power_cut(int machine)
{
	for (struct object *o = all; o; o = o->next)
		if (o->machine == machine) {
			strike(o);
			if (o->type == SEGMENT)
				segment_free((struct segment *)o);
		}
}

int
sysv_count(int machine)
{
	int n = 0;
	for (struct object *o = all; o; o = o->next)
		n += o->machine == machine;
	return n;
}

/* as /proc/PID/maps shows them */
const char *
sysv_maps(const struct proc *p)
{
	const char *text = "55d0c0000000-55d0c0001000 r-xp 00000000 fe:00 1 /bin/it\n";
	for (int k = 0; k < ATTACHED; k++)
		if (p->attached[k].at)
			text = sim_text("%s7f0000000000-7f0000001000 rw-s 00000000 00:01 %d /SYSV%08x\n", text,
			    p->attached[k].segment->o.id,
			    p->attached[k].segment->o.key);
	return text;
}
