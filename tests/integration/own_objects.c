/* own_objects - a client owns the segment and the semaphore that it has from its daemon: whatever it does to them, it
 * harms itself alone */
#include <lib/segment.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/users.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

static struct server broker, one;
static int honest;
static struct { atomic_int ready, stop; } *shared;

/* As root the daemon is another user's, which is no root; else all are one user's, who may take rights from himself as
 * well. 0: cannot be */
static int
up(void)
{
	if (geteuid() == 0 && !users_know_mom()) {
		t_remark("left out: no /etc/passwd of its own: %s", strerror(errno));
		return 0;
	}
	broker_start(&broker, "broker", 0, NULL);
	if (geteuid() == 0)
		daemon_start_as_mom(&one, &broker);
	else
		daemon_start(&one, "one", broker.port);
	if (one.pid == 0) {
		t_remark("left out: another user cannot reach the programs");
		return 0;
	}
	use_daemon(&one);
	shared = t_shared_memory(sizeof *shared);
	honest = talk_create();
	talk_subscribe(honest, "calm");
	return 1;
}

static void
calm(void)
{
	say(honest, "calm", "hello");
	hear(honest, "calm", "hello");
}

/* A client of another user; its own segment as its memory shows it. */
static struct client_segment *
become_client(const char *name, int *shm)
{
	if (geteuid() == 0)
		become(ALICE);
	int id = name ? talk_open(name) : talk_create();
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned long from;
	REQUIRE(f, "/proc/self/maps");
	while (fgets(line, sizeof line, f)) {
		struct client_segment *c;
		if (strstr(line, "SYSV") == NULL || sscanf(line, "%lx-%*x %*s %*s %*s %d", &from, shm) != 2)
			continue;
		c = (struct client_segment *)from;
		if (c->magic == MAGIC_CLIENT && c->id == mom_global_id(id)) {
			fclose(f);
			return c;
		}
	}
	t_fail(__FILE__, __LINE__, "own segment", "not in the maps");
}

/* 1: it was ours to do */
static int
segment_rights(int shm, unsigned short mode)
{
	struct shmid_ds ds;
	if (shmctl(shm, IPC_STAT, &ds) < 0)
		return 0;
	ds.shm_perm.mode = mode;
	return shmctl(shm, IPC_SET, &ds) == 0;
}

static int
semaphore_rights(int sem, unsigned short mode)
{
	struct semid_ds ds;
	union semun_arg arg = { .buf = &ds };
	if (semctl(sem, 0, IPC_STAT, arg) < 0)
		return 0;
	ds.sem_perm.mode = mode;
	return semctl(sem, 0, IPC_SET, arg) == 0;
}

static void
until_stopped(void)
{
	shared->ready = 1;
	while (!shared->stop)
		t_tick();
	_exit(0);
}

static void
takes_rights(void *name)
{
	int shm;
	struct client_segment *c = become_client(name, &shm);
	REQUIRE(semaphore_rights(atomic_load(&c->sem), 0) && segment_rights(shm, 0), "it is not its owner");
	until_stopped();
}

static int
lives_of(const char *program)
{
	int n = 0;
	for (const char *at = t_read_file(one.log); (at = strstr(at, t_text("%s ended (", program))) != NULL; at++)
		n++;
	return n;
}

static void
unit_anew(void)
{
	pid_t forwarder = server_child(&one, "mom_forwarder");
	kill(forwarder, SIGKILL);
	server_replaced(&one, "mom_forwarder", forwarder);
	calm();
}

static void
rights_case(const char *name)
{
	if (!up())
		return;
	pid_t pid = t_spawn(takes_rights, (void *)(uintptr_t)name);
	WAIT_FOR(shared->ready, "no client");
	daemon_looks(&one, 2);
	for (int i = 0; i < 3; i++)
		unit_anew();
	int ends = lives_of("mom_forwarder") + lives_of("mom_requester") + lives_of("mom_responser");
	CHECK(ends <= 3, "%d processes ended where 3 were killed", ends);
	server_kill(&one);
	if (geteuid() == 0)
		daemon_start_as_mom(&one, &broker);
	else
		server_start(&one);
	calm();
	shared->stop = 1;
	t_join(pid);
	daemon_looks(&one, 4);
	unit_anew();
	char *log = t_read_file(one.log), *first = strstr(log, "took all rights from it");
	REQUIRE(first, "the log does not say why that client fails");
	int lines = 0;
	for (const char *at = log; (at = strstr(at, "took all rights from it")) != NULL; at++)
		lines++;
	CHECK(lines <= 3, "%d lines for one segment and two semaphores", lines);
}

