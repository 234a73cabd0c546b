/* broker - who answers at the broker's address and is none: the daemon and its clients go on, nothing grows
 * without end, and once the real broker is back each request is stored and delivered once */
#include <lib/proc.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/wire_peer.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ACT_MS = 1500, WAIT_MS = 50, REQUESTS = 5, CONNECTIONS = 20 /* 10, 20, 40 ms and so on after the one before */ };

static struct server broker, one;
static int id;

/* ---- the one who is none: in a process of its own ---- */

struct act {
	int (*greet)(struct wire_peer *p);     /* 0: the connection is closed */
	int (*fill)(struct wire_peer *p);      /* with what there is room for; the same */
	int is_still;                          /* where next to nothing comes, next to nothing is to be done */
};

static struct { atomic_int stop, connections; atomic_ulong frames; } *shared;
static int listener;

static void
serve(void *with)
{
	const struct act *act = with;
	while (!shared->stop) {
		struct wire_peer *p = peer_take(listener, WAIT_MS);
		if (p == NULL)
			continue;
		shared->connections++;
		int goes_on = act->greet(p);
		while (goes_on && !shared->stop) {
			uint64_t before = p->frames;
			goes_on = act->fill(p);
			p->turns++;
			goes_on &= peer_turn(p);
			shared->frames += p->frames - before;
		}
		peer_turn(p);                  /* a text that is left */
		peer_leave(p);
	}
}

/* As the real one would: its store, the machine's serial, and no token that it would not know. */
static int
welcome(struct wire_peer *p)
{
	char payload[WELCOME_BYTES];
	struct welcome w = { .version = WIRE_VERSION, .serial = 1, .shards = 1, .message_max = MOM_MESSAGE_MAX,
		.window = WINDOW, .token = p->hello.token };
	memcpy(w.store, p->hello.store, sizeof w.store);
	wire_welcome_put(payload, &w);
	return peer_put(p, &(struct record){ .type = REC_WELCOME }, NULL, payload, sizeof payload) && peer_turn(p);
}

static int
nothing(struct wire_peer *p)
{
	(void)p;
	return 1;
}

/* ---- what has to hold ---- */

static long
cpu_ticks(pid_t pid, int with_dead)
{
	long own[2], dead[2];
	char *text = t_read_file(t_text("/proc/%d/stat", (int)pid)), *rest = strrchr(text, ')');
	if (rest == NULL || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld", own, own + 1,
	    dead, dead + 1) != 4)
		return 0;
	return own[0] + own[1] + (with_dead ? dead[0] + dead[1] : 0);
}

struct cost { long ticks, kib; };

static struct cost
family_cost(void)
{
	pid_t pids[PROC_MAX];
	struct cost c = { cpu_ticks(one.pid, 1), proc_status(one.pid, "RssAnon:") };
	int n = proc_children(one.pid, pids, PROC_MAX);
	for (int i = 0; i < n; i++) {
		c.ticks += cpu_ticks(pids[i], 0);
		c.kib += proc_status(pids[i], "RssAnon:");
	}
	return c;
}

static void
in_time(int64_t began, const char *what)
{
	CHECK(t_now_ms() - began < T_PATIENCE_MS / 10, "%s took %d ms", what, (int)(t_now_ms() - began));
}

/* The calls of a client return in time, whatever comes. */
static void
client_goes_on(void)
{
	struct mom_message m;
	int64_t began = t_now_ms();
	mom_receive(id, &m, WAIT_MS);
	in_time(began, "a receive");
	began = t_now_ms();
	int other = mom_create();
	in_time(began, "a create");
	CHECK(other >= 0 || *mom_error_text(-1), "no word says why there is no client");
	if (other >= 0)
		mom_destroy(other);
}

static void
requests(int have_sent)
{
	struct mom_message m;
	char want[20];
	REQUIRE(mom_flush(id, T_PATIENCE_MS) == 0, "%s", mom_error_text(id));
	for (int i = 0; i < have_sent; i++) {
		snprintf(want, sizeof want, "request %d", i);
		hear(id, "calm", want);
	}
	REQUIRE(mom_receive(id, &m, 0) == MOM_ETIMEDOUT, "%.*s came twice", (int)m.len, (const char *)m.data);
}

