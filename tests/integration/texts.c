/* texts - errors that used to name something else than what is wrong, or no cure */
#include <lib/json.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct server broker, one;

/* A folder of its own that cannot be written; 0: that needs root. */
static int
read_only(const char *path)
{
	REQUIRE(mkdir(path, 0700) == 0, "mkdir %s", path);
	if (geteuid() != 0) {
		REQUIRE(chmod(path, 0500) == 0, "chmod");
		return 1;
	}
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(path, path, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0) {
		t_remark("left out: a read-only folder needs mounts: %s", strerror(errno));
		return 0;
	}
	return 1;
}

static void
says(struct server *s, const char *words)
{
	int status = server_run_to_end(s);
	const char *cure = geteuid() == 0 ? "Read-only file system: mount it for writing" :
	    "Permission denied: let this user read and write there";
	CHECK(status == 111 && server_log_has(s, t_text("%s: its lock: %s, or name another", words, cure)), "%d: %s",
	    status, t_read_file(s->log));
	CHECK(!server_log_has(s, "pid 0") && !server_log_has(s, "stop that first"), "%s", t_read_file(s->log));
	unlink(s->log);
}

TEST(read_only_folders, "a run folder or spool that cannot be written is told as that, not as one in use by process 0")
{
	char *path = t_path("fixed");
	if (!read_only(path))
		return;
	broker_plan(&broker, "broker", 0, NULL);
	broker.run = path;
	says(&broker, t_text("run folder %s", path));
	daemon_plan(&one, "one", 1);
	char *run = one.run;
	one.run = path;
	says(&one, t_text("run folder %s", path));
	one.run = run;
	one.store = path;
	says(&one, t_text("spool folder %s", path));
}

TEST(linked_shard, "a shard's folder that is a symbolic link is told as that")
{
	broker_start(&broker, "broker", 0, NULL);
	server_stop(&broker);
	char *shard = t_text("%s/shard-0", broker.store), *elsewhere = t_path("elsewhere");
	REQUIRE(rename(shard, elsewhere) == 0 && symlink(elsewhere, shard) == 0, "symlink: %s", strerror(errno));
	int status = server_run_to_end(&broker);
	CHECK(status == 111 &&
		  server_log_has(&broker, t_text("%s is a symbolic link, and none is followed in a store: move what it "
						 "leads to there",
					      shard)),
	    "%d: %s", status, t_read_file(broker.log));
	REQUIRE(unlink(shard) == 0 && rename(elsewhere, shard) == 0, "back: %s", strerror(errno));
	server_start(&broker);
}

TEST(byte_order_mark, "a configuration file that begins with a byte order mark is told as that, not as an unknown key")
{
	char *path = t_path("daemon.conf");
	t_write_file(path, "\xef\xbb\xbfspool x\n");
	static const char *const commands[] = { "mom_daemon 127.0.0.1 1 -t", "mom config test daemon",
		"mom config show daemon" };
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		struct ran r = run_command("PATH=$(realpath \"$(dirname '%s')\"):$PATH; %s", t_bin("mom"), commands[i]);
		CHECK(
		    r.status == (i ? 1 : 100) && strstr(r.err, t_text("%s:1: it begins with a byte order mark", path)),
		    "%s: %d: %s", commands[i], r.status, r.err);
	}
}

TEST(config_json, "mom config show --json is one array, as all --json is, with an object a program")
{
	char value[200];
	t_write_file(t_path("broker.conf"), "store-max 10g\n");
	struct ran r = run_command("'%s' config show --json", t_bin("mom"));
	REQUIRE(r.status == 0 && json_fault(r.out) == NULL && json_length(r.out) == 3, "%s: %s%s", json_fault(r.out),
	    r.out, r.err);
	CHECK(json_find(r.out, "program", "broker", 0) == 0 && json_find(r.out, "program", "client", 0) == 2, "%s",
	    r.out);
	CHECK(json_at(r.out, "0.store-max.value", value, sizeof value) && strcmp(value, "10g") == 0, "%s", r.out);
	CHECK(json_at(r.out, "0.store-max.from", value, sizeof value) && strcmp(value, t_path("broker.conf:1")) == 0,
	    "%s", r.out);
	t_write_file(t_path("daemon.conf"), "what\n");
	r = run_command("'%s' config show --json", t_bin("mom"));
	CHECK(
	    r.status == 1 && json_fault(r.out) == NULL && json_length(r.out) == 2, "%d: %s%s", r.status, r.out, r.err);
	r = run_command("'%s' config show --json client", t_bin("mom"));
	CHECK(
	    r.status == 0 && json_fault(r.out) == NULL && json_length(r.out) == 1, "%d: %s%s", r.status, r.out, r.err);
}
