/* standard - programs that are started with descriptors 0, 1 or 2 closed: no file gets their numbers, and nobody takes
 * what cannot be printed for printed */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static struct server broker, one;
static const char *const programs[] = { "broker_server", "broker_handler", "broker_sender", "worker", "mom_daemon",
	"mom_requester", "mom_responser", "mom_forwarder", "mom", "mom_http", "mom_coordinator", "mom_bench",
	"user_main", "db_dump" };

static int
is_null_device(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* Of a server and all its children: what was closed is /dev/null, the others are what they were. */
static void
stand(struct server *s)
{
	pid_t family[PROC_MAX];
	int n = proc_descendants(s->pid, family, PROC_MAX);
	family[n++] = s->pid;
	for (int i = 0; i < n; i++)
		for (int fd = 0; fd < 3; fd++) {
			char comm[16], to[256], *link = t_text("/proc/%d/fd/%d", (int)family[i], fd);
			proc_comm(family[i], comm, sizeof comm);
			ssize_t len = readlink(link, to, sizeof to - 1);
			to[len > 0 ? len : 0] = '\0';
			const char *wanted = fd == 1 ? s->out : s->log;
			int as_before = fd == 0 ? is_null_device(link) : strcmp(to, wanted) == 0;
			CHECK(s->closed >> fd & 1 ? is_null_device(link) : as_before, "%s: descriptor %d is %s", comm,
			    fd, to);
		}
}

static void
up(int closed)
{
	broker_plan(&broker, "broker", 0, t_text("--http %s:0", t_ip()));
	broker.closed = closed;
	server_start(&broker);
	daemon_plan(&one, "one", broker.port);
	one.closed = closed;
	server_start(&one);
	use_daemon(&one);
}

static void
sound(const char *folder)
{
	struct ran r = run_command("'%s' check '%s'", t_bin("mom"), folder);
	CHECK(r.status == 0 && strstr(r.out, ": sound\n"), "%d: %s%s", r.status, r.out, r.err);
}

/* With all that they log (-v), and a cut, of which the forwarder warns. */
static void
servers_without(int closed)
{
	static char big[100000];
	up(closed);
	int id = talk_create(), slow = talk_create(), billing = talk_open("billing");
	server_child(&broker, "mom_http");
	server_child(&one, "mom_responser");
	talk_subscribe(billing, "orders");
	talk_subscribe(slow, "noise");
	say(id, "orders", "invoice 1");
	for (int i = 0; i < 3; i++)
		REQUIRE(mom_publish(id, "noise", big, sizeof big, 0) == 0, "%s", mom_error_text(id));
	stand(&broker);
	stand(&one);
	REQUIRE(mom_close(billing) == 0, "%s", mom_error_text(-1));
	bye(slow);
	say(id, "orders", "invoice 2");
	bye(id);
	server_stop(&one);
	sound(one.store);
	server_start(&one);
	billing = talk_open("billing");
	hear(billing, "orders", "invoice 1");
	hear(billing, "orders", "invoice 2");
	bye(billing);
	server_stop(&one);
	server_stop(&broker);
	sound(broker.store);
	sound(one.store);
}

TEST(stderr_closed,
    "servers started without descriptor 2: it is /dev/null in each of their processes; store and spool stay sound")
{
	servers_without(4);
}

TEST(stdin_closed, "servers started without descriptor 0")
{
	servers_without(1);
}

TEST(stdout_closed, "servers started without descriptor 1")
{
	servers_without(2);
}

TEST(all_closed, "servers started without any of the three")
{
	servers_without(7);
}

TEST(every_program, "each program opens what is closed before all else, and --version that cannot be printed is exit "
		    "status 111 with a reason")
{
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
		struct ran r = run_command("exec '%s' --version >&-", t_bin(programs[i]));
		CHECK(r.status == 111 && strcmp(r.err, t_text("%s: stdout is closed\n", programs[i])) == 0,
		    "%s: %d: %s", programs[i], r.status, r.err);
		r = run_command("exec '%s' --version >/dev/full", t_bin(programs[i]));
		CHECK(r.status == 111 && strstr(r.err, "No space left"), "%s: %d: %s", programs[i], r.status, r.err);
		r = run_command("exec '%s' --version <&- 2>&-", t_bin(programs[i]));
		CHECK(r.status == 0 && strncmp(r.out, programs[i], strlen(programs[i])) == 0, "%s: %d: %s", programs[i],
		    r.status, r.out);
	}
}

TEST(no_null_device, "where /dev/null cannot be opened either, each program ends with 111 and a cure (root only)")
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		t_remark("left out: a /dev of its own needs root: %s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
		struct ran r = run_command("mount -t tmpfs none /dev && exec '%s' --version <&-", t_bin(programs[i]));
		run_command("umount /dev");
		CHECK(r.status == 111 &&
			  strstr(r.err, ": descriptor 0 is closed and /dev/null cannot be opened: No such file") &&
			  r.out[0] == '\0',
		    "%s: %d: %s%s", programs[i], r.status, r.out, r.err);
	}
}

