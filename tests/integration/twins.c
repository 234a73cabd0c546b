/* twins - two that would be the same: brokers started on one store at once; a store that was copied or renamed while
 * its broker runs */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <string.h>
#include <sys/wait.h>

static struct server broker, one, twin[2];

/* ---- two at once ---- */

/* Which of the two has ended; it says why, and nothing of it is left. */
static int
loser(void)
{
	int status = 0, i = 0;
	pid_t ended;
	WAIT_FOR((ended = waitpid(twin[i = !i].pid, &status, WNOHANG)) != 0, "both go on");
	REQUIRE(ended == twin[i].pid && WIFEXITED(status) && WEXITSTATUS(status) == 111, "%s: wait status 0x%x: %s",
	    twin[i].name, status, t_read_file(twin[i].log));
	twin[i].pid = 0;
	return i;
}

static void
two_at_once(int round)
{
	static int next;
	char text[200];
	for (int i = 0; i < 2; i++) {
		broker_plan(&twin[i], t_text("twin-%d", i), 0, NULL);
		twin[i].store = broker.store;
	}
	int first = next = !next;
	server_start_unready(&twin[first]);
	server_start_unready(&twin[!first]);
	int lost = loser();
	struct server *winner = &twin[!lost], *other = &twin[lost];
	server_await_ready(winner);
	REQUIRE(server_log_has(other, "the folder is in use by broker_server"), "round %d: it does not say why: %s",
	    round, t_read_file(other->log));
	REQUIRE(server_log_has(other, t_text("pid %d", (int)winner->pid)), "round %d: it does not name pid %d: %s",
	    round, (int)winner->pid, t_read_file(other->log));
	if (round % 8 == 0) {
		daemon_start(&one, t_text("daemon-%d", round), winner->port);
		use_daemon(&one);
		int id = talk_create();
		talk_subscribe(id, "twins");
		say(id, "twins", "one");
		hear(id, "twins", "one");
		hear_nothing(id);
		bye(id);
		server_stop(&one);
	}
	server_stop(winner);
	REQUIRE(sysv_left(t_dir(), text, sizeof text) == 0, "round %d: %s is left", round, text);
	remove(winner->log), remove(other->log);
}

TEST(at_once, "two brokers are started on one store at once, over and over: one serves, the other names it and ends; "
    "nothing is left behind")
{
	broker_plan(&broker, "broker", 0, NULL);
	for (int round = 0; round < (t_is_long() ? 200 : 24); round++)
		two_at_once(round);
}

/* ---- a copy, a new name ---- */

static void
copy(const char *from, const char *to)
{
	struct ran r = run_command("cp -a %s %s", from, to);
	REQUIRE(r.status == 0, "cp: %s", r.err);
}

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static char *
check(const char *store)
{
	struct ran r = run_command("%s check %s", t_bin("mom"), store);
	return r.status == 0 ? NULL : t_text("%s%s", r.out, r.err);
}

TEST(copied_while_it_runs, "a store that was copied while its broker runs: a broker that is started on the copy ends "
    "and names that one, of which it touches nothing")
{
	char text[200];
	up();
	int id = talk_open("reader");
	talk_subscribe(id, "bells");
	say(id, "bells", "one");
	int before = sysv_left(t_dir(), text, sizeof text);
	broker_plan(&twin[0], "copy", 0, NULL);
	copy(broker.store, twin[0].store);
	pid_t worker = server_child(&broker, "worker"), handler = server_child(&broker, "broker_handler");
	REQUIRE(server_run_to_end(&twin[0]) == 111, "%s", t_read_file(twin[0].log));
	REQUIRE(server_log_has(&twin[0], t_text("a copy of that of process %d", (int)broker.pid)), "%s",
	    t_read_file(twin[0].log));
	REQUIRE(remove(t_text("%s/registry", twin[0].store)) == 0 && sysv_left(t_dir(), text, sizeof text) == before,
	    "objects are gone");
	say(id, "bells", "two");
	hear(id, "bells", "one");
	hear(id, "bells", "two");
	REQUIRE(proc_lives(worker) && proc_lives(handler), "the other broker had to begin anew: %s",
	    t_read_file(broker.log));
	bye(id);
	server_stop(&one);
	server_stop(&broker);
	REQUIRE(!check(broker.store), "%s", check(broker.store));
}

TEST(copied_then_met, "a store that was copied while its broker ran, whose daemon has been at that broker since: the "
    "copy refuses the daemon by name, the other takes it again")
{
	up();
	int id = talk_open("reader");
	talk_subscribe(id, "bells");
	broker_plan(&twin[0], "copy", 0, NULL);
	copy(broker.store, twin[0].store);
	server_stop(&one);
	server_start(&one);
	say(id, "bells", "one");
	server_stop(&one);
	server_stop(&broker);
	server_start(&twin[0]);
	one.port = twin[0].port;
	server_start(&one);
	WAIT_FOR(server_log_has(&one, "refused: "), "nothing says that it is a copy: %s", t_read_file(one.log));
	server_stop(&one);
	server_start(&broker);
	one.port = broker.port;
	server_start(&one);
	hear(id, "bells", "one");
	say(id, "bells", "two");
	hear(id, "bells", "two");
	bye(id);
	server_stop(&one);
	server_stop(&twin[0]);
	server_stop(&broker);
	REQUIRE(!check(broker.store) && !check(twin[0].store), "%s",
	    check(broker.store) ? check(broker.store) : check(twin[0].store));
}

TEST(renamed_while_it_runs, "a broker started on a store that was renamed while another one has it ends and names that "
    "one; under its old name again all goes on")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "bells");
	broker_plan(&twin[0], "moved", 0, NULL);
	REQUIRE(rename(broker.store, twin[0].store) == 0, "rename");
	REQUIRE(server_run_to_end(&twin[0]) == 111 && server_log_has(&twin[0], t_text("in use by broker_server pid %d",
	    (int)broker.pid)), "%s", t_read_file(twin[0].log));
	REQUIRE(rename(twin[0].store, broker.store) == 0, "rename");
	say(id, "bells", "one");
	hear(id, "bells", "one");
	bye(id);
	server_stop(&one);
	server_stop(&broker);
	REQUIRE(!check(broker.store), "%s", check(broker.store));
}
