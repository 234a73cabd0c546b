/* stop - item 12: a stop leaves nothing behind; after kill -9 the next start reaps its own and nothing else; wrong use
 * is told */
#include <lib/load.h>
#include <lib/run.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 4096 };
static struct server broker, one;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static void
stop_both(int signal, int broker_first)
{
	up();
	struct load *ear = subscriber_start(&one, "stop", PAYLOAD_SMALL);
	struct load *mouth = publisher_start(&one, 1, "stop", 0, PAYLOAD_SMALL, MOM_FAST);
	load_moves(ear, 200);
	load_stop(mouth);
	load_finish(mouth);
	load_expect(ear, mouth->sent);
	load_finish(ear);
	server_stop_by(broker_first ? &broker : &one, signal);
	server_stop_by(broker_first ? &one : &broker, signal);
}

#define CLEAN "all children end, exit 0, no process and no object of ours is left"
TEST(term_broker_first, "SIGTERM to broker_server, then to mom_daemon: " CLEAN) { stop_both(SIGTERM, 1); }
TEST(term_daemon_first, "SIGTERM to mom_daemon, then to broker_server: " CLEAN) { stop_both(SIGTERM, 0); }
TEST(int_broker_first, "SIGINT to broker_server, then to mom_daemon: " CLEAN) { stop_both(SIGINT, 1); }
TEST(int_daemon_first, "SIGINT to mom_daemon, then to broker_server: " CLEAN) { stop_both(SIGINT, 0); }

TEST(under_load, "a stop of both under load leaves nothing; started again, publishers and subscriber go on, nothing "
    "lost or twice")
{
	up();
	struct load *ear = subscriber_start(&one, "stop", PAYLOAD_SMALL);
	struct load *mouth = publisher_start(&one, 1, "stop", 0, PAYLOAD_SMALL, 0);
	for (int i = 0; i < 3; i++) {
		load_moves(ear, 100);
		server_stop(i % 2 ? &one : &broker);
		server_stop(i % 2 ? &broker : &one);
		server_start(&one);
		server_start(&broker);
	}
	load_moves(ear, 100);
	load_stop(mouth);
	load_finish(mouth);
	load_expect(ear, mouth->sent);
	load_finish(ear);
}

TEST(stop_with_clients, "a stop while clients live and the broker is down does not wait for them; their semaphores and "
    "segments go")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "stop");
	server_kill_all(&broker);
	server_stop(&one);
	server_start(&broker);
	server_start(&one);
	say(id, "stop", "on");
	hear(id, "stop", "on");
	bye(id);
}

TEST(spares, "a stop of mom_daemon leaves no file in its spool that was kept to be used again")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "stop");
	say(id, "stop", "on");
	hear(id, "stop", "on");
	bye(id);
	char *spare = t_text("%s/spare-2.new", one.store);
	int fd = open(spare, O_WRONLY | O_CREAT | O_EXCL, 0600);       /* as the forwarder does */
	REQUIRE(fd >= 0 && close(fd) == 0, "%s cannot be made", spare);
	server_stop(&one);
	REQUIRE(access(spare, F_OK) < 0, "%s is left", spare);
}

TEST(side_by_side, "two brokers with their daemons run side by side; the stop and the kill of one pair do not touch "
    "the other")
{
	static struct server broker2, two;
	up();
	broker_start(&broker2, "broker2", 0, NULL);
	daemon_start(&two, "two", broker2.port);
	int here = talk_create();
	use_daemon(&two);
	int there = talk_create();
	talk_subscribe(here, "side");
	talk_subscribe(there, "side");
	say(here, "side", "here");
	say(there, "side", "there");
	hear(here, "side", "here");
	hear(there, "side", "there");
	hear_nothing(here);
	hear_nothing(there);
	bye(there);
	server_stop(&two);
	server_stop(&broker2);
	say(here, "side", "still");
	hear(here, "side", "still");
	server_start(&broker2);
	server_start(&two);
	server_kill_all(&broker2);
	server_kill_all(&two);
	say(here, "side", "still");
	hear(here, "side", "still");
	server_start(&broker2);                 /* reaps what the kill left */
	server_start(&two);
	bye(here);
}

TEST(reaps_its_own, "after kill -9 of everything the next start reaps what was left, and only its own: foreign objects "
    "stay")
{
	struct sysv_object *left = malloc(2 * MOST * sizeof *left);
	int q = msgget(IPC_PRIVATE, 0600), m = shmget(IPC_PRIVATE, 4096, 0600), s = semget(IPC_PRIVATE, 1, 0600),
	    keyed = msgget(0x4d4f4d01, IPC_CREAT | 0600);
	REQUIRE(q >= 0 && m >= 0 && s >= 0 && keyed >= 0, "foreign objects");
	up();
	pid_t ear = subscriber_start(&one, "reap", PAYLOAD_SMALL)->pid;
	int n = sysv_registry(server_registry(&broker), left, MOST);
	n += sysv_registry(server_registry(&one), left + n, MOST);
	REQUIRE(n > 4, "%d objects in both registries", n);
	kill(ear, SIGKILL);
	t_join(ear);
	server_kill_all(&broker);
	server_kill_all(&one);
	int living = 0;
	for (int i = 0; i < n; i++)
		living += sysv_exists(&left[i]);
	REQUIRE(living > 0, "kill -9 left no objects: this case proves nothing");
	server_start(&broker);
	server_start(&one);
	for (int i = 0; i < n; i++)
		WAIT_FOR(!sysv_exists(&left[i]), "%s 0x%x role %s was not reaped", left[i].kind, left[i].key,
		    left[i].role);
	struct msqid_ds qs;
	struct shmid_ds ms;
	REQUIRE(msgctl(q, IPC_STAT, &qs) == 0 && msgctl(keyed, IPC_STAT, &qs) == 0 && shmctl(m, IPC_STAT, &ms) == 0 &&
	    semctl(s, 0, GETVAL) >= 0,
	    "a foreign object is gone");
	msgctl(q, IPC_RMID, NULL);
	msgctl(keyed, IPC_RMID, NULL);
	shmctl(m, IPC_RMID, NULL);
	semctl(s, 0, IPC_RMID);
	free(left);
}

