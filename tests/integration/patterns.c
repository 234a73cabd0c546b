/* patterns - subscribing to patterns: each message once, whatever matches it; over workers, machines, kills; who may
 * not use them */
#include <lib/load.h>
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/segment.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <signal.h>
#include "format/limits.h"
#include "format/topic.h"
#include "ipc/layout.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

static struct server broker, one, two;

static void
up(const char *extra)
{
	broker_start(&broker, "broker", 0, extra);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static int
subscribe(int id, const char *name, unsigned flags)
{
	return mom_subscribe(id, name, flags);
}

static void
unsubscribe(int id, const char *name)
{
	REQUIRE(mom_unsubscribe(id, name) == 0, "%s: %s", name, mom_error_text(id));
}

/* The next messages are these, in the order of topics that lie in different shards: any. */
static void
hear_all(int id, const char *const *topics, int n)
{
	struct mom_message m;
	int seen[64] = { 0 };
	for (int i = 0, k; i < n; i++) {
		int r = mom_receive(id, &m, T_PATIENCE_MS);
		REQUIRE(r == 0, "message %d of %d: %s", i, n, mom_error_text(id));
		for (k = 0; k < n && strcmp(topics[k], m.topic) != 0; k++)
			;
		REQUIRE(k < n && !seen[k]++, "%s came, %s", m.topic, k < n ? "a second time" : "which is not wanted");
	}
	hear_nothing(id);
}

TEST(matching, "who subscribes to a pattern gets what matches it, of each of four workers, on both machines, and "
    "nothing else")
{
	static const char *const wanted[] = { "plant/1/temp", "plant/2/temp", "plant/x.y/temp", "plant//temp",
	    "plant/3/temp", "plant/4/temp", "plant/5/temp", "plant/6/temp" },
	    *const others[] = { "plant/temp", "plant/1/2/temp", "plant/1/temp/", "plan/1/temp", "plant.1.temp",
	    "temp" };
	enum { WANTED = sizeof wanted / sizeof *wanted, OTHERS = sizeof others / sizeof *others };
	up("--workers 4");
	daemon_start(&two, "two", broker.port);
	use_daemon(&one);
	int here = talk_create(), b = talk_create();
	use_daemon(&two);
	int there = talk_create();
	talk_subscribe(here, "plant/+/temp");
	talk_subscribe(there, "plant/+/temp");
	for (int i = 0; i < WANTED || i < OTHERS; i++) {
		if (i < OTHERS)
			say(b, others[i], "no");
		if (i < WANTED)
			say(b, wanted[i], "yes");
	}
	hear_all(here, wanted, WANTED);
	hear_all(there, wanted, WANTED);
	unsubscribe(here, "plant/+/temp");
	say(b, wanted[0], "later");
	hear(there, wanted[0], "later");
	hear_nothing(here);
	bye(here);
	bye(there);
	bye(b);
}

TEST(once, "a message that several subscriptions of a client match comes once, and as long as one of them is left")
{
	static const char *const all[] = { "a/b", "#", "a/#", "+/b", "*/b", "a/>", "#/b" };
	enum { ALL = sizeof all / sizeof *all };
	up("--workers 4");
	int a = talk_create(), b = talk_create();
	for (int i = 0; i < ALL; i++) {
		talk_subscribe(a, all[i]);
		say(b, "a/b", t_text("%d", i));
		hear(a, "a/b", t_text("%d", i));
		hear_nothing(a);
	}
	REQUIRE(subscribe(a, "a/#", 0) == MOM_EEXIST, "a second time");
	for (int i = 0; i < ALL; i++) {
		say(b, "a/b", "last but one");
		hear(a, "a/b", "last but one");
		hear_nothing(a);
		unsubscribe(a, all[i]);
	}
	say(b, "a/b", "for nobody");
	hear_nothing(a);
	REQUIRE(mom_unsubscribe(a, "a/#") == MOM_ENOTSUB, "a second time");
	bye(a);
	bye(b);
}

TEST(since, "overlapping subscriptions grant what each of them grants: from when on, and one's own messages")
{
	up(NULL);
	int a = talk_create(), b = talk_create();
	say(b, "x/1", "before");
	REQUIRE(subscribe(a, "x/#", MOM_NO_ECHO) == 0, "%s", mom_error_text(a));
	say(a, "x/1", "own: only # matches");
	say(b, "x/1", "1");
	REQUIRE(subscribe(a, "x/1", 0) == 0, "%s", mom_error_text(a));
	say(a, "x/1", "2");
	say(a, "x/2", "own");
	say(b, "x/2", "3");
	unsubscribe(a, "x/1");
	say(a, "x/1", "own again");
	say(b, "x/1", "4");
	unsubscribe(a, "x/#");
	say(b, "x/1", "for nobody");
	REQUIRE(subscribe(a, "+/1", 0) == 0, "%s", mom_error_text(a));
	say(b, "x/1", "5");
	hear(a, "x/1", "1");
	hear(a, "x/1", "2");
	hear(a, "x/2", "3");
	hear(a, "x/1", "4");
	hear(a, "x/1", "5");
	hear_nothing(a);
	bye(a);
	bye(b);
}

TEST(durable, "a durable client's pattern outlives its process, and kill -9 of broker and daemon; what came meanwhile "
    "waits for it")
{
	up("--workers 2");
	int a = talk_open("watcher"), b;
	talk_subscribe(a, "site/#");
	REQUIRE(mom_close(a) == 0, "%s", mom_error_text(-1));
	b = talk_create();
	say(b, "site/1", "1");
	bye(b);
	server_kill_all(&broker);
	server_kill_all(&one);
	server_start(&broker);
	server_start(&one);
	b = talk_create();
	say(b, "site/1", "2");
	say(b, "elsewhere", "no");
	a = talk_open("watcher");
	REQUIRE(subscribe(a, "site/#", 0) == MOM_EEXIST, "it is forgotten: %s", mom_error_text(a));
	say(b, "site/1", "3");
	hear(a, "site/1", "1");
	hear(a, "site/1", "2");
	hear(a, "site/1", "3");
	hear_nothing(a);
	REQUIRE(mom_close(a) == 0, "%s", mom_error_text(-1));
	server_stop(&broker);                          /* which writes its check-point */
	server_start(&broker);
	a = talk_open("watcher");
	REQUIRE(subscribe(a, "site/#", 0) == MOM_EEXIST, "it is not in the check-point: %s", mom_error_text(a));
	say(b, "site/1", "4");
	hear(a, "site/1", "4");
	bye(a);
	bye(b);
}

TEST(unsubscribed, "what waits for a durable client's pattern comes though it unsubscribes from the topic itself, also "
    "after its daemon was stopped, or killed with all its memory")
{
	for (int round = 0; round < 3; round++) {
		if (round == 0)
			up(NULL);
		int a = talk_open("watcher"), b;
		talk_subscribe(a, "#");
		talk_subscribe(a, "x");
		REQUIRE(mom_close(a) == 0, "%s", mom_error_text(-1));
		if (round == 1)
			server_stop(&one);
		if (round == 2)
			server_kill_all(&one), run_command("'%s' ipc clean '%s'", t_bin("mom"), one.run);
		if (round)
			server_start(&one);
		b = talk_create();
		say(b, "x", "1");
		say(b, "y", "2");
		a = talk_open("watcher");
		unsubscribe(a, "x");
		say(b, "x", "3");
		hear(a, "x", "1");
		hear(a, "y", "2");
		hear(a, "x", "3");
		hear_nothing(a);
		bye(a);
		bye(b);
	}
}

TEST(load, "two watchers of all, one of a part and one of a topic get each message of three publishers once and in "
    "order, while worker, sender, forwarder and requester are killed")
{
	static const char *const victims[] = { "worker", "broker_sender", "mom_forwarder", "broker_handler",
	    "mom_requester" };
	up("--workers 2");
	daemon_start(&two, "two", broker.port);
	struct load *all[2] = { subscriber_start(&one, "#", PAYLOAD_STORM),
	    subscriber_start(&two, "#", PAYLOAD_STORM) },
	    *part = subscriber_start(&two, "plant/+/temp,#/temp", PAYLOAD_STORM),
	    *plain = subscriber_start(&one, "plant/1/temp,plant/#", PAYLOAD_STORM), *pub[3];
	for (unsigned i = 0; i < 3; i++)
		pub[i] = publisher_start(i == 1 ? &two : &one, i + 1, "plant/1/temp,other/2,plant/2/temp,third", 0,
		    PAYLOAD_STORM, MOM_ASYNC);
	for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) {
		struct server *of = strncmp(victims[i], "mom_", 4) == 0 ? i % 2 ? &one : &two : &broker;
		pid_t victim;
		load_moves(all[i % 2], 300);
		/* what the kill before has ended may be about to be replaced */
		WAIT_FOR(kill(victim = server_child(of, victims[i]), SIGKILL) == 0, "no %s to kill", victims[i]);
		server_replaced(of, victims[i], victim);
	}
	long sent = 0, parts = 0;
	for (int i = 0; i < 3; i++) {
		load_stop(pub[i]);
		load_finish(pub[i]);
		sent += pub[i]->sent;
		parts += pub[i]->next[0] + pub[i]->next[2];
	}
	load_expect(all[0], sent);
	load_expect(all[1], sent);
	load_expect(part, parts);
	load_expect(plain, parts);
	load_finish(all[0]);
	load_finish(all[1]);
	load_finish(part);
	load_finish(plain);
}

