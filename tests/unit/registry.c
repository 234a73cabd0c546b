/* registry - which System V objects are ours */
#include <lib/t.h>
#include "base/fdio.h"
#include "ipc/ipcq.h"
#include "ipc/registry.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(leftovers, "a start removes what the last run left behind, and nothing that is not its own")
{
	struct registry r;
	struct msqid_ds ds;
	int dir = open(t_dir(), O_RDONLY | O_DIRECTORY), foreign = msgget(IPC_PRIVATE, 0600 | IPC_CREAT);
	REQUIRE(registry_open(&r, dir, NULL, NULL) == 0, "open");
	int queue = registry_make(&r, REGISTRY_MSG, 0, geteuid(), 0, "queue"),
	    shm = registry_make(&r, REGISTRY_SHM, 4096, geteuid(), 0, "segment");
	int sem = registry_make(&r, REGISTRY_SEM, 0, geteuid(), 0, "sem");
	REQUIRE(queue >= 0 && shm >= 0 && sem >= 0, "make");
	registry_close(&r, 0);                         /* as kill -9 would leave it */
	REQUIRE(registry_open(&r, dir, NULL, NULL) == 0, "open again");
	REQUIRE(msgctl(queue, IPC_STAT, &ds) < 0 && r.count == 0, "the queue is still there");
	REQUIRE(msgctl(foreign, IPC_STAT, &ds) == 0, "a foreign queue is gone");
	registry_close(&r, 1);
	msgctl(foreign, IPC_RMID, NULL);
}

TEST(want_without_have, "an object whose making was cut off is found by its key")
{
	struct registry r;
	struct msqid_ds ds;
	int dir = open(t_dir(), O_RDONLY | O_DIRECTORY);
	REQUIRE(registry_open(&r, dir, NULL, NULL) == 0, "open");
	int queue = msgget(0x1234577, 0600 | IPC_CREAT | IPC_EXCL);
	REQUIRE(queue >= 0 && fdio_write_full(r.fd, "want msg 0x01234577\n", 20) == 0, "a queue");
	REQUIRE(fdio_write_full(r.fd, "have msg 0x0123", 15) == 0, "half a line");
	registry_close(&r, 0);
	REQUIRE(registry_open(&r, dir, NULL, NULL) == 0, "open again");
	REQUIRE(msgctl(queue, IPC_STAT, &ds) < 0, "the queue is still there");
	registry_close(&r, 1);
}

TEST(modes, "nobody but us reads or empties our objects: mode 0600; a queue that is open to all takes tickets and "
    "gives none")
{
	struct registry r;
	struct msqid_ds q;
	struct shmid_ds m;
	struct semid_ds s;
	union semun_arg arg = { .buf = &s };
	int dir = open(t_dir(), O_RDONLY | O_DIRECTORY);
	umask(0);
	REQUIRE(registry_open(&r, dir, NULL, NULL) == 0, "open");
	int queue = registry_make(&r, REGISTRY_MSG, 0, geteuid(), 0, "queue"),
	    wide = registry_make(&r, REGISTRY_MSG, 0, geteuid(), 1, "open queue");
	int shm = registry_make(&r, REGISTRY_SHM, 4096, geteuid(), 0, "segment"),
	    sem = registry_make(&r, REGISTRY_SEM, 0, geteuid(), 0, "sem");
	REQUIRE(msgctl(queue, IPC_STAT, &q) == 0 && (q.msg_perm.mode & 0777) == 0600, "the queue has mode %o",
	    q.msg_perm.mode & 0777);
	REQUIRE(msgctl(wide, IPC_STAT, &q) == 0 && (q.msg_perm.mode & 0777) == 0622, "the open queue has mode %o",
	    q.msg_perm.mode & 0777);
	REQUIRE(shmctl(shm, IPC_STAT, &m) == 0 && (m.shm_perm.mode & 0777) == 0600, "the segment has mode %o",
	    m.shm_perm.mode & 0777);
	REQUIRE(semctl(sem, 0, IPC_STAT, arg) == 0 && (s.sem_perm.mode & 0777) == 0600, "the semaphore has mode %o",
	    s.sem_perm.mode & 0777);
	registry_close(&r, 1);
}

TEST(others, "an object that somebody made under a key of ours, after ours was gone, stays")
{
	struct registry r;
	struct msqid_ds ds;
	char line[200];
	int dir = open(t_dir(), O_RDONLY | O_DIRECTORY), theirs = msgget(0x1234579, 0600 | IPC_CREAT | IPC_EXCL);
	REQUIRE(theirs >= 0 && msgctl(theirs, IPC_STAT, &ds) == 0, "a queue");
	REQUIRE(registry_open(&r, dir, NULL, NULL) == 0, "open");
	int n = snprintf(line, sizeof line, "want msg 0x01234579\nhave msg 0x01234579 id %d ctime %lld role "
	    "worker-0-queue\n", theirs, (long long)ds.msg_ctime - 10);
	REQUIRE(fdio_write_full(r.fd, line, (size_t)n) == 0, "the list");
	registry_close(&r, 0);
	REQUIRE(registry_open(&r, dir, NULL, NULL) == 0, "open again");
	REQUIRE(msgctl(theirs, IPC_STAT, &ds) == 0, "it is gone");
	registry_close(&r, 1);
	msgctl(theirs, IPC_RMID, NULL);
}

TEST(full_disk, "where its file cannot be written that is said, not a limit of the kernel; a line that was cut off "
    "hides none that follows")
{
	struct registry r, again;
	struct rlimit all, few;
	int dir = open(t_dir(), O_RDONLY | O_DIRECTORY);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &all);
	REQUIRE(registry_open(&r, dir, NULL, NULL) == 0, "open");
	few = (struct rlimit){ (rlim_t)lseek(r.fd, 0, SEEK_END) + 10, all.rlim_max };
	setrlimit(RLIMIT_FSIZE, &few);
	int made = registry_make(&r, REGISTRY_MSG, 0, geteuid(), 0, "queue"), error = errno;
	setrlimit(RLIMIT_FSIZE, &all);
	REQUIRE(made < 0 && r.file_failed && error == EFBIG, "made %d: %s", made, strerror(error));
	REQUIRE(strstr(registry_hint(&r), "registry") != NULL, "hint: %s", registry_hint(&r));
	int queue = registry_make(&r, REGISTRY_MSG, 0, geteuid(), 0, "queue");
	REQUIRE(queue >= 0 && !r.file_failed, "make: %s", strerror(errno));
	registry_close(&r, 0);                         /* as kill -9 would leave it */
	struct msqid_ds ds;
	REQUIRE(registry_open(&again, dir, NULL, NULL) == 0 && msgctl(queue, IPC_STAT, &ds) < 0,
	    "the queue is still there");
	registry_close(&again, 1);
}
