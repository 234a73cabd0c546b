/* folders - where what must be kept lies, what a cleaner of old files takes, what happens when a folder is gone */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOMEBODY = 54321 };
static struct server broker, one;

/* Root's folders are others. 0: the case cannot run */
static int
become_somebody(void)
{
	if (geteuid() != 0)
		return 1;
	REQUIRE(chown(t_dir(), SOMEBODY, SOMEBODY) == 0, "chown: %s", strerror(errno));
	REQUIRE(setresgid(SOMEBODY, SOMEBODY, SOMEBODY) == 0, "setresgid: %s", strerror(errno));
	REQUIRE(setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == 0, "setresuid: %s", strerror(errno));
	prctl(PR_SET_DUMPABLE, 1);
	if (access(t_bin("worker"), X_OK) == 0)
		return 1;
	t_remark("left out: other users cannot reach %s", t_bin("worker"));
	return 0;
}

static int
is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

/* ---- where a user's spool is ---- */

#define HOME_SPOOL "home/.local/state/mom/spool"

/* a daemon that is not told where its spool is */
static void
plan_without_spool(struct server *s)
{
	daemon_plan(s, "one", broker.port);
	s->bare = 1;
	const char *arguments[] = { s->ip, t_text("%d", s->port), "--run", s->run };
	memcpy(s->extra, arguments, sizeof arguments);
}

TEST(state_folder, "a user's spool is in $XDG_STATE_HOME/mom, else ~/.local/state/mom; with neither it says so")
{
	if (!become_somebody())
		return;
	broker_start(&broker, "broker", 0, NULL);
	plan_without_spool(&one);
	setenv("HOME", t_path("home"), 1);
	setenv("XDG_STATE_HOME", t_path("state"), 1);
	server_start(&one);
	REQUIRE(is_there(t_path("state/mom/spool/identity")), "the spool is not there: %s", t_read_file(one.log));
	server_stop(&one);
	setenv("XDG_STATE_HOME", "relative", 1);
	server_start(&one);
	REQUIRE(is_there(t_path(HOME_SPOOL "/identity")), "the spool is not there: %s", t_read_file(one.log));
	REQUIRE(!is_there(t_text("%s/spool", one.run)), "there is a spool in the run folder");
	server_stop(&one);
	static const char *const homes[] = { NULL, "", "relative" };
	for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
		homes[i] ? setenv("HOME", homes[i], 1) : unsetenv("HOME");
		unlink(one.log);
		int status = server_run_to_end(&one);
		char *said = t_read_file(one.log);
		REQUIRE(status == 111, "exit %d", status);
		REQUIRE(strstr(said, "XDG_STATE_HOME nor HOME") && strstr(said, "--spool"), "%s", said);
	}
}

TEST(old_spool, "an older release's spool in the run folder is used, and told how to move: moved so it goes on")
{
	if (!become_somebody())
		return;
	broker_start(&broker, "broker", 0, NULL);
	plan_without_spool(&one);
	setenv("HOME", t_path("home"), 1);
	unsetenv("XDG_STATE_HOME");
	one.extra[4] = "--spool";
	one.extra[5] = t_text("%s/spool", one.run);
	server_start(&one);
	use_daemon(&one);
	int id = talk_open("billing"), mouth = talk_create();
	talk_subscribe(id, "orders");
	mom_close(id);
	say(mouth, "orders", "invoice 1");
	say(mouth, "orders", "invoice 2");
	bye(mouth);
	server_stop(&one);
	one.extra[4] = NULL;
	unlink(one.log);
	server_start(&one);
	REQUIRE(server_log_has(&one, "warn: the spool is still in"), "%s", t_read_file(one.log));
	REQUIRE(!is_there(t_path(HOME_SPOOL)), "another spool was begun");
	id = talk_open("billing");
	hear(id, "orders", "invoice 1");
	mom_close(id);
	server_stop(&one);
	/* as its line says */
	char *how = strstr(t_read_file(one.log), "mkdir -pm"), *end = how ? strstr(how, ", start it again") : NULL;
	char *then = how ? strstr(how, ", mv ") : NULL;
	REQUIRE(how && end && then, "%s", t_read_file(one.log));
	*end = '\0';
	*then = ';';
	struct ran r = run_command("%s", how);
	REQUIRE(r.status == 0, "%s: %s", how, r.err);
	unlink(one.log);
	server_start(&one);
	REQUIRE(!server_log_has(&one, "still in") && !is_there(t_text("%s/spool/identity", one.run)), "%s",
	    t_read_file(one.log));
	id = talk_open("billing");
	hear(id, "orders", "invoice 2");
	hear_nothing(id);
	bye(id);
}

