/* config - configuration files, their order, SIGHUP and SIGUSR1 of running servers, how they log */
#include <lib/run.h>
#include <lib/proc.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct server broker, one, two;

/* a server that is told everything by DIR/broker.conf or DIR/daemon.conf */
static void
plan_bare(struct server *s, const char *name, int is_broker, const char *more)
{
	if (is_broker)
		broker_plan(s, name, 0, NULL);
	else
		daemon_plan(s, name, broker.port);
	s->bare = 1;
	t_write_file(t_path(is_broker ? "broker.conf" : "daemon.conf"),
	    t_text("%s %s %d\n%s %s\nrun %s\n%s", is_broker ? "listen" : "broker", s->ip, s->port,
	    is_broker ? "db" : "spool", s->store, s->run, more));
}

static void
reload(struct server *s, const char *path, const char *text)
{
	t_write_file(path, text);
	REQUIRE(kill(s->pid, SIGHUP) == 0, "kill");
}

TEST(no_arguments, "broker_server, mom_daemon and a program start without arguments and MOM_RUN where their files say "
    "where")
{
	plan_bare(&broker, "broker", 1, "");
	server_start(&broker);
	plan_bare(&one, "one", 0, "");
	server_start(&one);
	unsetenv("MOM_RUN");
	t_write_file(t_path("client.conf"), t_text("run %s\ntimeout 15s\n", one.run));
	int id = talk_create();
	talk_subscribe(id, "t");
	say(id, "t", "by files alone");
	hear(id, "t", "by files alone");
	bye(id);
	setenv("MOM_RUN", t_path("nowhere"), 1);
	REQUIRE(mom_create() == MOM_ENODAEMON, "MOM_RUN does not win over client.conf");
}

TEST(url, "MOM_URL says where the broker is, to both servers; an argument wins over it")
{
	broker_plan(&broker, "broker", 0, NULL);
	broker.bare = 1;
	setenv("MOM_URL", t_text("mom://%s:0", broker.ip), 1);
	setenv("MOM_BROKER_DB", broker.store, 1);
	setenv("MOM_BROKER_RUN", broker.run, 1);
	server_start(&broker);
	setenv("MOM_URL", t_text("mom://%s:%d", broker.ip, broker.port), 1);
	daemon_plan(&one, "one", broker.port);
	one.bare = 1;
	setenv("MOM_DAEMON_SPOOL", one.store, 1);
	setenv("MOM_RUN", one.run, 1);
	server_start(&one);
	bye(talk_create());
	setenv("MOM_URL", "mom://127.0.0.1:1", 1);
	daemon_start(&two, "two", broker.port);
	use_daemon(&two);
	bye(talk_create());
}

