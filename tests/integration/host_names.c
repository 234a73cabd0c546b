/* host_names - a broker that is known by its host's name: each of the name's addresses is tried, and it is asked for
 * anew where the broker has moved; who knows the addresses may be slow, or know none */
#include <arpa/inet.h>
#include <errno.h>
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/shim.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server broker, one;

/* from now on the name leads to these addresses; "": the answer takes until there are some */
static void
name_leads_to(const char *addresses)
{
	t_write_file(t_path("hosts.new"), t_text("broker.test %s\n", addresses));
	REQUIRE(rename(t_path("hosts.new"), t_path("hosts")) == 0, "rename: %s", strerror(errno));
}

/* a daemon that knows its broker by that name, whether the broker runs or not */
static void
daemon_by_name(const char *name, int port)
{
	shim_host_names(t_path("hosts"));
	daemon_plan(&one, "one", port);
	snprintf(one.ip, sizeof one.ip, "%s", name);
	server_start(&one);
	use_daemon(&one);
}

/* its name leads to where nobody listens, then to the broker */
static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	name_leads_to(t_text("127.9.9.9 ::1 %s", broker.ip));
	daemon_by_name("broker.test", broker.port);
}

TEST(moved, "a daemon that knows its broker's name tries all addresses of it, and finds the broker again at another "
    "address")
{
	up();
	int id = talk_open("durable");
	talk_subscribe(id, "t");
	say(id, "t", "here");
	hear(id, "t", "here");
	server_stop(&broker);
	REQUIRE(mom_publish(id, "t", "moves", 5, MOM_ASYNC) == 0, "%s", mom_error_text(id));
	name_leads_to("127.9.9.8");
	snprintf(broker.ip, sizeof broker.ip, "127.9.9.8");
	server_start(&broker);
	hear(id, "t", "moves");
	bye(id);
}

TEST(another, "where somebody else answers at the name's first address, the next one is tried")
{
	broker_start(&broker, "broker", 0, NULL);
	name_leads_to(t_text("127.9.9.7 %s", broker.ip));
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)broker.port) };
	inet_pton(AF_INET, "127.9.9.7", &at.sin_addr);
	int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one_more = 1;
	setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &one_more, sizeof one_more);
	REQUIRE(bind(other, (struct sockaddr *)&at, sizeof at) == 0 && listen(other, 8) == 0, "%s", strerror(errno));
	daemon_by_name("broker.test", broker.port);
	int caller = accept(other, NULL, NULL);
	REQUIRE(caller >= 0 && close(caller) == 0, "accept: %s", strerror(errno));
	bye(talk_create());
	close(other);
}

TEST(slow, "while nobody answers for the name, programs publish; once there is an answer, all of it comes")
{
	up();
	int id = talk_create(), other = talk_create();
	talk_subscribe(id, "t");
	name_leads_to("");
	server_stop(&broker);
	server_child(&one, "mom_daemon");              /* it asks */
	REQUIRE(mom_publish(other, "t", "waits", 5, MOM_ASYNC) == 0, "%s", mom_error_text(other));
	server_start(&broker);
	name_leads_to(broker.ip);
	hear(id, "t", "waits");
	bye(other);
	bye(id);
}

/* A fork of mom_daemon that has nothing of it attached but the counters, which say nothing of who lives. */
static int
is_asking(pid_t *pid)
{
	*pid = proc_find(one.pid, "mom_daemon", 0);
	return *pid && run_command("grep -q 'bin/mom_daemon' /proc/%d/maps && [ $(grep -c /SYSV /proc/%d/maps) -lt 2 ]",
	    (int)*pid, (int)*pid).status == 0;
}

TEST(stop, "a daemon that is stopped, or killed, while it waits for its broker's address leaves no process behind")
{
	name_leads_to("");
	daemon_by_name("broker.test", 1);
	pid_t asks = 0;
	WAIT_FOR(is_asking(&asks), "nobody asks, or what it inherited stays in use");
	server_kill(&one);
	WAIT_FOR(!proc_lives(asks), "process %d still asks", (int)asks);
	server_start(&one);
	WAIT_FOR(is_asking(&asks), "nobody asks");
	server_stop(&one);
	REQUIRE(!proc_lives(asks), "process %d still asks", (int)asks);
}

TEST(unknown, "a name that nobody knows is told to the programs, with what to look at")
{
	name_leads_to("127.0.0.1");
	daemon_by_name("borker.test", 1);
	WAIT_FOR(server_log_has(&one, "broker borker.test port 1: Name or service not known: is the name right? see "
	    "`getent hosts`"), "%s", t_read_file(one.log));
	setenv("MOM_TIMEOUT", "1s", 1);
	int id = mom_create();
	REQUIRE(id == MOM_ETIMEDOUT && strstr(mom_error_text(-1), "borker.test"), "%d: %s", id, mom_error_text(-1));
	struct ran r = run_command("'%s' doctor '%s'", t_bin("mom"), one.run);
	REQUIRE(strstr(r.out, "does not reach its broker borker.test 1: Name or service not known"), "%s", r.out);
}

TEST(listens, "a broker listens on the first address of its name that this machine has; it refuses one that others "
    "reach but with --insecure")
{
	shim_host_names(t_path("hosts"));
	name_leads_to("192.0.2.1 127.0.0.1");
	broker_plan(&broker, "broker", 0, "--insecure");
	snprintf(broker.ip, sizeof broker.ip, "broker.test");
	server_start(&broker);
	daemon_start(&one, "one", broker.port);
	server_stop(&one);
	server_stop(&broker);
	broker_plan(&broker, "broker", 0, NULL);
	snprintf(broker.ip, sizeof broker.ip, "broker.test");
	int status = server_run_to_end(&broker);
	REQUIRE(status == 100 && server_log_has(&broker, "needs --insecure"), "%d: %s", status,
	    t_read_file(broker.log));
}

TEST(bad, "what is neither an address nor a name is refused at once")
{
	static const char *const bad[] = { "1.2.3", "300.1.1.1", "-x", "a..b", "a_b/c", "::g", "." };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct ran r = run_command("'%s' -t -- '%s' 1", t_bin("mom_daemon"), bad[i]);
		REQUIRE(r.status == 100 && strstr(r.err, "neither an IPv4 or IPv6 address nor a host's name"),
		    "%s: %d %s", bad[i], r.status, r.err);
	}
	char *longest = t_text("%0253d", 0);
	memset(longest, 'a', 253);
	struct ran r = run_command("'%s' -t %s 1; '%s' -t %sa 1", t_bin("mom_daemon"), longest, t_bin("mom_daemon"),
	    longest);
	REQUIRE(r.status == 100 && strstr(r.err, "neither HOST PORT"), "%d %s%s", r.status, r.out, r.err);
}