/* ---- cleaners of old files ---- */

static int
is_bound(const char *path)
{
	char *table = t_read_file("/proc/net/unix"), *found = strstr(table, t_text(" %s\n", path));
	free(table);
	return found != NULL;
}

/* What systemd-tmpfiles does to a folder in which everything is old. */
static void
stand_in(const char *folder)
{
	DIR *d = opendir(folder);
	REQUIRE(d, "%s: %s", folder, strerror(errno));
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		struct stat st;
		char *path = t_text("%s/%s", folder, e->d_name);
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || lstat(path, &st) < 0)
			continue;
		if (S_ISSOCK(st.st_mode) && is_bound(path))
			continue;
		int fd = S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0) {
			close(fd);
			continue;
		}
		if (S_ISDIR(st.st_mode))
			stand_in(path);
		S_ISDIR(st.st_mode) ? rmdir(path) : unlink(path);
		if (fd >= 0)
			close(fd);
	}
	closedir(d);
}

/* The real one, where it is installed; 0: it is not */
static int
tmpfiles(const char *folder)
{
	char *rule = t_path("rule.conf");
	FILE *f = fopen(rule, "w");
	REQUIRE(f && fprintf(f, "d %s 0700 - - 0\n", folder) > 0 && fclose(f) == 0, "%s", rule);
	struct ran r = run_command("exec systemd-tmpfiles --clean '%s'", rule);
	if (r.status == 127)
		return 0;
	REQUIRE(r.status == 0, "systemd-tmpfiles: %d %s", r.status, r.err);
	return 1;
}

/* Those that a server has for as long as it runs. */
static char *
files_below(const char *folder)
{
	return run_command("find '%s' | grep -v '/words-\\|/ring-\\|/log-\\|\\.new$\\|/clients/\\|/topics/'",
	    folder).out;
}

/* Servers whose folders are below one that is cleaned, and a message that waits there. */
static void
servers_below(const char *folder)
{
	REQUIRE(mkdir(folder, 0700) == 0, "mkdir");
	broker_plan(&broker, "broker", 0, NULL);
	broker.run = t_text("%s/b", folder);
	broker.store = t_text("%s/db", folder);
	server_start(&broker);
	daemon_plan(&one, "one", broker.port);
	one.run = t_text("%s/mom-1000", folder);
	one.store = t_text("%s/mom-1000/spool", folder);
	server_start(&one);
	use_daemon(&one);
	int id = talk_open("billing"), mouth = talk_create();
	talk_subscribe(id, "orders");
	mom_close(id);
	say(mouth, "orders", "invoice 1");
	bye(mouth);
}

static void
survive(int by_tmpfiles)
{
	char *folder = t_path("tmp"), *old = t_path("tmp/old"), *file = t_path("tmp/old/file");
	servers_below(folder);
	char *before = files_below(folder);
	FILE *f = mkdir(old, 0700) == 0 ? fopen(file, "w") : NULL;
	REQUIRE(f && fclose(f) == 0, "%s", file);
	if (!by_tmpfiles)
		stand_in(folder);
	else if (!tmpfiles(folder)) {
		t_remark("left out: systemd-tmpfiles is not installed");
		return;
	}
	REQUIRE(!is_there(file) && !is_there(old), "nothing was cleaned: this case proves nothing");
	for (char *path = strtok(before, "\n"); path; path = strtok(NULL, "\n"))
		CHECK(is_there(path), "%s was taken", path);
	server_kill_all(&one);
	server_kill_all(&broker);
	server_start(&broker);
	server_start(&one);
	int id = talk_open("billing");
	hear(id, "orders", "invoice 1");
	bye(id);
}

#define SPARES "a cleaner of old files takes nothing of a running broker and daemon whose folders it comes to"
TEST(cleaner, SPARES) { survive(0); }
TEST(tmpfiles, SPARES ": the real systemd-tmpfiles") { survive(1); }

/* ---- the socket ---- */

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