TEST(behind, "a watcher that does not read gets all of it from the spool, but nothing that it unsubscribed from before "
    "it was sent")
{
	enum { MESSAGES = 3000 };
	static char payload[1000];
	struct mom_message m;
	up(NULL);
	int a = talk_create(), b = talk_create(), n = 0;
	talk_subscribe(a, "big/#");
	talk_subscribe(a, "big/1");
	for (int i = 0; i < MESSAGES; i++) {
		snprintf(payload, sizeof payload, "%d", i);
		int r = mom_publish(b, i % 2 ? "big/1" : "big/2", payload, sizeof payload, MOM_ASYNC);
		REQUIRE(r == 0, "%s", mom_error_text(b));
	}
	REQUIRE(mom_flush(b, T_PATIENCE_MS) == 0, "%s", mom_error_text(b));
	const char *clients = "";
	WAIT_FOR(strstr(clients = run_command("'%s' clients --json", t_bin("mom")).out,
	    t_text("\"waiting_messages\": %d", MESSAGES)) && strstr(clients, "\"behind\": true"), "%s", clients);
	unsubscribe(a, "big/1");
	for (; n < MESSAGES && mom_receive(a, &m, T_PATIENCE_MS) == 0; n++)
		REQUIRE(atoi(m.data) == n, "%s came, number %d was awaited", (const char *)m.data, n);
	REQUIRE(n == MESSAGES, "%d messages: %s", n, mom_error_text(a));
	unsubscribe(a, "big/#");
	say(b, "big/1", "for nobody");
	hear_nothing(a);
	bye(a);
	bye(b);
}

