/* mom ipc - the System V objects of ours, by the registries of stores and run folders; ipc clean removes those that a
 * kill left behind MUST NOT touch an object that its folder's owner has not made (a registry is believed about nothing
 * else), nor one whose server runs */
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd_look.h"
#include "ipc/about.h"
#include "base/fdio.h"
#include "ipc/ipcq.h"
#include "base/lock.h"
#include "ipc/registry.h"
#include "ipc/rundir.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: mom ipc [--json] [FOLDER ...]\n"
    "       mom ipc clean [FOLDER ...]\n"
    "  The System V objects of our servers: kind, id, key, role, user, and what is in it, folder by folder (in use, or "
    "left behind by a kill).\n"
    "  clean    removes those whose server does not run any more, and says which; the server's next start does it, "
    "too\n"
    "  FOLDER   a broker's store or a daemon's run folder; without any, ./db, $MOM_RUN, the default run roots, and the "
    "stores of their brokers\n"
    "  --json   an array of objects: folder, in_use, kind, id, key, role, user, and messages, last_sender, "
    "last_receiver; or bytes, attached, maker; or value\n"
    "Exit status: 0   1 a folder cannot be read; clean: something is in use and was left   2 wrong use\n"
    "Example: mom ipc clean /run/mom\n";

struct found {
	const struct registry_object *o;
	int id;
	struct ipc_perm perm;
	long long ctime;
	struct msqid_ds msg;
	struct shmid_ds shm;
	int value;                             /* of a semaphore */
};

struct seen { dev_t dev; ino_t ino; };

static struct {
	int clean, json, bad;
	struct seen *seen;
	size_t seen_count;
} patterns;

/* An object whose making was cut off has no id on file, but its key was. */
static int
object_id(const struct registry_object *o)
{
	key_t key = (key_t)o->key;
	if (o->id >= 0)
		return o->id;
	return o->kind == REGISTRY_MSG ? msgget(key, 0) : o->kind == REGISTRY_SHM ? shmget(key, 0, 0)
	    : semget(key, 0, 0);
}

static int
object_stat(struct found *f)
{
	union semun_arg arg;
	struct semid_ds sem;
	int r;
	arg.buf = &sem;
	if (f->o->kind == REGISTRY_MSG) {
		r = msgctl(f->id, IPC_STAT, &f->msg);
		f->perm = f->msg.msg_perm;
		f->ctime = f->msg.msg_ctime;
	} else if (f->o->kind == REGISTRY_SHM) {
		r = shmctl(f->id, IPC_STAT, &f->shm);
		f->perm = f->shm.shm_perm;
		f->ctime = f->o->ctime;                /* its owner, a client, can change it */
	} else {
		r = semctl(f->id, 0, IPC_STAT, arg);
		f->perm = sem.sem_perm;
		f->ctime = f->o->ctime;                /* a semaphore's own moves with every post */
		f->value = r < 0 ? 0 : semctl(f->id, 0, GETVAL);
	}
	return r;
}

/* 1: it is there, and it is the one that was made here. 0: no. -1: it may be, but cannot be looked at: errno */
static int
object_find(struct found *f, const struct registry_object *o, uid_t owner)
{
	*f = (struct found){ .o = o, .id = object_id(o) };
	if (f->id < 0 || object_stat(f) < 0)
		return errno == EACCES ? -1 : 0;
	return f->perm.cuid == owner && (uint32_t)f->perm.__key == o->key && (o->id < 0 || f->ctime == o->ctime);
}

static void
show_line(const struct found *f)
{
	const struct registry_object *o = f->o;
	printf("  %s %-9d 0x%08x ", registry_kind_name(o->kind), f->id, o->key);
	text_column(o->role, 20);
	printf(" %-8s", user_name(f->perm.uid));
	if (o->kind == REGISTRY_MSG)
		printf(" %lu messages, last sender %d, last receiver %d", (unsigned long)f->msg.msg_qnum,
		    (int)f->msg.msg_lspid, (int)f->msg.msg_lrpid);
	else if (o->kind == REGISTRY_SHM)
		printf(" %lu bytes, %lu attached, made by %d", (unsigned long)f->shm.shm_segsz,
		    (unsigned long)f->shm.shm_nattch, (int)f->shm.shm_cpid);
	putchar('\n');
}