TEST(socket_named, "the kernel lists the registration socket by its path; one too long for that works, too")
{
	up();
	REQUIRE(is_bound(t_text("%s/socket", one.run)), "%s", t_read_file("/proc/net/unix"));
	server_kill_all(&one);
	server_start(&one);
	REQUIRE(is_bound(t_text("%s/socket", one.run)), "not after a kill: %s", t_read_file("/proc/net/unix"));
	server_stop(&one);
	one.run = t_path("%0100d/run", 7);
	server_start(&one);
	use_daemon(&one);
	bye(talk_create());
}

static int lock = -1;

static void
create_and_leave(void *unused)
{
	(void)unused;
	close(lock);                            /* the case's own */
	bye(talk_create());
}

/* It has knocked, and lets a moment pass before it does so again. */
static int
is_between_knocks(pid_t pid)
{
	char *call = t_read_file(t_text("/proc/%d/syscall", (int)pid));
	long number = strtol(call, NULL, 10);
	int sleeps = *call ? number == SYS_clock_nanosleep : proc_state(pid) == 'S';
#ifdef SYS_clock_nanosleep_time64
	sleeps |= number == SYS_clock_nanosleep_time64;
#endif
	free(call);
	return sleeps;
}

TEST(socket_between, "who comes while a daemon makes its socket, or was killed as it did, waits for it")
{
	up();
	server_kill_all(&one);
	REQUIRE(rename(t_text("%s/socket", one.run), t_text("%s/socket.old", one.run)) == 0, "rename: %s",
	    strerror(errno));
	pid_t pid = t_spawn(create_and_leave, NULL);
	WAIT_FOR(is_between_knocks(pid), "the client does not wait");
	server_start(&one);
	REQUIRE(t_join(pid) == 0, "create failed");
	REQUIRE(!is_there(t_text("%s/socket.old", one.run)), "socket.old stays");
	server_stop(&one);
	REQUIRE(mom_create() == MOM_ENODAEMON, "it waits for a daemon that was stopped");
	lock = open(one.run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);          /* as one that is starting has it */
	REQUIRE(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0, "flock: %s", strerror(errno));
	pid = t_spawn(create_and_leave, NULL);
	WAIT_FOR(is_between_knocks(pid), "the client does not wait for one that is starting");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(lock);
	REQUIRE(mom_create() == MOM_ENODAEMON, "it waits for nobody");
}

/* Lays an empty folder over /etc, for this test's processes alone; 0: it may not. */
static int
own_etc(void)
{
	char *etc = t_path("etc");
	REQUIRE(mkdir(etc, 0755) == 0, "%s: %s", etc, strerror(errno));
	if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount(etc, "/etc", NULL, MS_BIND, NULL) == 0)
		return 1;
	t_remark("left out: an /etc of its own needs root: %s", strerror(errno));
	return 0;
}

static void
make_group_mom(void)
{
	FILE *f = fopen(t_path("etc/group"), "w");
	REQUIRE(f && fprintf(f, "root:x:0:\nmom:x:%d:\n", SOMEBODY) > 0 && fclose(f) == 0, "etc/group");
}

/* A broker, and a daemon whose folders other users may enter. */
static void
start_reachable(void)
{
	REQUIRE(chmod(t_dir(), 0755) == 0, "chmod");
	broker_start(&broker, "broker", 0, NULL);
	daemon_plan(&one, "one", broker.port);
	REQUIRE(chmod(t_path("one"), 0755) == 0, "chmod");
	server_start(&one);
	use_daemon(&one);
}

static void
member_of_mom(void *unused)
{
	enum { ANOTHER = SOMEBODY + 1 };
	REQUIRE(setgroups(0, NULL) == 0 && setresgid(SOMEBODY, SOMEBODY, SOMEBODY) == 0, "setresgid: %s",
	    strerror(errno));
	REQUIRE(setresuid(ANOTHER, ANOTHER, ANOTHER) == 0, "setresuid: %s", strerror(errno));
	create_and_leave(unused);
}

TEST(socket_group, "the socket is the group mom's from its first moment: programs of its members register (root only)")
{
	struct stat st;
	if (!own_etc())
		return;
	make_group_mom();
	start_reachable();
	REQUIRE(stat(one.run, &st) == 0, "stat");
	REQUIRE(st.st_gid == SOMEBODY && (st.st_mode & 07777) == 02750, "the folder: %d, %o", (int)st.st_gid,
	    st.st_mode);
	REQUIRE(stat(t_text("%s/socket", one.run), &st) == 0, "stat");
	REQUIRE(st.st_gid == SOMEBODY && (st.st_mode & 0777) == 0660, "the socket: %d, %o", (int)st.st_gid, st.st_mode);
	REQUIRE(t_join(t_spawn(member_of_mom, NULL)) == 0, "a member of the group does not register");
}

