/* sysv - the SysV objects that registries tell of, and those that the kernel has */
#include <lib/sysv.h>
#include <lib/t.h>
#include "ipc/ipcq.h"
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

enum { REGISTRY_MAX = 4096 };

static void
forget(struct sysv_object *objects, int *n, const char *kind, uint32_t key)
{
	for (int i = 0; i < *n; i++)
		if (objects[i].key == key && strcmp(objects[i].kind, kind) == 0)
			objects[i--] = objects[--*n];
}

int
sysv_registry(const char *path, struct sysv_object *objects, int max)
{
	char *text = t_read_file(path), *next;
	int n = 0;
	for (char *line = text; line && *line; line = next) {
		struct sysv_object o = {.id = -1};
		char verb[8];
		unsigned key;
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (sscanf(line, "%7s %3s %x id %d ctime %ld role %47s", verb, o.kind, &key, &o.id, &o.ctime,
		    o.role) < 3)
			continue;
		o.key = key;
		if (strcmp(verb, "want") != 0 && strcmp(verb, "have") != 0 && strcmp(verb, "gone") != 0)
			continue;
		forget(objects, &n, o.kind, o.key);
		if (strcmp(verb, "gone") != 0 && n < max)
			objects[n++] = o;
	}
	free(text);
	return n;
}

static int
get(const struct sysv_object *o)
{
	switch (o->kind[1]) {
	case 's': return msgget((key_t)o->key, 0);        /* m s g */
	case 'h': return shmget((key_t)o->key, 0, 0);
	default:  return semget((key_t)o->key, 0, 0);
	}
}

/* key of an object by its id; a removed one that is still attached has key 0 */
static int
key_of(const struct sysv_object *o, uint32_t *key)
{
	struct msqid_ds m;
	struct shmid_ds s;
	struct semid_ds e;
	int r;
	switch (o->kind[1]) {
	case 's': r = msgctl(o->id, IPC_STAT, &m); *key = r ? 0 : (uint32_t)m.msg_perm.__key; return r;
	case 'h': r = shmctl(o->id, IPC_STAT, &s); *key = r ? 0 : (uint32_t)s.shm_perm.__key; return r;
	default:  r = semctl(o->id, 0, IPC_STAT, (union semun_arg){.buf = &e}); *key = r ? 0
	    : (uint32_t)e.sem_perm.__key; return r;
	}
}

int
sysv_exists(const struct sysv_object *o)
{
	uint32_t key;
	if (o->id < 0)
		return get(o) >= 0 || (errno != ENOENT && errno != EINVAL);
	if (key_of(o, &key) != 0)
		return errno != EINVAL && errno != EIDRM;
	return key == o->key;      /* 0: removed, it goes with its last user */
}

int
sysv_find(const char *registry, const char *role, struct sysv_object *o)
{
	struct sysv_object *all = malloc(REGISTRY_MAX * sizeof *all);
	int n = sysv_registry(registry, all, REGISTRY_MAX), found = 0;
	size_t len = strlen(role);
	int whole = len && role[len - 1] == '=';

	for (int i = 0; i < n && !found; i++) {
		int same = whole ? strlen(all[i].role) == len - 1 && strncmp(all[i].role, role, len - 1) == 0
				 : strncmp(all[i].role, role, len) == 0;
		if (same && all[i].id >= 0 && sysv_exists(&all[i])) {
			*o = all[i];
			found = 1;
		}
	}
	free(all);
	return found;
}

int
sysv_remove(const struct sysv_object *o)
{
	int id = o->id >= 0 ? o->id : get(o);
	switch (o->kind[1]) {
	case 's': return msgctl(id, IPC_RMID, NULL);
	case 'h': return shmctl(id, IPC_RMID, NULL);
	default:  return semctl(id, 0, IPC_RMID);
	}
}

static struct { int count, remove; char *text; unsigned size; } walk;

static int
visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	if (type != FTW_F || strcmp(path + where->base, "registry") != 0)
		return 0;
	struct sysv_object *all = malloc(REGISTRY_MAX * sizeof *all);
	int n = sysv_registry(path, all, REGISTRY_MAX);
	for (int i = 0; i < n; i++) {
		if (!sysv_exists(&all[i]))
			continue;
		if (walk.count++ == 0 && walk.text)
			snprintf(walk.text, walk.size, "%s 0x%08x id %d role %s of %s", all[i].kind, all[i].key,
			    all[i].id,
			    all[i].role, path);
		if (walk.remove)
			sysv_remove(&all[i]);
	}
	free(all);
	return 0;
}

int
sysv_left(const char *folder, char *text, unsigned size)
{
	walk.count = walk.remove = 0;
	walk.text = text;
	walk.size = size;
	nftw(folder, visit, 16, FTW_PHYS);
	return walk.count;
}

void
sysv_remove_left(const char *folder)
{
	walk.count = 0;
	walk.remove = 1;
	walk.text = NULL;
	nftw(folder, visit, 16, FTW_PHYS);
}

int
sysv_all(char *text, unsigned size)
{
	static const char *const kinds[] = {"msg", "shm", "sem"};
	int n = 0;
	for (int k = 0; k < 3; k++) {
		char path[40];
		snprintf(path, sizeof path, "/proc/sysvipc/%s", kinds[k]);
		char *all = t_read_file(path), *line = strchr(all, '\n');
		for (; line && line[1]; line = strchr(line + 1, '\n'))
			if (n++ == 0 && text)
				snprintf(text, size, "%s: %.60s", kinds[k], line + 1);
		free(all);
	}
	return n;
}