TEST(order, "flag, environment, file, default: the first of them that speaks counts, key by key; the start-up line "
    "says what holds")
{
	t_write_file(t_path("broker.conf"), "store-max 100m\ntopic-max 20m\nmachine-expiry 3h\nworkers 2\n");
	setenv("MOM_BROKER_TOPIC_MAX", "30m", 1);
	setenv("MOM_BROKER_MACHINE_EXPIRY", "4h", 1);
	broker_start(&broker, "broker", 0, "--machine-expiry 5h");
	REQUIRE(server_log_has(&broker, "limits: store-max 100m, topic-max 30m, machine-expiry 5h, max-message "
	    "1048576"), "%s", t_read_file(broker.log));
	REQUIRE(server_log_has(&broker, ", 2 workers") && server_log_has(&broker, "version "), "%s",
	    t_read_file(broker.log));
	struct ran r = run_command("'%s' config show broker", t_bin("mom"));
	REQUIRE(r.status == 0, "%d %s", r.status, r.err);
	const struct { const char *key, *value, *from; } rows[] = { { "store-max", "100m", t_path("broker.conf:1") },
	    { "topic-max", "30m", "environment MOM_BROKER_TOPIC_MAX" },
		{ "workers", "2", t_path("broker.conf:4") }, { "log-format", "text", "default" } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		REQUIRE(strstr(r.out, t_text("\n%-20s %-28s %s\n", rows[i].key, rows[i].value, rows[i].from)),
		    "%s in: %s", rows[i].key, r.out);
}

static void
refused_with(const char *flags, const char *text)
{
	struct ran r = run_command("'%s' 127.0.0.1 0 --db '%s' --run '%s' %s", t_bin("broker_server"), t_path("db"),
	    t_path("run"), flags);
	REQUIRE(r.status == 100 && strstr(r.err, text), "%s: %d %s", flags, r.status, r.err);
}

TEST(refused, "a start that is refused for its flags changes nothing in the store, and makes none; what holds is shown "
    "with the number that the store remembers")
{
	refused_with("--store-max 16m --max-message 4m", "--store-max is at least");
	REQUIRE(run_command("test -e '%s/store'", t_path("db")).status != 0, "a store is there");
	broker_start(&broker, "broker", 0, "--store-max 16m");
	server_stop(&broker);
	struct ran r = run_command("'%s' 127.0.0.1 0 --db '%s' --run '%s' --store-max 16m --max-message 4m",
	    t_bin("broker_server"), broker.store, t_path("run"));
	REQUIRE(r.status == 100 && strstr(r.err, "--store-max is at least 3"), "%d %s", r.status, r.err);
	server_start(&broker);
	r = run_command("unset MOM_CONFIG; MOM_RUN='%s' '%s' config show broker", broker.run, t_bin("mom"));
	REQUIRE(r.status == 0 && strstr(r.out, "\nmax-message          1048576"), "%s%s", r.out, r.err);
}

TEST(strange_variables, "a variable that is misspelt is told by mom config and mom doctor, with the one meant; "
    "those of other programs are not")
{
	struct ran r = run_command("MOM_BROKER_STORE_MAXX=1g MOM_TIMOUT=3s MOM_BROKER_ZZZ=1 MOM_KITCHEN=1 "
	    "MOM_RUN=/nowhere '%s' config show client", t_bin("mom"));
	REQUIRE(r.status == 0 && strstr(r.err, "MOM_BROKER_STORE_MAXX is no variable of ours; is it "
	    "MOM_BROKER_STORE_MAX?\n") && strstr(r.err, "MOM_TIMOUT is no variable of ours; is it MOM_TIMEOUT?\n") &&
	    strstr(r.err, "MOM_BROKER_ZZZ is no variable of ours\n") && !strstr(r.err, "KITCHEN") &&
	    !strstr(r.err, "MOM_RUN"), "%d: %s", r.status, r.err);
	r = run_command("MOM_BROKER_STORMAX=1g '%s' -t 127.0.0.1 1", t_bin("broker_server"));
	REQUIRE(r.status == 0 && strstr(r.err, "MOM_BROKER_STORMAX is no variable of ours"), "%d %s", r.status, r.err);
	r = run_command("MOM_TIMOUT=3s '%s' doctor", t_bin("mom"));
	REQUIRE(strstr(r.out, "MOM_TIMOUT is no variable of ours; is it MOM_TIMEOUT?"), "%s%s", r.out, r.err);
}

/* What `mom config show` says of a key of the broker that runs. */
static void
shows(const char *key, const char *rest)
{
	struct ran r = run_command("unset MOM_CONFIG; MOM_RUN='%s' '%s' config show broker", broker.run, t_bin("mom"));
	REQUIRE(r.status == 0 && strstr(r.out, t_text("# broker_server, pid %d, run folder %s: what holds in it\n",
	    (int)broker.pid, broker.run)), "%d: %s%s", r.status, r.out, r.err);
	REQUIRE(strstr(r.out, t_text("\n%-20s %s\n", key, rest)), "%s %s in: %s", key, rest, r.out);
}

TEST(in_force, "mom config show says what holds in a server that runs, with its flags, and what a file says by now "
    "instead; after SIGHUP that holds")
{
	char *file = t_path("broker.conf");
	t_write_file(file, "store-max 100m\nworkers 2\nmachine-expiry 3h\n");
	broker_start(&broker, "broker", 0, "--machine-expiry 5h");
	shows("machine-expiry", t_text("%-28s flag", "5h"));
	shows("store-max", t_text("%-28s %s:1", "100m", file));
	t_write_file(file, "# later\nstore-max 200m\nworkers 3\nmachine-expiry 4h\ntopic-max 9m\n");
	shows("machine-expiry", t_text("%-28s flag", "5h"));
	shows("store-max", t_text("%-28s %s:1; %s:2 says 200m: SIGHUP takes it", "100m", file, file));
	shows("workers", t_text("%-28s %s:2; %s:3 says 3: a restart takes it", "2", file, file));
	shows("topic-max", t_text("%-28s default; %s:5 says 9m: SIGHUP takes it", "0", file));
	kill(broker.pid, SIGHUP);
	WAIT_FOR(strstr(run_command("unset MOM_CONFIG; MOM_RUN='%s' '%s' config show broker", broker.run,
	    t_bin("mom")).out, t_text("%-20s %-28s %s:2\n", "store-max", "200m", file)), "SIGHUP is not shown");
	shows("topic-max", t_text("%-28s %s:5", "9m", file));
	shows("workers", t_text("%-28s %s:2; %s:3 says 3: a restart takes it", "2", file, file));
	server_stop(&broker);
	REQUIRE(access(t_text("%s/settings", broker.run), F_OK) < 0, "settings is left behind");
}

TEST(files, "the user's file wins over the system's; -c names one instead, or a folder; one that is named and not "
    "there is an error")
{
	unsetenv("MOM_CONFIG");
	setenv("XDG_CONFIG_HOME", t_path("xdg"), 1);
	REQUIRE(mkdir(t_path("xdg"), 0755) == 0 && mkdir(t_path("xdg/mom"), 0755) == 0, "mkdir");
	t_write_file(t_path("xdg/mom/broker.conf"), "workers 5\n");
	t_write_file(t_path("other.conf"), "workers 6\n");
	struct ran r = run_command("'%s' config show broker; HOME=/nowhere '%s' 127.0.0.1 0 -t", t_bin("mom"),
	    t_bin("broker_server"));
	REQUIRE(r.status == 0 && strstr(r.out, t_text("workers              5                            %s:1\n",
	    t_path("xdg/mom/broker.conf"))), "%s%s", r.out, r.err);
	REQUIRE(strstr(r.out, t_text("broker_server: %s is right\n", t_path("xdg/mom/broker.conf"))), "%s%s", r.out,
	    r.err);
	r = run_command("MOM_CONFIG='%s' '%s' config show broker", t_path("other.conf"), t_bin("mom"));
	REQUIRE(r.status == 0 && strstr(r.out, "workers              6 "), "%s%s", r.out, r.err);
	r = run_command("'%s' 127.0.0.1 0 -t -c '%s'", t_bin("broker_server"), t_path("xdg/mom"));
	REQUIRE(r.status == 0 && strstr(r.out, "xdg/mom/broker.conf is right"), "%s%s", r.out, r.err);
	r = run_command("'%s' 127.0.0.1 0 -t -c '%s'", t_bin("broker_server"), t_path("none.conf"));
	REQUIRE(r.status == 100 && strstr(r.err, "none.conf: No such file"), "%d %s%s", r.status, r.out, r.err);
}

TEST(system_file, "what the user's file does not say the system's says, in /etc/mom, for servers and programs; what "
    "both say the user's says (root only)")
{
	char *etc = t_path("etc"), *user = t_path("xdg/mom");
	unsetenv("MOM_CONFIG");
	setenv("XDG_CONFIG_HOME", t_path("xdg"), 1);
	REQUIRE(mkdir(etc, 0755) == 0 && mkdir(t_path("etc/mom"), 0755) == 0 && mkdir(t_path("xdg"), 0755) == 0 &&
	    mkdir(user, 0755) == 0, "mkdir");
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(etc, "/etc", NULL, MS_BIND, NULL) < 0) {
		t_remark("left out: an /etc of its own needs root: %s", strerror(errno));
		return;
	}
	t_write_file("/etc/mom/broker.conf", "workers 2\nstore-max 64m\n");
	t_write_file("/etc/mom/client.conf", "timeout 3s\nwindow 5000\n");
	t_write_file(t_path("xdg/mom/broker.conf"), "workers 5\n");
	t_write_file(t_path("xdg/mom/client.conf"), "timeout 4s\n");
	struct ran r = run_command("'%s' config show broker; '%s' config show client", t_bin("mom"), t_bin("mom"));
	static const struct { const char *key, *value, *file; int is_user,
	    line; } holds[] = { { "workers", "5", "broker.conf", 1, 1 },
		{ "store-max", "64m", "broker.conf", 0, 2 }, { "timeout", "4s", "client.conf", 1, 1 },
		    { "window", "5000", "client.conf", 0, 2 } };
	for (size_t i = 0; i < sizeof holds / sizeof *holds; i++)
		CHECK(strstr(r.out, t_text("%-20s %-28s %s/%s:%d\n", holds[i].key, holds[i].value,
		    holds[i].is_user ? user : "/etc/mom", holds[i].file, holds[i].line)),
		    "%s: %s%s", holds[i].key, r.out, r.err);
}

