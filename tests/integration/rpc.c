/* rpc - remote calls: results, errors that cross, no server, a server that dies, what is executed how often when
 * messages come twice or never */
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <mom_rpc.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static struct server broker, one, two;

/* what the servers of a case did and shall do */
static struct seen {
	int ready;                             /* servers that began */
	int end, executed, deferred, die_at, mute;
	uint64_t caller;
} *seen;

static int
sum(struct mom_request *q, void *with)
{
	int64_t a = mom_get_i64(&q->args), b = mom_get_i64(&q->args);
	(void)with;
	seen->executed++;
	seen->caller = q->caller;
	if (seen->die_at && seen->executed == seen->die_at)
		kill(getpid(), SIGKILL);
	if (a == 1000)
		return mom_raise(q, 7, "%lld is too much for me", (long long)a);
	if (a == 1001)
		return 5;
	if (a == 1002)
		return MOM_EIO;
	mom_put_i64(&q->reply, a + b);
	return 0;
}

static int
echo(struct mom_request *q, void *with)
{
	size_t n = mom_reader_left(&q->args);
	const void *p = mom_get_raw(&q->args, n);
	(void)with;
	seen->executed++;
	mom_put_raw(&q->reply, p, n);
	if (n == 17)
		mom_put_raw(&q->reply, calloc(1, MOM_MESSAGE_MAX), MOM_MESSAGE_MAX);
	return 0;
}

/* answers the one before, when the next comes */
static int
later(struct mom_request *q, void *with)
{
	static struct mom_later before;
	static int has_before;
	unsigned char bytes[8];
	struct mom_writer w;
	(void)with;
	seen->executed++;
	if (!has_before) {
		has_before = 1;
		seen->deferred++;
		return mom_defer(q, &before);
	}
	has_before = 0;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_i64(&w, 4711);
	mom_put_i64(&q->reply, 1);
	REQUIRE(mom_answer(q->server, &before, &w, 0, NULL) == 0, "%s", mom_error_text(-1));
	return 0;
}

static void
serve_all(void *argument)
{
	use_daemon(argument);
	struct mom_server *s = mom_server_create();
	REQUIRE(s, "%s", mom_error_text(-1));
	REQUIRE(mom_serve(s, "sum", sum, NULL) == 0 && mom_serve(s, "echo", echo, NULL) == 0 &&
	    mom_serve(s, "later", later, NULL) == 0, "%s", mom_error_text(-1));
	REQUIRE(mom_serve(s, "sum", sum, NULL) == MOM_EEXIST && mom_serve(s, "a b", sum, NULL) == MOM_ETOPIC &&
	    mom_serve(s, "", sum, NULL) == MOM_EINVAL, "served");
	__atomic_fetch_add(&seen->ready, 1, __ATOMIC_SEQ_CST);
	for (int r; !__atomic_load_n(&seen->end, __ATOMIC_SEQ_CST); ) {
		r = mom_serve_one(s, 50);
		REQUIRE(r == 0 || r == MOM_ETIMEDOUT, "%d: %s", r, mom_error_text(mom_server_id(s)));
	}
	REQUIRE(mom_server_destroy(s) == 0, "%s", mom_error_text(-1));
}

static pid_t
server_begins(struct server *daemon)
{
	int before = __atomic_load_n(&seen->ready, __ATOMIC_SEQ_CST);
	pid_t pid = t_spawn(serve_all, daemon);
	WAIT_FOR(__atomic_load_n(&seen->ready, __ATOMIC_SEQ_CST) > before, "no server");
	return pid;
}

static void
server_ends(pid_t pid)
{
	__atomic_store_n(&seen->end, 1, __ATOMIC_SEQ_CST);
	t_join(pid);
	__atomic_store_n(&seen->end, 0, __ATOMIC_SEQ_CST);
}

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	seen = t_shared_memory(sizeof *seen);
}

