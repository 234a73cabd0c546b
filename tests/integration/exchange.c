/* exchange - item 1: messages of every size get through, once and in order; item 2: only what one subscribed to, and
 * its fields; item 15 */
#include <lib/load.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <stdlib.h>

static struct server broker, one, two;

/* two programs, each publishes and each receives all of the other's and its own */
static void
exchange(struct server *left, struct server *right, long each)
{
	struct load *ears[2], *mouths[2];
	ears[0] = subscriber_start(left, "mix/a,mix/b,mix/c", PAYLOAD_MIX);
	ears[1] = subscriber_start(right, "mix/a,mix/b,mix/c", PAYLOAD_MIX);
	mouths[0] = publisher_start(left, 1, "mix/a,mix/b", each, PAYLOAD_MIX, MOM_ASYNC);
	mouths[1] = publisher_start(right, 2, "mix/b,mix/c", each, PAYLOAD_MIX, MOM_ASYNC);
	load_finish(mouths[0]);
	load_finish(mouths[1]);
	load_expect(ears[0], 2 * each);
	load_expect(ears[1], 2 * each);
	load_finish(ears[0]);
	load_finish(ears[1]);
}

TEST(one_daemon, "two programs on one daemon exchange 50,000 messages of all sizes: all there, once, in order")
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	exchange(&one, &one, t_is_long() ? 250000 : 25000);
}

static int *answering;

static void
answer_all(void *argument)
{
	struct mom_message m;
	int id = talk_create(), count = (int)(intptr_t)argument;
	talk_subscribe(id, "ask");
	*answering = 1;
	for (int i = 0; i < count; i++) {
		REQUIRE(mom_receive(id, &m, 30000) == 0, "question %d: %s", i, mom_error_text(id));
		REQUIRE(mom_publish(id, "answer", m.data, m.len, MOM_FAST | MOM_ASYNC) == 0, "%s", mom_error_text(id));
	}
	bye(id);
}

TEST(sleepers, "who sleeps in receive is woken by the message, not by its own look once a second: 40 questions and "
    "answers take far less than 40 s")
{
	enum { QUESTIONS = 40 };
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	answering = t_shared_memory(sizeof *answering);
	pid_t other = t_spawn(answer_all, (void *)(intptr_t)QUESTIONS);
	int id = talk_create();
	talk_subscribe(id, "answer");
	WAIT_FOR(__atomic_load_n(answering, __ATOMIC_SEQ_CST), "nobody answers");
	int64_t began = t_now_ms();
	for (int i = 0; i < QUESTIONS; i++) {
		t_tick();                       /* the other one is asleep by then */
		say(id, "ask", "hello");
		hear(id, "answer", "hello");
	}
	REQUIRE(t_now_ms() - began < QUESTIONS * 250, "%d took %lld ms", QUESTIONS, (long long)(t_now_ms() - began));
	bye(id);
	t_join(other);
}

TEST(large_sleepers, "who sleeps in receive is woken by a large message, too, where the end of its mail box has no "
    "room for it: 30 there and back take far less than 30 s")
{
	static const size_t sizes[] = { 300000, MOM_MESSAGE_MAX, 0, 70001, MOM_MESSAGE_MAX };
	enum { QUESTIONS = 30 };
	struct mom_message m;
	char *bytes = calloc(1, MOM_MESSAGE_MAX);
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	answering = t_shared_memory(sizeof *answering);
	pid_t other = t_spawn(answer_all, (void *)(intptr_t)QUESTIONS);
	int id = talk_create();
	talk_subscribe(id, "answer");
	WAIT_FOR(__atomic_load_n(answering, __ATOMIC_SEQ_CST), "nobody answers");
	int64_t began = t_now_ms();
	for (int i = 0; i < QUESTIONS; i++) {
		REQUIRE(mom_publish(id, "ask", bytes, sizes[i % 5], 0) == 0, "%s", mom_error_text(id));
		REQUIRE(mom_receive(id, &m, 20000) == 0 && m.len == sizes[i % 5], "%d: %s", i, mom_error_text(id));
	}
	REQUIRE(t_now_ms() - began < QUESTIONS * 200, "%d took %lld ms", QUESTIONS, (long long)(t_now_ms() - began));
	bye(id);
	t_join(other);
}