TEST(wrong, "a mistake in a file or a variable ends the start with exit 100, file and line, and a cure; -t and mom "
    "config test say the same")
{
	t_write_file(t_path("broker.conf"), "# mine\nworkers many\n\nstore-max 5\n");
	t_write_file(t_path("daemon.conf"), "spoool x\n");
	struct ran r = run_command("'%s' 127.0.0.1 0", t_bin("broker_server"));
	REQUIRE(r.status == 100 && strstr(r.err, t_path("broker.conf:2: workers takes a number from 1 to 64, not: "
	    "many; see broker_server --help")), "%d %s", r.status, r.err);
	r = run_command("'%s' 127.0.0.1 0 -t", t_bin("broker_server"));
	REQUIRE(r.status == 100 && strstr(r.err, "broker.conf:2: "), "%d %s", r.status, r.err);
	r = run_command("'%s' config test broker", t_bin("mom"));
	REQUIRE(r.status == 1 && strstr(r.err, "broker.conf:2: ") && strstr(r.err, "broker.conf:4: store-max takes a "
	    "number of bytes of at least 16m, or 0 (k, m, g may stand behind it), not: 5"), "%d %s", r.status, r.err);
	r = run_command("'%s' config test '%s'", t_bin("mom"), t_path("daemon.conf"));
	REQUIRE(r.status == 1 && strstr(r.err, "daemon.conf:1: there is no key spoool; is it spool?"), "%d %s",
	    r.status, r.err);
	unlink(t_path("broker.conf"));
	r = run_command("MOM_BROKER_WORKERS=0 '%s' 127.0.0.1 0", t_bin("broker_server"));
	REQUIRE(r.status == 100 && strstr(r.err, "MOM_BROKER_WORKERS in the environment takes a number"), "%d %s",
	    r.status, r.err);
	r = run_command("MOM_LOG=loud '%s' 127.0.0.1 0", t_bin("broker_server"));
	REQUIRE(r.status == 100 && strstr(r.err, "MOM_LOG"), "%d %s", r.status, r.err);
	r = run_command("'%s' -t", t_bin("mom_daemon"));
	REQUIRE(r.status == 100, "%d %s", r.status, r.err);
	unlink(t_path("daemon.conf"));
	r = run_command("'%s' -t", t_bin("mom_daemon"));
	REQUIRE(r.status == 0, "%d %s", r.status, r.err);
	r = run_command("'%s'", t_bin("broker_server"));
	REQUIRE(r.status == 100 && strstr(r.err, "HOST and PORT are needed, and nothing else"), "%d %s", r.status,
	    r.err);
	r = run_command("MOM_URL=mom://10.1.2.3:80 '%s' -t", t_bin("broker_server"));
	REQUIRE(r.status == 100 && strstr(r.err, "--insecure"), "%d %s", r.status, r.err);
}

