/* mom_ipc - the System V objects of ours, by the registries of stores and run folders
 * USAGE    mom_ipc list|clean [FOLDER ...]      FOLDER: a store (db) or a daemon's run folder; without any, db and the default run root
 * OUTPUT   list: one object a line (kind, id, key, role, what is in it); clean: what was removed, what is in use and left alone
 * EXIT     0   1 something is in use and was left   100 wrong use   111 a folder cannot be read */
#include "common/registry.h"
#include "common/fdio.h"
#include "common/rundir.h"
#include "common/version.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <unistd.h>

enum { EXIT_IN_USE = 1, EXIT_WRONG_USE = 100, EXIT_UNREADABLE = 111 };

static void
print_object(const struct registry_object *o)
{
	struct msqid_ds q;
	struct shmid_ds m;
	printf("  %s %-9d 0x%08x %-20s", registry_kind_name(o->kind), o->id, o->key, o->role);
	if (o->kind == REGISTRY_MSG && msgctl(o->id, IPC_STAT, &q) == 0)
		printf(" %lu messages, last sender %d, last receiver %d", (unsigned long)q.msg_qnum, (int)q.msg_lspid, (int)q.msg_lrpid);
	else if (o->kind == REGISTRY_SHM && shmctl(o->id, IPC_STAT, &m) == 0)
		printf(" %lu bytes, %lu attached, made by %d", (unsigned long)m.shm_segsz, (unsigned long)m.shm_nattch, (int)m.shm_cpid);
	putchar('\n');
}

/* The lock's holder is inherited by its children: while one of them lives, nothing is removed. */
static int
is_in_use(int dir)
{
	int fd = fdio_open_at(dir, "lock", O_RDWR, 0), used;
	if (fd < 0)
		return 0;
	used = flock(fd, LOCK_EX | LOCK_NB) < 0;
	close(fd);
	return used;
}

static int
visit(const char *path, int clean, int named)
{
	struct registry_object *objects;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), shown = 0;
	int n = dir < 0 ? -1 : registry_read(dir, &objects), used = n > 0 && is_in_use(dir);
	if (n < 0) {
		if (named || (errno != ENOENT && errno != ENOTDIR))
			fprintf(stderr, "mom_ipc: %s: %s\n", path, errno == ENOENT && dir >= 0 ? "has no registry" : strerror(errno));
		fdio_close(&dir);
		return named ? EXIT_UNREADABLE : 0;
	}
	for (int i = 0; i < n; i++) {
		if (!registry_exists(&objects[i]))
			continue;
		if (shown++ == 0)
			printf("%s%s\n", path, used ? " (in use)" : clean ? " (removed)" : " (left behind)");
		print_object(&objects[i]);
		if (clean && !used)
			registry_destroy_object(&objects[i]);
	}
	if (clean && !used)
		fdio_unlink_at(dir, "registry");
	free(objects);
	fdio_close(&dir);
	return clean && used ? EXIT_IN_USE : 0;
}

int
main(int argc, char **argv)
{
	int clean = argc > 1 && strcmp(argv[1], "clean") == 0, worst = 0;
	char root[PATH_MAX];
	version_option(argc, argv, "mom_ipc");
	if (argc < 2 || (!clean && strcmp(argv[1], "list") != 0)) {
		fprintf(stderr, "usage: mom_ipc list|clean [FOLDER ...]   FOLDER: a store or a daemon's run folder\n");
		return EXIT_WRONG_USE;
	}
	for (int i = 2; i < argc; i++) {
		int r = visit(argv[i], clean, 1);
		worst = r > worst ? r : worst;
	}
	if (argc == 2) {
		rundir_default(root, sizeof root);
		int r = visit("db", clean, 0), r2 = visit(root, clean, 0);
		worst = r > r2 ? r : r2;
	}
	return worst;
}
