/* fair - whoever comes first in a list is served no better than whoever comes last: machines of a broker, clients of a
 * machine, shards of a broker */
#include <lib/server.h>
#include <lib/shim.h>
#include <lib/t.h>
#include <lib/talk.h>
#include "look/look.h"
#include "format/topic.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* HANDLES of one machine that floods: half of what they may have on their way fills its window: it never runs dry */
enum { FLOODS = 14, HANDLES = 6, WINDOW_EACH = 512 * 1024, PAYLOAD = 16384 };

static struct server broker, machine[FLOODS];

/* Who publishes as fast as it is let, until all are stopped. */
struct flood { const char *run; int handles; pid_t pid; atomic_long sent; };
static struct floods { struct flood of[FLOODS]; atomic_int stop; } *floods;

static void
flood(void *argument)
{
	static char payload[PAYLOAD];
	struct flood *f = argument;
	int id[HANDLES];
	setenv("MOM_RUN", f->run, 1);
	for (int i = 0; i < f->handles; i++)
		REQUIRE(mom_set_option(id[i] = talk_create(), MOM_OPT_WINDOW, WINDOW_EACH) == 0, "%s",
		    mom_error_text(id[i]));
	for (; !floods->stop; f->sent++) {
		int mouth = id[f->sent % f->handles];
		REQUIRE(mom_publish(mouth, "flood", payload, sizeof payload, MOM_ASYNC) == 0, "after %ld: %s",
		    (long)f->sent,
		    mom_error_text(mouth));
	}
	for (int i = 0; i < f->handles; i++) {
		REQUIRE(mom_flush(id[i], 20000) == 0, "%s", mom_error_text(id[i]));
		bye(id[i]);
	}
}

static long
of_client(int i)
{
	return floods->of[i].sent;
}

static const struct counters *handlers[FLOODS];

static long
of_machine(int i)
{
	return (long)counters_get(handlers[i], COUNT_MESSAGES_IN);
}

/* What each got through while all together got so much through. The broker's disk is what they wait for. */
static void
are_alike(long total, long (*count)(int i))
{
	long began[FLOODS], got[FLOODS], sum = 0, least, most, window = floods->of[0].handles * WINDOW_EACH / PAYLOAD;
	for (int i = 0; i < FLOODS; i++)
		floods->of[i].pid = t_spawn(flood, &floods->of[i]);
	for (int i = 0; i < FLOODS; i++)
		WAIT_FOR(count(i) > window, "flood %d: %ld messages", i, count(i));
	for (int i = 0; i < FLOODS; i++)
		began[i] = count(i);
	for (int64_t until = t_now_ms() + 2 * T_PATIENCE_MS; sum < total; t_tick()) {
		REQUIRE(t_now_ms() < until, "%ld of %ld messages", sum, total);
		for (int i = sum = 0; i < FLOODS; i++)
			sum += got[i] = count(i) - began[i];
	}
	floods->stop = 1;
	least = most = got[0];
	for (int i = 0; i < FLOODS; i++) {
		t_join(floods->of[i].pid);
		least = got[i] < least ? got[i] : least;
		most = got[i] > most ? got[i] : most;
	}
	t_remark("%ld to %ld messages each", least, most);
	/* a turn is half a window: for one it may have been counted just before the beginning, for another before the
	 * end */
	long turn = window / 2;
	REQUIRE(2 * (most - turn) <= 3 * (least + turn), "of %d that flood one got %ld messages through, another %ld",
	    FLOODS, most, least);
}

static void
broker_on_slow_disk(int ms)
{
	shim_slow("worker", "sync", ms);
	broker_start(&broker, "broker", 0, NULL);
	shim_end();
	floods = t_shared_memory(sizeof *floods);
}

TEST(machines, "14 machines flood one broker: none gets more than one and a half times of what another gets through")
{
	broker_on_slow_disk(100);
	for (int i = 0; i < FLOODS; i++) {
		daemon_start(&machine[i], t_text("machine%d", i), broker.port);
		floods->of[i] = (struct flood){ .run = machine[i].run, .handles = HANDLES };
	}
	struct look *look = look_all(broker.run, NULL);
	REQUIRE(look && look->count == 1 && look->server[0].counters, "no counters");
	for (uint32_t i = 0; i < FLOODS; i++)
		handlers[i] = counters_page(look->server[0].counters, COUNTERS_HANDLER(1, i));
	are_alike(10000, of_machine);
	look_free(look);
}

