/* clients - item 7: clients die, fork, exec and close descriptors: no false death, no false life */
#include <lib/load.h>
#include <lib/proc.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/views.h>
#include <fcntl.h>
#include "ipc/layout.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one;
static struct { atomic_ulong id; atomic_int ready, go, done; } *shared;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	server_child(&one, "mom_forwarder");           /* by then the daemon has made all objects of its own */
	use_daemon(&one);
	shared = t_shared_memory(sizeof *shared);
}

static int
objects(void)
{
	enum { MOST = 4096 };
	struct sysv_object *all = malloc(MOST * sizeof *all);
	int n = sysv_registry(server_registry(&one), all, MOST), living = 0;
	for (int i = 0; i < n; i++)
		living += sysv_exists(&all[i]);
	free(all);
	return living;
}

static void
gone(uint64_t id, int before)
{
	WAIT_FOR(objects() == before, "%d objects, before the client there were %d", objects(), before);
	WAIT_FOR(view_mentions(&broker, id) == 0, "the dead client %016llx is still subscribed",
	    (unsigned long long)id);
}

static void
ready(void)
{
	WAIT_FOR(shared->ready, "the client is not ready");
}

static void
sit(void *unused)
{
	(void)unused;
	int id = talk_create();
	talk_subscribe(id, "dead");
	shared->id = mom_global_id(id);
	shared->ready = 1;
	for (;;)
		t_tick();
}

TEST(killed, "kill -9 of a client: its segment, semaphores and subscriptions go")
{
	up();
	int before = objects();
	pid_t pid = t_spawn(sit, NULL);
	ready();
	REQUIRE(objects() > before, "a client has no objects in the registry");
	WAIT_FOR(view_has(&broker, shared->id, "dead"), "not in the views");
	kill(pid, SIGKILL);
	t_join(pid);
	gone(shared->id, before);
}

static void
leave_without_a_word(void *unused)
{
	(void)unused;
	int id = talk_create();
	talk_subscribe(id, "dead");
	shared->id = mom_global_id(id);
	for (int i = 0; i < 1000; i++)
		REQUIRE(mom_publish(id, "last_words", t_text("%d", i), strlen(t_text("%d", i)), MOM_ASYNC) == 0, "%s",
		    mom_error_text(id));
	_exit(0);
}

TEST(last_words, "what a client published goes out, all of it and in order, though it ended without destroy")
{
	up();
	int id = talk_create(), before = objects();
	talk_subscribe(id, "last_words");
	t_join(t_spawn(leave_without_a_word, NULL));
	for (int i = 0; i < 1000; i++)
		hear(id, "last_words", t_text("%d", i));
	gone(shared->id, before);
	bye(id);
}

static void
fork_and_sit(void *unused)
{
	(void)unused;
	int id = talk_create();
	talk_subscribe(id, "dead");
	shared->id = mom_global_id(id);
	if (fork() == 0) {                      /* keeps the socket, not the handle */
		shared->ready = 1;
		while (!shared->go)
			t_tick();
		_exit(0);
	}
	for (;;)
		t_tick();
}

TEST(forked_child, "a forked child that keeps the socket open gives its dead parent's client no false life")
{
	up();
	int before = objects();
	pid_t pid = t_spawn(fork_and_sit, NULL);
	ready();
	kill(pid, SIGKILL);
	t_join(pid);
	gone(shared->id, before);
	shared->go = 1;
}

static void
fork_and_talk(void *unused)
{
	(void)unused;
	int id = talk_create();
	talk_subscribe(id, "alive");
	if (fork() == 0)
		_exit(0);
	for (int i = 0; i < 100; i++) {
		say(id, "alive", "hello");
		hear(id, "alive", "hello");
		t_tick();
	}
	bye(id);
}

TEST(child_that_ends, "a forked child that ends takes nothing from its parent's client: no false death")
{
	up();
	int before = objects();
	int status = t_join(t_spawn(fork_and_talk, NULL));
	REQUIRE(status == 0, "0x%x", status);
	WAIT_FOR(objects() == before, "%d objects, before there were %d", objects(), before);
}