TEST(misspelt, "a store or a spool in a folder that is not there is not made, since its name may be a slip of the pen; "
    "a new store is told")
{
	struct ran r = run_command("'%s' 127.0.0.1 0 --db '%s/stroe/db' --run '%s'", t_bin("broker_server"), t_dir(),
	    t_path("run"));
	REQUIRE(r.status != 0 && strstr(r.err, t_text("there is no folder %s: make it, or name another",
	    t_path("stroe"))), "%d: %s", r.status, r.err);
	r = run_command("'%s' 127.0.0.1 1 --spool '%s/splo/x' --run '%s'", t_bin("mom_daemon"), t_dir(), t_path("run"));
	REQUIRE(r.status != 0 && strstr(r.err, t_text("there is no folder %s: ", t_path("splo"))), "%d: %s", r.status,
	    r.err);
	REQUIRE(!is_there(t_path("stroe")) && !is_there(t_path("splo")), "it was made");
	broker_start(&broker, "broker", 0, NULL);
	REQUIRE(server_log_has(&broker, t_text("new store made in %s", broker.store)), "%s", t_read_file(broker.log));
	server_stop(&broker);
	server_start(&broker);
	char *log = t_read_file(broker.log), *first = strstr(log, "new store made in");
	REQUIRE(first && strstr(first + 1, "new store made in") == NULL, "%s", log);
}

/* As a user for whom the daemon is not: what create says, and what `mom clients` and `mom doctor` say. */
static void
stranger_of_mom(void *wanted)
{
	enum { STRANGER = SOMEBODY + 2 };
	REQUIRE(setgroups(0, NULL) == 0 && setresgid(STRANGER, STRANGER, STRANGER) == 0 &&
	    setresuid(STRANGER, STRANGER, STRANGER) == 0, "setresuid: %s", strerror(errno));
	REQUIRE(mom_create() == MOM_ENODAEMON, "it may be used");
	const char *text = mom_error_text(-1);
	REQUIRE(strstr(text, "a mom_daemon runs here, and the user") && strstr(text, wanted) &&
	    strstr(text, "no mom_daemon runs") == NULL, "create: %s", text);
	if (access(t_bin("mom"), X_OK) < 0)
		return;                                /* other users cannot reach our programs */
	static char said[8192];
	/* named, and found by the pointer that it left in a usual place */
	const char *const tools[] = { "clients", "doctor", "clients", "doctor" };
	for (int i = 0; i < 4; i++) {
		FILE *p = popen(t_text("unset MOM_RUN; XDG_RUNTIME_DIR='%s' '%s' %s %s 2>&1", t_path("xdg"),
		    t_bin("mom"), tools[i], i < 2 ? one.run : ""), "r");
		said[p ? fread(said, 1, sizeof said - 1, p) : 0] = '\0';
		REQUIRE(p && pclose(p) != 0 && strstr(said, wanted), "%s: %s", tools[i], said);
	}
}

TEST(denied, "who may not use a daemon is told that one runs, for whom it is, and how to become one of them (root "
    "only)")
{
	umask(022);                                    /* others read this /etc */
	if (!own_etc())
		return;
	start_reachable();
	REQUIRE(mkdir(t_path("xdg"), 0755) == 0 && mkdir(t_path("xdg/mom"), 0755) == 0 &&
	    symlink(one.run, t_path("xdg/mom/run-at-here")) == 0, "%s", strerror(errno));
	pid_t stranger = t_spawn(stranger_of_mom, t_text("it is for the user 0 alone; to share it, make a group mom"));
	REQUIRE(t_join(stranger) == 0, "alone");
	server_stop(&one);
	make_group_mom();
	server_start(&one);
	stranger = t_spawn(stranger_of_mom, t_text("for members of the group mom; become one"));
	REQUIRE(t_join(stranger) == 0, "shared");
}

/* ---- names that are gone ---- */

static int
has_line(struct server *s, const char *file)
{
	return server_log_has(s, t_text("%s was gone: made anew", file));
}

