/* subscriptions - item 2: only what one subscribed to arrives, and it carries topic, publisher, offset and time */
#include <lib/server.h>
#include <lib/shim.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct server broker, daemon_, other;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&daemon_, "daemon", broker.port);
	use_daemon(&daemon_);
}

TEST(only_subscribed, "only subscribed topics arrive; a topic whose name begins like another's is another")
{
	up();
	int a = talk_create(), b = talk_create();
	REQUIRE(mom_subscribe(a, "news", 0) == 0, "%s", mom_error_text(a));
	REQUIRE(mom_subscribe(a, "end", 0) == 0, "%s", mom_error_text(a));
	say(b, "new", "1");
	say(b, "news/sport", "2");
	say(b, "newspaper", "3");
	say(b, "NEWS", "4");
	say(b, "news", "5");
	say(b, "end", "6");
	hear(a, "news", "5");
	hear(a, "end", "6");
	hear_nothing(a);
	hear_nothing(b);
	bye(a);
	bye(b);
}

TEST(unsubscribe, "after unsubscribe nothing more of the topic comes, not even what waited")
{
	up();
	int a = talk_create(), b = talk_create();
	REQUIRE(mom_subscribe(a, "gone", 0) == 0 && mom_subscribe(a, "stays", 0) == 0, "%s", mom_error_text(a));
	say(b, "gone", "waits");
	say(b, "stays", "1");
	REQUIRE(mom_unsubscribe(a, "gone") == 0, "%s", mom_error_text(a));
	say(b, "gone", "late");
	say(b, "stays", "2");
	hear(a, "stays", "1");
	hear(a, "stays", "2");
	hear_nothing(a);
	bye(a);
	bye(b);
}

TEST(again_at_once, "unsubscribe and subscribe again at once delivers nothing from before, 200 times")
{
	char text[20];
	up();
	int a = talk_create(), b = talk_create();
	REQUIRE(mom_subscribe(a, "again", 0) == 0, "%s", mom_error_text(a));
	for (int i = 0; i < 200; i++) {
		say(b, "again", "before");
		REQUIRE(mom_unsubscribe(a, "again") == 0, "%s", mom_error_text(a));
		if (i % 2)
			say(b, "again", "between");
		REQUIRE(mom_subscribe(a, "again", 0) == 0, "%s", mom_error_text(a));
		snprintf(text, sizeof text, "after %d", i);
		say(b, "again", text);
		hear(a, "again", text);
	}
	hear_nothing(a);
	bye(a);
	bye(b);
}

TEST(from_its_return_on, "what is acknowledged after subscribe returned arrives, on another daemon too; what was "
    "before does not")
{
	struct mom_message m;
	up();
	daemon_start(&other, "other", broker.port);
	int a = talk_create();
	use_daemon(&other);
	int b = talk_create();
	say(a, "since", "too early");
	REQUIRE(mom_subscribe(b, "since", 0) == 0, "%s", mom_error_text(b));
	say(a, "since", "first");
	hear(b, "since", "first");
	REQUIRE(mom_receive(b, &m, 0) == MOM_ETIMEDOUT, "more came");
	bye(a);
	bye(b);
}

TEST(no_echo, "MOM_NO_ECHO leaves out one's own messages and nobody else's")
{
	up();
	int a = talk_create(), b = talk_create();
	REQUIRE(mom_subscribe(a, "echo", MOM_NO_ECHO) == 0 && mom_subscribe(b, "echo", 0) == 0, "%s",
	    mom_error_text(a));
	say(a, "echo", "of a");
	say(b, "echo", "of b");
	hear(a, "echo", "of b");
	hear_nothing(a);
	hear(b, "echo", "of a");
	hear(b, "echo", "of b");
	bye(a);
	bye(b);
}