static int
call_sum(int id, int64_t a, int64_t b, int64_t *result, int timeout_ms, unsigned mode)
{
	unsigned char bytes[16];
	struct mom_writer w;
	struct mom_reader r;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_i64(&w, a);
	mom_put_i64(&w, b);
	int e = mom_call(id, "sum", &w, &r, timeout_ms, mode);
	if (e == 0) {
		*result = mom_get_i64(&r);
		REQUIRE(!mom_reader_failed(&r) && mom_reader_left(&r) == 0, "a result of another form");
	}
	return e;
}

TEST(sums, "a call in each mode returns the result, from this machine and from another; its handle's own messages are "
    "left alone")
{
	int64_t result = 0;
	up();
	daemon_start(&two, "two", broker.port);
	pid_t server = server_begins(&two);
	for (int i = 0; i < 2; i++) {
		use_daemon(i ? &two : &one);
		int id = talk_create();
		talk_subscribe(id, "news");
		say(id, "news", "first");
		for (int n = 0; n < 60; n++) {
			int e = call_sum(id, n, 40, &result, PATIENCE_MS, (unsigned)n % 3);
			REQUIRE(e == 0 && result == n + 40, "%d: %d %s", n, e, mom_error_text(id));
		}
		hear(id, "news", "first");
		hear_nothing(id);
		bye(id);
	}
	REQUIRE(seen->executed == 120, "%d executions", seen->executed);
	server_ends(server);
}

TEST(errors, "an error that is raised reaches the caller with its code and text; so do wrong arguments and a result "
    "that does not fit")
{
	int64_t result;
	unsigned char bytes[20] = { 0 };
	struct mom_writer w;
	struct mom_reader r;
	up();
	pid_t server = server_begins(&one);
	int id = talk_create();
	REQUIRE(call_sum(id, 1000, 1, &result, PATIENCE_MS, MOM_AT_MOST_ONCE) == 7 &&
	    strcmp(mom_error_text(id), "1000 is too much for me") == 0, "%s", mom_error_text(id));
	REQUIRE(call_sum(id, 1001, 1, &result, PATIENCE_MS, MOM_AT_MOST_ONCE) == 5 &&
	    strcmp(mom_error_text(id), "") == 0, "%s", mom_error_text(id));
	REQUIRE(call_sum(id, 1002, 1, &result, PATIENCE_MS, MOM_MAYBE) == 1 &&
	    strcmp(mom_error_text(id), "sum failed: a disk failed") == 0, "%s", mom_error_text(id));
	REQUIRE(mom_call(id, "sum", NULL, &r, PATIENCE_MS, MOM_MAYBE) == MOM_EINVAL &&
	    strstr(mom_error_text(id), "arguments"), "%s", mom_error_text(id));
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_raw(&w, bytes, 17);
	REQUIRE(mom_call(id, "echo", &w, &r, PATIENCE_MS, MOM_AT_MOST_ONCE) == MOM_ETOOBIG &&
	    strstr(mom_error_text(id), "does not fit"), "%s", mom_error_text(id));
	mom_put_raw(&w, bytes, 17);
	REQUIRE(mom_call(id, "echo", &w, &r, PATIENCE_MS, MOM_MAYBE) == MOM_ETOOBIG &&
	    strstr(mom_error_text(id), "nothing was sent"), "%s", mom_error_text(id));
	REQUIRE(mom_call(id, "echo", NULL, &r, -2, MOM_MAYBE) == MOM_EINVAL &&
	    mom_call(id, "echo", NULL, &r, 0, 3) == MOM_EINVAL, "wrong arguments");
	REQUIRE(mom_call(id, "", NULL, &r, 1, MOM_MAYBE) == MOM_EINVAL &&
	    mom_call(id, "a b", NULL, &r, PATIENCE_MS, 0) == MOM_ETOPIC, "wrong names");
	REQUIRE(mom_call(-1, "echo", NULL, &r, 1, MOM_MAYBE) == MOM_EBADID, "no handle");
	REQUIRE(call_sum(id, 1, 1, &result, PATIENCE_MS, MOM_AT_MOST_ONCE) == 0 && result == 2, "%s",
	    mom_error_text(id));
	bye(id);
	server_ends(server);
}

