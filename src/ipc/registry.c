/* registry - see registry.h */
#include "ipc/registry.h"
#include "base/boot.h"
#include "base/crc32c.h"
#include "ipc/ipcq.h"
#include "ipc/ipcq_own.h"
#include "base/fault.h"
#include "base/fdio.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REGISTRY_REWRITE = 256 * 1024, REGISTRY_MOST = 64 * 1024 * 1024 };
static const char *const kinds[] = { "msg", "shm", "sem" };

const char *
registry_kind_name(enum registry_kind kind)
{
	return kinds[kind];
}

/* ---- lines: each ends in a CRC of what stands before it; old ones do not ---- */

enum { LINE_CRC = 13, LINE_MOST = 200 };

static size_t
line_end(char *line, size_t n)
{
	return n + (size_t)sprintf(line + n, " crc %08x\n", crc32c(0, line, n));
}

/* n: without the newline. -1: damaged */
static int
line_look(const char *line, size_t n)
{
	char crc[LINE_CRC + 1];
	int words = 1, most = strncmp(line, "have ", 5) == 0 ? 9 : strncmp(line, "mom ", 4) == 0 ? 7 : 3;
	if (n > LINE_CRC && memcmp(line + n - LINE_CRC, " crc ", 5) == 0) {
		snprintf(crc, sizeof crc, " crc %08x", crc32c(0, line, n - LINE_CRC));
		return memcmp(line + n - LINE_CRC, crc, LINE_CRC) == 0 ? 0 : -1;
	}
	for (size_t i = 0; i < n; i++)
		words += line[i] == ' ';
	return words == most ? 0 : -1;                 /* an old one */
}

static int
registry_head(char *line, size_t n)
{
	struct stat st = { 0 };
	const char *boot = boot_id();
	if (boot == NULL || (stat("/proc/thread-self/ns/ipc", &st) < 0 && errno != ENOENT))
		return -1;
	snprintf(line, n, "mom registry 1 boot %s ipc %llu", boot, (unsigned long long)st.st_ino);
	return 0;
}

/* Of another boot or namespace: nothing of it is left, and a power cut may have left anything. */
static int
is_of_another(const char *text, size_t n)
{
	char head[LINE_MOST];
	const char *end = memchr(text, '\n', n);
	if (end == NULL || line_look(text, (size_t)(end - text)) < 0 || registry_head(head, sizeof head) < 0)
		return 0;
	return strncmp(text, head, strlen(head)) != 0;
}

size_t
registry_fault(const char *text, size_t n)
{
	size_t number = 1;
	if (is_of_another(text, n))
		return 0;
	const char *end = text + n, *next;
	for (; text < end && (next = memchr(text, '\n', (size_t)(end - text))) != NULL; text = next + 1, number++)
		if (line_look(text, (size_t)(next - text)) < 0)
			return number;
	return 0;                                      /* a line that a kill cut off does not count */
}

static int
registry_stat(enum registry_kind kind, int id, struct ipc_perm *perm, long long *ctime)
{
	struct msqid_ds q;
	struct shmid_ds m;
	struct semid_ds s;
	int r = kind == REGISTRY_MSG ? msgctl(id, IPC_STAT, &q) : kind == REGISTRY_SHM ? ipcq_own_segment(id, &m)
	    : ipcq_own_semaphore(id, &s);
	if (r < 0)
		return -1;
	*perm = kind == REGISTRY_MSG ? q.msg_perm : kind == REGISTRY_SHM ? m.shm_perm : s.sem_perm;
	*ctime = kind == REGISTRY_MSG ? q.msg_ctime : kind == REGISTRY_SHM ? m.shm_ctime : s.sem_ctime;
	return 0;
}

/* An object whose making was cut off has a key but no id on file. A segment that was removed while attached has lost
 * its key. */
int
registry_exists_of(const struct registry_object *o, uid_t creator)
{
	struct ipc_perm perm;
	long long ctime;
	int id = o->id;
	if (id < 0)
		id = o->kind == REGISTRY_MSG ? msgget((key_t)o->key, 0) : o->kind == REGISTRY_SHM
		    ? shmget((key_t)o->key, 0, 0) : semget((key_t)o->key, 0, 0);
	if (id < 0 || registry_stat(o->kind, id, &perm, &ctime) < 0)
		return 0;
	errno = ENOENT;
	/* a client owns its segment and its semaphore, and may change their ctime */
	if (perm.cuid != creator || (o->id >= 0 && o->kind == REGISTRY_MSG && ctime != o->ctime))
		return 0;
	return (uint32_t)perm.__key == o->key;
}

int
registry_exists(const struct registry_object *o)
{
	return registry_exists_of(o, geteuid());
}