TEST(fields, "a message carries topic, publisher, a growing offset and the time of its storing")
{
	struct mom_message m;
	uint64_t last = 0;
	int64_t before = (int64_t)time(NULL) * 1000000 - 1000000, last_time = 0;
	up();
	int a = talk_create(), b = talk_create();
	REQUIRE(mom_global_id(a) != 0 && mom_global_id(a) != mom_global_id(b), "ids %llx %llx",
	    (unsigned long long)mom_global_id(a),
	    (unsigned long long)mom_global_id(b));
	REQUIRE(mom_subscribe(a, "fields", 0) == 0, "%s", mom_error_text(a));
	for (int i = 0; i < 20; i++) {
		int from = i % 2 ? a : b;
		REQUIRE(mom_publish(from, "fields", i ? "x" : NULL, i ? 1 : 0, 0) == 0, "%s", mom_error_text(from));
		REQUIRE(mom_receive(a, &m, 20000) == 0, "%s", mom_error_text(a));
		REQUIRE(strcmp(m.topic, "fields") == 0 && m.publisher == mom_global_id(from) &&
		    m.len == (i ? 1u : 0u) && m.flags == 0,
		    "%d: topic %s publisher %llx len %zu flags %u", i, m.topic, (unsigned long long)m.publisher, m.len,
		    m.flags);
		REQUIRE(m.offset > last, "offset %llx after %llx", (unsigned long long)m.offset,
		    (unsigned long long)last);
		REQUIRE(m.time_us >= before && m.time_us >= last_time &&
		    m.time_us <= ((int64_t)time(NULL) + 2) * 1000000, "time %lld",
		    (long long)m.time_us);
		last = m.offset;
		last_time = m.time_us;
	}
	bye(a);
	bye(b);
}

TEST(payloads, "payloads of 0, 1 and 1 MiB, and a topic of 255 bytes, come through unchanged")
{
	static char big[MOM_MESSAGE_MAX], topic[MOM_TOPIC_MAX + 1];
	static const size_t sizes[] = {0, 1, 7, 8, 9, 4095, 4096, 65536, MOM_MESSAGE_MAX - 1, MOM_MESSAGE_MAX};
	struct mom_message m;
	struct t_rng rng;
	t_rng_init(&rng, 5);
	t_rng_fill(&rng, big, sizeof big);
	memset(topic, 'x', MOM_TOPIC_MAX);
	up();
	int a = talk_create();
	REQUIRE(mom_subscribe(a, topic, 0) == 0, "%s", mom_error_text(a));
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		REQUIRE(mom_publish(a, topic, big, sizes[i], MOM_FAST) == 0, "%s", mom_error_text(a));
		REQUIRE(mom_receive(a, &m, 20000) == 0, "%zu bytes: %s", sizes[i], mom_error_text(a));
		REQUIRE(m.len == sizes[i] && memcmp(m.data, big, m.len) == 0 && strcmp(m.topic, topic) == 0,
		    "%zu bytes for %zu", m.len, sizes[i]);
	}
	bye(a);
}

/* ---- a client with very many topics ends ---- */

struct giant { int topics, ready, go, done; };

static struct giant *
begin_giant(int topics)
{
	struct giant *g = t_shared_memory(sizeof *g);
	g->topics = topics;
	return g;
}

static void
be_giant(void *with)
{
	struct giant *g = with;
	int id = talk_create();
	for (int i = 0; i < g->topics; i++)
		talk_subscribe(id, t_text("many/%d", i));
	__atomic_store_n(&g->ready, 1, __ATOMIC_SEQ_CST);
	WAIT_FOR(__atomic_load_n(&g->go, __ATOMIC_SEQ_CST), "the start");
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, -1) == 0 && mom_destroy(id) == 0, "%s", mom_error_text(-1));
	__atomic_store_n(&g->done, 1, __ATOMIC_SEQ_CST);
}

static char *
shown_at(int topic)
{
	return t_text("%s/shard-0/topics/many/%d", broker.store, topic);
}

static int
is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* of the giant, when nobody else has a topic */
static void
shown_no_more(void)
{
	CHECK(access(t_text("%s/shard-0/topics/many", broker.store), F_OK) < 0, "its topics are still shown");
	CHECK(rmdir(t_text("%s/shard-0/sub", broker.store)) == 0, "it is still shown");
}

TEST(many_end, "a client with 3,000 topics is destroyed: others are answered meanwhile, on its machine and on another, "
    "clients without topics end, and no view of it is left when it returns")
{
	struct giant *g = begin_giant(3000);
	long answered = 0, subscribed = 0, ended = 0;
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&daemon_, "one", broker.port);
	daemon_start(&other, "two", broker.port);
	use_daemon(&daemon_);
	pid_t giant = t_spawn(be_giant, g);
	int near = talk_create();
	use_daemon(&other);
	int far = talk_create();
	WAIT_FOR(__atomic_load_n(&g->ready, __ATOMIC_SEQ_CST), "the giant");
	__atomic_store_n(&g->go, 1, __ATOMIC_SEQ_CST);
	char *first = shown_at(0), *last = shown_at(g->topics - 1);
	while (is_there(first) && is_there(last) && !__atomic_load_n(&g->done, __ATOMIC_SEQ_CST))
		sched_yield();                         /* counted is what is answered from here on */
	while (!__atomic_load_n(&g->done, __ATOMIC_SEQ_CST)) {
		REQUIRE(mom_publish(near, "many/0", "x", 1, MOM_FAST) == 0 &&
		    mom_publish(far, "many/1", "x", 1, MOM_FAST) == 0, "%s", mom_error_text(far));
		if (answered++ % 8)
			continue;
		REQUIRE(mom_subscribe(far, "many/7", 0) == 0 && mom_unsubscribe(far, "many/7") == 0, "%s",
		    mom_error_text(far));
		subscribed++;
		bye(talk_create());
		ended += !__atomic_load_n(&g->done, __ATOMIC_SEQ_CST);
	}
	shown_no_more();
	t_remark("%ld publishes of each of two, %ld subscriptions were answered while it went", answered, subscribed);
	REQUIRE(answered >= 10 && ended >= 2, "%ld were answered, %ld clients without topics ended", answered, ended);
	t_join(giant);
	bye(near);
	bye(far);
}

