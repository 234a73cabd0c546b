/* limits - descriptors, processes, queues, segments, semaphores run out: an error that names the cure, the others go
 * on, and when there is room again all works by itself. The kernel's limits are lowered in the case's own IPC
 * namespace, which only root can; those of processes by prlimit(2) on the running server. */
#include <lib/proc.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mom.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SOMEBODY = 54321 };                     /* a user of no other process */
static struct server broker, one, two;

static int
sysctl_write(const char *name, const char *value)
{
	char *path = t_text("/proc/sys/kernel/%s", name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, value, strlen(value));
	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

static void
limit(const char *name, const char *value)
{
	REQUIRE(sysctl_write(name, value) == 0, "kernel.%s=%s: %s", name, value, strerror(errno));
}

static int
may_lower(const char *name)
{
	char *value = t_read_file(t_text("/proc/sys/kernel/%s", name));
	if (geteuid() == 0 && sysctl_write(name, value) == 0)
		return 1;
	t_remark("LEFT OUT: kernel.%s can be lowered by root only", name);
	return 0;
}

/* objects of a kind in this namespace */
static int
objects(const char *kind)
{
	int lines = -1;
	for (const char *p = t_read_file(t_text("/proc/sysvipc/%s", kind)); *p; p++)
		lines += *p == '\n';
	return lines;
}

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static void
works(int ear, int mouth, const char *text)
{
	say(mouth, "limit", text);
	hear(ear, "limit", text);
}

/* mom_create is refused, and the text says what to do */
static void
refused(const char *cure)
{
	int id = mom_create();
	REQUIRE(id == MOM_ELIMIT, "mom_create: %d %s", id, id < 0 ? mom_error_text(-1) : "");
	REQUIRE(strstr(mom_error_text(-1), cure), "wanted '%s' in: %s", cure, mom_error_text(-1));
}

#define HEALS "a clear error that names the cure, others go on, and it works by itself when there is room"

TEST(queues, "no more queues (kernel.msgmni), at each place that makes one: " HEALS)
{
	if (!may_lower("msgmni"))
		return;
	limit("msgmni", "0");
	broker_plan(&broker, "broker", 0, NULL);
	server_start_unready(&broker);
	WAIT_FOR(server_log_has(&broker, "kernel.msgmni"), "the broker does not say why");
	limit("msgmni", "1");
	server_await_ready(&broker);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	WAIT_FOR(server_log_has(&one, "kernel.msgmni"), "the daemon does not say why");
	limit("msgmni", "3");
	WAIT_FOR(server_log_has(&broker, "no unit for it") && server_log_has(&one, "look at its log"),
	    "no queue for the sender, and nobody says so");
	limit("msgmni", "4");
	int ear = talk_create(), mouth = talk_create();
	talk_subscribe(ear, "limit");
	works(ear, mouth, "four queues");
	daemon_start(&two, "two", broker.port);
	WAIT_FOR(server_log_has(&two, "kernel.msgmni"), "the second daemon does not say why");
	works(ear, mouth, "the first machine goes on");
	limit("msgmni", "1000");
	use_daemon(&two);
	int other = talk_create();
	works(ear, other, "both machines");
	bye(ear);
	bye(mouth);
	bye(other);
}

TEST(segments, "no more segments (kernel.shmmni) for a client: " HEALS)
{
	if (!may_lower("shmmni"))
		return;
	char *before = t_read_file("/proc/sys/kernel/shmmni");
	up();
	int ear = talk_create();
	talk_subscribe(ear, "limit");
	limit("shmmni", t_text("%d", objects("shm") + 1));
	int mouth = talk_create();
	refused("kernel.shmmni");
	works(ear, mouth, "full");
	bye(mouth);
	WAIT_FOR(objects("shm") < atoi(t_read_file("/proc/sys/kernel/shmmni")), "the segment of a client that ended");
	mouth = talk_create();
	works(ear, mouth, "its place is taken");
	limit("shmmni", before);
	int more = talk_create();
	works(ear, more, "room again");
	bye(more);
	bye(mouth);
	bye(ear);
}

TEST(segments_at_start, "a daemon that is started with few segments (kernel.shmmni) says so to the client that is one "
    "too many")
{
	if (!may_lower("shmmni"))
		return;
	broker_start(&broker, "broker", 0, NULL);
	limit("shmmni", "8");                 /* three of the broker, three of the daemon */
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int ids[6], n = 0;
	while ((ids[n] = mom_create()) >= 0 && n < 5)
		n++;
	REQUIRE(n > 0 && ids[n] == MOM_ELIMIT, "client %d: %d", n, ids[n]);
	refused("kernel.shmmni");
	talk_subscribe(ids[0], "limit");
	works(ids[0], ids[n - 1], "those that found room");
	while (n > 0)
		bye(ids[--n]);
}

TEST(shared_memory, "no more shared memory (kernel.shmall): " HEALS)
{
	if (!may_lower("shmall"))
		return;
	char *before = t_read_file("/proc/sys/kernel/shmall");
	up();
	int ear = talk_create(), mouth = talk_create();
	talk_subscribe(ear, "limit");
	limit("shmall", "1");
	refused("kernel.shmall");
	works(ear, mouth, "full");
	limit("shmall", before);
	int more = talk_create();
	works(ear, more, "room again");
	bye(more);
	bye(mouth);
	bye(ear);
}

TEST(semaphores, "no more semaphores (kernel.sem): " HEALS)
{
	if (!may_lower("sem"))
		return;
	char *before = t_read_file("/proc/sys/kernel/sem");
	up();
	int ear = talk_create(), mouth = talk_create();
	talk_subscribe(ear, "limit");
	limit("sem", t_text("250 32000 32 %d", objects("sem")));
	refused("kernel.sem");
	works(ear, mouth, "full");
	limit("sem", before);
	int more = talk_create();
	works(ear, more, "room again");
	bye(more);
	bye(mouth);
	bye(ear);
}

/* ---- descriptors ---- */

static struct rlimit
lower(pid_t pid, __rlimit_resource_t resource, rlim_t to)
{
	struct rlimit old, new;
	REQUIRE(prlimit(pid, resource, NULL, &old) == 0, "prlimit: %s", strerror(errno));
	new = (struct rlimit){ to, old.rlim_max };
	REQUIRE(prlimit(pid, resource, &new, NULL) == 0, "prlimit: %s", strerror(errno));
	return old;
}

static void
lift(pid_t pid, __rlimit_resource_t resource, struct rlimit old)
{
	REQUIRE(prlimit(pid, resource, &old, NULL) == 0, "prlimit: %s", strerror(errno));
}

/* the number that the next descriptor of a process would get */
static rlim_t
next_descriptor(pid_t pid)
{
	DIR *d = opendir(t_text("/proc/%d/fd", (int)pid));
	char used[1024] = { 0 };
	REQUIRE(d, "/proc/%d/fd: %s", (int)pid, strerror(errno));
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.' && atoi(e->d_name) < 1024)
			used[atoi(e->d_name)] = 1;
	closedir(d);
	return strlen(memcpy(calloc(1, sizeof used + 1), used, sizeof used));
}

static long
lines_of(struct server *s)
{
	long n = 0;
	for (const char *p = t_read_file(s->log); *p; p++)
		n += *p == '\n';
	return n;
}

static long
processor_ms(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char *p = strrchr(t_read_file(t_text("/proc/%d/stat", (int)pid)), ')');
	REQUIRE(p && sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2,
	    "/proc/%d/stat", (int)pid);
	return (long)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

/* for some seconds: it neither runs in circles nor fills its log, and those that are there talk */
static void
stays_calm(struct server *s, int ear, int mouth)
{
	long lines = lines_of(s), ms = processor_ms(s->pid);
	int64_t end = t_now_ms() + 3500;
	while (t_now_ms() < end) {
		works(ear, mouth, "at the limit");
		t_sleep_ms(50);
	}
	REQUIRE(lines_of(s) - lines < 40, "%s: %ld lines of log in 3.5 s", s->name, lines_of(s) - lines);
	REQUIRE(processor_ms(s->pid) - ms < 1000, "%s: %ld ms of processor time in 3.5 s", s->name,
	    processor_ms(s->pid) - ms);
}

TEST(descriptors_of_the_daemon, "mom_daemon has no descriptors left (ulimit -n): " HEALS)
{
	up();
	int ear = talk_create(), mouth = talk_create();
	talk_subscribe(ear, "limit");
	works(ear, mouth, "before");
	for (rlim_t spare = 0; spare < 3; spare++) {   /* it runs out at one place or at another */
		struct rlimit old = lower(one.pid, RLIMIT_NOFILE, next_descriptor(one.pid) + spare);
		int id = mom_create();
		REQUIRE(id >= 0 || (id == MOM_ELIMIT && strstr(mom_error_text(-1), "ulimit -n")),
		    "with %d spare: %d %s", (int)spare, id, mom_error_text(-1));
		REQUIRE(spare || id < 0, "a client without a descriptor");
		if (spare == 0)
			stays_calm(&one, ear, mouth);
		if (id >= 0) {
			works(ear, id, "with few descriptors");
			bye(id);
		}
		lift(one.pid, RLIMIT_NOFILE, old);
	}
	REQUIRE(server_log_has(&one, "ulimit -n"), "the daemon's log does not say so");
	int more = talk_create();
	works(ear, more, "room again");
	bye(more);
	bye(mouth);
	bye(ear);
}

TEST(descriptors_of_the_broker, "broker_server has no descriptors left (ulimit -n): machines that are there go on, a "
    "new one waits: " HEALS)
{
	up();
	int ear = talk_create(), mouth = talk_create();
	talk_subscribe(ear, "limit");
	works(ear, mouth, "before");
	struct rlimit old = lower(broker.pid, RLIMIT_NOFILE, next_descriptor(broker.pid));
	daemon_start(&two, "two", broker.port);
	WAIT_FOR(server_log_has(&broker, "ulimit -n"), "the broker does not say why");
	stays_calm(&broker, ear, mouth);
	kill(server_child(&broker, "broker_sender"), SIGKILL);         /* one has to come again, too */
	lift(broker.pid, RLIMIT_NOFILE, old);
	use_daemon(&two);
	int other = talk_create();
	works(ear, other, "room again");
	bye(other);
	bye(mouth);
	bye(ear);
}

/* ---- processes ---- */

/* Root is not bound by RLIMIT_NPROC. */
static int
become_somebody(void)
{
	if (geteuid() != 0)
		return 1;
	REQUIRE(chown(t_dir(), SOMEBODY, SOMEBODY) == 0, "chown: %s", strerror(errno));
	REQUIRE(setresgid(SOMEBODY, SOMEBODY, SOMEBODY) == 0 && setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == 0,
	    "setresuid: %s", strerror(errno));
	prctl(PR_SET_DUMPABLE, 1);
	if (access(t_bin("worker"), X_OK) == 0)
		return 1;
	t_remark("LEFT OUT: the process limit: other users cannot reach %s", t_bin("worker"));
	return 0;
}

static void
without_processes(struct server *s, const char *program)
{
	int ear = talk_create(), mouth = talk_create();
	talk_subscribe(ear, "limit");
	works(ear, mouth, "before");
	struct rlimit old = lower(s->pid, RLIMIT_NPROC, 0);
	kill(server_child(s, program), SIGKILL);
	WAIT_FOR(server_log_has(s, "ulimit -u"), "%s does not say why", s->name);
	REQUIRE(mom_publish(mouth, "limit", "on its way", 10, MOM_ASYNC) == 0, "publish: %s", mom_error_text(mouth));
	lift(s->pid, RLIMIT_NPROC, old);
	REQUIRE(mom_flush(mouth, 20000) == 0, "flush: %s", mom_error_text(mouth));
	hear(ear, "limit", "on its way");
	bye(mouth);
	bye(ear);
}

TEST(processes, "no more processes (ulimit -u), as workers and units are to be restarted: " HEALS)
{
	if (!become_somebody())
		return;
	up();
	without_processes(&broker, "worker");
	without_processes(&one, "mom_requester");
}