TEST(large, "arguments and results of almost 1 MiB pass unchanged")
{
	enum { LARGE = MOM_MESSAGE_MAX - 700 };
	unsigned char *bytes = malloc(LARGE);
	struct mom_writer w;
	struct mom_reader r;
	up();
	pid_t server = server_begins(&one);
	int id = talk_create();
	for (size_t i = 0; i < LARGE; i++)
		bytes[i] = (unsigned char)(i * 2654435761u >> 13);
	mom_writer_init(&w, bytes, LARGE);
	w.len = LARGE;
	for (int n = 0; n < 5; n++) {
		REQUIRE(mom_call(id, "echo", &w, &r, PATIENCE_MS, MOM_AT_MOST_ONCE) == 0, "%s", mom_error_text(id));
		REQUIRE(mom_reader_left(&r) == LARGE && memcmp(mom_get_raw(&r, LARGE), bytes, LARGE) == 0,
		    "other bytes came back");
	}
	bye(id);
	server_ends(server);
}

TEST(no_server, "where nobody serves, or nobody any more, a call fails at once and says so, whatever its time-out")
{
	int64_t result, began = t_now_ms();
	up();
	int id = talk_create();
	for (unsigned mode = 0; mode < 3; mode++)
		REQUIRE(call_sum(id, 1, 2, &result, 600000, mode) == MOM_ENOSUBSCRIBER &&
		    strstr(mom_error_text(id), "nobody serves sum"), "%s", mom_error_text(id));
	pid_t server = server_begins(&one);
	REQUIRE(call_sum(id, 1, 2, &result, PATIENCE_MS, MOM_MAYBE) == 0, "%s", mom_error_text(id));
	server_ends(server);
	for (unsigned mode = 0; mode < 3; mode++)
		REQUIRE(call_sum(id, 1, 2, &result, 600000, mode) == MOM_ENOSUBSCRIBER, "%s", mom_error_text(id));
	server = server_begins(&one);
	for (unsigned mode = 0; mode < 3; mode++)
		REQUIRE(call_sum(id, 1, 2, &result, PATIENCE_MS, mode) == 0 && result == 3, "the new server: %s",
		    mom_error_text(id));
	REQUIRE(t_now_ms() - began < 30000, "that took %lld ms", (long long)(t_now_ms() - began));
	server_ends(server);
	bye(id);
}

/* a server that is killed in its second call; where there is another, that one was not asked first */
static pid_t
server_dies_in_call(int id, int *e, unsigned mode)
{
	int64_t result = 0;
	pid_t victim = fork(), other = 0;
	if (victim == 0) {                             /* not t_spawn: it has to die */
		serve_all(&one);
		_exit(0);
	}
	WAIT_FOR(__atomic_load_n(&seen->ready, __ATOMIC_SEQ_CST), "no server");
	REQUIRE(call_sum(id, 1, 2, &result, PATIENCE_MS, mode) == 0, "%s", mom_error_text(id));
	if (mode == MOM_AT_LEAST_ONCE)
		other = server_begins(&one);
	seen->die_at = 2;
	*e = call_sum(id, 1, 2, &result, PATIENCE_MS, mode);
	t_join(victim);
	return other;
}

TEST(server_dies, "a server that dies with the request in its hand: at most once is told before the time-out and not "
    "executed again, at least once goes on with another server")
{
	int e;
	up();
	int id = talk_create();
	mom_call_retry(id, 50);
	int64_t began = t_now_ms();
	server_dies_in_call(id, &e, MOM_AT_MOST_ONCE);
	REQUIRE(e == MOM_ETIMEDOUT && strstr(mom_error_text(id), "ended before it answered"), "%d %s", e,
	    mom_error_text(id));
	REQUIRE(seen->executed == 2 && t_now_ms() - began < PATIENCE_MS, "%d executions in %lld ms", seen->executed,
	    (long long)(t_now_ms() - began));
	memset(seen, 0, sizeof *seen);
	pid_t other = server_dies_in_call(id, &e, MOM_AT_LEAST_ONCE);
	REQUIRE(e == 0 && seen->executed == 3, "%d %s", e, mom_error_text(id));
	server_ends(other);
	bye(id);
}