TEST(served, "who watches by a pattern serves no call and stops no publisher: MOM_NEED_SUBSCRIBER and --topic-max look "
    "at subscribers of the topic itself")
{
	static char payload[1000];
	up("--topic-max 16k");
	int a = talk_open("sleeper"), b = talk_create();
	talk_subscribe(a, "#");
	REQUIRE(mom_close(a) == 0, "%s", mom_error_text(-1));
	int r = mom_publish(b, "x", "1", 1, MOM_NEED_SUBSCRIBER);
	REQUIRE(r == MOM_ENOSUBSCRIBER, "%d %s", r, mom_error_text(b));
	for (int i = 0; i < 100; i++)
		REQUIRE(mom_publish(b, "x", payload, sizeof payload, 0) == 0, "%d: %s", i, mom_error_text(b));
	a = talk_open("sleeper");
	bye(a);
	bye(b);
}

TEST(wrong, "a pattern where none may stand, and one that is none, is refused with a text that says why")
{
	static const struct { const char *pattern, *words; } bad[] = { { "a+", "fill its level" },
	    { "plant/b#", "plant/+/temp" }, { "a.b*", "plant.*.temp" }, { "a/>/b", "put # there" }, { "$x/#", "`$`" } };
	up(NULL);
	int a = talk_create();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		REQUIRE(subscribe(a, bad[i].pattern, 0) == MOM_ETOPIC && strstr(mom_error_text(a), bad[i].words) &&
		    mom_unsubscribe(a, bad[i].pattern) == MOM_ETOPIC, "%s: %s", bad[i].pattern, mom_error_text(a));
	REQUIRE(mom_publish(a, "plant/#", "x", 1, 0) == MOM_ETOPIC && strstr(mom_error_text(a), "pattern"), "%s",
	    mom_error_text(a));
	REQUIRE(mom_will(a, "plant/+", "x", 1) == MOM_ETOPIC && strstr(mom_error_text(a), "pattern"), "%s",
	    mom_error_text(a));
	talk_subscribe(a, "plant/#");
	say(a, "plant/1", "it goes on");
	hear(a, "plant/1", "it goes on");
	bye(a);
}