static void
exec_and_sleep(void *unused)
{
	(void)unused;
	int id = talk_create();
	talk_subscribe(id, "dead");
	shared->id = mom_global_id(id);
	shared->ready = 1;
	execl("/bin/sleep", "sleep", "100", (char *)NULL);
	_exit(127);
}

TEST(exec, "an exec keeps the pid and loses the client: it is destroyed")
{
	up();
	int before = objects();
	pid_t pid = t_spawn(exec_and_sleep, NULL);
	ready();
	gone(shared->id, before);
	REQUIRE(proc_lives(pid), "the program itself is dead");
	kill(pid, SIGKILL);
	t_join(pid);
}

static void
exec_named(void *with_a_child)
{
	int id = talk_open("taken");
	talk_subscribe(id, "dead");
	if (*(int *)with_a_child && fork() == 0) {     /* keeps the socket: no hang-up will tell of the exec */
		while (!shared->go)
			t_tick();
		_exit(0);
	}
	execl("/bin/sleep", "sleep", "100", (char *)NULL);
	_exit(127);
}

static void
exec_beside_a_child(void *unused)
{
	(void)unused;
	int id = talk_create();
	talk_subscribe(id, "dead");
	shared->id = mom_global_id(id);
	shared->ready = 1;
	if (fork() == 0) {
		while (!shared->go)
			t_tick();
		_exit(0);
	}
	execl("/bin/sleep", "sleep", "100", (char *)NULL);
	_exit(127);
}

static void
taken_over_at_once(int with_a_child)
{
	char comm[16] = "";
	up();
	pid_t pid = t_spawn(exec_named, &with_a_child);
	WAIT_FOR((proc_comm(pid, comm, sizeof comm), strcmp(comm, "sleep") == 0), "no exec");
	bye(talk_open("taken"));
	REQUIRE(proc_lives(pid), "the program itself is dead");
	shared->go = 1;
	kill(pid, SIGKILL);
	t_join(pid);
}

TEST(exec_frees_its_name, "a durable name whose owner executed another program is free at once: no "
    "MOM_EBUSY") { taken_over_at_once(0); }
TEST(exec_with_a_child, "the same where a child forked before keeps the descriptors open") { taken_over_at_once(1); }

TEST(exec_anonymous_with_a_child, "an anonymous client whose process executed another program is destroyed, though a "
    "forked child keeps its descriptors open")
{
	up();
	int before = objects();
	pid_t pid = t_spawn(exec_beside_a_child, NULL);
	ready();
	gone(shared->id, before);
	shared->go = 1;
	kill(pid, SIGKILL);
	t_join(pid);
}

static void
close_all(void *unused)
{
	(void)unused;
	int64_t end;
	int id = talk_create();
	talk_subscribe(id, "alive");
	for (int fd = 0; fd < 1024; fd++)
		close(fd);
	end = t_now_ms() + 2500;                /* the daemon has looked more than once by then */
	while (t_now_ms() < end) {
		say(id, "alive", "hello");
		hear(id, "alive", "hello");
		t_tick();
	}
	bye(id);
}

static void
close_and_reuse(void *unused)
{
	enum { FILES = 64 };
	int id = talk_create();
	(void)unused;
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	for (int i = 0; i < FILES; i++)                /* one of them gets the number of the handle's socket */
		REQUIRE(open("/dev/null", O_RDONLY) == 3 + i, "descriptors are not free");
	bye(id);
	for (int i = 0; i < FILES; i++)
		REQUIRE(fcntl(3 + i, F_GETFD) >= 0, "descriptor %d was closed by mom_destroy", 3 + i);
}

TEST(reused_descriptors, "what a program opens after it has closed all its descriptors is not closed by mom_destroy")
{
	up();
	REQUIRE(t_join(t_spawn(close_and_reuse, NULL)) == 0, "0x1");
}

