/* kills - item 6: kill -9 of each process, and ipcrm of each kind of object, under load from two machines */
#include <lib/load.h>
#include <lib/proc.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { EARS = 3, MOUTHS = 4, STEP = 150 };
static struct server broker, one, two;
static struct load *ears[EARS], *mouths[MOUTHS];

/* machine `one` is hit, `two` must see no error; every kind of publish on `one` */
static void
load_up_on(const char *broker_flags)
{
	static const unsigned flags[MOUTHS] = {0, MOM_FAST, MOM_ASYNC, 0};
	broker_start(&broker, "broker", 0, broker_flags);
	daemon_start(&one, "one", broker.port);
	daemon_start(&two, "two", broker.port);
	ears[0] = subscriber_start(&one, "kill/a,kill/b", PAYLOAD_SMALL);
	ears[1] = subscriber_start(&two, "kill/a,kill/b", PAYLOAD_SMALL);
	ears[2] = load_new(&one, "kill/a,kill/b", PAYLOAD_SMALL);
	ears[2]->is_subscriber = 1;
	strcpy(ears[2]->name, "durable-ear");
	load_start(ears[2]);
	load_ready(ears[2]);
	for (unsigned i = 0; i < MOUTHS; i++) {
		mouths[i] = load_new(i == 3 ? &two : &one, i % 2 ? "kill/a,kill/b" : "kill/b", PAYLOAD_SMALL);
		mouths[i]->index = i + 1;
		mouths[i]->flags = flags[i];
		mouths[i]->pause_ms = i == 1 || i == 2;
		load_start(mouths[i]);
	}
}

static void
load_up(void)
{
	load_up_on(NULL);
}

static void
moves(long more)
{
	long start[MOUTHS], heard[EARS];
	for (int i = 0; i < MOUTHS; i++)
		start[i] = mouths[i]->sent;
	for (int i = 0; i < EARS; i++)
		heard[i] = ears[i]->got;
	for (int i = 0; i < MOUTHS; i++)
		WAIT_FOR(mouths[i]->sent >= start[i] + more, "publisher %d stands still at %ld", i,
		    (long)mouths[i]->sent);
	for (int i = 0; i < EARS; i++)
		WAIT_FOR(ears[i]->got >= heard[i] + more, "subscriber %d stands still at %ld", i, (long)ears[i]->got);
}

static void
load_down(void)
{
	long sent = 0;
	moves(STEP);
	for (int i = 0; i < MOUTHS; i++)
		load_stop(mouths[i]);
	for (int i = 0; i < MOUTHS; i++) {
		load_finish(mouths[i]);
		sent += mouths[i]->sent;
		REQUIRE(mouths[i]->timeouts == 0, "publisher %d was told MOM_ETIMEDOUT", i);
	}
	for (int i = 0; i < EARS; i++)
		load_expect(ears[i], sent);
	for (int i = 0; i < EARS; i++)
		load_finish(ears[i]);
}

static int
rounds(void)
{
	return t_is_long() ? 50 : 4;
}

static void
kill_child_of(struct server *s, const char *program)
{
	load_up();
	for (int i = 0; i < rounds(); i++) {
		moves(STEP);
		pid_t old = server_child(s, program);
		kill(old, SIGKILL);
		server_replaced(s, program, old);
	}
	load_down();
}

static void
kill_parent(struct server *s)
{
	load_up();
	for (int i = 0; i < rounds(); i++) {
		moves(STEP);
		server_kill(s);
		server_start(s);
	}
	load_down();
}

#define KEPT \
	"traffic goes on, nothing acknowledged is lost, nothing comes twice, order is kept, " \
	"the other machine sees no error"
TEST(worker, "kill -9 of worker under load: " KEPT) { kill_child_of(&broker, "worker"); }
TEST(broker_handler, "kill -9 of broker_handler under load: " KEPT) { kill_child_of(&broker, "broker_handler"); }
TEST(broker_sender, "kill -9 of broker_sender under load: " KEPT) { kill_child_of(&broker, "broker_sender"); }
TEST(mom_requester, "kill -9 of mom_requester under load: " KEPT) { kill_child_of(&one, "mom_requester"); }
TEST(mom_responser, "kill -9 of mom_responser under load: " KEPT) { kill_child_of(&one, "mom_responser"); }
TEST(mom_forwarder, "kill -9 of mom_forwarder under load: " KEPT) { kill_child_of(&one, "mom_forwarder"); }
TEST(broker_server, "kill -9 of broker_server under load, then a start: " KEPT) { kill_parent(&broker); }
TEST(mom_daemon, "kill -9 of mom_daemon under load, then a start: its living clients are adopted, " KEPT) { kill_parent(
    &one); }