TEST(client_file, "a wrong client.conf is MOM_EINVAL with file and line; mended, the next create takes it: timeout and "
    "window count")
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	t_write_file(t_path("client.conf"), "timeout 200ms\nwindow 1\n");
	REQUIRE(mom_create() == MOM_EINVAL && strstr(mom_error_text(-1), t_path("client.conf:2: window takes")), "%s",
	    mom_error_text(-1));
	t_write_file(t_path("client.conf"), "timeout 200ms\n");
	chmod(t_path("client.conf"), 0666);
	REQUIRE(mom_open("name") == MOM_EINVAL && strstr(mom_error_text(-1), "chmod go-w"), "%s", mom_error_text(-1));
	chmod(t_path("client.conf"), 0600);
	int id = talk_create_hasty();
	server_freeze(&broker);
	int64_t began = t_now_ms();
	REQUIRE(mom_publish(id, "t", "x", 1, 0) == MOM_ETIMEDOUT, "%s", mom_error_text(id));
	REQUIRE(t_now_ms() - began < 15000, "the timeout of client.conf does not count");
	server_thaw(&broker);
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 20000) == 0, "%s", mom_error_text(id));
	bye(id);
}

TEST(client_order, "MOM_TIMEOUT wins over client.conf")
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	t_write_file(t_path("client.conf"), "timeout 15s\n");
	setenv("MOM_TIMEOUT", "200ms", 1);
	int id = talk_create_hasty();
	server_freeze(&broker);
	int64_t began = t_now_ms();
	REQUIRE(mom_publish(id, "t", "x", 1, 0) == MOM_ETIMEDOUT, "%s", mom_error_text(id));
	REQUIRE(t_now_ms() - began < 14000, "client.conf counts");
	server_thaw(&broker);
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 20000) == 0, "%s", mom_error_text(id));
	bye(id);
}