static void
registry_destroy_object(const struct registry_object *o)
{
	int id = o->id;
	if (id < 0)
		id = o->kind == REGISTRY_MSG ? msgget((key_t)o->key, 0) : o->kind == REGISTRY_SHM
		    ? shmget((key_t)o->key, 0, 0) : semget((key_t)o->key, 0, 0);
	if (o->kind == REGISTRY_MSG)
		msgctl(id, IPC_RMID, NULL);
	else if (o->kind == REGISTRY_SHM)
		shmctl(id, IPC_RMID, NULL);
	else
		semctl(id, 0, IPC_RMID);
}

/* room for one more */
static void
registry_grow(struct registry_object **objects, size_t count, size_t *room)
{
	if (count < *room)
		return;
	size_t more = *room ? *room * 2 : 64;
	struct registry_object *grown = realloc(*objects, more * sizeof *grown);
	if (grown == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for the registry of %zu objects: see `free`", more);
	*objects = grown;
	*room = more;
}

static void
registry_add(struct registry_object **objects, size_t *count, size_t *room, const struct registry_object *o)
{
	registry_grow(objects, *count, room);
	(*objects)[(*count)++] = *o;
}

static struct registry_object *
registry_by_key(struct registry_object *objects, size_t count, int kind, uint32_t key)
{
	for (size_t i = count; i-- > 0;)
		if ((int)objects[i].kind == kind && objects[i].key == key)
			return &objects[i];
	return NULL;
}

static int
registry_kind_of(const char *name)
{
	for (int k = 0; k < 3; k++)
		if (strcmp(name, kinds[k]) == 0)
			return k;
	return -1;
}

static void
registry_line(const char *line, struct registry_object **objects, size_t *count, size_t *room)
{
	char verb[8], name[8];
	struct registry_object o = { .id = -1 };
	if (sscanf(line, "%7s %7s 0x%x", verb, name, &o.key) != 3 || registry_kind_of(name) < 0 || o.key == 0)
		/* 0 is IPC_PRIVATE: asking for it would make an object, and any program's may have it */
		return;
	o.kind = (enum registry_kind)registry_kind_of(name);
	struct registry_object *old = registry_by_key(*objects, *count, (int)o.kind, o.key);
	int have = strcmp(verb, "have") == 0;
	if (old == NULL && (have || strcmp(verb, "want") == 0)) {      /* `have` alone: the other one is damaged */
		registry_add(objects, count, room, &o);
		old = &(*objects)[*count - 1];
	}
	if (have)
		sscanf(line, "%*s %*s %*s id %d ctime %lld role %39s", &old->id, &old->ctime, old->role);
	else if (strcmp(verb, "gone") == 0 && old != NULL)
		*old = (*objects)[--*count];
}

int
registry_read(int dir, struct registry_object **objects)
{
	size_t n, count = 0, room = 0;
	char head[160], *rest = NULL, *text = fdio_load(dir, "registry", &n, REGISTRY_MOST);
	*objects = NULL;
	if (text == NULL)
		return -1;
	if (registry_head(head, sizeof head) < 0) {
		free(text);
		return -1;
	}
	size_t bad = registry_fault(text, n), at = strlen(head);
	if (bad)
		log_error("registry: line %zu is damaged: what it says is not believed; `mom ipc` shows objects that "
		    "nobody uses, look at the disk", bad);
	/* else another boot or namespace: nothing of it is left */
	if (strncmp(text, head, at) == 0 && (text[at] == '\n' || text[at] == ' ')) {
		if (text[n - 1] != '\n' && strrchr(text, '\n'))
			*strrchr(text, '\n') = '\0';                           /* a line that a kill cut off */
		strtok_r(text, "\n", &rest);
		for (char *line; (line = strtok_r(NULL, "\n", &rest)) != NULL;)
			if (line_look(line, strlen(line)) == 0)
				registry_line(line, objects, &count, &room);
	}
	free(text);
	return (int)count;
}

static size_t
registry_want(char line[LINE_MOST], const struct registry_object *o)
{
	return (size_t)snprintf(line, LINE_MOST, "want %s 0x%08x", kinds[o->kind], o->key);
}

static size_t
registry_have(char line[LINE_MOST], const struct registry_object *o)
{
	return (size_t)snprintf(line, LINE_MOST, "have %s 0x%08x id %d ctime %lld role %s", kinds[o->kind], o->key,
	    o->id, o->ctime, o->role);
}

static int
registry_rewrite(struct registry *r)
{
	size_t n = 0, room = (1 + 2 * r->count) * (LINE_MOST + LINE_CRC + 2);
	char *text = malloc(room);
	if (text == NULL || registry_head(text, LINE_MOST) < 0) {
		free(text);
		return -1;
	}
	n = line_end(text, strlen(text));
	for (size_t i = 0; i < r->count; i++) {
		n += line_end(text + n, registry_want(text + n, &r->objects[i]));
		n += line_end(text + n, registry_have(text + n, &r->objects[i]));
	}
	int bad = fdio_replace(r->dir, "registry", text, n, 0);
	free(text);
	if (bad < 0)
		return -1;
	fdio_close(&r->fd);
	r->bytes = 0;
	r->fd = fdio_open_at(r->dir, "registry", O_WRONLY | O_APPEND, 0);
	return r->fd < 0 ? -1 : 0;
}

static int
registry_write(struct registry *r, char line[LINE_MOST + LINE_CRC + 2])
{
	size_t n = line_end(line, strlen(line));
	if (r->bytes > REGISTRY_REWRITE && registry_rewrite(r) < 0)
		return -1;
	r->bytes += n;
	if (fdio_write_full(r->fd, line, n) == 0)
		return 0;
	r->bytes = REGISTRY_REWRITE + 1;               /* part of a line may be there: what follows would not be read */
	return -1;
}

static void
registry_gone(struct registry *r, const struct registry_object *o)
{
	char line[LINE_MOST + LINE_CRC + 2];
	snprintf(line, sizeof line, "gone %s 0x%08x", kinds[o->kind], o->key);
	registry_write(r, line);
}

static void
program_of(const char *pid, char name[20])
{
	char path[40];
	snprintf(path, sizeof path, "/proc/%s/comm", pid);
	int fd = fdio_open_at(AT_FDCWD, path, O_RDONLY, 0);
	ssize_t n = fd < 0 ? -1 : fdio_read(fd, name, 19);
	name[n > 0 ? n : 0] = '\0';
	fdio_close(&fd);
}

static int
is_program_like_us(pid_t pid)
{
	char number[12], name[20], own[20];
	snprintf(number, sizeof number, "%d", (int)pid);
	program_of(number, name);
	program_of("self", own);
	return pid != getpid() && name[0] && strcmp(name, own) == 0;
}

/* The server that lives by these objects, or 0: its table is attached, and who made that is such a program. Then the
 * file is a copy that was made while it ran: who asks has the lock of its own folder. */
static pid_t
registry_server(const struct registry_object *objects, int n)
{
	struct shmid_ds m;
	for (int i = 0; i < n; i++)
		if (objects[i].kind == REGISTRY_SHM && strstr(objects[i].role, "-table") &&
		    registry_exists(&objects[i]) && shmctl(objects[i].id, IPC_STAT, &m) == 0 && m.shm_nattch &&
		    is_program_like_us(m.shm_cpid))
			return m.shm_cpid;
	return 0;
}

int
registry_open(struct registry *r, int dir, int (*keep)(const struct registry_object *, void *), void *with)
{
	struct registry_object *old;
	int n = registry_read(dir, &old), reaped = 0;
	*r = (struct registry){ .dir = dir, .fd = -1 };
	if (n < 0 && errno != ENOENT)
		return -1;                             /* what the last run left behind would be forgotten */
	pid_t server = registry_server(old, n);
	if (server)
		log_fatal(EXIT_SYSTEM, "this folder is a copy of that of process %d, which runs: the copy must not "
		    "serve beside it; stop that, or use `mom backup` for a copy that may", (int)server);
	for (int i = 0; i < n; i++) {
		if (!registry_exists(&old[i]))
			continue;
		if (keep && keep(&old[i], with)) {
			old[i].kept = 1;
			registry_add(&r->objects, &r->count, &r->room, &old[i]);
			continue;
		}
		registry_destroy_object(&old[i]);
		reaped++;
	}
	free(old);
	if (reaped)
		log_info("removed %d System V objects that the last run left behind", reaped);
	if (registry_rewrite(r) == 0)
		return 0;
	int error = errno;
	if (r->count == 0)                             /* nothing is left that it could tell of */
		unlinkat(dir, "registry", 0);
	errno = error;
	return -1;
}

int
registry_look(struct registry *r)
{
	return fdio_leads_to(r->dir, "registry", r->fd) ? 0 : registry_rewrite(r) < 0 ? -1 : 1;
}

static int
registry_get(enum registry_kind kind, uint32_t key, size_t bytes)
{
	int flags = IPC_CREAT | IPC_EXCL | 0600;
	if (fault_hits(kind == REGISTRY_MSG ? "msgget" : kind == REGISTRY_SHM ? "shmget" : "semget"))
		return -1;
	return kind == REGISTRY_MSG ? msgget((key_t)key, flags) : kind == REGISTRY_SHM
	    ? shmget((key_t)key, bytes, flags) : semget((key_t)key, 1, flags);
}

static int
registry_own(enum registry_kind kind, int id, uid_t uid, int open_to_all)
{
	struct msqid_ds q;
	struct shmid_ds m;
	struct semid_ds s;
	union semun_arg arg = { .buf = &s };
	if (kind == REGISTRY_MSG) {
		if (!open_to_all)
			return 0;
		if (msgctl(id, IPC_STAT, &q) < 0)
			return -1;
		q.msg_perm.mode = 0622;          /* others may send tickets, nobody else may take them */
		return msgctl(id, IPC_SET, &q);
	}
	if (uid == geteuid())
		return 0;
	if (kind == REGISTRY_SHM) {
		if (shmctl(id, IPC_STAT, &m) < 0)
			return -1;
		m.shm_perm.uid = uid;
		return shmctl(id, IPC_SET, &m);
	}
	if (semctl(id, 0, IPC_STAT, arg) < 0)
		return -1;
	s.sem_perm.uid = uid;
	return semctl(id, 0, IPC_SET, arg);
}

int
registry_make(struct registry *r, enum registry_kind kind, size_t bytes, uid_t uid, int open_to_all, const char *role)
{
	struct registry_object o = { .kind = kind, .id = -1 };
	struct ipc_perm perm;
	char line[LINE_MOST + LINE_CRC + 2];
	snprintf(o.role, sizeof o.role, "%s", role);
	registry_grow(&r->objects, r->count, &r->room);        /* now: it may end the process */
	r->file_failed = 1;
	for (;;) {
		if (fdio_random(&o.key, sizeof o.key) < 0)
			return -1;
		o.key = (o.key & 0x7fffffff) | 1;
		registry_want(line, &o);
		r->file_failed = registry_write(r, line) < 0;
		if (r->file_failed)
			return -1;
		if ((o.id = registry_get(kind, o.key, bytes)) >= 0)
			break;
		int keep = errno;
		registry_gone(r, &o);
		errno = keep;
		if (errno != EEXIST)
			return -1;
	}
	if (registry_own(kind, o.id, uid, open_to_all) < 0 || registry_stat(kind, o.id, &perm, &o.ctime) < 0) {
		int keep = errno;
		registry_destroy_object(&o);
		errno = keep;
		return -1;
	}
	registry_have(line, &o);
	if (registry_write(r, line) < 0)
		log_warn("registry: %s: after a kill this object would have to be removed by hand (`mom ipc`); %s",
		    strerror(errno), fdio_hint(errno));
	registry_add(&r->objects, &r->count, &r->room, &o);
	return o.id;
}

const char *
registry_hint(const struct registry *r)
{
	return r->file_failed ? "its registry cannot be written: mend the disk or make room in that folder"
	    : ipcq_hint(errno);
}

static struct registry_object *
registry_by_id(struct registry *r, enum registry_kind kind, int id)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->objects[i].kind == kind && r->objects[i].id == id)
			return &r->objects[i];
	return NULL;
}