TEST(two_daemons, "two programs on two daemons exchange 50,000 messages of all sizes: all there, once, in order")
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	daemon_start(&two, "two", broker.port);
	exchange(&one, &two, t_is_long() ? 250000 : 25000);
}

TEST(shards, "with four workers several topics go over all of them, order kept in each")
{
	broker_start(&broker, "broker", 0, "--workers 4");
	daemon_start(&one, "one", broker.port);
	const char *topics = "s/1,s/2,s/3,s/4,s/5,s/6,s/7,s/8,s/9,s/10,s/11,s/12";
	long count = t_is_long() ? 200000 : 12000;
	struct load *ear = subscriber_start(&one, topics, PAYLOAD_SMALL);
	struct load *a = publisher_start(&one, 1, topics, count, PAYLOAD_SMALL, MOM_ASYNC);
	struct load *b = publisher_start(&one, 2, topics, count, PAYLOAD_SMALL, MOM_ASYNC | MOM_FAST);
	load_finish(a);
	load_finish(b);
	load_expect(ear, 2 * count);
	load_finish(ear);
}

TEST(ten_subscribers, "ten subscribers of a topic, on two daemons, get each message once")
{
	struct load *ears[10];
	long count = t_is_long() ? 100000 : 10000;
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	daemon_start(&two, "two", broker.port);
	for (int i = 0; i < 10; i++)
		ears[i] = subscriber_start(i % 2 ? &one : &two, "ten", PAYLOAD_SMALL);
	struct load *mouth = publisher_start(&one, 7, "ten", count, PAYLOAD_SMALL, MOM_ASYNC);
	load_finish(mouth);
	for (int i = 0; i < 10; i++)
		load_expect(ears[i], count);
	for (int i = 0; i < 10; i++)
		load_finish(ears[i]);
}

TEST(every_flag, "durable, fast and asynchronous messages of one publisher keep their common order")
{
	struct mom_message m;
	struct payload_judge j;
	char *buffer = malloc(MOM_MESSAGE_MAX);
	static const unsigned flags[] = {0, MOM_FAST, MOM_ASYNC, MOM_ASYNC | MOM_FAST};

	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = mom_create();
	REQUIRE(id >= 0, "%s", mom_error_text(-1));
	REQUIRE(mom_subscribe(id, "flags", 0) == 0, "%s", mom_error_text(id));
	for (uint32_t n = 0; n < 400; n++) {
		size_t len = payload_make(buffer, PAYLOAD_SMALL, 3, "flags", n);
		REQUIRE(mom_publish(id, "flags", buffer, len, flags[n * 7 / 3 % 4]) == 0, "%u: %s", n,
		    mom_error_text(id));
	}
	REQUIRE(mom_flush(id, 20000) == 0, "%s", mom_error_text(id));
	payload_judge_init(&j, PAYLOAD_SMALL);
	for (int n = 0; n < 400; n++) {
		REQUIRE(mom_receive(id, &m, 20000) == 0, "%d: %s", n, mom_error_text(id));
		REQUIRE(payload_judge(&j, &m), "%s", j.bad);
	}
	REQUIRE(mom_receive(id, &m, 0) == MOM_ETIMEDOUT, "one too many");
	REQUIRE(mom_destroy(id) == 0, "%s", mom_error_text(-1));
}

TEST(first_topics, "a new store has the topics general, news and log, or those of --topics")
{
	static struct server other;
	broker_start(&broker, "broker", 0, NULL);
	broker_start(&other, "other", 0, "--topics red,green/light");
	server_stop(&broker);
	server_stop(&other);
	static const char *const names[][2] = {{"broker", "general"}, {"broker", "news"}, {"broker", "log"},
	    {"other", "red"}, {"other", "green"}};
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		char *dump = t_text("%s %s/%s/db 2>/dev/null | grep -q %s", t_bin("db_dump"), t_dir(), names[i][0],
		    names[i][1]);
		char *files = t_text("find %s/%s/db -name '%s*' | grep -q .", t_dir(), names[i][0], names[i][1]);
		REQUIRE(system(dump) == 0 || system(files) == 0, "%s: no trace of topic %s", names[i][0], names[i][1]);
	}
}