TEST(rights, "a client that takes all rights from its own segment and semaphore stops nobody, over new units and a new "
    "daemon, and leaves nothing")
{
	rights_case(NULL);
}

TEST(rights_durable, "the same of a durable client, whose segment stays: others go on, and its name can be opened "
    "again")
{
	rights_case("spoiled");
	if (one.pid == 0)
		return;
	shared->ready = shared->stop = 0;
	pid_t pid = t_spawn(takes_rights, (void *)(uintptr_t)"spoiled");
	WAIT_FOR(shared->ready, "its name cannot be opened again");
	shared->stop = 1;
	t_join(pid);
}

static void
takes_each_semaphore(void *looks)
{
	int shm, taken = 0, last = -1;
	struct client_segment *c = become_client(NULL, &shm);
	shared->ready = 1;
	while (!shared->stop) {
		int sem = atomic_load(&c->sem);
		if (sem != last)
			taken += semaphore_rights(last = sem, 0);
		t_tick();
	}
	*(int *)looks = taken;
	_exit(0);
}

TEST(semaphores, "a client that takes all rights from each semaphore that it is given does not make the daemon make "
    "more of them")
{
	int *taken = t_shared_memory(sizeof *taken);
	if (!up())
		return;
	pid_t pid = t_spawn(takes_each_semaphore, taken);
	WAIT_FOR(shared->ready, "no client");
	daemon_looks(&one, 5);
	shared->stop = 1;
	t_join(pid);
	REQUIRE(*taken == 1, "%d semaphores were made for one client", *taken);
	calm();
}

static void
touches(void *unused)
{
	int shm;
	(void)unused;
	struct client_segment *c = become_client(NULL, &shm);
	t_sleep_ms(1100);                              /* its ctime is counted in seconds */
	REQUIRE(segment_rights(shm, 0600) && semaphore_rights(atomic_load(&c->sem), 0600), "it is not its owner");
	until_stopped();
}

TEST(changed, "a client that changes when its segment was changed last does not make the daemon lose it: it is removed "
    "with its client")
{
	struct sysv_object o;
	if (!up())
		return;
	pid_t pid = t_spawn(touches, NULL);
	WAIT_FOR(shared->ready, "no client");
	REQUIRE(sysv_find(server_registry(&one), "client-1=", &o), "its segment is not in the registry");
	shared->stop = 1;
	t_join(pid);
	WAIT_FOR(!sysv_exists(&o), "its segment stays");
	calm();
}

static void
removes(void *unused)
{
	int shm;
	(void)unused;
	struct client_segment *c = become_client(NULL, &shm);
	REQUIRE(semctl(atomic_load(&c->sem), 0, IPC_RMID) == 0 && shmctl(shm, IPC_RMID, NULL) == 0,
	    "it is not its owner");
	until_stopped();
}

TEST(removed, "a client that removes its segment and its semaphore stops nobody, over new units and a new daemon")
{
	if (!up())
		return;
	pid_t pid = t_spawn(removes, NULL);
	WAIT_FOR(shared->ready, "no client");
	daemon_looks(&one, 2);
	unit_anew();
	shared->stop = 1;
	t_join(pid);
	daemon_looks(&one, 2);
	unit_anew();
}

enum { PLACES = 256 };

static void
takes_all(void *got)
{
	int n = 0, id;
	if (geteuid() == 0)
		become(ALICE);
	while ((id = mom_create()) >= 0)
		n++;
	REQUIRE(id == MOM_ELIMIT && strstr(mom_error_text(-1), "the last are for others"), "%s", mom_error_text(-1));
	*(int *)got = n;
	until_stopped();
}

TEST(slots, "one user cannot take all slots of a daemon that serves others, too: a text says so, and others still come "
    "in (root only)")
{
	int *got = t_shared_memory(sizeof *got);
	FILE *f = geteuid() == 0 ? fopen("/proc/sys/kernel/shmmni", "w") : NULL;
	if (f == NULL || fprintf(f, "%d", PLACES) < 0 || fclose(f) != 0) {
		t_remark("left out: kernel.shmmni cannot be set here: %s", strerror(errno));
		return;
	}
	if (!up())
		return;
	pid_t pid = t_spawn(takes_all, got);
	WAIT_FOR(shared->ready, "no client");
	REQUIRE(*got > PLACES / 2 && *got < PLACES - 2, "%d of %d slots", *got, PLACES);
	calm();
	bye(talk_create());
	shared->stop = 1;
	t_join(pid);
}