static void
show_json(const struct found *f, const char *folder, int used)
{
	const struct registry_object *o = f->o;
	char key[16];
	snprintf(key, sizeof key, "0x%08x", o->key);
	json_open(NULL, '{');
	json_text("folder", folder);
	json_bool("in_use", used);
	json_text("kind", registry_kind_name(o->kind));
	json_number("id", (uint64_t)f->id);
	json_text("key", key);
	json_text("role", o->role);
	json_text("user", user_name(f->perm.uid));
	if (o->kind == REGISTRY_MSG) {
		json_number("messages", f->msg.msg_qnum);
		json_number("last_sender", (uint64_t)f->msg.msg_lspid);
		json_number("last_receiver", (uint64_t)f->msg.msg_lrpid);
	} else if (o->kind == REGISTRY_SHM) {
		json_number("bytes", f->shm.shm_segsz);
		json_number("attached", f->shm.shm_nattch);
		json_number("maker", (uint64_t)f->shm.shm_cpid);
	} else
		json_signed("value", f->value);
	json_close('}');
}

static void
show(const struct found *f, const char *folder, int used, int first)
{
	if (patterns.json) {
		show_json(f, folder, used);
		return;
	}
	if (first) {
		text_put(folder, strlen(folder), 0);
		puts(used ? " (in use)" : patterns.clean ? " (removed)" : " (left behind)");
	}
	show_line(f);
}

static int
object_remove(const struct found *f)
{
	int r = f->o->kind == REGISTRY_MSG ? msgctl(f->id, IPC_RMID, NULL) : f->o->kind == REGISTRY_SHM
	    ? shmctl(f->id, IPC_RMID, NULL) : semctl(f->id, 0, IPC_RMID);
	if (r == 0 || errno == EIDRM || errno == EINVAL)
		return 0;
	cmd_fail(&cmd_ipc, "%s %d: %s: run this as %s, or as root", registry_kind_name(f->o->kind), f->id,
	    strerror(errno), user_name(f->perm.cuid));
	return -1;
}

/* To clean, the lock is held, so that no server starts meanwhile; *lock is -1 where there is none. The children inherit
 * their server's: while one lives, nothing is removed. */
static int
is_in_use(int dir, int *lock)
{
	*lock = -1;
	if (!patterns.clean)
		return lock_is_taken(dir, "lock");
	*lock = fdio_open_at(dir, "lock", O_RDWR, 0);
	if (*lock < 0)
		return errno != ENOENT;
	return flock(*lock, LOCK_EX | LOCK_NB) < 0;
}

static void
visit_objects(const char *path, int dir, const struct registry_object *objects, int n, uid_t owner)
{
	struct found f;
	int lock = -1, used = n > 0 && is_in_use(dir, &lock), shown = 0, left = 0, unseen = 0;
	for (int i = 0; i < n; i++) {
		int there = object_find(&f, &objects[i], owner);
		unseen += there < 0;
		if (there <= 0)
			continue;
		show(&f, path, used, shown++ == 0);
		left += patterns.clean && !used && object_remove(&f) < 0;
	}
	if (unseen)
		cmd_fail(&cmd_ipc, "%s: %d objects cannot be looked at: run this as %s, or as root", path, unseen,
		    user_name(owner));
	if (patterns.clean && !used && !left && !unseen)
		fdio_unlink_at(dir, "registry");
	patterns.bad |= left || unseen || (patterns.clean && used && n > 0);
	fdio_close(&lock);
}

