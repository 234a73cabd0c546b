/* many - a machine with very many subscriptions, or with chosen ones, comes back in linear work */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include "ipc/layout.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 8 };

static struct server broker, one;
static int near;                               /* a client of the same machine that talks to itself */
static struct { atomic_size_t wanted, there[CLIENTS]; } *load;
static void (*name_topic)(char topic[32], size_t i);

/* ---- topics ---- */

static void
ordinary(char topic[32], size_t i)
{
	snprintf(topic, 32, "plant/%zu/state", i);
}

static uint64_t
unshift(uint64_t h, int bits)                  /* 32 or more: h ^ h >> bits undoes itself */
{
	return h ^ h >> bits;
}

static uint64_t
inverse(uint64_t odd)
{
	uint64_t x = odd;
	for (int i = 0; i < 6; i++)
		x *= 2 - odd * x;
	return x;
}

/* The eight bytes whose hash was this one while it had no secret: topics that meet need no search. */
static uint64_t
bytes_of(uint64_t hash)
{
	static uint64_t a, b;
	if (a == 0) {
		a = inverse(0xff51afd7ed558ccdu);
		b = inverse(0xc4ceb9fe1a85ec53u);
	}
	uint64_t h = unshift(unshift(hash, 33) * b, 33);
	return (unshift(h, 32) * a) ^ 0x9e3779b97f4a7c15u ^ 8;
}

static int
is_a_topic(uint64_t word)
{
	for (int i = 0; i < 8; i++, word >>= 8) {
		unsigned char c = word & 255;
		if (c <= ' ' || c >= 0x7f || strchr("$*#+>/.", c))
			return 0;
	}
	return 1;
}

/* in order: each client goes on where it was */
static void
chosen(char topic[32], size_t i)
{
	static uint64_t next;
	static size_t made;
	for (uint64_t word = 0; made <= i; next++) {
		word = bytes_of(next << 32 | 77);
		if (!is_a_topic(word))
			continue;
		memcpy(topic, &word, 8);
		topic[8] = '\0';
		made++;
	}
}

/* ---- who has them ---- */

static void
subscriber(void *with)
{
	size_t k = (size_t)(uintptr_t)with, skipped = 0;
	char topic[32];
	int id = talk_create();
	for (;; t_tick())
		for (size_t i; (i = atomic_load(&load->there[k]) * CLIENTS + k) < atomic_load(&load->wanted);) {
			for (; name_topic == chosen && skipped < i; skipped++)
				name_topic(topic, skipped);      /* others' */
			name_topic(topic, i);
			skipped = i + 1;
			talk_subscribe(id, topic);
			atomic_fetch_add(&load->there[k], 1);
		}
}

static size_t
there(void)
{
	size_t n = 0;
	for (size_t k = 0; k < CLIENTS; k++)
		n += atomic_load(&load->there[k]);
	return n;
}

static void
grow_to(size_t n)
{
	atomic_store(&load->wanted, n);
	for (size_t before = there(); before < n; before = there())
		WAIT_FOR(there() > before, "%zu of %zu subscriptions", there(), n);
}

static void
up(void (*name)(char topic[32], size_t i))
{
	name_topic = name;
	load = t_shared_memory(sizeof *load);
	broker_start(&broker, "broker", 0, "--views off");
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	for (size_t k = 0; k < CLIENTS; k++)
		t_spawn(subscriber, (void *)(uintptr_t)k);
	near = talk_create();
	REQUIRE(mom_set_option(near, MOM_OPT_TIMEOUT_MS, -1) == 0, "%s", mom_error_text(near));
}

/* ---- what it costs ---- */

static double
cpu_ms(struct server *s, const char *program)
{
	clockid_t clock;
	struct timespec t;
	pid_t pid = server_child(s, program);
	REQUIRE(clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &t) == 0, "%s", program);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* What is subscribed now comes behind the list: once it is heard, the list was routed. */
static void
all_is_back(void)
{
	static int round;
	char *topic = t_text("near/%d", round++);
	struct mom_message m;
	talk_subscribe(near, topic);
	say(near, topic, "hello");
	REQUIRE(mom_receive(near, &m, -1) == 0 && strcmp(m.topic, topic) == 0, "%s", mom_error_text(near));
}

