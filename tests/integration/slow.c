/* slow - item 13: who stops reading, floods, or stops altogether harms only itself; item 14: many at once */
#include <lib/load.h>
#include <lib/proc.h>
#include <lib/t.h>
#include <lib/talk.h>
#include "base/clock.h"
#include "look/look.h"
#include <signal.h>
#include <stdlib.h>

static struct server broker, one, two;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static void
freeze(struct load *l)
{
	kill(l->pid, SIGSTOP);
	WAIT_FOR(proc_state(l->pid) == 'T', "client %d is not stopped", (int)l->pid);
}

TEST(stopped_reader, "a subscriber stopped by SIGSTOP with 60 MB due does not hold up another of the same topic; "
    "continued, it gets all")
{
	long count = t_is_long() ? 500000 : 60000;
	up();
	struct load *stopped = subscriber_start(&one, "slow", PAYLOAD_KIB),
	    *quick = subscriber_start(&one, "slow", PAYLOAD_KIB);
	freeze(stopped);
	struct load *mouth = publisher_start(&one, 1, "slow", count, PAYLOAD_KIB, MOM_ASYNC | MOM_FAST);
	load_finish(mouth);
	load_expect(quick, count);
	REQUIRE(stopped->got == 0, "a stopped process read %ld", (long)stopped->got);
	kill(stopped->pid, SIGCONT);
	load_expect(stopped, count);
	load_finish(stopped);
	load_finish(quick);
}

TEST(quick_reader, "who reads on is waited for: a stream faster than its subscribers does not go through the machine's "
    "spool")
{
	/* in rounds: where other programs keep the readers from running for longer than they are waited for, some of
	 * them are spooled */
	enum { ROUNDS = 12, COUNT = 10000 };
	int clean = 0;
	up();
	struct load *a = subscriber_start(&one, "stream", PAYLOAD_KIB),
	    *b = subscriber_start(&one, "stream", PAYLOAD_KIB);
	struct look *look = look_all(one.run, NULL);
	REQUIRE(look && look->count == 1 && look->server[0].counters, "no counters");
	const struct counters *forwarder = counters_page(look->server[0].counters, COUNTERS_UNIT(UNIT_FORWARDER));
	for (int i = 1; i <= ROUNDS; i++) {
		uint64_t before = counters_get(forwarder, COUNT_SPOOLED);
		struct load *mouth = publisher_start(&one, i, "stream", COUNT, PAYLOAD_KIB, MOM_ASYNC | MOM_FAST);
		load_finish(mouth);
		WAIT_FOR(a->got >= (long)i * COUNT && b->got >= (long)i * COUNT, "round %d: %ld and %ld", i,
		    (long)a->got, (long)b->got);
		clean += counters_get(forwarder, COUNT_SPOOLED) == before;
	}
	load_expect(a, (long)ROUNDS * COUNT);
	load_expect(b, (long)ROUNDS * COUNT);
	load_finish(a);
	load_finish(b);
	t_remark("%d of %d rounds of 2 x %d KiB never touched the spool", clean, ROUNDS, COUNT);
	REQUIRE(clean >= 3, "%d of %d rounds did without the spool", clean, ROUNDS);
	look_free(look);
}

TEST(many_that_do_not_read, "a hundred subscribers that never read together hold up others no longer than one does")
{
	enum { IDLE = 100 };
	static char kib[1024];
	int64_t worst = 0;
	up();
	int quick = talk_create(), mouth = talk_create();
	talk_subscribe(quick, "calm");
	for (int i = 0; i < IDLE; i++)
		talk_subscribe(talk_create(), "dead");
	for (int i = 0; i < 4000; i++) {
		REQUIRE(mom_publish(mouth, "dead", kib, sizeof kib, MOM_ASYNC | MOM_FAST) == 0, "%s",
		    mom_error_text(mouth));
		if (i % 40)
			continue;
		int64_t began = clock_ms();
		say(quick, "calm", "hello");
		hear(quick, "calm", "hello");
		worst = clock_ms() - began > worst ? clock_ms() - began : worst;
	}
	printf("  note: the longest way of a message was %lld ms\n", (long long)worst);
	/* 800 ms; each of the full boxes alone is 20 ms */
	REQUIRE(worst < T_PATIENCE_MS / 25, "a message took %lld ms", (long long)worst);
}

TEST(flood, "a client that floods with messages of 1 MiB does not stop another's traffic, nor does one that was "
    "stopped in the middle of flooding")
{
	static char big[MOM_MESSAGE_MAX];
	up();
	struct load *flood = load_new(&one, "flood", PAYLOAD_MIX);
	flood->flags = MOM_ASYNC | MOM_FAST;
	flood->index = 1;
	load_start(flood);
	load_moves(flood, 500);
	int id = talk_create();
	talk_subscribe(id, "calm");
	for (int i = 0; i < 100; i++) {
		say(id, "calm", "hello");
		hear(id, "calm", "hello");
	}
	freeze(flood);
	for (int i = 0; i < 100; i++) {
		say(id, "calm", "hello");
		hear(id, "calm", "hello");
	}
	REQUIRE(mom_publish(id, "calm", big, sizeof big, 0) == 0, "%s", mom_error_text(id));
	kill(flood->pid, SIGCONT);
	load_moves(flood, 100);
	load_stop(flood);
	load_finish(flood);
	bye(id);
}