/* until publishes are refused; how many were taken */
static int
fill(int id, int most)
{
	static char block[65536];
	int n = 0, r = 0;
	while (n < most && (r = mom_publish(id, "full", block, sizeof block, MOM_FAST)) == 0)
		n++;
	REQUIRE(r == 0 || r == MOM_EFULL, "%s", mom_error_text(id));
	return n;
}

TEST(sighup, "SIGHUP: a new limit counts at once, the log says it; what needs a restart is told and stays; a wrong "
    "file changes nothing")
{
	struct mom_message m;
	plan_bare(&broker, "broker", 1, "");
	char *before = t_read_file(t_path("broker.conf"));
	server_start(&broker);
	daemon_start(&one, "one", broker.port);
	daemon_start(&two, "two", broker.port);
	use_daemon(&two);
	int ear = talk_create();
	talk_subscribe(ear, "full");
	use_daemon(&one);
	int id = talk_create();
	server_freeze(&two);
	REQUIRE(fill(id, 100) == 100, "full without a limit");
	reload(&broker, t_path("broker.conf"), t_text("%stopic-max 8m\nworkers 3\n", before));
	WAIT_FOR(server_log_has(&broker, t_text("SIGHUP: topic-max is 8m now (%s), it was 0", t_path("broker.conf:4"))),
	    "no word of topic-max");
	WAIT_FOR(server_log_has(&broker, t_text("SIGHUP: workers is to be 3 (%s), it stays 1: that needs a restart",
	    t_path("broker.conf:5"))), "no word of workers");
	int n = fill(id, 1000);
	REQUIRE(n < 100, "%d more were taken", n);
	reload(&broker, t_path("broker.conf"), t_text("%stopic-max 80m\ntopic-max 9m\n", before));
	WAIT_FOR(server_log_has(&broker, t_text("error: SIGHUP: %s: topic-max stands in line 4 already: keep one of "
	    "them: all stays as it was", t_path("broker.conf:5"))),
	    "%s", t_read_file(broker.log));
	REQUIRE(fill(id, 1) == 0, "the wrong file counted");
	reload(&broker, t_path("broker.conf"), before);
	WAIT_FOR(server_log_has(&broker, "SIGHUP: topic-max is 0 now (default), it was 8m"), "%s",
	    t_read_file(broker.log));
	REQUIRE(fill(id, 1) == 1, "full without a limit again");
	server_thaw(&two);
	for (int i = 0; i < 100 + n + 1; i++)
		REQUIRE(mom_receive(ear, &m, 20000) == 0, "%d: %s", i, mom_error_text(ear));
	bye(id);
	bye(ear);
}

