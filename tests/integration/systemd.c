/* systemd - the service manager is told what it wants to know; the test plays its part: a socket that NOTIFY_SOCKET
 * names */
#include <lib/coordinators.h>
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct server broker, one;
static int manager = -1;
static char heard[65536];                      /* all that came, a datagram after the other */

/* a path, or @name */
static void
manager_listen(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	REQUIRE(len < sizeof a.sun_path, "%s", name);
	memcpy(a.sun_path, name, len);
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	REQUIRE(manager >= 0 && bind(manager, (struct sockaddr *)&a,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0, "bind(%s): %s", name,
	    strerror(errno));
}

static int
has_heard(const char *words)
{
	size_t n = strlen(heard);
	for (ssize_t r; (r = recv(manager, heard + n, sizeof heard - n - 2, 0)) > 0; heard[n++] = '|')
		n += (size_t)r;
	heard[n] = '\0';
	return strstr(heard, words) != NULL;
}

static int
pings(void)
{
	int n = 0;
	has_heard("");
	for (const char *p = heard; (p = strstr(p, "WATCHDOG=1")) != NULL; p++)
		n++;
	return n;
}

static char *
environment(pid_t pid)
{
	FILE *f = fopen(t_text("/proc/%d/environ", (int)pid), "r");
	char *text = calloc(1, 65536);
	size_t n = f ? fread(text, 1, 65535, f) : 0;
	if (f)
		fclose(f);
	for (size_t i = 0; i + 1 < n; i++)
		if (text[i] == '\0')
			text[i] = '\n';
	return text;
}

TEST(broker, "the broker says READY when it serves, pings twice in each WatchdogSec, tells how many machines are "
    "there, says STOPPING; its children are silent")
{
	char *name = t_path("notify");
	manager_listen(name);
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "600000", 1);
	broker_start(&broker, "broker", 0, NULL);
	WAIT_FOR(has_heard("READY=1\n"), "heard %s", heard);
	REQUIRE(strncmp(heard, "READY=1", 7) == 0, "something came before it: %s", heard);
	int before = pings();
	int64_t began = t_now_ms();
	WAIT_FOR(pings() >= before + 5, "heard %s", heard);
	REQUIRE(t_now_ms() - began > 1000, "5 pings in %lld ms: 0.3 s apart is what was asked for",
	    (long long)(t_now_ms() - began));
	char *env = environment(server_child(&broker, "worker"));
	REQUIRE(strstr(env, "MOM_CHILD=") && strstr(env, "NOTIFY_SOCKET=") == NULL &&
	    strstr(env, "WATCHDOG_USEC=") == NULL, "a child's environment: %s", env);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	daemon_start(&one, "one", broker.port);
	WAIT_FOR(has_heard("1 machine connected\n"), "heard %s", heard);
	REQUIRE(!has_heard("STOPPING=1"), "heard %s", heard);
	server_stop(&one);
	server_stop(&broker);
	REQUIRE(has_heard("STOPPING=1\n"), "heard %s", heard);
}

TEST(daemon, "the daemon says READY, also while its broker is away, in the abstract name space too, and its status "
    "says whether it is connected")
{
	char *name = t_text("@mom-test-%d", (int)getpid());
	broker_plan(&broker, "broker", 0, NULL);
	server_start(&broker);
	server_stop(&broker);
	manager_listen(name);
	setenv("NOTIFY_SOCKET", name, 1);
	daemon_start(&one, "one", broker.port);
	unsetenv("NOTIFY_SOCKET");
	WAIT_FOR(has_heard("READY=1\n"), "heard %s", heard);
	WAIT_FOR(has_heard("STATUS=waits for broker"), "heard %s", heard);
	REQUIRE(pings() == 0, "no watchdog was asked for: %s", heard);
	server_start(&broker);
	WAIT_FOR(has_heard("STATUS=connected to broker"), "heard %s", heard);
	use_daemon(&one);
	int id = talk_create();
	WAIT_FOR(has_heard(", 1 program\n"), "heard %s", heard);
	bye(id);
	server_stop(&one);
	REQUIRE(has_heard("STOPPING=1\n"), "heard %s", heard);
}