/* removed, made anew, told */
static void
taken(struct server *s, const char *folder, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		REQUIRE(unlink(t_text("%s/%s", folder, names[i])) == 0, "%s: %s", names[i], strerror(errno));
	for (int i = 0; names[i]; i++) {
		char *file = t_text("%s/%s", folder, names[i]);
		WAIT_FOR(has_line(s, file) && is_there(file), "%s is not made anew: %s", file, t_read_file(s->log));
	}
}

TEST(made_anew, "socket, registry, about, lock and the like are made anew in whichever folder, and do their work")
{
	static const char *const of_daemon[] = { "registry", "about", "lock", "http", NULL };
	static const char *const of_broker[] = { "ready", "about", "lock", NULL };
	static const char *const of_spool[] = { "identity", "clients", "lock", NULL };
	static const char *const of_store[] = { "store", "machines", "registry", "about", "lock", "shard-0/lock",
	    NULL };
	broker_start(&broker, "broker", 0, NULL);
	daemon_plan(&one, "one", broker.port);
	one.extra[0] = "--http";
	one.extra[1] = t_text("%s:0", t_ip());
	server_start(&one);
	use_daemon(&one);
	int id = talk_open("billing");
	talk_subscribe(id, "t");
	REQUIRE(unlink(t_text("%s/socket", one.run)) == 0, "socket: %s", strerror(errno));
	bye(talk_create());                            /* it waits */
	WAIT_FOR(has_line(&one, "socket"), "%s", t_read_file(one.log));
	taken(&one, one.run, of_daemon);
	taken(&broker, broker.run, of_broker);
	taken(&one, one.store, of_spool);
	taken(&broker, broker.store, of_store);
	REQUIRE(unlink(t_text("%s/shard-0/checkpoint", broker.store)) == 0, "check-point: %s", strerror(errno));
	WAIT_FOR(has_line(&broker, "shard-0/checkpoint"), "the check-point is not made anew: %s",
	    t_read_file(broker.log));
	struct ran r = run_command("exec '%s' %s %d --run '%s' --spool '%s'", t_bin("mom_daemon"), one.ip, broker.port,
	    one.run,
	    t_path("x"));
	REQUIRE(r.status == 111 && strstr(r.err, "in use"), "another daemon takes the folder: %d %s", r.status, r.err);
	say(id, "t", "hello");
	hear(id, "t", "hello");
	mom_close(id);
	/* the runner looks whether what the registries list is removed */
	server_kill_all(&one);
	server_kill_all(&broker);
	server_start(&broker);
	server_start(&one);
	id = talk_open("billing");
	say(id, "t", "again");
	hear(id, "t", "again");
	bye(id);
}

TEST(run_folder_gone, "a run folder that is gone is made anew: programs find the servers, clients go on")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "t");
	int bad = rename(one.run, t_path("away")) < 0 || rename(broker.run, t_path("away2")) < 0;
	REQUIRE(!bad, "rename: %s", strerror(errno));
	WAIT_FOR(is_there(t_text("%s/socket", one.run)), "%s", t_read_file(one.log));
	bye(talk_create());
	say(id, "t", "hello");
	hear(id, "t", "hello");
	WAIT_FOR(is_there(t_text("%s/ready", broker.run)), "%s", t_read_file(broker.log));
	struct ran r = run_command("'%s' stats '%s' && '%s' clients '%s'", t_bin("mom"), broker.run, t_bin("mom"),
	    one.run);
	REQUIRE(r.status == 0, "%s%s", r.out, r.err);
	r = run_command("rm -r '%s' '%s'", t_path("away"), t_path("away2"));
	REQUIRE(r.status == 0, "%s", r.err);
	bye(id);
}

/* ---- a store or spool that is gone ---- */

enum gone { MOVED, REPLACED };

static void
put_away(const char *path, enum gone how)
{
	REQUIRE(rename(path, t_path("away")) == 0, "rename: %s", strerror(errno));
	REQUIRE(how == MOVED || mkdir(path, 0700) == 0, "mkdir: %s", strerror(errno));
}

static void
bring_back(const char *path, enum gone how)
{
	REQUIRE(how == MOVED || rmdir(path) == 0, "rmdir: %s", strerror(errno));
	REQUIRE(rename(t_path("away"), path) == 0, "rename: %s", strerror(errno));
}

