/* history - a spool or a store that is a copy, or older than what the other side has seen: refused by name, nothing
 * skipped or doubled */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/server.h>
#include <arpa/inet.h>
#include "base/hex.h"
#include "log/store_file.h"
#include <errno.h>
#include <fcntl.h>
#include "format/wire.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct server broker, daemon_, other;

static void
copy(const char *from, const char *to)
{
	struct ran r = run_command("rm -rf %s && cp -a %s %s", to, from, to);
	REQUIRE(r.status == 0, "cp: %s", r.err);
}

static void
start_both(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&daemon_, "daemon", broker.port);
	use_daemon(&daemon_);
}

/* the next subscriber and publisher in one: it works again */
static void
works(void)
{
	int id = talk_create();
	talk_subscribe(id, "works");
	say(id, "works", "yes");
	hear(id, "works", "yes");
	bye(id);
}

TEST(copied_spool, "a copy of a spool that went on is refused by name, whoever comes first; the original goes on")
{
	start_both();
	server_stop(&daemon_);
	char *copied = t_path("copied-spool");
	copy(daemon_.store, copied);
	for (int i = 0; i < 2; i++) {
		server_start(&daemon_);
		works();
		server_stop(&daemon_);
	}
	daemon_plan(&other, "other", broker.port);
	copy(copied, other.store);
	server_start(&other);
	WAIT_FOR(server_log_has(&other, "refused: its spool is a copy, or older"), "nothing says that it is a copy");
	server_start(&daemon_);
	works();
}

TEST(older_store, "a store from a backup that is older than what its machines know is refused by name; the newer one "
    "is taken again, nothing is lost")
{
	start_both();
	int id = talk_open("reader");
	talk_subscribe(id, "bells");
	server_stop(&broker);
	char *copied = t_path("copied-db"), *newer = t_path("newer-db");
	copy(broker.store, copied);
	server_start(&broker);
	say(id, "bells", "one");
	server_stop(&broker);
	copy(broker.store, newer);
	copy(copied, broker.store);
	server_start(&broker);
	WAIT_FOR(server_log_has(&daemon_, "this store is an older copy of itself"),
	    "nothing says that the store is older");
	server_stop(&broker);
	copy(newer, broker.store);
	server_start(&broker);
	say(id, "bells", "two");
	hear(id, "bells", "one");
	hear(id, "bells", "two");
	bye(id);
}

/* Whoever makes a client meanwhile is told why, and mom doctor tells it. The log says it once, as a warning. */
static void
is_told_refused(const char *why)
{
	struct ran ran;
	const char *text;
	int r;
	setenv("MOM_TIMEOUT", "1s", 1);
	/* it tries again and again, and for a moment each time it is connected */
	WAIT_FOR((r = mom_create()) == MOM_ETIMEDOUT && strstr(text = mom_error_text(-1), why), "%d: %s", r,
	    mom_error_text(-1));
	unsetenv("MOM_TIMEOUT");
	REQUIRE(strstr(text, "no client was made"), "%s", text);
	WAIT_FOR((ran = run_command("'%s' doctor '%s'", t_bin("mom"), daemon_.run)).status != 0 && strstr(ran.out,
	    t_text("is not connected: broker %s port %d: refused: %s", broker.ip, broker.port, why)), "%s%s", ran.out,
	    ran.err);
	char *log = t_read_file(daemon_.log), *first = strstr(log, why);
	REQUIRE(first && strstr(first + 1, why) == NULL && strstr(log, " fatal: ") == NULL, "%s", log);
}

TEST(other_history, "a copy that was made behind the back of a connected machine: refused by what the machine has "
    "received since")
{
	start_both();
	int id = talk_open("reader");
	talk_subscribe(id, "bells");
	say(id, "bells", "one");
	hear(id, "bells", "one");
	char *copied = t_path("copied-db"), *newer = t_path("newer-db");
	copy(broker.store, copied);
	pid_t worker = server_child(&broker, "worker");
	kill(worker, SIGKILL);                         /* a new incarnation; the connection stays */
	server_replaced(&broker, "worker", worker);
	say(id, "bells", "two");
	hear(id, "bells", "two");
	server_stop(&daemon_);                         /* what it has seen is on its disk */
	server_kill_all(&broker);
	copy(broker.store, newer);
	copy(copied, broker.store);
	server_start(&broker);
	server_start(&daemon_);
	WAIT_FOR(server_log_has(&daemon_, "refused: what this machine has received is not in this store"),
	    "it was taken up");
	is_told_refused("what this machine has received is not in this store");
	server_stop(&broker);
	copy(newer, broker.store);
	server_start(&broker);
	say(id, "bells", "three");
	hear(id, "bells", "three");
	bye(id);
}