TEST(deferred, "an answer that is put off arrives when it is given; what is sent again meanwhile is not executed")
{
	struct mom_reader r;
	up();
	pid_t server = server_begins(&one), waiter = fork();
	if (waiter == 0) {
		use_daemon(&one);
		int id = talk_create();
		mom_call_retry(id, 1);
		REQUIRE(mom_call(id, "later", NULL, &r, PATIENCE_MS, MOM_AT_MOST_ONCE) == 0 && mom_get_i64(&r) == 4711,
		    "%s", mom_error_text(id));
		bye(id);
		_exit(0);
	}
	WAIT_FOR(__atomic_load_n(&seen->deferred, __ATOMIC_SEQ_CST), "nothing put off");
	t_sleep_ms(50);                                /* some retries */
	int id = talk_create();
	REQUIRE(mom_call(id, "later", NULL, &r, PATIENCE_MS, MOM_AT_MOST_ONCE) == 0 && mom_get_i64(&r) == 1, "%s",
	    mom_error_text(id));
	REQUIRE(t_join(waiter) == 0, "the waiter failed");
	REQUIRE(seen->executed == 2, "%d executions", seen->executed);
	bye(id);
	server_ends(server);
}

/* A request's copy, as a relay might send it: by hand. */
static size_t
request_by_hand(unsigned char *bytes, size_t size, unsigned mode, uint64_t caller, uint64_t number, const char *answer)
{
	struct mom_writer w;
	mom_writer_init(&w, bytes, size);
	mom_put_u8(&w, 2), mom_put_u8(&w, (uint8_t)mode), mom_put_u64(&w, caller), mom_put_u64(&w, number);
	mom_put_string8(&w, answer), mom_put_string8(&w, "sum");
	mom_put_i64(&w, 1), mom_put_i64(&w, (int64_t)number);
	return w.len;
}

TEST(copies, "a request that comes twice is executed once and its answer sent again (at most once), once (maybe), or "
    "twice (at least once); an older one never")
{
	unsigned char bytes[200], question[100];
	char topic[64];
	struct mom_message m;
	struct mom_reader r;
	struct mom_writer w;
	up();
	pid_t server = server_begins(&one);
	int id = talk_create();
	talk_subscribe(id, "answers");
	mom_writer_init(&w, question, sizeof question);
	mom_put_u8(&w, 1), mom_put_u8(&w, 0), mom_put_u64(&w, 9), mom_put_u64(&w, 1), mom_put_string8(&w, "answers"),
	    mom_put_string8(&w, "sum");
	REQUIRE(mom_publish(id, "rpc/service/sum", question, w.len, MOM_NEED_SUBSCRIBER) == 0 &&
	    mom_receive(id, &m, PATIENCE_MS) == 0, "%s", mom_error_text(id));
	mom_reader_init(&r, m.data, m.len);
	REQUIRE(mom_get_u8(&r) == 33 && mom_get_u64(&r) == 1 && mom_get_string8(&r, topic, sizeof topic), "who serves");
	static const struct { unsigned mode; int executed, answers; } expected[] = { { MOM_MAYBE, 1, 1 },
	    { MOM_AT_MOST_ONCE, 1, 3 }, { MOM_AT_LEAST_ONCE, 3, 3 } };
	for (uint64_t i = 0; i < 3; i++) {
		seen->executed = 0;
		size_t n = request_by_hand(bytes, sizeof bytes, expected[i].mode, 9, 10 + i, "answers");
		for (int copy = 0; copy < 3; copy++)
			REQUIRE(mom_publish(id, topic, bytes, n, 0) == 0, "%s", mom_error_text(id));
		/* an old one: the caller has gone on */
		n = request_by_hand(bytes, sizeof bytes, MOM_AT_MOST_ONCE, 9, 5, "answers");
		REQUIRE(i == 2 || mom_publish(id, topic, bytes, n, 0) == 0, "%s", mom_error_text(id));
		for (int k = 0; k < expected[i].answers; k++) {
			REQUIRE(mom_receive(id, &m, PATIENCE_MS) == 0, "answer %d of mode %u: %s", k, expected[i].mode,
			    mom_error_text(id));
			mom_reader_init(&r, m.data, m.len);
			REQUIRE(mom_get_u8(&r) == 32 && mom_get_u64(&r) == 10 + i && mom_get_u32(&r) == 0 &&
			    mom_get_u16(&r) == 0 && mom_get_i64(&r) == (int64_t)(11 + i), "another answer");
		}
		n = request_by_hand(bytes, sizeof bytes, MOM_AT_LEAST_ONCE, 10, 1, "answers");   /* behind them all */
		REQUIRE(mom_publish(id, topic, bytes, n, 0) == 0 && mom_receive(id, &m, PATIENCE_MS) == 0, "%s",
		    mom_error_text(id));
		mom_reader_init(&r, m.data, m.len);
		REQUIRE(mom_get_u8(&r) == 32 && mom_get_u64(&r) == 1, "an answer too many in mode %u",
		    expected[i].mode);
		REQUIRE(seen->executed == expected[i].executed + 1, "mode %u: %d executions", expected[i].mode,
		    seen->executed - 1);
	}
	hear_nothing(id);
	bye(id);
	server_ends(server);
}