static void
store_away(enum gone how)
{
	up();
	int id = talk_create(), number = 0;
	talk_subscribe(id, "t");
	say(id, "t", t_text("%d", number++));
	put_away(broker.store, how);
	WAIT_FOR(server_log_has(&broker, "is gone, or another folder has its name"), "the broker does not notice");
	WAIT_FOR(proc_find(broker.pid, "worker", 0) == 0, "its worker goes on");
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 1500) == 0, "%s", mom_error_text(id));
	int r = mom_publish(id, "t", "1", 1, 0);
	REQUIRE(r == MOM_ETIMEDOUT, "publish without a store: %s", r ? mom_error_text(id) : "acknowledged");
	bring_back(broker.store, how);
	REQUIRE(mom_flush(id, 20000) == 0, "%s", mom_error_text(id));
	REQUIRE(server_log_has(&broker, "is back: all goes on"), "%s", t_read_file(broker.log));
	hear(id, "t", "0");
	hear(id, "t", "1");
	hear_nothing(id);
	bye(id);
}

#define NOTHING "nothing is acknowledged, the log says what to do, and all goes on when it is back"
TEST(store_moved, "the store is moved away under a broker: " NOTHING) { store_away(MOVED); }
TEST(store_replaced, "another folder has the store's name: " NOTHING) { store_away(REPLACED); }

static void
spool_away(enum gone how)
{
	static struct server two;
	up();
	daemon_start(&two, "two", broker.port);
	int ear = talk_create();
	talk_subscribe(ear, "t");
	use_daemon(&two);
	int mouth = talk_create();
	say(mouth, "t", "before");
	hear(ear, "t", "before");
	put_away(one.store, how);
	WAIT_FOR(server_log_has(&one, "is gone, or another folder has its name"), "the daemon does not notice");
	WAIT_FOR(proc_find(one.pid, "mom_forwarder", 0) == 0, "its forwarder goes on");
	say(mouth, "t", "after");
	use_daemon(&one);
	int r = mom_create();
	REQUIRE(r == MOM_EIO && strstr(mom_error_text(-1), "spool"), "create: %d %s", r, mom_error_text(-1));
	REQUIRE(mom_set_option(ear, MOM_OPT_TIMEOUT_MS, 300) == 0, "%s", mom_error_text(ear));
	r = mom_publish(ear, "t", "last", 4, 0);
	REQUIRE(r == MOM_ETIMEDOUT, "publish without a spool: %s", r ? mom_error_text(ear) : "acknowledged");
	hear_nothing(ear);
	bring_back(one.store, how);
	hear(ear, "t", "after");
	hear(ear, "t", "last");
	bye(talk_create());
	bye(mouth);
	bye(ear);
}

TEST(spool_moved, "the spool is moved away under a daemon: " NOTHING) { spool_away(MOVED); }
TEST(spool_replaced, "another folder has the spool's name: " NOTHING) { spool_away(REPLACED); }

TEST(store_deleted, "store and spool are deleted: nothing more is acknowledged, and both servers stop cleanly")
{
	up();
	int id = talk_create();
	say(id, "t", "hello");
	struct ran r = run_command("rm -rf '%s' '%s'", broker.store, one.store);
	REQUIRE(r.status == 0, "%s", r.err);
	WAIT_FOR(server_log_has(&broker, "is gone") && server_log_has(&one, "is gone"), "they do not notice");
	r = run_command("'%s' doctor -q '%s' '%s'", t_bin("mom"), broker.run, one.run);
	REQUIRE(r.status == 1 && strstr(r.out, t_text("FAIL store: %s", broker.store)), "%s%s", r.out, r.err);
	REQUIRE(strstr(r.out, t_text("FAIL spool: %s", one.store)), "%s%s", r.out, r.err);
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 300) == 0, "%s", mom_error_text(id));
	REQUIRE(mom_publish(id, "t", "1", 1, 0) == MOM_ETIMEDOUT, "%s", mom_error_text(id));
	server_stop(&one);
	server_stop(&broker);
}

TEST(segments_gone, "a segment is deleted: its shard acknowledges no more, its daemon takes no more")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "t");
	say(id, "t", "hello");
	hear(id, "t", "hello");
	struct ran r = run_command("rm '%s'/log-*", one.store);
	REQUIRE(r.status == 0, "%s", r.err);
	WAIT_FOR(server_log_has(&one, "the spool is off"), "the daemon does not notice: %s", t_read_file(one.log));
	server_stop(&one);
	server_start(&one);
	say(id, "t", "on");
	hear(id, "t", "on");
	r = run_command("rm '%s'/shard-0/log-*", broker.store);
	REQUIRE(r.status == 0, "%s", r.err);
	WAIT_FOR(server_log_has(&broker, "shard 0 is off"), "the broker does not notice: %s", t_read_file(broker.log));
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 300) == 0, "%s", mom_error_text(id));
	REQUIRE(mom_publish(id, "t", "1", 1, 0) == MOM_ETIMEDOUT, "%s", mom_error_text(id));
}