TEST(closed_descriptors, "a program that closes all its descriptors goes on: no false death; after its end all is gone")
{
	up();
	int before = objects();
	int status = t_join(t_spawn(close_all, NULL));
	REQUIRE(status == 0, "0x%x", status);
	WAIT_FOR(objects() == before, "%d objects, before there were %d", objects(), before);
}

static void
read_half(void *unused)
{
	(void)unused;
	int id = talk_open("reader");
	for (int i = 0; i < 10; i++)
		hear(id, "again", t_text("%d", i));
	_exit(0);
}

TEST(durable_dies, "a durable client that dies gets what it had not acknowledged again, flagged, and the rest "
    "unflagged")
{
	up();
	int id = talk_open("reader"), mouth = talk_create();
	talk_subscribe(id, "again");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	for (int i = 0; i < 20; i++)
		say(mouth, "again", t_text("%d", i));
	t_join(t_spawn(read_half, NULL));
	id = talk_open("reader");
	hear_again(id, "again", "9");           /* asking for the next had acknowledged those before */
	for (int i = 10; i < 20; i++)
		hear(id, "again", t_text("%d", i));
	hear_nothing(id);
	bye(id);
	bye(mouth);
}

/* what kill -9 between taking a number and publishing its frame leaves in the segment */
static void
die_with_a_number(void *unused)
{
	enum { MOST = 64 };
	struct sysv_object all[MOST];
	int id = talk_open("holes"), found = 0;
	uint64_t me = mom_global_id(id);
	(void)unused;
	say(id, "holes", "one");
	int n = sysv_registry(server_registry(&one), all, MOST);
	for (int i = 0; i < n; i++) {
		struct client_segment *c = strcmp(all[i].kind, "shm") == 0 && strncmp(all[i].role, "client-", 7) == 0
		    ? shmat(all[i].id, NULL, 0) : (void *)-1;
		if (c == (void *)-1 || c->id != me)
			continue;
		atomic_fetch_add(&c->next[0], 1);
		found = 1;
	}
	REQUIRE(found, "no segment of this client");
	kill(getpid(), SIGKILL);
}

TEST(killed_with_a_number, "a process killed between taking a request number and publishing its frame leaves no hole "
    "that its successor cannot pass")
{
	up();
	int ear = talk_create();
	talk_subscribe(ear, "holes");
	t_join(t_spawn(die_with_a_number, NULL));
	int id = talk_open("holes");
	say(id, "holes", "two");
	hear(ear, "holes", "one");
	hear(ear, "holes", "two");
	bye(id);
	bye(ear);
}

TEST(manual_ack, "with manual acknowledgement all that was not acknowledged comes again, with the same offsets")
{
	uint64_t offsets[10];
	struct mom_message m;
	up();
	int id = talk_open("manual"), mouth = talk_create();
	talk_subscribe(id, "again");
	REQUIRE(mom_set_option(id, MOM_OPT_MANUAL_ACK, 1) == 0, "%s", mom_error_text(id));
	for (int i = 0; i < 10; i++)
		say(mouth, "again", t_text("%d", i));
	for (int i = 0; i < 10; i++) {
		REQUIRE(mom_receive(id, &m, 20000) == 0, "%s", mom_error_text(id));
		offsets[i] = m.offset;
		if (i == 3)
			REQUIRE(mom_ack(id) == 0, "%s", mom_error_text(id));
	}
	/* which frees of its mail box what may go */
	REQUIRE(mom_receive(id, &m, 0) == MOM_ETIMEDOUT, "more came");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	id = talk_open("manual");
	for (int i = 4; i < 10; i++) {
		REQUIRE(mom_receive(id, &m, 20000) == 0, "%s", mom_error_text(id));
		REQUIRE(m.offset == offsets[i] && m.flags == MOM_REDELIVERED,
		    "message %d: offset %llx for %llx, flags %u", i,
		    (unsigned long long)m.offset, (unsigned long long)offsets[i], m.flags);
	}
	hear_nothing(id);
	bye(id);
	bye(mouth);
}

