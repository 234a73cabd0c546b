/* objects - remote objects: calls and errors, who holds and who does not any more, leases, moves that succeed and that
 * fail */
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <mom_object.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, HOSTS = 3 };

static struct server broker, one, two;

/* what hosts do and shall do; host 2 knows no counters */
static struct seen {
	int ready[HOSTS], stop[HOSTS], executed, made, released, stayed, keep, lease_ms, refuse_load, sleep_in_load_ms;
	char ref[64], place[HOSTS][64], text[256];
} *seen;

static void *
counter_new(int64_t value)
{
	int64_t *c = malloc(sizeof *c);
	*c = value;
	__sync_fetch_and_add(&seen->made, 1);
	return c;
}

static void
counter_release(void *self)
{
	free(self);
	__sync_fetch_and_add(&seen->released, 1);
}

static int
counter_call(struct mom_request *q, void *self)
{
	int64_t *c = self;
	char place[64];
	seen->executed++;
	if (strcmp(q->service, "add") == 0) {
		*c += mom_get_i64(&q->args);
		mom_put_i64(&q->reply, *c);
		return 0;
	}
	if (strcmp(q->service, "holders") == 0) {
		mom_put_i64(&q->reply, (int64_t)mom_object_holders(mom_object_of(q)));
		return 0;
	}
	if (strcmp(q->service, "move") == 0) {
		mom_get_string8(&q->args, place, sizeof place);
		return mom_object_move(mom_object_of(q), place, 1000) < 0 ? mom_raise(q, 3, "%s", mom_error_text(-1))
		    : 0;
	}
	return mom_raise(q, 9, "a counter cannot %s", q->service);
}

static int
counter_save(void *self, struct mom_writer *w)
{
	mom_put_i64(w, *(int64_t *)self);
	return 0;
}

static void *
counter_load(struct mom_reader *r)
{
	if (seen->sleep_in_load_ms)
		t_sleep_ms(seen->sleep_in_load_ms);
	return seen->refuse_load ? NULL : counter_new(mom_get_i64(r));
}

static void
counter_stayed(struct mom_object *o, void *self, int error, const char *text)
{
	REQUIRE(mom_object_self(o) == self && error < 0, "told of %d", error);
	snprintf(seen->text, sizeof seen->text, "%s", text);
	seen->stayed++;
}

static const struct mom_object_type counter = { "counter", counter_call, counter_save, counter_load, counter_release,
    counter_stayed };

struct hosting { int number; struct server *daemon; };

static void
host(void *argument)
{
	struct hosting *h = argument;
	use_daemon(h->daemon);
	struct mom_server *s = mom_server_create();
	REQUIRE(s, "%s", mom_error_text(-1));
	REQUIRE(mom_object_lease(s, 299) == MOM_EINVAL && mom_object_lease(s, seen->lease_ms) == 0, "lease");
	REQUIRE(h->number == 2 || mom_object_serve(s, &counter) == 0, "%s", mom_error_text(-1));
	if (h->number == 0) {
		struct mom_object *o = mom_object_export(s, &counter, counter_new(0));
		REQUIRE(o, "%s", mom_error_text(-1));
		mom_object_keep(o, seen->keep);
		snprintf(seen->ref, sizeof seen->ref, "%s", mom_object_ref(o));
	}
	snprintf(seen->place[h->number], sizeof seen->place[0], "%s", mom_object_place(s));
	__atomic_store_n(&seen->ready[h->number], 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&seen->stop[h->number], __ATOMIC_SEQ_CST)) {
		int r = mom_serve_one(s, 20);
		REQUIRE(r == 0 || r == MOM_ETIMEDOUT, "%d: %s", r, mom_error_text(mom_server_id(s)));
	}
	REQUIRE(mom_server_destroy(s) == 0, "%s", mom_error_text(-1));
}

static pid_t hosts[HOSTS];

static void
host_begins(int number, struct server *daemon)
{
	static struct hosting h[HOSTS];
	h[number] = (struct hosting){ number, daemon };
	hosts[number] = t_spawn(host, &h[number]);
	WAIT_FOR(__atomic_load_n(&seen->ready[number], __ATOMIC_SEQ_CST), "host %d", number);
}

static void
hosts_end(void)
{
	for (int i = 0; i < HOSTS; i++)
		__atomic_store_n(&seen->stop[i], 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < HOSTS; i++)
		if (hosts[i])
			t_join(hosts[i]);
}