/* says one thing, leaves a will, and dies */
static void
say_and_die(void *with)
{
	(void)with;
	int id = talk_create();
	REQUIRE(mom_will(id, "ear", "last", 4) == 0, "%s", mom_error_text(id));
	say(id, "ear", "once");
	kill(getpid(), SIGKILL);
}

TEST(many_end_killed, "the worker is killed while it removes the views of a client with 500 topics: what others said "
    "meanwhile is not stored twice, and the client's end is acknowledged")
{
	struct giant *g = begin_giant(500);
	int died = 0;
	shim_slow("worker", "unlink", 5);
	broker_start(&broker, "broker", 0, NULL);
	shim_end();
	daemon_start(&daemon_, "one", broker.port);
	use_daemon(&daemon_);
	pid_t giant = t_spawn(be_giant, g);
	int ear = talk_create();
	talk_subscribe(ear, "ear");
	WAIT_FOR(__atomic_load_n(&g->ready, __ATOMIC_SEQ_CST), "the giant");
	__atomic_store_n(&g->go, 1, __ATOMIC_SEQ_CST);
	WAIT_FOR(!is_there(shown_at(0)) || !is_there(shown_at(g->topics - 1)), "the giant's end");
	for (; died < 3; died++) {
		pid_t pid = fork();
		if (pid == 0)
			say_and_die(NULL);
		waitpid(pid, NULL, 0);
		hear(ear, "ear", "once");
		hear(ear, "ear", "last");
	}
	REQUIRE(!__atomic_load_n(&g->done, __ATOMIC_SEQ_CST), "the giant had ended already");
	kill(server_child(&broker, "worker"), SIGKILL);
	say(ear, "ear", "fence");
	hear(ear, "ear", "fence");
	t_join(giant);
	CHECK(rmdir(t_text("%s/shard-0/topics/many", broker.store)) < 0, "a topic is still shown");
	bye(ear);
}

TEST(many_end_answered, "the worker is killed while it removes the views of a client with 5,000 topics: its successor "
    "answers that client, no view of it is left, and what a program said meanwhile comes once")
{
	struct giant *g = begin_giant(5000);
	up();
	int ear = talk_create();
	talk_subscribe(ear, "meanwhile");
	pid_t giant = t_spawn(be_giant, g), worker = server_child(&broker, "worker");
	WAIT_FOR(__atomic_load_n(&g->ready, __ATOMIC_SEQ_CST), "the giant");
	__atomic_store_n(&g->go, 1, __ATOMIC_SEQ_CST);
	int64_t end = t_now_ms() + T_PATIENCE_MS;
	char *first = shown_at(0), *last = shown_at(g->topics - 1);
	while (is_there(first) && is_there(last))      /* without a pause: it may go fast */
		REQUIRE(t_now_ms() < end, "it does not begin");
	int brief = talk_create();
	say(brief, "meanwhile", "once");
	bye(brief);
	kill(worker, SIGSTOP);
	if (!is_there(first) && !is_there(last))
		t_remark("all views were gone before it was killed: this file system is too quick");
	kill(worker, SIGKILL);
	server_replaced(&broker, "worker", worker);
	WAIT_FOR(__atomic_load_n(&g->done, __ATOMIC_SEQ_CST), "it is not answered");
	CHECK(access(t_text("%s/shard-0/topics/many", broker.store), F_OK) < 0, "its topics are still shown");
	hear(ear, "meanwhile", "once");
	say(ear, "meanwhile", "fence");
	hear(ear, "meanwhile", "fence");
	bye(ear);
	shown_no_more();
	t_join(giant);
}
