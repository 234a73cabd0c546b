/* registry - proves: whatever stands in a registry file, a start removes only objects of this user whose key (never 0,
 * which is nobody's) and, where the file knows them, id and time are the file's; it makes none; and what it writes anew
 * reads the same.
 * INPUT  u8 bits: with this boot's first line, objects that the kernel has; then the text behind the first line */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include "base/fdio.h"
#include "ipc/registry.h"
#include "take_over.h"

enum { OBJECTS = 6 };

/* the kernel: two objects of each kind, ours but for the last; one has lost its key, as a segment does that was removed
 * while attached */
static struct object { int id; uint32_t key; long long ctime; int foreign, gone; } kernel[3][OBJECTS / 3];

static struct {
	struct fuzz_input in;
	char *file;
	size_t n;
	int kept;
} fz;

static int
kernel_get(int kind, uint32_t key, int flags)
{
	FUZZ_CHECK(key != 0 && (flags & IPC_CREAT) == 0);      /* IPC_PRIVATE makes a new one */
	for (int i = 0; i < OBJECTS / 3; i++)
		if (kernel[kind][i].key == key && !kernel[kind][i].gone)
			return kernel[kind][i].id;
	errno = ENOENT;
	return -1;
}

static int
file_names(int kind, const struct object *o)
{
	char text[64];
	snprintf(text, sizeof text, "%x", o->key);
	return fz.file && strcasestr(fz.file, text) != NULL && strstr(fz.file,
	    registry_kind_name((enum registry_kind)kind)) != NULL;
}

static int
kernel_control(int kind, int id, int what, struct ipc_perm *perm, time_t *changed)
{
	for (int i = 0; i < OBJECTS / 3; i++) {
		struct object *o = &kernel[kind][i];
		if (o->id != id || o->gone)
			continue;
		if (what == IPC_RMID) {
			FUZZ_CHECK(!o->foreign && o->key != 0 && file_names(kind, o));
			o->gone = 1;
			return 0;
		}
		FUZZ_CHECK(what == IPC_STAT);
		memset(perm, 0, sizeof *perm);
		perm->__key = (key_t)o->key;
		perm->cuid = o->foreign ? geteuid() + 1 : geteuid();
		*changed = o->ctime;
		return 0;
	}
	errno = EINVAL;
	return -1;
}

static int
edge_msgctl(int id, int what, struct msqid_ds *ds)
{
	struct msqid_ds none;
	ds = ds ? ds : &none;
	return kernel_control(REGISTRY_MSG, id, what, &ds->msg_perm, &ds->msg_ctime);
}

static int
edge_shmctl(int id, int what, struct shmid_ds *ds)
{
	struct shmid_ds none;
	ds = ds ? ds : &none;
	return kernel_control(REGISTRY_SHM, id, what, &ds->shm_perm, &ds->shm_ctime);
}

static int
edge_semctl(int id, int number, int what, ...)
{
	union { int val; struct semid_ds *buf; unsigned short *array; } arg;
	struct semid_ds none, *ds = &none;
	va_list ap;
	FUZZ_CHECK(number == 0);
	if (what != IPC_RMID) {
		va_start(ap, what);
		arg.buf = va_arg(ap, struct semid_ds *);
		va_end(ap);
		ds = arg.buf;
	}
	return kernel_control(REGISTRY_SEM, id, what, &ds->sem_perm, &ds->sem_ctime);
}

static void *
edge_load(int dir, const char *name, size_t *n, size_t most)
{
	FUZZ_CHECK(dir == 7 && strcmp(name, "registry") == 0 && fz.n <= most);
	char *p = fuzz_malloc(fz.n + 1);
	memcpy(p, fz.file, fz.n);
	p[fz.n] = '\0';
	*n = fz.n;
	return p;
}

static int
edge_replace(int dir, const char *name, const void *bytes, size_t n, int durable)
{
	FUZZ_CHECK(dir == 7 && strcmp(name, "registry") == 0 && !durable);
	fz.file = fuzz_malloc(n + 1);
	memcpy(fz.file, bytes, n);
	fz.file[n] = '\0';
	fz.n = n;
	return 0;
}