static int
has_open(pid_t pid, const char *name)
{
	char link[64], path[1000];
	for (int fd = 3; fd < 64; fd++) {
		snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, fd);
		ssize_t n = readlink(link, path, sizeof path - 1);
		if (n > 0 && (path[n] = '\0', strstr(path, name)))
			return 1;
	}
	return 0;
}

TEST(locks_inherited, "who writes holds the lock of what it writes, also when its parent is gone: the worker its "
    "shard's, the forwarder the spool's")
{
	up();
	REQUIRE(has_open(server_child(&broker, "worker"), "/shard-0/lock"), "the worker has not the lock of its shard");
	REQUIRE(has_open(server_child(&one, "mom_forwarder"), "/lock"), "the forwarder has not the lock of the spool");
}

TEST(parent_killed, "kill -9 of a parent ends its children; whatever came in between, the successor starts at once")
{
	up();
	server_kill(&broker);                   /* waits until the children are gone */
	server_kill(&one);
	server_start(&broker);
	server_start(&one);
	int id = talk_create();
	talk_subscribe(id, "on");
	say(id, "on", "hello");
	hear(id, "on", "hello");
	bye(id);
}

/* a wrong start: its status, and one line that has the words */
static void
refused(int status, const char *words, const char *command)
{
	struct ran r = run_command("%s", command);
	REQUIRE(r.status == status && strstr(r.err, words), "%s: status %d (wanted %d), wanted '%s' in: %s%s", command,
	    r.status, status, words, r.err, r.out);
	REQUIRE(strchr(r.err, '\n') && !strchr(strchr(r.err, '\n') + 1, '\n'), "%s: not one line: %s", command, r.err);
	REQUIRE(!strstr(r.out, "ready"), "%s: it said ready", command);
}

TEST(wrong_use, "wrong use of the parents is told in one line with exit 100, and children started by hand say who "
    "starts them")
{
	static const char *const children[] = {"broker_handler", "broker_sender", "worker", "mom_requester",
	    "mom_responser", "mom_forwarder"};
	char *tail = t_text("--db %s/x/db --run %s/x/run", t_dir(), t_dir());
	const char *server = t_bin("broker_server"), *daemon = t_bin("mom_daemon");
	refused(100, "", t_text("%s", server));
	refused(100, "", t_text("%s", daemon));
	refused(100, "--nonsense", t_text("%s 127.0.0.1 0 %s --nonsense", server, tail));
	refused(100, "--nonsense", t_text("%s 127.0.0.1 1 --nonsense", daemon));
	refused(100, "no,such,ip", t_text("%s no,such,ip 0 %s", server, tail));
	refused(100, "99999", t_text("%s 127.0.0.1 99999 %s", server, tail));
	refused(100, "12x", t_text("%s 127.0.0.1 12x %s", server, tail));
	refused(100, "--insecure", t_text("%s 0.0.0.0 0 %s", server, tail));
	refused(100, "workers", t_text("%s 127.0.0.1 0 %s --workers 0", server, tail));
	for (unsigned i = 0; i < sizeof children / sizeof *children; i++)
		refused(100, i < 3 ? "broker_server" : "mom_daemon", t_bin(children[i]));
}

TEST(in_use, "port, store, run or spool folder in use: one line that says so, and the one that runs goes on")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "on");
	const char *server = t_bin("broker_server"), *daemon = t_bin("mom_daemon");
	refused(111, t_text("%d", broker.port), t_text("%s %s %d --db %s/x/db --run %s/x/run", server, broker.ip,
	    broker.port, t_dir(), t_dir()));
	refused(111, broker.store, t_text("%s %s 0 --db %s --run %s/x/run2", server, broker.ip, broker.store, t_dir()));
	refused(111, one.run, t_text("%s %s %d --run %s --spool %s/x/spool", daemon, broker.ip, broker.port, one.run,
	    t_dir()));
	refused(111, one.store, t_text("%s %s %d --run %s/x/run3 --spool %s", daemon, broker.ip, broker.port, t_dir(),
	    one.store));
	say(id, "on", "hello");
	hear(id, "on", "hello");
	bye(id);
	server_stop(&broker);
	refused(100, "1", t_text("%s %s 0 --db %s --run %s --workers 3", server, broker.ip, broker.store, broker.run));
}

static int *held;

static void
hold_the_port(void *unused)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)broker.port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one_more = 1;
	(void)unused;
	inet_pton(AF_INET, broker.ip, &at.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one_more, sizeof one_more);
	REQUIRE(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0, "the port %d", broker.port);
	__atomic_store_n(held, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(held, __ATOMIC_SEQ_CST) != 2)
		t_tick();
	t_sleep_ms(300);
}

TEST(port_of_predecessor, "a broker started at once after a kill comes up though the port is still held for a moment "
    "(by a child of the dead one)")
{
	broker_start(&broker, "broker", 0, NULL);
	server_kill_all(&broker);
	held = t_shared_memory(sizeof *held);
	pid_t pid = t_spawn(hold_the_port, NULL);
	WAIT_FOR(__atomic_load_n(held, __ATOMIC_SEQ_CST) == 1, "nobody holds the port");
	__atomic_store_n(held, 2, __ATOMIC_SEQ_CST);
	server_start(&broker);
	t_join(pid);
}