TEST(limit, "one pattern more than a client may have is refused, and nothing of it is left in any shard")
{
	up("--workers 3");
	int a = talk_create(), b = talk_create();
	for (int i = 0; i < PATTERNS_CLIENT / PATTERN_LEVELS; i++)
		REQUIRE(subscribe(a, t_text("%d/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+", i), 0) == 0, "%d: %s", i,
		    mom_error_text(a));
	REQUIRE(subscribe(a, "more/#", 0) == MOM_ELIMIT && strstr(mom_error_text(a), t_text("patterns of %d levels",
	    PATTERNS_CLIENT)), "%s", mom_error_text(a));
	talk_subscribe(a, "a topic/of/its.own" + 2);
	for (int i = 0; i < 8; i++)
		say(b, t_text("more/%d", i), "for nobody");
	hear_nothing(a);
	unsubscribe(a, "7/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+");
	talk_subscribe(a, "more/#");
	say(b, "more/1", "1");
	hear(a, "more/1", "1");
	bye(a);
	bye(b);
}

/* the shard of a store whose segments are the largest */
static void
fill(int id, const char *topic)
{
	static char payload[MOM_MESSAGE_MAX];
	int r = 0;
	for (int i = 0; i < 400 && r == 0; i++)
		r = mom_publish(id, topic, payload, sizeof payload, MOM_FAST);
	REQUIRE(r == MOM_EFULL, "it does not get full: %d %s", r, mom_error_text(id));
}

TEST(refused, "where one shard is full and refuses a pattern, the others give up what they took")
{
	up("--workers 2 --store-max 64m");
	int sleeper = talk_open("sleeper"), a = talk_create(), b = talk_create();
	talk_subscribe(sleeper, "full");
	REQUIRE(mom_close(sleeper) == 0, "%s", mom_error_text(-1));
	fill(b, "full");
	int r = subscribe(a, "#", 0);
	REQUIRE(r == MOM_EFULL && strstr(mom_error_text(a), "--store-max"), "%d %s", r, mom_error_text(a));
	REQUIRE(mom_flush(a, T_PATIENCE_MS) == 0, "%s", mom_error_text(a));
	int taken = 0;
	for (int i = 0; i < 20; i++)
		taken += mom_publish(b, t_text("free/%d", i), "x", 1, 0) == 0;
	REQUIRE(taken > 0 && taken < 20, "%d of 20 topics were taken", taken);
	hear_nothing(a);
	REQUIRE(mom_unsubscribe(a, "#") == MOM_ENOTSUB, "it is subscribed");
	sleeper = talk_open("sleeper");
	bye(sleeper);
	bye(a);
	bye(b);
}