static void
up(int lease_ms)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	seen = t_shared_memory(sizeof *seen);
	seen->lease_ms = lease_ms;
}

static int
ask(int id, const char *method, int64_t by, int64_t *value)
{
	unsigned char bytes[8];
	struct mom_writer w;
	struct mom_reader r;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_i64(&w, by);
	int e = mom_object_call(id, seen->ref, method, &w, &r, PATIENCE_MS);
	if (e == 0 && value)
		*value = mom_get_i64(&r);
	return e;
}

static void
adds(int id, int64_t by, int64_t expected)
{
	int64_t value = -1;
	int e = ask(id, "add", by, &value);
	REQUIRE(e == 0 && value == expected, "%d %s, value %lld, not %lld", e, mom_error_text(id), (long long)value,
	    (long long)expected);
}

static int
moves(int id, const char *place)
{
	unsigned char bytes[100];
	struct mom_writer w;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_string8(&w, place);
	return mom_object_call(id, seen->ref, "move", &w, NULL, PATIENCE_MS);
}

static int
is_released(void)
{
	return __atomic_load_n(&seen->released, __ATOMIC_SEQ_CST) == __atomic_load_n(&seen->made, __ATOMIC_SEQ_CST);
}

TEST(calls, "methods change the object, their errors cross with code and text; wrong references and arguments are told")
{
	up(MOM_OBJECT_LEASE_MS);
	host_begins(0, &one);
	int id = talk_create();
	adds(id, 5, 5);
	adds(id, -7, -2);
	REQUIRE(ask(id, "sing", 0, NULL) == 9 && strcmp(mom_error_text(id), "a counter cannot sing") == 0, "%s",
	    mom_error_text(id));
	REQUIRE(mom_object_call(id, seen->ref, "add", NULL, NULL, PATIENCE_MS) == MOM_EINVAL, "%s", mom_error_text(id));
	REQUIRE(mom_object_hold(id, "news", 1) == MOM_EINVAL && mom_object_hold(id, NULL, 1) == MOM_EINVAL &&
	    mom_object_call(id, seen->ref, "", NULL, NULL, 1) == MOM_EINVAL, "wrong");
	REQUIRE(mom_object_hold(id, "object/0-0", 600000) == MOM_ENOSUBSCRIBER &&
	    strstr(mom_error_text(id), "no object"), "%s", mom_error_text(id));
	REQUIRE(mom_object_release(id, "object/0-0", 1) == MOM_ENOTSUB, "%s", mom_error_text(id));
	bye(id);
	hosts_end();
}

TEST(released, "an object is freed when its last holder releases it, not before; then it is no more, and calls say so "
    "at once")
{
	int64_t holders;
	up(MOM_OBJECT_LEASE_MS);
	host_begins(0, &one);
	int a = talk_create(), b = talk_create();
	REQUIRE(mom_object_hold(a, seen->ref, PATIENCE_MS) == 0 && mom_object_hold(a, seen->ref, PATIENCE_MS) == 0,
	    "%s", mom_error_text(a));
	adds(b, 1, 1);
	REQUIRE(ask(b, "holders", 0, &holders) == 0 && holders == 2, "%lld holders", (long long)holders);
	REQUIRE(mom_object_release(a, seen->ref, PATIENCE_MS) == 0, "%s", mom_error_text(a));
	adds(b, 1, 2);
	REQUIRE(seen->released == 0 && mom_object_release(b, seen->ref, PATIENCE_MS) == 0, "%s", mom_error_text(b));
	WAIT_FOR(is_released(), "it is not freed");
	REQUIRE(ask(b, "add", 1, NULL) == MOM_ENOSUBSCRIBER, "%s", mom_error_text(b));
	bye(a);
	bye(b);
	hosts_end();
}

TEST(holder_dies, "a holder that is killed releases, and so does a handle that is closed; one that is kept lives on "
    "without holders")
{
	up(MOM_OBJECT_LEASE_MS);
	host_begins(0, &one);
	int *held = t_shared_memory(sizeof *held);
	pid_t pid = fork();
	if (pid == 0) {
		use_daemon(&one);
		int id = talk_create();
		adds(id, 1, 1);
		*held = 1;
		for (;;)
			pause();
	}
	WAIT_FOR(*(volatile int *)held, "nobody holds it");
	int id = talk_create();
	adds(id, 1, 2);
	bye(id);
	REQUIRE(!is_released(), "freed while it is held");
	kill(pid, SIGKILL);
	t_join(pid);
	WAIT_FOR(is_released(), "it is not freed");
	hosts_end();
}