TEST(killed_under_load, "kill -9 of durable subscribers and of publishers under load: every other client goes on, the "
    "subscriber gets all, in order")
{
	up();
	struct load *ear = subscriber_start(&one, "deaths", PAYLOAD_SMALL),
	    *mouth = publisher_start(&one, 1, "deaths", 0, PAYLOAD_SMALL, MOM_FAST);
	for (int i = 0; i < (t_is_long() ? 100 : 10); i++) {
		struct load *victim = load_new(&one, "deaths", PAYLOAD_SMALL);
		victim->is_subscriber = 1;
		victim->from_middle = 1;
		snprintf(victim->name, sizeof victim->name, "victim");
		load_start(victim);
		load_ready(victim);
		load_moves(victim, 20);
		load_moves(ear, 20);
		load_kill(victim);
	}
	load_stop(mouth);
	load_finish(mouth);
	load_expect(ear, mouth->sent);
	load_finish(ear);
	int id = talk_open("victim");
	bye(id);
}

static void
take_three(void *unused)
{
	(void)unused;
	int id = talk_open("durable");
	talk_subscribe(talk_create(), "left");
	talk_subscribe(id, "t");
	mom_set_option(id, MOM_OPT_MANUAL_ACK, 1);
	shared->ready = 1;
	for (int i = 0; i < 3; i++)
		hear(id, "t", t_text("message %d", i));
	shared->done = 1;
	for (;;)
		t_tick();
}

/* Memory is gone, and what was not synced: the words of the clients, which are written once a second. */
static void
machine_loses_power(pid_t client)
{
	kill(client, SIGKILL);
	t_join(client);
	server_kill_all(&one);
	sysv_remove_left(one.run);
	unlink(t_text("%s/words-0", one.store));
	unlink(t_text("%s/words-1", one.store));
}

TEST(power, "a durable client whose machine lost its power gets what it had in hand again, flagged MOM_REDELIVERED, "
    "and later messages not; what was anonymous on it is gone")
{
	up();
	int mouth = talk_create();
	pid_t client = t_spawn(take_three, NULL);
	ready();
	for (int i = 0; i < 3; i++)
		say(mouth, "t", t_text("message %d", i));
	WAIT_FOR(shared->done, "the client has not got all");
	machine_loses_power(client);
	server_start(&one);
	WAIT_FOR(access(t_text("%s/shard-0/topics/left", broker.store), F_OK) < 0,
	    "a client of before is still subscribed");
	int id = talk_open("durable"), other = talk_create();
	for (int i = 0; i < 3; i++)
		hear_again(id, "t", t_text("message %d", i));
	say(other, "t", "after");
	hear(id, "t", "after");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	bye(other);
	server_stop(&one);                             /* a clean stop: nothing is unsure */
	server_start(&one);
	other = talk_create();
	say(other, "t", "last");
	id = talk_open("durable");
	hear(id, "t", "last");
	bye(id);
	bye(other);
}

static void
change_user(void *unused)
{
	(void)unused;
	struct mom_message m;
	struct rusage before, after;
	int id = talk_create();
	talk_subscribe(id, "later");
	REQUIRE(setgid(65534) == 0 && setuid(65534) == 0, "setuid");
	getrusage(RUSAGE_SELF, &before);
	REQUIRE(mom_receive(id, &m, 2000) == MOM_ETIMEDOUT, "something came");
	getrusage(RUSAGE_SELF, &after);
	REQUIRE(after.ru_nvcsw - before.ru_nvcsw < 150, "it looked %ld times in 2 s", after.ru_nvcsw - before.ru_nvcsw);
	say(id, "later", "hello");
	hear(id, "later", "hello");
	shared->done = 1;
	_exit(0);
}

TEST(changed_user, "a program that gives up its rights after it has made a handle goes on, and does not spin while it "
    "waits (root only)")
{
	if (geteuid() != 0) {
		t_remark("left out: needs root");
		return;
	}
	up();
	int status = t_join(t_spawn(change_user, NULL));
	REQUIRE(status == 0 && shared->done, "0x%x", status);
}