/* a topic that lies in that shard of so many */
static const char *
topic_in(uint32_t shard, uint32_t shards)
{
	for (int i = 0;; i++) {
		const char *topic = t_text("in/%d", i);
		if (topic_shard(topic, strlen(topic), shards) == shard)
			return topic;
	}
}

static void
make_room(void)
{
	int sleeper = talk_open("sleeper");
	bye(sleeper);
}

static int
fill_shard(const char *topic)
{
	int sleeper = talk_open("sleeper"), id = talk_create();
	talk_subscribe(sleeper, topic);
	REQUIRE(mom_close(sleeper) == 0, "%s", mom_error_text(-1));
	fill(id, topic);
	return id;
}

/* The worker of one shard stands still, that of the other is full. */
static void
refused_beside(uint32_t still)
{
	up("--workers 2 --store-max 64m");
	const char *there = topic_in(still, 2), *full = topic_in(!still, 2);
	int a = talk_create(), b = fill_shard(full);
	pid_t worker = proc_find(broker.pid, "worker", (int)still);
	mom_set_option(a, MOM_OPT_TIMEOUT_MS, 500);
	REQUIRE(worker && kill(worker, SIGSTOP) == 0, "no worker %u", still);
	int r = subscribe(a, "#", 0);
	kill(worker, SIGCONT);
	REQUIRE(r == MOM_EFULL, "%d %s", r, mom_error_text(a));
	mom_set_option(a, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
	REQUIRE(mom_flush(a, T_PATIENCE_MS) == 0, "%s", mom_error_text(a));
	say(b, there, "for nobody");
	hear_nothing(a);
	REQUIRE(mom_unsubscribe(a, "#") == MOM_ENOTSUB, "shard %u has it still", still);
	make_room();
	bye(a);
	bye(b);
}

TEST(refused_beside_first, "where one shard is full and the first is late, the refusal is told, and the late one gives "
    "up what it takes")
{
	refused_beside(0);
}

TEST(refused_beside_last, "the same where the last one is late")
{
	refused_beside(1);
}

TEST(refused_late, "a refusal that comes when time is up is told by mom_flush; an unsubscribe takes back the rest")
{
	up("--workers 2 --store-max 64m");
	const char *full = topic_in(0, 2), *other = topic_in(1, 2);
	int a = talk_create(), b = fill_shard(full);
	pid_t worker = proc_find(broker.pid, "worker", 0);
	mom_set_option(a, MOM_OPT_TIMEOUT_MS, 500);
	REQUIRE(worker && kill(worker, SIGSTOP) == 0, "no worker");
	int r = subscribe(a, "#", 0);
	kill(worker, SIGCONT);
	REQUIRE(r == MOM_ETIMEDOUT, "%d %s", r, mom_error_text(a));
	mom_set_option(a, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
	REQUIRE((r = mom_flush(a, T_PATIENCE_MS)) == MOM_EFULL, "%d %s", r, mom_error_text(a));
	unsubscribe(a, "#");
	say(b, other, "for nobody");
	hear_nothing(a);
	make_room();
	bye(a);
	bye(b);
}

TEST(refused_in_a_window, "what is to be taken back goes out though the window has no room for it at once")
{
	enum { SHARDS = 32 };
	up("--workers 32 --store-max 1g");
	char deep[256];
	memset(deep, 'x', 248);
	strcpy(deep + 248, "/#");
	int a = talk_create(), b = fill_shard(topic_in(SHARDS - 1, SHARDS));
	mom_set_option(a, MOM_OPT_WINDOW, 4096);
	int r = subscribe(a, deep, 0);
	REQUIRE(r == MOM_EFULL, "%d %s", r, mom_error_text(a));
	REQUIRE(mom_flush(a, T_PATIENCE_MS) == 0, "%s", mom_error_text(a));
	deep[248] = '\0';
	for (int i = 0; i < 100; i++) {
		r = mom_publish(b, t_text("%s/%d", deep, i), "x", 1, 0);
		REQUIRE(r == 0 || r == MOM_EFULL, "%s", mom_error_text(b));
	}
	hear_nothing(a);
	make_room();
	bye(a);
	bye(b);
}

static int
says_has_pattern(int id)
{
	int shm;
	struct client_segment *c = segment_of(&one, id, &shm);
	int has = atomic_load(&c->has_pattern) != 0;
	shmdt(c);
	return has;
}

TEST(never_had_one, "a durable client that never had a pattern gets nothing of what it unsubscribed from, also after a "
    "power cut of its machine and after stops since")
{
	up(NULL);
	int a = talk_open("watcher"), b;
	talk_subscribe(a, "x");
	for (int round = 0; round < 3; round++) {
		if (round == 0)
			server_kill_all(&one), run_command("'%s' ipc clean '%s'", t_bin("mom"), one.run);
		else
			server_stop(&one);
		server_start(&one);
		mom_close(a);
		a = talk_open("watcher");
		b = talk_create();
		/* the broker's list says so within a tick */
		WAIT_FOR(!says_has_pattern(a), "it counts as one with patterns");
		say(b, "x", "waits");
		unsubscribe(a, "x");
		hear_nothing(a);
		talk_subscribe(a, "x");
		bye(b);
	}
	bye(a);
}

TEST(commands, "mom sub takes patterns and --all; mom topics and mom clients count a pattern once, over three workers")
{
	up("--workers 3");
	struct running all = run_start("exec '%s' sub -v --all -C 4 --ready-fd 3 3>'%s'", t_bin("mom"), t_path("1")),
	    part = run_start("exec '%s' sub -v 'plant/+/temp' -C 2 --ready-fd 3 3>'%s'", t_bin("mom"), t_path("2"));
	WAIT_FOR(t_read_file(t_path("1"))[0] && t_read_file(t_path("2"))[0], "not subscribed");
	int id = talk_create();
	const char *topics = "";
	WAIT_FOR(strstr(topics = run_command("'%s' topics", t_bin("mom")).out, "plant/+/temp"), "%s", topics);
	const char *row = strstr(topics, "plant/+/temp"), *heading = strstr(topics, "PATTERN");
	REQUIRE(strstr(row + 1, "plant/+/temp") == NULL && atoi(row + strcspn(row, " ")) == 1 && heading &&
	    heading < row, "%s", topics);
	const char *clients = "";
	/* the number a tick late */
	WAIT_FOR(strstr(clients = run_command("'%s' clients --json", t_bin("mom")).out,
	    "\"topics\": [\"plant/+/temp\"], \"subscriptions\": 1"), "%s", clients);
	say(id, "news", "1");
	say(id, "plant/7/temp", "2");
	say(id, "plant", "3");
	WAIT_FOR(strstr(topics = run_command("'%s' topics -v", t_bin("mom")).out, " 0+2 ") &&
	    strstr(topics, "    1 by the pattern plant/+/temp\n") && strstr(topics, "    1 by the pattern #\n"), "%s",
	    topics);
	say(id, "plant/8/temp", "4");
	struct ran r = run_finish(&all);
	REQUIRE(r.status == 0 && strstr(r.out, "news 1\n") && strstr(r.out, "plant/7/temp 2\n") &&
	    strstr(r.out, "plant 3\n"), "%s%s", r.out, r.err);
	r = run_finish(&part);
	REQUIRE(r.status == 0 && strcmp(r.out, "plant/7/temp 2\nplant/8/temp 4\n") == 0, "%s%s", r.out, r.err);
	bye(id);
}