TEST(kept, "an object that is kept outlives its holders")
{
	up(MOM_OBJECT_LEASE_MS);
	seen->keep = 1;
	host_begins(0, &one);
	for (int i = 1; i <= 3; i++) {
		int id = talk_create();
		adds(id, 1, i);
		REQUIRE(i == 2 || mom_object_release(id, seen->ref, PATIENCE_MS) == 0, "%s", mom_error_text(id));
		bye(id);
	}
	hosts_end();
}

TEST(lease_machine, "a machine that is away for longer than a lease has released; a holder that says that it lives has "
    "not")
{
	up(600);
	daemon_start(&two, "two", broker.port);
	host_begins(0, &one);
	use_daemon(&two);
	int far = talk_create();
	adds(far, 1, 1);
	use_daemon(&one);
	int near = talk_create();
	adds(near, 1, 2);
	server_freeze(&two);
	int64_t began = t_now_ms(), holders = 2;
	while (holders == 2 && t_now_ms() - began < PATIENCE_MS) {
		t_sleep_ms(50);                        /* the passing of time is what is tested */
		REQUIRE(ask(near, "holders", 0, &holders) == 0, "%s", mom_error_text(near));
	}
	REQUIRE(holders == 1 && t_now_ms() - began >= 500, "%lld holders after %lld ms", (long long)holders,
	    (long long)(t_now_ms() - began));
	server_thaw(&two);
	adds(far, 1, 3);                               /* it holds again by calling */
	bye(near);
	bye(far);
	WAIT_FOR(is_released(), "it is not freed");
	hosts_end();
}

TEST(lease_outage, "the time in which the broker is away is nobody's lease")
{
	int64_t holders;
	up(600);
	host_begins(0, &one);
	int id = talk_create();
	adds(id, 1, 1);
	server_kill_all(&broker);
	t_sleep_ms(1500);
	server_start(&broker);
	REQUIRE(ask(id, "holders", 0, &holders) == 0 && holders == 1, "%s", mom_error_text(id));
	adds(id, 1, 2);
	bye(id);
	WAIT_FOR(is_released(), "it is not freed");
	hosts_end();
}

TEST(lease_first, "an object that nobody ever held is freed after a lease")
{
	up(300);
	host_begins(0, &one);
	WAIT_FOR(is_released(), "it is not freed");
	hosts_end();
}

TEST(moves, "an object moves with its state and its holders, to another machine and back; the old process may end")
{
	up(MOM_OBJECT_LEASE_MS);
	daemon_start(&two, "two", broker.port);
	host_begins(0, &one);
	host_begins(1, &two);
	int id = talk_create();
	int64_t holders;
	for (int i = 1; i <= 9; i++) {
		adds(id, 1, i);
		REQUIRE(moves(id, seen->place[i % 2]) == 0, "%s", mom_error_text(id));
	}
	adds(id, 1, 10);
	__atomic_store_n(&seen->stop[0], 1, __ATOMIC_SEQ_CST);
	t_join(hosts[0]);
	hosts[0] = 0;
	adds(id, 1, 11);
	REQUIRE(ask(id, "holders", 0, &holders) == 0 && holders == 1 && seen->stayed == 0, "%lld holders, %d stayed",
	    (long long)holders, seen->stayed);
	REQUIRE(moves(id, seen->place[1]) == 3 && strstr(mom_error_text(id), "another server"), "to where it is: %s",
	    mom_error_text(id));
	bye(id);
	WAIT_FOR(is_released(), "it is not freed");
	hosts_end();
}

static void
stays(int id, const char *place, const char *why, int64_t value)
{
	int before = seen->stayed;
	REQUIRE(moves(id, place) == 0, "%s", mom_error_text(id));
	adds(id, 1, value);
	REQUIRE(seen->stayed == before + 1 && strstr(seen->text, why), "%s", seen->text);
}