TEST(coordinator, "a coordinator says READY when its share is held, so that a restart of one after the other loses "
    "nothing, and STOPPING when it ends")
{
	char *name = t_path("notify");
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	manager_listen(name);
	setenv("NOTIFY_SOCKET", name, 1);
	coordinator_begin(0, &one);
	WAIT_FOR(has_heard("READY=1\n"), "heard %s", heard);
	struct ran r = run_command("'%s' --list", t_bin("mom_coordinator"));
	REQUIRE(r.status == 0, "it was ready before it held each group: %s%s", r.out, r.err);
	REQUIRE(!has_heard("STOPPING=1"), "heard %s", heard);
	coordinator_stop(0);
	REQUIRE(has_heard("STOPPING=1\n"), "heard %s", heard);
}

TEST(hangs, "a broker_server that does not go on pings no more: the manager would restart it")
{
	char *name = t_path("notify");
	manager_listen(name);
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "100000", 1);
	broker_start(&broker, "broker", 0, NULL);
	WAIT_FOR(pings() > 2, "heard %s", heard);
	server_freeze(&broker);
	int before = pings();
	t_sleep_ms(400);
	int after = pings();
	server_thaw(&broker);
	REQUIRE(after == before, "%d pings of a stopped process", after - before);
	WAIT_FOR(pings() > after, "no ping after it went on");
}

TEST(manager_away, "a socket that is not there yet, or a name that is none, stops no server; READY comes once the "
    "manager listens")
{
	char *name = t_path("late");
	setenv("NOTIFY_SOCKET", name, 1);
	broker_start(&broker, "broker", 0, NULL);
	manager_listen(name);
	WAIT_FOR(has_heard("READY=1\n"), "heard %s", heard);
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	daemon_start(&one, "one", broker.port);
	REQUIRE(server_log_has(&one, "NOTIFY_SOCKET is vsock:2:1234"), "the daemon did not warn");
}

TEST(units, "the units are what systemd expects of units")
{
	if (run_command("systemd-analyze --version").status != 0) {
		t_remark("left out: there is no systemd-analyze");
		return;
	}
	static const char *const units[] = { "mom-broker", "mom-daemon", "mom-coordinator@" };
	for (int i = 0; i < 3; i++) {
		char *fill = t_text("sed 's|@S*BINDIR@|/bin|; s|/bin/[a-z_]* |/bin/true |' "
		    "'%s/src/tools/systemd/%s.service' >'%s/%s.service'", SOURCE, units[i], t_dir(), units[i]);
		REQUIRE(run_command("%s", fill).status == 0, "sed");
		/* manual pages may not be installed here */
		struct ran r = run_command("systemd-analyze verify '%s/%s.service' 2>&1 | grep '^[^ ]*%s\\.service:' | "
		    "grep -v \"Command 'man \"", t_dir(), units[i], units[i]);
		REQUIRE(r.out[0] == '\0', "%s", r.out);
	}
}

static int
remove_all(struct server *s)
{
	enum { MOST = 256 };
	static struct sysv_object all[MOST];
	int n = sysv_registry(server_registry(s), all, MOST), count = 0;
	for (int i = 0; i < n; i++)
		count += all[i].id >= 0 && sysv_exists(&all[i]) && sysv_remove(&all[i]) == 0;
	return count;
}

TEST(logout, "when logind removes all System V objects of the user at once, daemon and programs that run go on, and "
    "new programs come in")
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	talk_subscribe(id, "news");
	for (int round = 0; round < 2; round++) {
		/* table, unit, two queues, segment, semaphore; later what was made anew: table and segment live on for
		 * those who have them */
		int gone = remove_all(&one);
		REQUIRE(gone >= (round ? 2 : 6), "round %d: only %d objects in the registry", round, gone);
		say(id, "news", "still there");
		hear(id, "news", "still there");
		int other = talk_create();
		talk_subscribe(other, "news");
		say(other, "news", "hello");
		hear(other, "news", "hello");
		hear(id, "news", "hello");
		bye(other);
	}
	/* its successor still finds the program's segment: Linux lets it attach what somebody has */
	server_kill(&one);
	server_start(&one);
	say(id, "news", "after all that");
	hear(id, "news", "after all that");
	bye(id);
}