TEST(strangers, "what strangers publish to a server's topics, or as answers, is passed over")
{
	struct t_rng rng;
	unsigned char bytes[64];
	int64_t result;
	up();
	pid_t server = server_begins(&one);
	int id = talk_create(), stranger = talk_create();
	REQUIRE(call_sum(id, 1, 2, &result, PATIENCE_MS, MOM_AT_MOST_ONCE) == 0, "%s", mom_error_text(id));
	char *answers = t_text("rpc/reply/%016llx", (unsigned long long)seen->caller);
	t_rng_init(&rng, 7);
	for (int i = 0; i < 300; i++) {
		size_t n = t_rng_below(&rng, sizeof bytes);
		t_rng_fill(&rng, bytes, n);
		bytes[0] = (unsigned char)(i % 40);
		REQUIRE(mom_publish(stranger, i % 2 ? answers : "rpc/service/sum", bytes, n, MOM_FAST) == 0, "%s",
		    mom_error_text(stranger));
	}
	for (int i = 0; i < 20; i++)
		REQUIRE(call_sum(id, i, 2, &result, PATIENCE_MS, MOM_AT_MOST_ONCE) == 0 && result == i + 2, "%s",
		    mom_error_text(id));
	bye(id);
	bye(stranger);
	server_ends(server);
}

TEST(handles, "a handle that has called leaves no client behind when it is closed, durable or not, nor does a server")
{
	int64_t result;
	up();
	pid_t server = server_begins(&one);
	for (int i = 0; i < 3; i++) {
		int id = i ? talk_open("durable") : talk_create();
		REQUIRE(call_sum(id, i, 2, &result, PATIENCE_MS, MOM_AT_MOST_ONCE) == 0, "%s", mom_error_text(id));
		REQUIRE(i == 1 ? mom_close(id) == 0 : mom_destroy(id) == 0, "%s", mom_error_text(-1));
	}
	server_ends(server);
	char *rest = t_text("find '%s/topics/rpc' -name subscribers 2>/dev/null | grep -q .",
	    t_text("%s/shard-0", broker.store));
	WAIT_FOR(system(rest) != 0, "a subscription to rpc/ is left");
}

TEST(broker_restarts, "calls go on over the broker's death and return")
{
	int64_t result;
	up();
	pid_t server = server_begins(&one);
	int id = talk_create();
	for (int n = 0; n < 300; n++) {
		if (n == 100)
			server_kill_all(&broker);
		if (n == 100)
			server_start(&broker);
		int e = call_sum(id, n, 2, &result, 60000, MOM_AT_MOST_ONCE);
		REQUIRE(e == 0 && result == n + 2, "%d: %d %s", n, e, mom_error_text(id));
	}
	REQUIRE(seen->executed == 300, "%d executions", seen->executed);
	bye(id);
	server_ends(server);
}