TEST(move_fails, "where the new place is none, does not know the kind, cannot load it or is too slow, the object goes "
    "on where it is and calls lose nothing")
{
	up(MOM_OBJECT_LEASE_MS);
	host_begins(0, &one);
	host_begins(1, &one);
	host_begins(2, &one);
	int id = talk_create();
	adds(id, 1, 1);
	REQUIRE(moves(id, "news") == 3 && strstr(mom_error_text(id), "mom_object_place"), "%s", mom_error_text(id));
	stays(id, "rpc/at/0000000000000000", "no server is at that place", 2);
	stays(id, seen->place[2], "does not know this kind", 3);
	seen->refuse_load = 1;
	stays(id, seen->place[1], "could not load it", 4);
	seen->refuse_load = 0;
	seen->sleep_in_load_ms = 2500;                 /* the move gives up after 1000 */
	stays(id, seen->place[1], "no answer in time", 5);
	seen->sleep_in_load_ms = 0;
	WAIT_FOR(__atomic_load_n(&seen->made, __ATOMIC_SEQ_CST) == 2, "it is not loaded at last");
	adds(id, 1, 6);
	REQUIRE(moves(id, seen->place[1]) == 0, "%s", mom_error_text(id));
	adds(id, 1, 7);
	WAIT_FOR(seen->made == seen->released + 1, "what came too late at the new place is not freed");
	REQUIRE(seen->stayed == 4, "%d stayed", seen->stayed);
	bye(id);
	WAIT_FOR(is_released(), "it is not freed");
	hosts_end();
}

TEST(copies, "a call that comes once more at the new place is not executed there again: its answer has moved along")
{
	unsigned char bytes[200];
	struct mom_writer w;
	struct mom_reader r;
	struct mom_message m;
	up(MOM_OBJECT_LEASE_MS);
	host_begins(0, &one);
	host_begins(1, &one);
	int id = talk_create(), line = talk_create();
	talk_subscribe(line, "answers");
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_u8(&w, 3), mom_put_u8(&w, MOM_AT_MOST_ONCE), mom_put_u64(&w, 77), mom_put_u64(&w, 5),
	    mom_put_string8(&w, "answers"), mom_put_string8(&w, "add");
	mom_put_i64(&w, 100);
	for (int copy = 0; copy < 3; copy++) {
		REQUIRE(mom_publish(line, seen->ref, bytes, w.len, 0) == 0 && mom_receive(line, &m, PATIENCE_MS) == 0,
		    "copy %d: %s", copy, mom_error_text(line));
		mom_reader_init(&r, m.data, m.len);
		REQUIRE(mom_get_u8(&r) == 32 && mom_get_u64(&r) == 5 && mom_get_u32(&r) == 0 && mom_get_u16(&r) == 0 &&
		    mom_get_i64(&r) == 100, "copy %d: another answer", copy);
		REQUIRE(moves(id, seen->place[(copy + 1) % 2]) == 0, "%s", mom_error_text(id));
		adds(id, 0, 100);
	}
	bye(id);
	bye(line);
	hosts_end();
}

TEST(host_dies, "when the process of an object dies its callers are told, during a move, too; they do not wait for "
    "their time-out")
{
	int64_t began = t_now_ms();
	up(MOM_OBJECT_LEASE_MS);
	seen->sleep_in_load_ms = 700;
	host_begins(1, &one);
	pid_t victim = fork();
	if (victim == 0) {
		struct hosting h = { 0, &one };
		host(&h);
		_exit(0);
	}
	WAIT_FOR(__atomic_load_n(&seen->ready[0], __ATOMIC_SEQ_CST), "host 0");
	int id = talk_create();
	mom_call_retry(id, 50);
	adds(id, 1, 1);
	REQUIRE(moves(id, seen->place[1]) == 0, "%s", mom_error_text(id));
	kill(victim, SIGKILL);
	t_join(victim);
	int e = ask(id, "add", 1, NULL);
	REQUIRE(e == MOM_ENOSUBSCRIBER || e == MOM_ETIMEDOUT, "%d: %s", e, mom_error_text(id));
	WAIT_FOR((e = ask(id, "add", 1, NULL)) == MOM_ENOSUBSCRIBER, "%d: %s", e, mom_error_text(id));
	WAIT_FOR(seen->made == seen->released + 1, "what was on its way is not freed");
	REQUIRE(t_now_ms() - began < PATIENCE_MS, "%lld ms", (long long)(t_now_ms() - began));
	bye(id);
	hosts_end();
}