static int
is_seen(const struct stat *st)
{
	for (size_t i = 0; i < patterns.seen_count; i++)
		if (patterns.seen[i].dev == st->st_dev && patterns.seen[i].ino == st->st_ino)
			return 1;
	struct seen *grown = realloc(patterns.seen, (patterns.seen_count + 1) * sizeof *grown);
	if (grown == NULL)
		exit(cmd_fail(&cmd_ipc, "no memory"));
	patterns.seen = grown;
	patterns.seen[patterns.seen_count++] = (struct seen){ st->st_dev, st->st_ino };
	return 0;
}

static void
visit(const char *path, int named)
{
	struct registry_object *objects = NULL;
	struct about a;
	struct stat st;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && fstat(dir, &st) == 0 && is_seen(&st)) {
		close(dir);
		return;
	}
	int n = dir < 0 ? -1 : registry_read(dir, &objects);
	/* a broker's registry lies in its store */
	int error = errno, elsewhere = dir >= 0 && about_read(dir, &a) == 0 && a.is_broker;
	if (n < 0 && !elsewhere && (named || (error != ENOENT && error != ENOTDIR))) {
		cmd_fail(&cmd_ipc, "%s: %s%s", path, error == ENOENT && dir >= 0 ? "has no registry" : strerror(error),
		    error == EACCES ?
		    ": run this as its user, or as root" : "");
		patterns.bad |= named;
	}
	if (n >= 0)
		visit_objects(path, dir, objects, n, st.st_uid);
	free(objects);
	if (elsewhere)
		visit(a.files, named && n < 0);
	fdio_close(&dir);
}

static void
visit_root(const char *root)
{
	char path[PATH_MAX];
	visit(root, 0);
	DIR *d = opendir(root);
	for (struct dirent *e; d && (e = readdir(d)) != NULL;)
		if (strncmp(e->d_name, "run-", 4) == 0 && snprintf(path, sizeof path, "%s/%s", root,
		    e->d_name) < (int)sizeof path)
			visit(path, 0);
	if (d)
		closedir(d);
}

static void
visit_all(void)
{
	char root[PATH_MAX];
	const char *run = cmd_client_run();
	visit("db", 0);
	if (run)
		visit(run, 0);
	for (int i = 0; i < RUNDIR_ROOTS; i++) {
		rundir_root(i, root);
		if (root[0])
			visit_root(root);
	}
}

void
ipc_tally(const char *folder, struct ipc_tally *t)
{
	struct registry_object *objects = NULL;
	struct found f;
	struct stat st;
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = dir < 0 ||
	    fstat(dir, &st) < 0 ? -1 : registry_read(dir, &objects);
	for (int i = 0; i < n; i++) {
		if (object_find(&f, &objects[i], st.st_uid) <= 0)
			continue;
		t->objects[objects[i].kind]++;
		t->bytes += objects[i].kind == REGISTRY_SHM ? f.shm.shm_segsz : 0;
	}
	free(objects);
	fdio_close(&dir);
}

static int
run(int argc, char **argv)
{
	static const struct option longs[] = { { "json", 0, 0, 'j' }, { "help", 0, 0, 'h' }, { 0 } };
	for (int o; (o = cmd_option(&cmd_ipc, argc, argv, "h", longs)) != -1;)
		patterns.json |= o == 'j';
	if (cmd_line.count && (strcmp(cmd_line.word[0], "clean") == 0 || strcmp(cmd_line.word[0], "list") == 0))
		patterns.clean = arguments_take(&cmd_line)[0] == 'c';
	if (patterns.json && patterns.clean)
		cmd_wrong_use(&cmd_ipc, "--json lists only");
	if (patterns.json)
		json_open(NULL, '[');
	if (cmd_line.count == 0)
		visit_all();
	for (char *folder; (folder = arguments_take(&cmd_line)) != NULL;)
		visit(folder, 1);
	if (patterns.json)
		json_close(']');
	free(patterns.seen);
	return patterns.bad ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_ipc = { "ipc", "our System V objects; ipc clean removes what a kill left behind", usage, run };
