/* bench_ping - a part of mom_bench: one message at a time, there on topic 0 and back on topic 1 */
#include "bench/bench.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MS = 30000, LOOK_MS = 100 };

struct player {
	int id;
	unsigned flags;
	char out[40];
	struct cost before;
};

static void
player_open(struct player *p, const struct load *l, struct board *b, int asks)
{
	char in[40];
	p->flags = MOM_ASYNC | (l->durable ? 0 : MOM_FAST);
	p->id = mom_create();
	bench_check(p->id, -1, "create");
	load_topic(b->run, (uint64_t)asks, in);
	load_topic(b->run, (uint64_t)!asks, p->out);
	bench_check(mom_subscribe(p->id, in, 0), p->id, "subscribe");
}

static void __attribute__((noreturn))
player_end(struct player *p)
{
	bench_flush(p->id);
	bench_check(mom_destroy(p->id), -1, "destroy");
	_exit(0);
}

void
ping_answer(const struct load *l, struct board *b, int number)
{
	struct player p;
	struct mom_message m;
	player_open(&p, l, b, 0);
	atomic_fetch_add(&b->subscribers_ready, 1);
	cost_self(&p.before);
	while (atomic_load(&b->phase) < PHASE_END) {
		int r = mom_receive(p.id, &m, LOOK_MS);
		if (r == MOM_ETIMEDOUT || r == MOM_EINTR)          /* strace's arrival interrupts */
			continue;
		bench_check(r, p.id, "receive");
		bench_check(mom_publish(p.id, p.out, m.data, m.len, p.flags), p.id, "publish");
		if (atomic_load_explicit(&b->publishers_done, memory_order_relaxed) == 0)
			cost_since(&b->subscriber[number].cost, &p.before);
	}
	player_end(&p);
}

/* What came back is what was sent: the same bytes, so the same number. */
static void
compare(struct tally *t, const struct mom_message *m, const unsigned char *payload, size_t size)
{
	struct stamp sent, got = { 0 };
	memcpy(&sent, payload, sizeof sent);
	if (m->len == size && memcmp(m->data, payload, size) == 0) {
		t->got++;
		return;
	}
	if (m->len >= sizeof got)
		memcpy(&got, m->data, sizeof got);
	t->lost += m->len == size && got.sequence > sent.sequence;
	t->doubled += m->len == size && got.sequence < sent.sequence;
	t->changed += m->len != size || got.sequence == sent.sequence;
}

static void
ask(struct player *p, const struct load *l, unsigned char *payload, const struct stamp *stamp)
{
	struct stamp next = *stamp;
	next.sequence++;
	if (bench.lose && stamp->sequence == 3)
		stamp_put(payload, l->size, &next);        /* as if this one were lost */
	bench_check(mom_publish(p->id, p->out, payload, l->size, p->flags), p->id, "publish");
	stamp_put(payload, l->size, stamp);
}

static void
await_answer(struct player *p, struct mom_message *m)
{
	int r;
	do
		r = mom_receive(p->id, m, ANSWER_MS);
	while (r == MOM_EINTR);
	bench_check(r, p->id, "receive");
}

void
ping_ask(const struct load *l, struct board *b, int number)
{
	struct player p;
	struct mom_message m;
	struct stamp stamp = { .publisher = 0, .run = b->run };
	unsigned char *payload = malloc(l->size);
	struct tally tally = { 0 };
	board_wait(b, PHASE_OPEN);
	player_open(&p, l, b, 1);
	stamp_fill(payload, l->size);
	atomic_fetch_add(&b->publishers_ready, 1);
	board_wait(b, PHASE_GO);
	cost_self(&p.before);
	double began = bench_now(), ended = began;
	while ((l->count ? b->trips < (uint32_t)l->count : ended - began < l->seconds) && b->trips < b->trips_most) {
		double asked = bench_now();
		stamp_put(payload, l->size, &stamp);
		ask(&p, l, payload, &stamp);
		await_answer(&p, &m);
		ended = bench_now();
		b->trip_ns[b->trips++] = (uint32_t)((ended - asked) * 1e9);
		compare(&tally, &m, payload, l->size);
		stamp.sequence++;
	}
	b->publisher[number].began = began;
	b->publisher[number].ended = ended;
	cost_since(&b->publisher[number].cost, &p.before);
	b->subscriber[0].tally = tally;
	atomic_fetch_add(&b->publishers_done, 1);
	board_wait(b, PHASE_END);
	player_end(&p);
}