TEST(other_history_cut, "the same where the wrong store welcomed the machine and went before it could refuse it: the "
    "right one still takes it")
{
	start_both();
	int id = talk_open("reader");
	talk_subscribe(id, "bells");
	say(id, "bells", "one");
	hear(id, "bells", "one");
	char *newer = t_path("newer-db");
	server_stop(&daemon_);
	server_kill_all(&broker);
	copy(broker.store, newer);
	server_start(&broker);
	kill(server_child(&broker, "worker"), SIGSTOP);
	server_start(&daemon_);
	char *log = NULL;
	WAIT_FOR((log = t_read_file(daemon_.log), log = strstr(log, "connected to broker")) &&
	    strstr(log + 1, "connected to broker"), "no welcome");
	server_stop(&broker);                          /* its worker still stands: it never looked at the machine */
	copy(newer, broker.store);
	server_start(&broker);
	say(id, "bells", "two");
	hear(id, "bells", "two");
	bye(id);
}

static int
connect_by_hand(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)broker.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE(inet_pton(AF_INET, broker.ip, &a.sin_addr) == 1 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0,
	    "connect");
	return fd;
}

/* The daemon's HELLO with that token; 1: WELCOME came back. */
static int
hello_by_hand(int fd, uint64_t token)
{
	char bytes[RECORD_HEADER + HELLO_BYTES], payload[HELLO_BYTES], answer[RECORD_HEADER], hex[33];
	struct hello h = { .version = WIRE_VERSION, .message_max = MOM_MESSAGE_MAX, .slots = 64, .window = WINDOW,
	    .token = token };
	REQUIRE(sscanf(t_read_file(t_text("%s/identity", daemon_.store)), "mom spool 1 machine %32s", hex) == 1 &&
	    hex_bytes(h.machine, hex, sizeof h.machine) == 0,
	    "no machine id in the spool");
	wire_hello_put(payload, &h);
	uint32_t n = record_make(bytes, &(struct record){ .type = REC_HELLO }, NULL, payload, sizeof payload);
	REQUIRE(send(fd, bytes, n, 0) == (ssize_t)n && recv(fd, answer, sizeof answer, MSG_WAITALL) == sizeof answer,
	    "no answer to HELLO");
	return answer[9] == REC_WELCOME;
}

static uint64_t
token_of_spool(void)
{
	return strtoull(strstr(t_read_file(t_text("%s/identity", daemon_.store)), "token ") + 6, NULL, 16);
}

/* as db/machines has it now */
static struct known_machine
first_known(void)
{
	struct machines_file f;
	int dir = open(broker.store, O_RDONLY | O_DIRECTORY);
	REQUIRE(dir >= 0 && machines_file_read(&f, dir) == 0 && f.count > 0, "%s/machines: %s", broker.store,
	    strerror(errno));
	struct known_machine first = f.list[0];
	free(f.list);
	close(dir);
	return first;
}

TEST(late_hello, "a HELLO that is looked at after its connection was given up and another made does not lock its "
    "machine out; once the next token is confirmed it counts no more")
{
	struct known_machine known;
	start_both();
	works();
	server_stop(&daemon_);
	int late = connect_by_hand();
	REQUIRE(hello_by_hand(late, token_of_spool()), "the token on the daemon's disk is refused");
	close(late);                                   /* WELCOME was on its way: not confirmed */
	uint64_t shown = token_of_spool();
	server_start(&daemon_);
	works();
	WAIT_FOR((known = first_known(), known.token == known.before), "not confirmed");
	server_stop(&daemon_);
	REQUIRE(token_of_spool() == known.token, "the daemon has another token than it confirmed");
	late = connect_by_hand();
	REQUIRE(!hello_by_hand(late, shown), "the token before counts, though the next one is confirmed");
	close(late);
	server_start(&daemon_);
	works();
}

TEST(workers_restart, "with two workers either may be restarted more often than the other: a machine that connects "
    "anew is no stranger")
{
	broker_start(&broker, "broker", 0, "--workers 2");
	daemon_start(&daemon_, "daemon", broker.port);
	use_daemon(&daemon_);
	works();
	/* the second first: shard 0 does not know that incarnation yet */
	for (int i = 1; i >= 0; i--) {
		pid_t worker = proc_find(broker.pid, "worker", i), handler = server_child(&broker, "broker_handler");
		REQUIRE(worker, "no worker %d", i);
		kill(worker, SIGKILL);
		WAIT_FOR(!proc_lives(worker), "lives");
		works();
		kill(handler, SIGKILL);
		WAIT_FOR(!proc_lives(handler), "lives");
		works();
	}
	REQUIRE(!server_log_has(&daemon_, "refused"), "the machine was refused");
}

TEST(workers_remembered, "a store remembers its number of workers: a broker that is not told one takes it, and one "
    "that is told another refuses")
{
	broker_start(&broker, "broker", 0, "--workers 3");
	server_stop(&broker);
	broker.extra[0] = NULL;
	server_start(&broker);
	REQUIRE(proc_find(broker.pid, "worker", 2) && server_log_lines(&broker, ", 3 workers") == 2, "not three");
	struct ran r = run_command("unset MOM_CONFIG; MOM_RUN='%s' '%s' config show broker", broker.run, t_bin("mom"));
	REQUIRE(strstr(r.out, t_text("\n%-20s 3 ", "workers")), "%s", r.out);
	server_stop(&broker);
	broker.extra[0] = "--workers";
	broker.extra[1] = "2";
	REQUIRE(server_run_to_end(&broker) == 100 && server_log_has(&broker, "made with --workers 3"), "it started");
}