TEST(ready_fd, "--ready-fd 1 or 2: it gets its byte, and stays what it is, in the children too")
{
	for (int fd = 1; fd < 3; fd++) {
		char *run = t_path("run-%d", fd), *ready = t_text("%s/ready", run);
		struct running r = run_start("exec '%s' %s 0 --run '%s' --db '%s' --ready-fd %d",
		    t_bin("broker_server"), t_ip(), run, t_path("db-%d", fd), fd);
		pid_t family[PROC_MAX];
		int n = 0;
		WAIT_FOR(strchr(t_read_file(ready), '\n') && (n = proc_children(r.pid, family, PROC_MAX)) > 0,
		    "it is not ready: %s", t_read_file(r.err));
		WAIT_FOR(strstr(t_read_file(fd == 1 ? r.out : r.err), "\n\n"), "no byte: %s", t_read_file(r.err));
		family[n++] = r.pid;
		for (int i = 0; i < n; i++) {
			char to[256];
			ssize_t len = readlink(t_text("/proc/%d/fd/%d", (int)family[i], fd), to, sizeof to - 1);
			to[len > 0 ? len : 0] = '\0';
			CHECK(strcmp(to, fd == 1 ? r.out : r.err) == 0, "process %d of %d: descriptor %d is %s", i, n,
			    fd, to);
		}
		kill(r.pid, SIGTERM);
		REQUIRE(run_finish(&r).status == 0, "%s", t_read_file(r.err));
	}
}

TEST(ready_fd_closed, "--ready-fd with a descriptor that is not open is refused, and so is one folder for two things")
{
	struct ran r = run_command("'%s' %s 0 --run '%s' --db '%s' --ready-fd 9 9>&-", t_bin("broker_server"), t_ip(),
	    t_path("run"), t_path("db"));
	CHECK(r.status == 100 && strstr(r.err, "--ready-fd 9: no such descriptor"), "%d %s", r.status, r.err);
	r = run_command("'%s' %s 0 --run '%s' --db '%s'", t_bin("broker_server"), t_ip(), t_path("db"), t_path("db"));
	CHECK(r.status == 100 && strstr(r.err, "name two folders"), "%d %s", r.status, r.err);
	r = run_command("'%s' %s 1 --run '%s' --spool '%s'", t_bin("mom_daemon"), t_ip(), t_path("db"), t_path("db"));
	CHECK(r.status == 100 && strstr(r.err, "name two folders"), "%d %s", r.status, r.err);
}

/* ---- tools ---- */

static void
refuses(const char *command, int status, const char *words)
{
	struct ran r = run_command("PATH=$(realpath \"$(dirname '%s')\"):$PATH; %s", t_bin("mom"), command);
	CHECK(r.status == status && strstr(r.err, words) && r.out[0] == '\0', "%s: %d: %s%s", command, r.status, r.out,
	    r.err);
}

TEST(sub,
    "mom sub without a stdout ends before it takes a message: nothing is acknowledged, all is there for the next one")
{
	up(0);
	int id = talk_create();
	struct ran r = run_command("'%s' sub --name billing -W 0.1 orders", t_bin("mom"));
	REQUIRE(r.status == 27, "%d: %s", r.status, r.err);
	say(id, "orders", "invoice 1");
	refuses("mom sub --name billing -C 1 -W 5 orders <&- >&-", 1, "mom sub: stdout is closed: ");
	refuses("mom sub --name billing -C 1 -W 5 orders >&-", 1, "mom sub: stdout is closed: ");
	refuses("mom sub --name billing -C 1 -W 5 --ack orders >&- 2>&-", 1, "");
	refuses("mom sub --name billing -C 1 -W 5 orders >/dev/full", 1,
	    "No space left on device: make room on that disk; what was not printed is not acknowledged");
	refuses(
	    t_text("mkfifo '%s/pipe'; exec 3<>'%s/pipe' 4>'%s/pipe' 3<&-; mom sub --name billing -C 1 -W 5 orders >&4",
		t_dir(), t_dir(), t_dir()),
	    1, "who read its output has gone; what was not printed is not acknowledged");
	r = run_command("'%s' sub --name billing -C 1 -W 5", t_bin("mom"));
	REQUIRE(r.status == 0 && strcmp(r.out, "invoice 1\n") == 0, "%d: %s%s", r.status, r.out, r.err);
	refuses("mom sub --name billing --forget >&-", 0, "");
	bye(id);
}

TEST(pub, "mom pub and user_main without a stdin that they are to read: an error, and nothing is published")
{
	up(0);
	static const char *const commands[] = { "mom pub -l t", "mom pub -s t", "mom pub -f - t", "user_main" };
	int ear = talk_create();
	talk_subscribe(ear, "t");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		refuses(t_text("%s <&-", commands[i]), 1, ": stdin is closed");
	struct ran r = run_command("'%s' pub t x <&- >&-", t_bin("mom"));
	REQUIRE(r.status == 0 && r.err[0] == '\0', "%d: %s", r.status, r.err);
	hear(ear, "t", "x");
	hear_nothing(ear);
	bye(ear);
}

TEST(output, "whatever a tool prints into a closed or full stdout is an error")
{
	up(0);
	int id = talk_create();
	talk_subscribe(id, "news");
	say(id, "news", "x");
	const struct { const char *command; int status;
	} tools[] = { { t_text("mom topics '%s'", broker.run), 1 },
		{ t_text("mom peek news --db '%s'", broker.store), 1 },
		{ t_text("mom clients --json '%s'", one.run), 1 }, { "mom help", 1 }, { "mom sub --help", 1 },
		{ t_text("mom check '%s'", broker.store), 1 }, { t_text("db_dump '%s'", broker.store), 111 },
		{ "user_main 'S x'", 1 }, { "mom_bench --help", 111 }, { "mom_http --help", 111 },
		{ "mom_coordinator --help", 111 }, { "broker_server --help", 111 }, { "mom_daemon -t", 111 } };
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
		refuses(t_text("%s >&-", tools[i].command), tools[i].status, ": stdout is closed\n");
		refuses(t_text("%s >/dev/full", tools[i].command), tools[i].status,
		    ": standard output: No space left on device: make room on that disk\n");
	}
	bye(id);
}