#define msgctl(id, what, ds)         edge_msgctl(id, what, ds)
#define shmctl(id, what, ds)         edge_shmctl(id, what, ds)
#define semctl                       edge_semctl
#define msgget(key, flags)           kernel_get(REGISTRY_MSG, (uint32_t)(key), flags)
#define shmget(key, n, flags)        ((void)(n), kernel_get(REGISTRY_SHM, (uint32_t)(key), flags))
#define semget(key, n, flags)        kernel_get(REGISTRY_SEM, (uint32_t)(key), flags)
#define fdio_load                    edge_load
#define fdio_replace                 edge_replace
#define fdio_open_at(dir, name, flags, mode) ((void)(dir), -1)
#include "ipc/registry.c"

static int
keep(const struct registry_object *o, void *with)
{
	(void)with;
	FUZZ_CHECK(strlen(o->role) < sizeof o->role);
	fz.kept += strcmp(o->role, "keep") == 0;
	return strcmp(o->role, "keep") == 0;
}

static void
boot(unsigned bits)
{
	for (int k = 0; k < 3; k++)
		for (int i = 0; i < OBJECTS / 3; i++)
			kernel[k][i] = (struct object){ 10 * k + i + 1, 0x1000001u + (uint32_t)(0x100 * k + 0x10 * i),
			    1000 + i, i == 1 && bits & 2, 0 };
	if (bits & 4)
		kernel[REGISTRY_SHM][1].key = 0;
}

static void
body(void)
{
	unsigned bits = (unsigned)fuzz_number(&fz.in, 1);
	char head[160] = "";
	struct registry r;
	struct registry_object *again;
	boot(bits);
	if (bits & 1)
		FUZZ_CHECK(registry_head(head, sizeof head - 1) == 0);
	if (bits & 1)
		strcat(head, "\n");
	size_t n = strlen(head);
	fz.file = fuzz_malloc(n + fz.in.n + 1);
	memcpy(fz.file, head, n);
	n += fuzz_bytes(&fz.in, fz.file + n, fz.in.n);
	fz.file[n] = '\0';
	fz.n = n;
	registry_open(&r, 7, keep, NULL);
	FUZZ_CHECK(r.count == (size_t)fz.kept);
	FUZZ_CHECK(registry_read(7, &again) == (int)r.count);
	for (size_t i = 0; i < r.count; i++) {
		const struct registry_object *o = &again[i], *was = &r.objects[i];
		FUZZ_CHECK(o->kind == was->kind && o->key == was->key && o->id == was->id && o->ctime == was->ctime &&
		    strcmp(o->role, was->role) == 0);
		FUZZ_CHECK(registry_exists(o));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static const char ordinary[] = "\1want msg 0x01000001\nhave msg 0x01000001 id 1 ctime 1000 role requests\nwant "
	    "shm 0x01000101\nhave shm 0x01000101 id 11 ctime 1000 role keep\nwant sem 0x01000201\nhave sem 0x01000201 "
	    "id 21 ctime 1 role keep\nwant shm 0x01000111\nhave shm 0x01000111 id 12 ctime 1001 role unit\ngone shm "
	    "0x01000111\nwant msg 0x010000";
	static const char foreign[] = "\7want msg 0x01000011\nhave msg 0x01000011 id 2 ctime 1001 role x\nwant shm "
	    "0x1000101\nwant sem 0x1000211\n";
	static const char key_0[] = "\5want msg 0x0\nwant shm 0x0\nhave shm 0x0 id 12 ctime 1001 role x\n";
	static const char twice[] = "\1want msg 0x1000001\nwant msg 0x1000001\nhave msg 0x1000001 id 1 ctime 1000 role "
	    "keep\nhave msg 0x1000001 id 2 ctime 1 role\n";
	static const char another_boot[] = "\0mom registry 1 boot x ipc 1\nwant msg 0x1000001\n";
	seed("ordinary", ordinary, sizeof ordinary - 1);
	seed("foreign", foreign, sizeof foreign - 1);
	seed("key-0", key_0, sizeof key_0 - 1);
	seed("twice", twice, sizeof twice - 1);
	seed("another-boot", another_boot, sizeof another_boot - 1);
}