static void
beside_broker(struct act *act)
{
	char text[20];
	t_write_file(t_path("client.conf"), "timeout 300ms\n");
	broker_start(&broker, "broker", 0, "--workers 1");
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	id = talk_create_hasty();
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
	REQUIRE(mom_global_id(id) >> 32 == 1, "the machine's serial is not 1");
	talk_subscribe(id, "calm");
	say(id, "calm", "hello");
	hear(id, "calm", "hello");
	server_stop(&broker);
	listener = peer_listen(&broker.port);
	shared = t_shared_memory(sizeof *shared);
	pid_t pid = t_spawn(serve, act);
	close(listener);
	WAIT_FOR(shared->connections, "the daemon does not come");
	for (int i = 0; i < REQUESTS; i++) {
		snprintf(text, sizeof text, "request %d", i);
		REQUIRE(mom_publish(id, "calm", text, strlen(text), MOM_ASYNC) == 0, "%s", mom_error_text(id));
	}
	client_goes_on();
	struct cost before = family_cost();
	unsigned long frames = shared->frames;
	int64_t began = t_now_ms(), ms;
	while ((ms = t_now_ms() - began) < ACT_MS)
		client_goes_on();
	struct cost after = family_cost();
	frames = shared->frames - frames;
	long busy = (after.ticks - before.ticks) * 1000 / sysconf(_SC_CLK_TCK);
	t_remark("%lu frames, %d connections; the daemon's processes worked %ld of %d ms and grew by %ld KiB", frames,
	    (int)shared->connections, busy, (int)ms, after.kib - before.kib);
	CHECK(!act->is_still || busy < ms / 3, "%ld of %d ms", busy, (int)ms);
	CHECK(shared->connections < CONNECTIONS, "%d connections", (int)shared->connections);
#ifndef __SANITIZE_ADDRESS__                    /* which keeps what is freed */
	CHECK(after.kib - before.kib < 16384, "%ld KiB for %lu frames", after.kib - before.kib, frames);
#endif
	REQUIRE(proc_lives(one.pid), "the daemon has ended");
	shared->stop = 1;
	REQUIRE(t_join(pid) == 0, "the one who is no broker failed");
	server_start(&broker);
	requests(REQUESTS);
	int other;
	WAIT_FOR((other = mom_create()) >= 0, "%s", mom_error_text(-1));
	mom_set_option(other, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
	talk_subscribe(other, "news");
	say(other, "news", "all is well");
	hear(other, "news", "all is well");
	bye(other);
	bye(id);
}

/* ---- it says little ---- */

static int
closes(struct wire_peer *p)
{
	(void)p;
	return 0;
}

TEST(hangs_up, "a broker that takes every connection and hangs up costs the daemon little, and its clients no request")
{
	beside_broker(&(struct act){ closes, nothing, 1 });
}

static int
welcomes_and_closes(struct wire_peer *p)
{
	welcome(p);
	return 0;
}

TEST(hangs_up_welcomed, "a broker that welcomes the daemon and hangs up, in a loop, does not keep it busy")
{
	beside_broker(&(struct act){ welcomes_and_closes, nothing, 1 });
}

static int
refuses(struct wire_peer *p)
{
	peer_put(p, &(struct record){ .type = REC_REFUSE }, NULL, "no, and no again", 16);
	return peer_turn(p) && 0;
}

TEST(refuses, "a broker that refuses the daemon each time does not keep it busy")
{
	beside_broker(&(struct act){ refuses, nothing, 1 });
}

static int
refuses_late(struct wire_peer *p)
{
	return welcome(p) && refuses(p);
}

TEST(refuses_late, "a broker that welcomes the daemon and then refuses it, each time, does not keep it busy")
{
	beside_broker(&(struct act){ refuses_late, nothing, 1 });
}

TEST(says_nothing, "a broker that takes the connection and says nothing holds up nobody")
{
	beside_broker(&(struct act){ nothing, nothing, 1 });
}

TEST(welcomes_only, "a broker that welcomes the daemon and says nothing more holds up nobody")
{
	beside_broker(&(struct act){ welcome, nothing, 1 });
}

/* ---- it says much ---- */

static int
pings(struct wire_peer *p)
{
	while (peer_put(p, &(struct record){ .type = REC_PING }, NULL, NULL, 0))
		;
	return 1;
}

TEST(pings_only, "a broker that only pings, without end, holds up nobody")
{
	beside_broker(&(struct act){ welcome, pings, 0 });
}

/* Within the credit; offsets of what the machine may have had before. 0: no room. */
static int
deliver(struct wire_peer *p, struct record *r, const char *topic)
{
	size_t before = p->have;
	r->offset = number_make(1, 8 * (p->frames % 16));
	if (p->requests - p->credit + RECORD_HEADER + MOM_TOPIC_MAX + 64 > WINDOW ||
	    !peer_put(p, r, topic, "nobody wants it", topic ? 15 : 0))
		return 0;
	p->requests += p->have - before;
	return 1;
}

static int
to_nobody(struct wire_peer *p)
{
	static const uint8_t types[] = { REC_MESSAGE, REC_UNSUBSCRIBE, REC_DESTROY, REC_UPTO };
	uint8_t type;
	do
		type = types[p->frames % 4];
	while (deliver(p, &(struct record){ .type = type, .publisher = UINT64_C(1) << 32 | (1000 + p->frames % 1000) },
	    type == REC_MESSAGE || type == REC_UNSUBSCRIBE ? "nobody" : NULL));
	return 1;
}

TEST(to_nobody, "a broker that delivers to clients that do not exist, without end, harms none that does")
{
	beside_broker(&(struct act){ welcome, to_nobody, 0 });
}

static int
lists(struct wire_peer *p)
{
	char topic[40];
	for (;;) {
		uint64_t n = p->next % 101;
		snprintf(topic, sizeof topic, "listed/%llu", (unsigned long long)p->next);
		struct record list = { .type = REC_LIST, .aux = 100 };
		struct record listed = { .type = REC_LISTED, .publisher = UINT64_C(1) << 32 | (1000 + n) };
		if (!deliver(p, n ? &listed : &list, n ? topic : NULL))
			return 1;
		p->next++;
	}
}

TEST(lists, "a broker that lists subscriptions without end harms no request, and no process grows")
{
	beside_broker(&(struct act){ welcome, lists, 0 });
}

static int
answers(struct wire_peer *p)
{
	static struct t_rng rng;
	char payload[20 * ANSWER_BYTES];
	do {
		for (int i = 0; i < 20; i++) {
			/* not of the clients that the case has: what they asked for would count as taken */
			struct answer a = { .slot = 64 + (uint32_t)t_rng_below(&rng, 900),
				.kind = (uint16_t)(1 + t_rng_below(&rng, 4)),
				.number = t_rng_next(&rng) >> t_rng_below(&rng, 64),
				.code = -(int64_t)t_rng_below(&rng, 300), .value = t_rng_next(&rng) };
			wire_answer_put(payload + i * ANSWER_BYTES, &a);
		}
	} while (peer_put(p, &(struct record){ .type = REC_ANSWERS }, NULL, payload, sizeof payload));
	return 1;
}

TEST(answers, "a broker that answers what nobody asked, without end, harms no request")
{
	beside_broker(&(struct act){ welcome, answers, 0 });
}

/* ---- what ends the connection ---- */

static int
beyond_credit(struct wire_peer *p)
{
	while (peer_put(p, &(struct record){ .type = REC_MESSAGE, .offset = number_make(1, 8) }, "nobody", "x", 1))
		;
	return 1;
}

TEST(beyond_credit, "a broker that sends more than was granted, each time, is left each time")
{
	beside_broker(&(struct act){ welcome, beyond_credit, 0 });
}

static int
no_shard(struct wire_peer *p)
{
	static const uint8_t types[] = { REC_MESSAGE, REC_CREDIT, REC_LIST, REC_UPTO };
	struct record r = { .type = types[p->next++ % 4], .shard = 1 + p->frames % 65535 };
	return peer_put(p, &r, NULL, NULL, 0);
}

TEST(no_shard, "a broker that speaks of shards that do not exist, each time, is left each time")
{
	beside_broker(&(struct act){ welcome, no_shard, 0 });
}

static int
garbage(struct wire_peer *p)
{
	static struct t_rng rng;
	if (p->have == 0)
		t_rng_fill(&rng, p->out, p->have = 4096);
	return 1;
}

TEST(garbage, "a broker whose frames have lengths of garbage, each time, is left each time")
{
	beside_broker(&(struct act){ welcome, garbage, 0 });
}
