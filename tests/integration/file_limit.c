/* file_limit - files that may not grow as large as they want (ulimit -f): a full disk for whoever writes them, no death
 * by SIGXFSZ */
#include <lib/disk.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MIB = 1024 * 1024, SIZE = 60000 };
static struct server broker, one;
static char bytes[SIZE];

/* A process, or (0) what is started from now on. SIGXFSZ stays as it is: its being ignored would be inherited. */
static void
limit(pid_t pid, rlim_t most)
{
	REQUIRE(prlimit(pid, RLIMIT_FSIZE, &(struct rlimit){ most, RLIM_INFINITY }, NULL) == 0, "prlimit: %s",
	    strerror(errno));
}

TEST(start, "a broker whose files may not hold a segment says so, with the cure, and serves once they may")
{
	broker_plan(&broker, "broker", 0, NULL);
	limit(0, MIB);
	server_start_unready(&broker);
	WAIT_FOR(server_log_has(
		     &broker, "shard 0: no room for its log: File too large: it is tried again; raise `ulimit -f`"),
	    "%s", t_read_file(broker.log));
	limit(0, RLIM_INFINITY);
	struct ran r = run_command("'%s' doctor '%s'", t_bin("mom"), broker.run);
	REQUIRE(r.status != 0 && strstr(t_text("%s%s", r.out, r.err), "a server is starting there"), "%s%s", r.out,
	    r.err);
	limit(broker.pid, RLIM_INFINITY);
	server_await_ready(&broker);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	talk_subscribe(id, "t");
	say(id, "t", "x");
	hear(id, "t", "x");
	bye(id);
}

TEST(small_disk, "a new store on a disk of 80 MiB serves with four workers: its segments are as small as that asks for")
{
	broker_plan(&broker, "broker", 0, "--workers 4");
	if (!disk_of_own(broker.store, "80m"))
		return;
	server_start(&broker);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	for (int i = 0; i < 16; i++)
		talk_subscribe(id, t_text("t/%d", i));
	for (int i = 0; i < 16; i++) {
		say(id, t_text("t/%d", i), "x");
		hear(id, t_text("t/%d", i), "x");
	}
	bye(id);
	server_stop(&one);
	server_stop(&broker);
	umount2(broker.store, MNT_DETACH);
}

/* How many are taken until one is refused. */
static int
fill(int id)
{
	int n = 0, r;
	while ((r = mom_publish(id, "t", bytes, sizeof bytes, 0)) == 0 && n < 1000)
		n++;
	REQUIRE(r == MOM_EFULL, "%d after %d: %s", r, n, mom_error_text(id));
	return n;
}

TEST(worker, "a worker that may not begin the next segment refuses publishes with MOM_EFULL, goes on delivering, and "
	     "takes them again once it may")
{
	broker_start(&broker, "broker", 0, "--store-max 64m");      /* segments of 8 MiB */
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create(), ear = talk_create();
	struct mom_message m;
	talk_subscribe(ear, "t");
	pid_t worker = server_child(&broker, "worker");
	limit(worker, 8 * MIB - 1);
	int taken = fill(id);
	CHECK(taken > 100 && taken < 8 * MIB / SIZE, "%d were taken", taken);
	CHECK(server_log_has(&broker,
		  "no room for its log: File too large: publishes are refused until there is; raise `ulimit -f`"),
	    "%s", t_read_file(broker.log));
	for (int i = 0; i < taken; i++)
		REQUIRE(
		    mom_receive(ear, &m, 20000) == 0 && m.len == SIZE, "%d of %d: %s", i, taken, mom_error_text(ear));
	limit(worker, RLIM_INFINITY);
	say(id, "t", "again");
	hear(ear, "t", "again");
	CHECK(server_child(&broker, "worker") == worker, "another worker");
	bye(ear);
	bye(id);
}

TEST(spool,
    "a daemon whose files may not hold a segment delivers, and cuts a client that does not receive, as on a full disk")
{
	broker_start(&broker, "broker", 0, NULL);
	limit(0, MIB);
	daemon_start(&one, "one", broker.port);
	limit(0, RLIM_INFINITY);
	use_daemon(&one);
	int id = talk_create(), ear = talk_create(), slow = talk_create(), r, n = 0;
	struct mom_message m;
	pid_t forwarder = server_child(&one, "mom_forwarder");
	talk_subscribe(ear, "t");
	talk_subscribe(slow, "t");
	for (int i = 0; i < 100; i++) {
		REQUIRE(mom_publish(id, "t", bytes, sizeof bytes, 0) == 0, "%s", mom_error_text(id));
		REQUIRE(mom_receive(ear, &m, 20000) == 0 && m.len == SIZE, "%d: %s", i, mom_error_text(ear));
	}
	while ((r = mom_receive(slow, &m, 20000)) == 0)
		n++;
	CHECK(r == MOM_EFULL && n < 100, "%d after %d: %s", r, n, mom_error_text(slow));
	CHECK(server_child(&one, "mom_forwarder") == forwarder, "another forwarder");
	bye(slow);
	bye(ear);
	bye(id);
}

TEST(tools, "a tool whose file may not grow says so: mom sub acknowledges nothing of it, mom backup leaves no copy")
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	struct ran r = run_command("'%s' sub --name reader -W 0.1 t", t_bin("mom"));
	REQUIRE(r.status == 27, "%d: %s", r.status, r.err);
	REQUIRE(mom_publish(id, "t", bytes, sizeof bytes, 0) == 0, "%s", mom_error_text(id));
	r = run_command("ulimit -f 16; '%s' sub --name reader -C 1 -W 20 t", t_bin("mom"));
	CHECK(r.status == 1 && strstr(r.err, "File too large: raise `ulimit -f`") &&
		  strstr(r.err, "what was not printed is not acknowledged"),
	    "%d: %s", r.status, r.err);
	r = run_command("'%s' sub --name reader -C 1 -W 20 -F %%l", t_bin("mom"));
	CHECK(r.status == 0 && strcmp(r.out, "60000\n") == 0, "%d: %s%s", r.status, r.out, r.err);
	run_command("'%s' sub --name reader --forget", t_bin("mom"));
	r = run_command("ulimit -f 16; '%s' backup --db '%s' '%s'", t_bin("mom"), broker.store, t_path("copy"));
	CHECK(r.status == 1 && strstr(r.err, "File too large: raise `ulimit -f`") && access(t_path("copy"), F_OK) < 0,
	    "%d: %s", r.status, r.err);
	bye(id);
}