/* ---- where a daemon is sought ---- */

/* a /run with the folder of a login session, and with a /run/mom of somebody else's; 0: this needs root */
static int
own_run(const char *session)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/run", "tmpfs", 0, NULL) < 0) {
		t_remark("left out: a /run of its own needs root: %s", strerror(errno));
		return 0;
	}
	umask(022);
	int bad = mkdir("/run/user", 0755) < 0 || mkdir(session, 0700) < 0 || chown(session, SOMEBODY, SOMEBODY) < 0;
	REQUIRE(!bad && mkdir("/run/mom", 0755) == 0 && chown("/run/mom", 1, 1) == 0, "/run: %s", strerror(errno));
	return become_somebody();
}

/* each place, with what is wrong there */
static void
names_places(const char *text, const char *session, const char *why)
{
	REQUIRE(strstr(text, t_text("%s/mom%s", session, why)), "%s: %s", session, text);
	REQUIRE(strstr(text, t_text("/tmp/mom-%d: No such file or directory", SOMEBODY)), "/tmp: %s", text);
	const char *run = strstr(text, "/run/mom");
	REQUIRE(run && strstr(run, "belongs to another user and is not trusted"), "/run/mom: %s", text);
}

TEST(cron, "a login session's daemon is found without XDG_RUNTIME_DIR; who finds none is told each place and why (root "
    "only)")
{
	char *session = t_text("/run/user/%d", SOMEBODY);
	if (!own_run(session))
		return;
	broker_start(&broker, "broker", 0, NULL);
	daemon_plan(&one, "one", broker.port);
	const char *arguments[] = { one.ip, t_text("%d", broker.port), "--spool", one.store };
	memcpy(one.extra, arguments, sizeof arguments);
	one.bare = 1;
	one.run = t_text("%s/mom", session);
	setenv("XDG_RUNTIME_DIR", session, 1);
	server_start(&one);
	unsetenv("XDG_RUNTIME_DIR");
	bye(talk_create());
	struct ran r = run_command("'%s' doctor; '%s' clients", t_bin("mom"), t_bin("mom"));
	REQUIRE(r.status == 0 && strstr(r.out, t_text("find the daemon in %s/mom", session)), "%s%s", r.out, r.err);
	setenv("XDG_RUNTIME_DIR", t_path("of another"), 1);            /* as su leaves it */
	bye(talk_create());
	unsetenv("XDG_RUNTIME_DIR");
	server_stop(&one);
	int id = mom_create();
	REQUIRE(id == MOM_ENODAEMON, "%d", id);
	names_places(mom_error_text(-1), session, "/socket: No such file or directory");
	r = run_command("'%s' clients", t_bin("mom"));
	REQUIRE(r.status == 1, "%d", r.status);
	names_places(r.err, session, ": no server runs there");
	r = run_command("'%s' doctor -q", t_bin("mom"));
	names_places(r.out, session, ": no server runs there");
}

TEST(session_spool, "a user without a home, in a login session: its daemon starts, and tells where the spool is (root "
    "only)")
{
	char *session = t_text("/run/user/%d", SOMEBODY);
	if (!own_run(session))
		return;
	broker_start(&broker, "broker", 0, NULL);
	plan_without_spool(&one);
	one.run = t_text("%s/mom", session);
	one.extra[3] = one.run;
	setenv("HOME", "/", 1);
	unsetenv("XDG_STATE_HOME");
	server_start(&one);
	REQUIRE(server_log_has(&one, "set XDG_STATE_HOME"), "%s", t_read_file(one.log));
	REQUIRE(is_there(t_text("%s/spool/identity", one.run)), "%s", t_read_file(one.log));
	server_stop(&one);
	one.extra[3] = t_path("run");                   /* below /tmp it is refused */
	unlink(one.log);
	int status = server_run_to_end(&one);
	REQUIRE(status == 111 && server_log_has(&one, "name another with --spool"), "%d: %s", status,
	    t_read_file(one.log));
}
