/* bench_client - a part of mom_bench: the publisher and the subscriber, each a process of its own that ends by _exit */
#include "bench/bench.h"
#include "format/limits.h"
#include <linux/futex.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	/* a stream's publishers are so far ahead of the slowest subscriber at most ... */
	AHEAD_BYTES = 32 << 20,
	/* ... as in the peers' bench: some would drop messages or eat memory otherwise */
	AHEAD_COUNT = 32768,
	STEP        = 256,             /* messages between two looks at the clock */
	LOOK_EVERY  = 64,              /* a subscriber shows its progress at least so often */
	/* a publisher that is held back for so long goes on: something is lost, the subscribers tell */
	STALL_S     = 15
};
static const double quiet_s = 10, quiet_lost_s = 0.5;            /* nothing has come for so long: it never will */

/* ---- the board ---- */

/* ---- publisher ---- */

struct sender {
	const struct load *l;
	struct board *b;
	int id, number;
	unsigned flags;
	char (*topic)[40];
	unsigned char *payload;
	struct stamp stamp;
};

static void
sender_open(struct sender *p)
{
	const struct load *l = p->l;
	p->id = mom_create();
	bench_check(p->id, -1, "create");
	p->flags = (l->durable ? 0 : MOM_FAST) | (l->window == 1 ? 0 : MOM_ASYNC);
	p->payload = malloc(l->size);
	p->topic = calloc(l->topics, sizeof *p->topic);
	if (p->payload == NULL || p->topic == NULL)
		bench_die(BENCH_START, "no memory for %llu topics", (unsigned long long)l->topics);
	for (uint64_t t = 0; t < l->topics; t++)
		load_topic(p->b->run, t, p->topic[t]);
	stamp_fill(p->payload, l->size);
	p->stamp = (struct stamp){ .publisher = (uint32_t)p->number, .run = p->b->run };
	if (l->window > 1) {
		long record = (long)(RECORD_HEADER + strlen(p->topic[0]) + 1 + l->size + 7) / 8 * 8,
		    window = record * l->window;
		bench_check(mom_set_option(p->id, MOM_OPT_WINDOW, window < 4096 ? 4096 : window), p->id, "window");
	}
}

static void
sender_send(struct sender *p, uint64_t messages)
{
	const struct load *l = p->l;
	for (; messages > 0; messages--, p->stamp.sequence++) {
		if (bench.lose && p->stamp.sequence == 3)
			continue;
		stamp_put(p->payload, l->size, &p->stamp);
		bench_check(mom_publish(p->id, p->topic[p->stamp.sequence % l->topics], p->payload, l->size, p->flags),
		    p->id, "publish");
	}
	atomic_store_explicit(&p->b->publisher[p->number].sent, p->stamp.sequence, memory_order_release);
}

/* How many it may send now without getting too far ahead of the slowest subscriber. */
static uint64_t
allowance(const struct sender *p)
{
	const struct load *l = p->l;
	uint64_t most = AHEAD_BYTES / l->size < AHEAD_COUNT ? AHEAD_BYTES / l->size : AHEAD_COUNT, behind = 0;
	uint64_t step = l->window == 1 ? 1 : STEP;
	if (l->subscribers == 0)
		return step;
	most = most / (uint64_t)l->publishers ? most / (uint64_t)l->publishers : 1;
	for (int s = 0; s < l->subscribers; s++) {
		uint64_t got = atomic_load_explicit(&p->b->got[(size_t)s * p->b->row + (size_t)p->number],
		    memory_order_relaxed);
		uint64_t due = load_due(l, s, p->stamp.sequence);
		behind = due > got && due - got > behind ? due - got : behind;
	}
	return behind >= most ? 0 : most - behind < step ? most - behind : step;
}

static void
sender_stream(struct sender *p, uint64_t from, double began)
{
	const struct load *l = p->l;
	double moved = began;
	for (double now = began;; now = bench_now()) {
		uint64_t sent = p->stamp.sequence - from, n = allowance(p);
		if (l->count ? sent >= (uint64_t)l->count : now - began >= l->seconds && sent >= l->least)
			return;
		if (l->count && n > (uint64_t)l->count - sent)
			n = (uint64_t)l->count - sent;
		if (n == 0 && now - moved < STALL_S) {
			bench_nap(100);
			continue;
		}
		sender_send(p, n ? n : STEP);
		moved = now;
	}
}

void
client_publisher(const struct load *l, struct board *b, int number)
{
	struct sender p = { .l = l, .b = b, .number = number };
	struct publisher_state *state = &b->publisher[number];
	struct cost before;
	board_wait(b, PHASE_OPEN);
	sender_open(&p);
	for (uint64_t left = l->fill, step; left > 0; left -= step) {
		step = left < STEP ? left : STEP;
		sender_send(&p, step);
	}
	bench_flush(p.id);
	atomic_fetch_add(&b->publishers_ready, 1);
	board_wait(b, PHASE_GO);
	cost_self(&before);
	state->began = bench_now();
	sender_stream(&p, l->fill, state->began);
	bench_flush(p.id);
	state->ended = bench_now();
	cost_since(&state->cost, &before);
	atomic_fetch_add(&b->publishers_done, 1);
	board_wait(b, PHASE_END);
	bench_check(mom_destroy(p.id), -1, "destroy");
	_exit(0);
}

/* ---- subscriber ---- */

struct listener {
	const struct load *l;
	struct board *b;
	int id, number;
	struct judge judge;
	uint64_t got[PUBLISHERS_MAX];
	double last;                       /* when something came, as far as was looked */
};

static void
listener_show(struct listener *s)
{
	for (int p = 0; p < s->l->publishers; p++)
		atomic_store_explicit(&s->b->got[(size_t)s->number * s->b->row + (size_t)p], s->got[p],
		    memory_order_relaxed);
}