static void
registry_strike(struct registry *r, struct registry_object *o)
{
	registry_gone(r, o);
	*o = r->objects[--r->count];
}

void
registry_remove(struct registry *r, enum registry_kind kind, int id)
{
	struct registry_object *o = registry_by_id(r, kind, id);
	if (o == NULL)
		return;
	if (registry_exists(o))
		registry_destroy_object(o);
	registry_strike(r, o);
}

int
registry_check(struct registry *r, enum registry_kind kind, int id)
{
	struct registry_object *o = registry_by_id(r, kind, id);
	if (o == NULL)
		return 0;
	struct ipc_perm perm;
	long long ctime;
	if (registry_stat(kind, id, &perm, &ctime) == 0 && (uint32_t)perm.__key == o->key)
		return 1;
	registry_strike(r, o);
	return 0;
}

void
registry_leave(struct registry *r, int (*keep)(const struct registry_object *, void *), void *with)
{
	for (size_t i = r->count; i-- > 0;)            /* from the end: the last one takes the place of one that goes */
		if (keep == NULL || !keep(&r->objects[i], with))
			registry_remove(r, r->objects[i].kind, r->objects[i].id);
	if (r->count == 0)
		unlinkat(r->dir, "registry", 0);
	registry_close(r, 0);
}

void
registry_close(struct registry *r, int remove_all)
{
	if (remove_all) {
		registry_leave(r, NULL, NULL);
		return;
	}
	fdio_close(&r->fd);
	free(r->objects);
}