/* a client that is behind: mom_forwarder, a child, tells of it with -v */
static void
fall_behind(int id, int ear, const char *until)
{
	static char block[65536];
	struct mom_message m;
	for (int i = 0; i < 100; i++)
		REQUIRE(mom_publish(id, "t", block, sizeof block, MOM_FAST) == 0, "%s", mom_error_text(id));
	WAIT_FOR(until == NULL || server_log_has(&one, until), "%s", t_read_file(one.log));
	for (int i = 0; i < 100; i++)
		REQUIRE(mom_receive(ear, &m, 20000) == 0, "%d: %s", i, mom_error_text(ear));
}

TEST(log_level, "SIGHUP changes the log level of a running child, too")
{
	broker_start(&broker, "broker", 0, NULL);
	plan_bare(&one, "one", 0, "");
	char *before = t_read_file(t_path("daemon.conf"));
	server_start(&one);
	use_daemon(&one);
	int id = talk_create(), ear = talk_create();
	talk_subscribe(ear, "t");
	fall_behind(id, ear, NULL);
	REQUIRE(!server_log_has(&one, "debug: "), "%s", t_read_file(one.log));
	reload(&one, t_path("daemon.conf"), t_text("%slog-level debug\n", before));
	WAIT_FOR(server_log_has(&one, "SIGHUP: log-level is debug now"), "%s", t_read_file(one.log));
	fall_behind(id, ear, "is behind: spool from");
	REQUIRE(server_log_has(&one, " mom_forwarder["), "%s", t_read_file(one.log));
	bye(id);
	bye(ear);
}

TEST(rotation, "SIGUSR1 opens the log file anew in the server and its children: after a rotation nothing goes to the "
    "old one")
{
	char *log = t_path("broker/own.log"), *old = t_path("broker/own.1.log");
	broker_start(&broker, "broker", 0, t_text("--log-file %s", log));
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	bye(talk_create());
	REQUIRE(strstr(t_read_file(log), "serves ") && !server_log_has(&broker, "serves "), "%s", t_read_file(log));
	pid_t handler = server_child(&broker, "broker_handler");
	REQUIRE(rename(log, old) == 0 && kill(broker.pid, SIGUSR1) == 0, "rename");
	WAIT_FOR(strstr(t_read_file(log), "SIGUSR1: logs to "), "%s", t_read_file(old));
	server_stop(&one);
	WAIT_FOR(strstr(t_read_file(log), t_text("broker_handler[%d]: info: ", (int)handler)),
	    "the child's line is in the old file: %s", t_read_file(old));
	REQUIRE(strstr(t_read_file(old), "the machine closed") == NULL && strstr(t_read_file(old), "SIGUSR1") == NULL,
	    "%s", t_read_file(old));
	WAIT_FOR(!proc_lives(handler), "the handler");
}

TEST(signals, "a hundred SIGUSR1 and SIGHUP while children come and go end none of them")
{
	broker_start(&broker, "broker", 0, t_text("--log-file %s", t_path("broker/own.log")));
	for (int i = 0; i < 100; i++) {
		if (i % 20 == 0) {
			if (one.pid)
				server_stop(&one);
			daemon_start(&one, "one", broker.port);
		}
		kill(broker.pid, i % 3 ? SIGUSR1 : SIGHUP);
		t_sleep_ms(2);                  /* the signals are what is tested: they shall fall into forks */
	}
	use_daemon(&one);
	bye(talk_create());
	const char *text = t_read_file(t_path("broker/own.log"));
	REQUIRE(strstr(text, "signal 10") == NULL && strstr(text, "started again") == NULL, "%s", text);
}

/* ---- JSON ---- */

static const char *
json_text(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p == '\\' && *++p == 'u') {
			for (int i = 1; i <= 4; i++)
				if (!isxdigit((unsigned char)p[i]))
					return NULL;
			p += 4;
		} else if (p[-1] == '\\' && !strchr("\"\\/bfnrt", *p))
			return NULL;
	}
	return p + 1;
}