static int
has_all(const struct listener *s)
{
	if (atomic_load(&s->b->publishers_done) < s->l->publishers)
		return 0;
	for (int p = 0; p < s->l->publishers; p++)
		if (s->got[p] < load_due(s->l, s->number, atomic_load(&s->b->publisher[p].sent)))
			return 0;
	return 1;
}

static int
has_waited_enough(const struct listener *s)
{
	return atomic_load(&s->b->publishers_done) == s->l->publishers &&
	    bench_now() - s->last > (tally_is_clean(&s->judge.tally) ? quiet_s : quiet_lost_s);
}

/* The messages that are there, LOOK_EVERY at most; their number. */
static int
listener_take(struct listener *s, int wait_ms)
{
	struct mom_message m;
	int n = 0, r = 0;
	for (; n < LOOK_EVERY && (r = mom_receive(s->id, &m, n ? 0 : wait_ms)) == 0; n++) {
		int p = judge_message(&s->judge, &m);
		if (p >= 0)
			s->got[p]++;
	}
	if (r != 0 && r != MOM_ETIMEDOUT && r != MOM_EINTR)        /* strace's arrival interrupts */
		bench_check(r, s->id, "receive");
	if (n)
		s->last = bench_now();
	return n;
}

static void
count_missing(struct listener *s)
{
	uint64_t due = 0;
	for (int p = 0; p < s->l->publishers; p++)
		due += load_due(s->l, s->number, atomic_load(&s->b->publisher[p].sent));
	if (due > s->judge.tally.got + s->judge.tally.lost)
		s->judge.tally.lost = due - s->judge.tally.got;
	if (s->judge.tally.lost && s->judge.tally.first[0] == '\0')
		snprintf(s->judge.tally.first, sizeof s->judge.tally.first,
		    "nothing came for %.1f s while the last were due", quiet_s);
}

/* Until everything has come, or nothing comes any more. */
static void
listener_run(struct listener *s)
{
	struct subscriber_state *state = &s->b->subscriber[s->number];
	struct cost before;
	/* a thousand that look again every 20 ms would be what is measured */
	int wait_ms = 20 + s->l->subscribers;
	board_wait(s->b, PHASE_GO);
	cost_self(&before);
	state->began = s->last = bench_now();
	while (!has_all(s) && !has_waited_enough(s)) {
		listener_take(s, wait_ms);
		listener_show(s);
	}
	state->ended = s->last;
	cost_since(&state->cost, &before);
	listener_take(s, 5);               /* nothing may come any more */
	count_missing(s);
	state->tally = s->judge.tally;
	atomic_fetch_add(&s->b->subscribers_done, 1);
	board_wait(s->b, PHASE_END);
	bench_check(mom_destroy(s->id), -1, "destroy");
	_exit(0);
}

static void
listener_init(struct listener *s)
{
	judge_init(&s->judge, s->b->run, s->l->size, (uint32_t)s->l->publishers, s->l->topics);
}

static void
listener_subscribe(struct listener *s)
{
	const struct load *l = s->l;
	char topic[40];
	if (l->prefetch) {
		load_topic(s->b->run, 0, topic);
		bench_check(mom_set_option(s->id, MOM_OPT_PREFETCH, l->prefetch), s->id, "prefetch");
		bench_check(mom_join(s->id, "bench", topic, MOM_GROUP_TEMPORARY), s->id, "join");
		return;
	}
	if (l->patterns) {
		load_topic(s->b->run, 0, topic);
		strcpy(strrchr(topic, '/'), "/+");
		bench_check(mom_subscribe(s->id, topic, 0), s->id, "subscribe");
		return;
	}
	for (uint64_t t = (uint64_t)(s->number % l->parts); t < l->heard; t += (uint64_t)l->parts) {
		load_topic(s->b->run, t, topic);
		bench_check(mom_subscribe(s->id, topic, 0), s->id, "subscribe");
	}
}

void
client_subscriber(const struct load *l, struct board *b, int number)
{
	struct listener s = { .l = l, .b = b, .number = number, .id = mom_create() };
	bench_check(s.id, -1, "create");
	listener_init(&s);
	listener_subscribe(&s);
	atomic_fetch_add(&b->subscribers_ready, 1);
	listener_run(&s);
}

void
client_watcher(const struct load *l, struct board *b, int number)
{
	char pattern[40];
	int id = mom_create();
	bench_check(id, -1, "create");
	for (uint64_t n = (uint64_t)number; n + 1 < l->patterns; n += (uint64_t)load_watchers(l)) {
		snprintf(pattern, sizeof pattern, "idle/%llu/+/#", (unsigned long long)n);
		bench_check(mom_subscribe(id, pattern, 0), id, "subscribe");
	}
	atomic_fetch_add(&b->subscribers_ready, 1);
	board_wait(b, PHASE_END);
	bench_check(mom_destroy(id), -1, "destroy");
	_exit(0);
}

static int
open_durable(const struct board *b)
{
	char name[40];
	snprintf(name, sizeof name, "bench-%llx", (unsigned long long)b->run);
	int id = mom_open(name);
	bench_check(id, -1, "open");
	return id;
}

void
client_absent(const struct load *l, struct board *b, int number)
{
	struct listener s = { .l = l, .b = b, .number = number, .id = open_durable(b) };
	listener_subscribe(&s);
	bench_check(mom_close(s.id), -1, "close");
	_exit(0);
}

void
client_drain(const struct load *l, struct board *b, int number)
{
	struct listener s = { .l = l, .b = b, .number = number };
	listener_init(&s);
	s.id = open_durable(b);
	listener_run(&s);
}