TEST(second_worker, "kill -9 of the worker of shard 1, then of mom_forwarder, so that the machine connects anew: " KEPT)
{
	load_up_on("--workers 2");
	for (int i = 0; i < rounds(); i++) {
		pid_t first = server_child(&broker, "worker"), second = proc_find(broker.pid, "worker", 1),
		    forwarder = server_child(&one, "mom_forwarder");
		REQUIRE(second, "there is one worker only");
		kill(second, SIGKILL);
		WAIT_FOR(!proc_lives(second) && proc_find(broker.pid, "worker", 1),
		    "nobody took the place of worker[%d]", (int)second);
		REQUIRE(proc_lives(first), "the worker of shard 0 ended too");
		moves(STEP);
		kill(forwarder, SIGKILL);
		server_replaced(&one, "mom_forwarder", forwarder);
		moves(STEP);
	}
	load_down();
}

TEST(everything, "kill -9 of all processes of broker and daemons at once, then a start: " KEPT)
{
	load_up();
	for (int i = 0; i < rounds() / 2; i++) {
		moves(STEP);
		server_kill_all(&broker);
		server_kill_all(&one);
		server_kill_all(&two);
		server_start(&two);
		server_start(&broker);
		server_start(&one);
	}
	load_down();
}

TEST(any_child, "kill -9 of any child, whichever comes, twenty times in a row without waiting: " KEPT)
{
	struct t_rng rng;
	pid_t pids[PROC_MAX];
	struct server *all[] = {&broker, &one, &two};
	t_rng_init(&rng, 6);
	load_up();
	moves(STEP);
	for (int i = 0; i < (t_is_long() ? 500 : 20); i++) {
		struct server *s = all[t_rng_below(&rng, 3)];
		int n = proc_children(s->pid, pids, PROC_MAX);
		if (n)
			kill(pids[t_rng_below(&rng, (uint64_t)n)], SIGKILL);
		for (uint64_t wait = t_rng_below(&rng, 5); wait; wait--)
			t_tick();
	}
	load_down();
}

/* the role's word: without numbers, ids and names behind it */
static size_t
kind_of_role(const char *role)
{
	return strcspn(role, "0123456789 :=-");
}

/* removes one object of each role in the registry, with traffic between */
static int
ipcrm_each(struct server *s, const char *type)
{
	enum { MOST = 4096 };
	struct sysv_object *all = calloc(MOST, sizeof *all);
	char done[64][48];
	int n = sysv_registry(server_registry(s), all, MOST), count = 0;

	for (int i = 0; i < n; i++) {
		int known = strcmp(all[i].kind, type) != 0 || all[i].id < 0 || !sysv_exists(&all[i]);
		for (int k = 0; k < count && !known; k++)
			known = strlen(done[k]) == kind_of_role(all[i].role) &&
			    strncmp(done[k], all[i].role, strlen(done[k])) == 0;
		if (known || count == 64)
			continue;
		snprintf(done[count++], sizeof done[0], "%.*s", (int)kind_of_role(all[i].role), all[i].role);
		REQUIRE(sysv_remove(&all[i]) == 0, "ipcrm of %s %s", type, all[i].role);
		moves(30);
	}
	free(all);
	return count;
}

static void
ipcrm(const char *type)
{
	load_up();
	moves(STEP);
	int count = ipcrm_each(&broker, type) + ipcrm_each(&one, type);
	REQUIRE(count > 0, "no %s in the registries %s and %s", type, server_registry(&broker), server_registry(&one));
	load_down();
}

TEST(ipcrm_queues, "ipcrm of each kind of queue under load: " KEPT) { ipcrm("msg"); }
TEST(ipcrm_segments, "ipcrm of each kind of segment under load: " KEPT) { ipcrm("shm"); }
TEST(ipcrm_semaphores, "ipcrm of each kind of semaphore set under load: " KEPT)
{
	load_up();
	moves(STEP);
	REQUIRE(ipcrm_each(&one, "sem") > 0, "no semaphores in %s", server_registry(&one));
	load_down();
}