/* an object with texts and numbers */
static int
is_json(const char *p)
{
	if (*p++ != '{')
		return 0;
	for (;; p++) {
		if ((p = json_text(p)) == NULL || *p++ != ':')
			return 0;
		if (isdigit((unsigned char)*p))
			p += strspn(p, "0123456789");
		else if ((p = json_text(p)) == NULL)
			return 0;
		if (*p != ',')
			return p[0] == '}' && p[1] == '\0';
	}
}

TEST(json, "--log-format json: each line of the server and its children is an object with time, level, role, pid and "
    "text")
{
	int lines = 0, children = 0;
	broker_start(&broker, "broker", 0, "--log-format json");
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	bye(talk_create());
	server_stop(&one);
	WAIT_FOR(server_log_has(&broker, "\"role\":\"broker_handler\""), "no line of a handler");
	char *text = t_read_file(broker.log), *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line && *rest; line = strtok_r(NULL, "\n", &rest), lines++) {
		REQUIRE(is_json(line), "%s", line);
		REQUIRE(strncmp(line, "{\"time\":\"20", 11) == 0 && strstr(line, "Z\",\"level\":\"") &&
		    strstr(line, ",\"pid\":") && strstr(line, ",\"text\":\""), "%s", line);
		children += strstr(line, "\"role\":\"broker_server\"") == NULL;
	}
	REQUIRE(lines > 3 && children > 0, "%d lines, %d of children", lines, children);
}

TEST(journal, "where stderr is the journal lines have its priorities and no time; elsewhere they have the time, notime "
    "takes it away")
{
	struct stat st;
	broker_plan(&broker, "broker", 0, NULL);
	t_write_file(broker.log, "");
	REQUIRE(stat(broker.log, &st) == 0, "stat");
	setenv("JOURNAL_STREAM", t_text("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino), 1);
	server_start(&broker);
	REQUIRE(strncmp(t_read_file(broker.log), "<6>broker_server[", 17) == 0 &&
	    server_log_has(&broker, "\n<7>worker["), "%s", t_read_file(broker.log));
	daemon_start(&one, "one", broker.port);
	REQUIRE(strncmp(t_read_file(one.log), "20", 2) == 0 && server_log_has(&one, "Z mom_daemon["), "%s",
	    t_read_file(one.log));
	setenv("MOM_LOG", "info,notime", 1);
	daemon_start(&two, "two", broker.port);
	REQUIRE(strncmp(t_read_file(two.log), "mom_daemon[", 11) == 0, "%s", t_read_file(two.log));
}

TEST(setuid, "a program with more rights than who started it takes neither MOM_RUN nor MOM_CONFIG from the environment "
    "(root only)")
{
	char *copy = t_path("user_main"), *evil = t_path("evil.conf");
	if (geteuid() != 0) {
		t_remark("left out: it needs root");
		return;
	}
	t_write_file(evil, "nonsense\n");
	struct ran r = run_command("cp '%s' '%s' && chown 54321 '%s' && chmod 4755 '%s' && chmod 755 '%s'",
	    t_bin("user_main"), copy, copy, copy, t_dir());
	REQUIRE(r.status == 0, "%s", r.err);
	r = run_command("MOM_CONFIG='%s' '%s' H", evil, t_bin("user_main"));
	REQUIRE(r.status != 0 && strstr(t_text("%s%s", r.out, r.err), "evil.conf:1"),
	    "the file is not read at all: %s%s", r.out, r.err);
	r = run_command("MOM_CONFIG='%s' MOM_RUN='%s/wherever' XDG_RUNTIME_DIR='%s' '%s' 'P news x'", evil, t_dir(),
	    t_dir(), copy);
	char *said = t_text("%s%s", r.out, r.err);
	if (strstr(said, "evil.conf") && strstr(t_read_file("/proc/self/mounts"), "nosuid")) {
		t_remark("left out: setuid programs do not count on this file system");
		return;
	}
	REQUIRE(strstr(said, "no mom_daemon runs here") && !strstr(said, "evil.conf") && !strstr(said, t_dir()),
	    "%d: %s", r.status, said);
}