TEST(stopped_machine, "a stopped machine does not hold up others; continued, its subscriber gets all, once and in "
    "order")
{
	long count = t_is_long() ? 300000 : 40000;
	up();
	daemon_start(&two, "two", broker.port);
	struct load *far = subscriber_start(&two, "far", PAYLOAD_KIB),
	    *near = subscriber_start(&one, "far", PAYLOAD_KIB);
	server_freeze(&two);
	struct load *mouth = publisher_start(&one, 1, "far", count, PAYLOAD_KIB, MOM_ASYNC | MOM_FAST);
	load_finish(mouth);
	load_expect(near, count);
	server_thaw(&two);
	load_expect(far, count);
	load_finish(near);
	load_finish(far);
}

TEST(forty_at_a_time, "forty clients come and go for five rounds; each finds an empty box and its own messages only")
{
	up();
	for (int round = 0; round < 5; round++) {
		int id[40];
		for (int i = 0; i < 40; i++) {
			id[i] = talk_create();
			hear_nothing(id[i]);
			talk_subscribe(id[i], t_text("own/%d", i));
		}
		for (int i = 0; i < 40; i++)
			say(id[39 - i], t_text("own/%d", i), "hello");
		for (int i = 0; i < 40; i++) {
			hear(id[i], t_text("own/%d", i), "hello");
			hear_nothing(id[i]);
			bye(id[i]);
		}
	}
}

/* many processes, each with a client: subscribe, wait for all, publish, get everybody's word */
enum { CLIENTS = 200 };
static struct { atomic_int subscribed, said, heard, go; } *crowd;

static void
one_of_many(void *argument)
{
	struct mom_message m;
	char text[16];
	int n = (int)(intptr_t)argument, id = talk_create();
	talk_subscribe(id, "crowd");
	crowd->subscribed++;
	WAIT_FOR(crowd->go, "no start");
	snprintf(text, sizeof text, "%d", n);
	if (n % 10 == 0)
		say(id, "crowd", text);
	for (int i = 0; i < CLIENTS / 10; i++) {
		int r = mom_receive(id, &m, 30000);
		REQUIRE(r == 0, "client %d, message %d: %s", n, i, mom_strerror(r));
	}
	crowd->heard++;
	bye(id);
}

TEST(two_hundred_clients, "200 clients in processes of their own on one daemon: each gets the messages of all")
{
	pid_t pids[CLIENTS];
	up();
	crowd = t_shared_memory(sizeof *crowd);
	for (int i = 0; i < CLIENTS; i++)
		pids[i] = t_spawn(one_of_many, (void *)(intptr_t)i);
	WAIT_FOR(crowd->subscribed == CLIENTS, "%d subscribed", crowd->subscribed);
	crowd->go = 1;
	for (int i = 0; i < CLIENTS; i++)
		t_join(pids[i]);
	REQUIRE(crowd->heard == CLIENTS, "%d heard all", crowd->heard);
}

TEST(twenty_daemons, "20 daemons on one broker at once: a message from each reaches the clients of all")
{
	enum { MACHINES = 20 };
	static struct server machine[MACHINES];
	int id[MACHINES];
	struct mom_message m;
	broker_start(&broker, "broker", 0, NULL);
	for (int i = 0; i < MACHINES; i++) {
		daemon_plan(&machine[i], t_text("m%d", i), broker.port);
		server_start_unready(&machine[i]);
	}
	for (int i = 0; i < MACHINES; i++)
		server_await_ready(&machine[i]);
	for (int i = 0; i < MACHINES; i++) {
		use_daemon(&machine[i]);
		id[i] = talk_create();
		talk_subscribe(id[i], "all");
	}
	for (int i = 0; i < MACHINES; i++)
		say(id[i], "all", "hello");
	for (int i = 0; i < MACHINES; i++) {
		uint64_t seen[MACHINES];
		for (int k = 0; k < MACHINES; k++) {
			REQUIRE(mom_receive(id[i], &m, 20000) == 0, "machine %d, message %d: %s", i, k,
			    mom_error_text(id[i]));
			seen[k] = m.publisher;
			for (int before = 0; before < k; before++)
				REQUIRE(seen[before] != m.publisher, "machine %d: twice from %llx", i,
				    (unsigned long long)m.publisher);
		}
		hear_nothing(id[i]);
	}
	for (int i = 0; i < MACHINES; i++)
		bye(id[i]);
}