/* The broker is killed; work of all who have to do with n subscriptions until they are back. */
static double
back_ms(size_t n)
{
	grow_to(n);
	all_is_back();
	pid_t sender = server_child(&broker, "broker_sender"), forwarder = server_child(&one, "mom_forwarder");
	server_kill_all(&broker);
	int64_t began = t_now_ms();
	server_start(&broker);
	all_is_back();
	double worker = cpu_ms(&broker, "worker"), list = cpu_ms(&broker, "broker_sender");
	double routes = cpu_ms(&one, "mom_forwarder");
	t_remark("%zu back after %lld ms; work: worker %.0f ms, broker_sender %.0f ms, mom_forwarder %.0f ms", n,
	    (long long)(t_now_ms() - began), worker, list, routes);
	REQUIRE(server_child(&broker, "broker_sender") != sender, "it is the old connection still");
	REQUIRE(server_child(&one, "mom_forwarder") != forwarder, "it is the old unit still");
	return worker + list + routes;
}

static void
linear(size_t n)
{
	double first = back_ms(n), four = back_ms(4 * n);
	REQUIRE(four < 9 * first, "%zu subscriptions took %.0f ms of work, %zu took %.0f ms", n, first, 4 * n, four);
	REQUIRE(!server_log_has(&one, "silent for 12 s"), "the machine gave up");
	REQUIRE(!server_log_has(&broker, "silent for 12 s"), "the broker gave up");
}

TEST(chosen_topics, "a machine whose topics all met in the hash without a secret comes back in linear work")
{
	up(chosen);
	linear(3000);
}

TEST_LONG(million, "1,000,000 subscriptions of one machine come back in linear work, and nobody gives up")
{
	up(ordinary);
	linear(250000);
}

static int
subscribe_ahead(int id, int from, int to)
{
	int r = 0;
	for (int i = from; i < to && r == 0; i++)
		{
		char topic[32];
		snprintf(topic, sizeof topic, "t/%d", i);
		r = mom_subscribe(id, topic, 0);
	}
	return r;
}

static struct { int stop; long longest_ms, said; } *neighbour;

/* Publishes until it is told to stop; how long did one publish take at most? */
static void
be_neighbour(void *with)
{
	(void)with;
	int id = talk_create();
	while (!__atomic_load_n(&neighbour->stop, __ATOMIC_SEQ_CST)) {
		int64_t began = t_now_ms();
		REQUIRE(mom_publish(id, "neighbour", "x", 1, MOM_FAST) == 0, "%s", mom_error_text(id));
		long ms = (long)(t_now_ms() - began);
		neighbour->longest_ms = ms > neighbour->longest_ms ? ms : neighbour->longest_ms;
		neighbour->said++;
	}
	bye(id);
}

TEST_LONG(too_many, "a client that subscribes without end is told so after 1,000,000: the memory that all share is not "
    "its own; when it ends with all its topics nobody else is held up")
{
	enum { MOST = 1000000 };
	broker_start(&broker, "broker", 0, "--views off");
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	REQUIRE(subscribe_ahead(id, 0, MOST) == 0, "%s", mom_error_text(id));
	int r = mom_subscribe(id, "one/more", 0);
	REQUIRE(r == MOM_ELIMIT && strstr(mom_error_text(id), "fewer topics"), "%d: %s", r, mom_error_text(id));
	REQUIRE(mom_unsubscribe(id, "t/7") == 0 && mom_subscribe(id, "one/more", 0) == 0, "%s", mom_error_text(id));
	neighbour = t_shared_memory(sizeof *neighbour);
	pid_t pid = t_spawn(be_neighbour, NULL);
	WAIT_FOR(__atomic_load_n(&neighbour->said, __ATOMIC_SEQ_CST) > 100, "the neighbour");
	int64_t began = t_now_ms();
	bye(id);
	long took = (long)(t_now_ms() - began);
	neighbour->stop = 1;
	t_join(pid);
	t_remark("it ended after %ld ms; a neighbour's %ld publishes took %ld ms at most", took, neighbour->said,
	    neighbour->longest_ms);
	REQUIRE(neighbour->longest_ms < PEER_DEAD_MS / 2, "a publish took %ld ms", neighbour->longest_ms);
}
