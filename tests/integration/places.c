/* places - programs where not all can be seen: /proc hidden or missing, other namespaces. They are served, or told what
 * to do; none is taken for dead. Most of it needs root, and is left out by name without. */
#include <lib/run.h>
#include <lib/segment.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/users.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one;

static int
is_root(void)
{
	if (geteuid() == 0)
		return 1;
	t_remark("left out: needs root");
	return 0;
}

/* ---- another PID namespace ---- */

TEST(pid_namespace, "a program whose process has no number where the daemon runs (containers of a pod) is served as "
    "long as it lives, and its death is noticed")
{
	if (!is_root())
		return;
	broker_start(&broker, "broker", 0, NULL);
	if (unshare(CLONE_NEWPID) < 0) {
		t_remark("left out: no new PID namespace: %s", strerror(errno));
		return;
	}
	/* the first process of the new namespace; we stay outside of it */
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create(), named = talk_open("outside");
	talk_subscribe(id, "t");
	daemon_looks(&one, 4);
	say(id, "t", "hello");
	hear(id, "t", "hello");
	REQUIRE(mom_open("outside") == MOM_EBUSY, "the name of a living client was given away");
	struct ran r = run_command("'%s' doctor '%s'", t_bin("mom"), one.run);
	REQUIRE(strstr(r.out, "2 programs of"), "%s%s", r.out, r.err);
	REQUIRE(!server_log_has(&one, "has ended"), "a living client was taken for dead");
	bye(named);
	bye(id);
	server_stop(&one);
}

/* ---- a chroot ---- */

static void
in_a_chroot(void *unused)
{
	(void)unused;
	REQUIRE(chroot(t_dir()) == 0 && chdir("/") == 0, "chroot: %s", strerror(errno));
	REQUIRE(access("/proc", F_OK) < 0, "there is a /proc");
	setenv("MOM_CONFIG", "/", 1);
	setenv("MOM_RUN", "/one/run", 1);
	int id = talk_create();
	talk_subscribe(id, "t");
	for (int i = 0; i < 3; i++) {
		say(id, "t", "hello");
		hear(id, "t", "hello");
	}
	bye(id);
}

static void
too_deep(void *unused)
{
	char deep[200] = "/", *end = deep + 1;
	(void)unused;
	REQUIRE(chroot(t_dir()) == 0 && chdir("/") == 0, "chroot: %s", strerror(errno));
	memset(end, 'd', 120);
	REQUIRE(rename("/one", deep) == 0, "rename: %s", strerror(errno));
	setenv("MOM_CONFIG", "/", 1);
	setenv("MOM_RUN", t_text("%s/run", deep), 1);
	REQUIRE(mom_create() == MOM_ENODAEMON && strstr(mom_error_text(-1), "mount /proc"), "%s", mom_error_text(-1));
	REQUIRE(rename(deep, "/one") == 0, "rename: %s", strerror(errno));
}

TEST(chroot, "a program in a chroot without /proc reaches its daemon; where the run folder's path is too long for that "
    "it is told to mount /proc")
{
	if (!is_root())
		return;
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int status = t_join(t_spawn(in_a_chroot, NULL));
	REQUIRE(status == 0, "0x%x", status);
	status = t_join(t_spawn(too_deep, NULL));
	REQUIRE(status == 0, "0x%x", status);
}

/* ---- another IPC namespace ---- */

static void
in_other_ipc(void *unused)
{
	(void)unused;
	REQUIRE(unshare(CLONE_NEWIPC) == 0, "unshare: %s", strerror(errno));
	struct ran r = run_command("'%s' doctor '%s'", t_bin("mom"), one.run);
	REQUIRE(strstr(r.out, "has another IPC namespace than this shell"), "%s%s", r.out, r.err);
	REQUIRE(mom_create() == MOM_ELIMIT && strstr(mom_error_text(-1), "IPC namespace") &&
	    strstr(mom_error_text(-1), "--ipc=host"), "%s",
	    mom_error_text(-1));
}

TEST(ipc_namespace, "a program in another IPC namespace than its daemon is told so, and how its container has to be "
    "started")
{
	if (!is_root())
		return;
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int status = t_join(t_spawn(in_other_ipc, NULL));
	REQUIRE(status == 0, "0x%x", status);
	daemon_looks(&one, 4);                                      /* nothing of it stays registered */
	int id = talk_create();
	REQUIRE(id == 0, "the slot of the one that went is not free: %d", id);
	bye(id);
}

/* ---- /proc with hidepid=2 ---- */

static struct { atomic_int ready, stop; } *shared;

static void
as_alice(void *unused)
{
	(void)unused;
	become(ALICE);
	int id = talk_create();
	talk_subscribe(id, "t");
	while (!shared->stop) {
		say(id, "t", "hello");
		hear(id, "t", "hello");
		shared->ready = 1;
		t_tick();
	}
	bye(id);
}

TEST(hidepid, "where /proc hides the processes of others (hidepid=2) their clients are served, and their ends are "
    "noticed")
{
	if (!is_root())
		return;
	broker_start(&broker, "broker", 0, NULL);
	if (!users_know_mom() || mount("proc", "/proc", "proc", 0, "hidepid=2") < 0) {
		t_remark("left out: no /proc of its own: %s", strerror(errno));
		return;
	}
	struct ran r = run_command("'%s' doctor", t_bin("mom"));
	REQUIRE(strstr(r.out, "hidepid="), "%s%s", r.out, r.err);
	daemon_start_as_mom(&one, &broker);
	if (one.pid == 0) {
		t_remark("left out: another user cannot reach the programs");
		return;
	}
	use_daemon(&one);
	shared = t_shared_memory(sizeof *shared);
	pid_t pid = t_spawn(as_alice, NULL);
	WAIT_FOR(shared->ready, "not served");
	daemon_looks(&one, 4);
	server_kill(&one);                             /* its successor cannot see that it is the process of its list */
	daemon_start_as_mom(&one, &broker);
	daemon_looks(&one, 4);
	shared->stop = 1;
	int status = t_join(pid);
	REQUIRE(status == 0, "0x%x", status);
	REQUIRE(!server_log_has(&one, "has ended"), "a living client was taken for dead");
	pid = fork();
	if (pid == 0) {
		become(ALICE);
		talk_create();
		_exit(0);
	}
	t_join(pid);
	WAIT_FOR(server_log_has(&one, t_text("process %d, has ended", (int)pid)), "its end is not noticed");
}
