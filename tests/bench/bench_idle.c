/* bench_idle - a part of mom_bench: W6, the time from nothing to the first message, and the memory of the servers
 * PSS counts a page that n processes map as an n-th in each: what the clients map of it is theirs. */
#include "bench/bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 64, WAIT_MS = 30000, SETTLE_US = 300000 };
enum { STEP_NONE, STEP_CLIENTS, STEP_TOPICS, STEP_SUBSCRIBERS };

struct idle { atomic_int reached; };

static struct idle *
idle_of(struct board *b)
{
	return (struct idle *)(void *)b->got;
}

/* One message to itself. */
static void
first_message(const struct load *l, struct board *b, int number)
{
	struct mom_message m;
	struct stamp stamp = { .publisher = (uint32_t)number, .run = b->run };
	struct judge judge;
	unsigned char payload[SIZE];
	char topic[40];
	int id = mom_create();
	bench_check(id, -1, "create");
	load_topic(b->run, 0, topic);
	bench_check(mom_subscribe(id, topic, 0), id, "subscribe");
	stamp_fill(payload, SIZE);
	stamp_put(payload, SIZE, &stamp);
	judge_init(&judge, b->run, SIZE, 1, l->topics);
	bench_check(mom_publish(id, topic, payload, SIZE, MOM_FAST), id, "publish");
	bench_check(mom_receive(id, &m, WAIT_MS), id, "receive");
	b->subscriber[0].ended = bench_now();
	judge_message(&judge, &m);
	b->subscriber[0].tally = judge.tally;
	bench_check(mom_destroy(id), -1, "destroy");
}

/* Many clients, then their topics, then a subscription of each; it stops where the bench measures. */
static void
hold_many(const struct load *l, struct board *b, int number)
{
	struct idle *idle = idle_of(b);
	int *id = calloc((size_t)l->count, sizeof *id);
	char topic[40];
	(void)number;
	for (long i = 0; i < l->count; i++)
		bench_check(id[i] = mom_create(), -1, "create");
	atomic_store(&idle->reached, STEP_CLIENTS);
	board_wait(b, PHASE_OPEN);
	for (long i = 0; i < l->count; i++) {
		load_topic(b->run, (uint64_t)i, topic);
		bench_check(mom_publish(id[0], topic, "", 0, MOM_FAST | MOM_ASYNC), id[0], "publish");
	}
	bench_flush(id[0]);
	atomic_store(&idle->reached, STEP_TOPICS);
	board_wait(b, PHASE_GO);
	for (long i = 0; i < l->count; i++) {
		load_topic(b->run, (uint64_t)i, topic);
		bench_check(mom_subscribe(id[i], topic, 0), id[i], "subscribe");
	}
	atomic_store(&idle->reached, STEP_SUBSCRIBERS);
	board_wait(b, PHASE_END);
	for (long i = 0; i < l->count; i++)
		bench_check(mom_destroy(id[i]), -1, "destroy");
}

static double
settled_pss(void)
{
	static struct snapshot s;
	for (int us = 0; us < SETTLE_US; us += 50000) {
		bench_look();
		bench_nap(50000);
	}
	proc_snapshot(&s);
	return proc_pss_kib(&s);
}

/* value: start-up, idle, a client's, a topic's, a subscriber's */
static void
run_idle(const struct load *l, double value[5], struct tally *tally)
{
	struct board *b = load_board(l);
	double began = bench_now(), kib[4];
	servers_start(1, 1);
	crew_fork(first_message, l, b, 0, 0, ROLE_SUBSCRIBERS);
	crew_join();
	value[0] = (b->subscriber[0].ended - began) * 1e3;
	tally_add(tally, &b->subscriber[0].tally);
	kib[STEP_NONE] = settled_pss();
	crew_fork(hold_many, l, b, 0, 0, ROLE_SUBSCRIBERS);
	for (int step = STEP_CLIENTS; step <= STEP_SUBSCRIBERS; step++) {
		crew_await(&idle_of(b)->reached, step);
		kib[step] = settled_pss();
		board_phase(b, step == STEP_CLIENTS ? PHASE_OPEN : step == STEP_TOPICS ? PHASE_GO : PHASE_END);
	}
	crew_join();
	servers_stop();
	load_board_free(b);
	value[1] = kib[STEP_NONE];
	value[2] = (kib[STEP_CLIENTS] - kib[STEP_NONE]) / (double)l->count;
	value[3] = (kib[STEP_TOPICS] - kib[STEP_CLIENTS]) / (double)l->count;
	value[4] = value[2] + (kib[STEP_SUBSCRIBERS] - kib[STEP_TOPICS]) / (double)l->count;
}

void
idle_figures(const char *workload)
{
	static const struct { const char *variant, *unit; } named[5] = { { "startup", "ms" }, { "idle-pss", "KiB" },
	    { "per-idle-client", "KiB" },
		{ "per-topic", "KiB" }, { "per-idle-subscriber", "KiB" } };
	struct load l = { .publishers = 1, .subscribers = 1, .machines = 1, .topics = 1, .heard = 1, .parts = 1,
	    .size = SIZE, .count = bench.many };
	static struct figure f[5];
	double value[5];
	memset(f, 0, sizeof f);
	for (int run = 0; run < bench.repeat; run++) {
		progress("%s start-up and memory: run %d of %d", workload, run + 1, bench.repeat);
		run_idle(&l, value, &f[0].tally);
		for (int i = 0; i < 5; i++)
			f[i].value[run] = value[i];
	}
	for (int i = 0; i < 5; i++) {
		f[i].workload = workload;
		f[i].variant = named[i].variant;
		f[i].unit = named[i].unit;
		f[i].runs = bench.repeat;
		f[i].calls = -1;
		report_figure(&f[i]);
	}
}