TEST(clients, "14 clients flood one machine: none gets more than one and a half times of what another gets through")
{
	broker_on_slow_disk(50);
	daemon_start(&machine[0], "machine", broker.port);
	for (int i = 0; i < FLOODS; i++)
		floods->of[i] = (struct flood){ .run = machine[0].run, .handles = 1 };
	are_alike(5000, of_client);
}

/* a topic of each shard */
static void
topics_of_shards(char topics[][32], uint32_t shards)
{
	for (uint32_t k = 0, n = 0; k < shards; k++) {
		do
			snprintf(topics[k], 32, "topic%u", n++);
		while (topic_shard(topics[k], strlen(topics[k]), shards) != k);
	}
}

TEST(shards, "a machine that comes back for the backlog of four shards gets it from all of them alike, not of one "
    "after the other")
{
	enum { SHARDS = 4, EACH = 2000 };
	static char payload[PAYLOAD];
	char topics[SHARDS][32];
	long got[SHARDS] = { 0 }, least = EACH, most = 0;
	struct mom_message m;
	broker_start(&broker, "broker", 0, "--workers 4");
	for (int i = 0; i < 2; i++)
		daemon_start(&machine[i], t_text("machine%d", i), broker.port);
	topics_of_shards(topics, SHARDS);
	use_daemon(&machine[0]);
	int ear = talk_open("ear");
	for (int k = 0; k < SHARDS; k++)
		talk_subscribe(ear, topics[k]);
	REQUIRE(mom_close(ear) == 0, "%s", mom_error_text(-1));
	server_stop(&machine[0]);
	use_daemon(&machine[1]);
	int mouth = talk_create();
	for (int i = 0; i < EACH * SHARDS; i++)
		REQUIRE(mom_publish(mouth, topics[i % SHARDS], payload, sizeof payload, MOM_ASYNC | MOM_FAST) == 0,
		    "%s", mom_error_text(mouth));
	REQUIRE(mom_flush(mouth, 20000) == 0, "%s", mom_error_text(mouth));
	server_start(&machine[0]);
	use_daemon(&machine[0]);
	ear = talk_open("ear");
	for (int i = 0; i < EACH * SHARDS; i++) {
		REQUIRE(mom_receive(ear, &m, 20000) == 0, "after %d: %s", i, mom_error_text(ear));
		for (int k = 0; k < SHARDS; k++)
			got[k] += strcmp(m.topic, topics[k]) == 0;
		for (int k = 0; i == EACH * SHARDS / 2 && k < SHARDS; k++) {
			least = got[k] < least ? got[k] : least;
			most = got[k] > most ? got[k] : most;
		}
	}
	t_remark("of the first half %ld to %ld were of one shard", least, most);
	REQUIRE(2 * most <= 3 * least, "of the first half %ld were of one shard, of another %ld", most, least);
	bye(ear);
	bye(mouth);
}

static int
away_with(const char *name, const char *topic)
{
	int id = talk_open(name);
	talk_subscribe(id, topic);
	return mom_close(id);
}

TEST(refill, "while the spool is read for one client, whose few messages lie far apart in it, others of the machine "
    "talk on")
{
	/* messages; there and back meanwhile: were it read in one go, there would be one */
	enum { BETWEEN = 3000, LEAST = 8 };
	static char payload[PAYLOAD];
	struct mom_message m;
	int rounds = 0, heard = 0;
	broker_start(&broker, "broker", 0, NULL);
	shim_slow("mom_forwarder", "read", 50);
	daemon_start(&machine[0], "machine", broker.port);
	shim_end();
	use_daemon(&machine[0]);
	REQUIRE(away_with("few", "few") == 0 && away_with("many", "many") == 0, "%s", mom_error_text(-1));
	int mouth = talk_create(), other = talk_create();
	talk_subscribe(other, "other");
	say(mouth, "few", "first");
	for (int i = 0; i < BETWEEN; i++)
		REQUIRE(mom_publish(mouth, "many", payload, sizeof payload, MOM_ASYNC) == 0, "%s",
		    mom_error_text(mouth));
	say(mouth, "few", "last");
	say(mouth, "other", "hello");                  /* behind all of it: when it comes the rest is in the spool */
	hear(other, "other", "hello");
	int few = talk_open("few");
	while (heard < 2) {
		heard += mom_receive(few, &m, 0) == 0;
		REQUIRE(mom_publish(mouth, "other", "hello", 5, MOM_FAST | MOM_ASYNC) == 0, "%s",
		    mom_error_text(mouth));
		hear(other, "other", "hello");
		rounds++;
	}
	t_remark("%d there and back meanwhile", rounds);
	REQUIRE(rounds >= LEAST, "only %d messages went there and back while the spool was read", rounds);
	bye(few);
	bye(other);
	bye(mouth);
}
