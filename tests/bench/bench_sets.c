/* bench_sets - a part of mom_bench: the workloads W1 to W10, the same work as in the bench of other brokers that they
 * are compared with */
#include "bench/bench.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
size_name(char *name, size_t room, long size)
{
	if (size >= 1024 && size % 1024 == 0)
		snprintf(name, room, "%ldKiB", size / 1024);
	else
		snprintf(name, room, "%ldB", size);
}

/* One publisher, one subscriber, one topic, 64 B, fast and asynchronous: what all begin from. */
static struct load
plain_load(const char *workload, const char *variant, const char *unit)
{
	struct load l = { .workload = workload, .publishers = 1, .subscribers = 1, .machines = 1, .workers = 1,
	    .topics = 1, .heard = 1, .parts = 1,
		.size = 64, .seconds = bench.seconds };
	snprintf(l.figure[0].variant, sizeof l.figure[0].variant, "%s", variant);
	l.figure[0].unit = unit;
	return l;
}

static void
streams(const char *name, const long *sizes, int subscribers, const char *unit)
{
	char variant[40];
	const long given[] = { bench.size, 0 };
	for (sizes = bench.size ? given : sizes; *sizes; sizes++) {
		size_name(variant, sizeof variant, *sizes);
		struct load l = plain_load(name, variant, unit);
		l.size = (size_t)*sizes;
		l.subscribers = subscribers;
		load_figure(&l);
	}
}

static void
w1(const char *name)
{
	static const long sizes[] = { 64, 256, 1024, 16384, 0 };
	streams(name, sizes, 1, "msg/s");
}

static void
w2(const char *name)
{
	static const long sizes[] = { 64, 1024, 0 };
	streams(name, sizes, 10, "deliveries/s");
}

static void
ping_figures(struct load *l, const char *tag)
{
	static const char *const point[VALUES] = { "rtt-p50", "rtt-p99", "rtt-p99.9" };
	l->ping = 1;
	l->topics = l->heard = 2;
	for (int v = 0; v < VALUES; v++) {
		snprintf(l->figure[v].variant, sizeof l->figure[v].variant, "%s%s", point[v], tag);
		l->figure[v].unit = "us";
	}
	load_figure(l);
}

static void
w3(const char *name)
{
	struct load l = plain_load(name, "", "us");
	ping_figures(&l, "");
	l.one_core = 1;
	if (bench.selfserve)
		ping_figures(&l, "-1core");
}

static void
durable(const char *name, const char *variant, int publishers, int window)
{
	struct load l = plain_load(name, variant, "acked/s");
	l.size = 256;
	l.publishers = publishers;
	l.subscribers = 0;
	l.window = window;
	l.durable = l.absent = l.acked = 1;
	load_figure(&l);
}

static void
w4(const char *name)
{
	durable(name, "window1", 1, 1);
	durable(name, "window1000", 1, 1000);
	durable(name, "8pub-window125", 8, 125);
}

static void
w5(const char *name)
{
	struct load l = plain_load(name, "sync", "publishes/s");
	l.window = l.acked = 1;
	load_figure(&l);
}

static void
w7(const char *name)
{
	char variant[40];
	snprintf(variant, sizeof variant, "%ldtopics", bench.many);
	struct load l = plain_load(name, variant, "msg/s");
	l.topics = l.heard = (uint64_t)bench.many;
	load_figure(&l);
}

static void
w8(const char *name)
{
	struct load l = plain_load(name, "8pub", "msg/s");
	l.publishers = 8;
	load_figure(&l);
}

/* Beside one busy loop a core (or as many as --busy says) */
static void
w9(const char *name)
{
	struct load stream = plain_load(name, "64B-busy", "msg/s"), eight = plain_load(name, "8pub-busy", "msg/s");
	struct load ping = plain_load(name, "", "us"), sync = plain_load(name, "sync-busy", "publishes/s");
	busy_begin(bench.busy ? bench.busy : sysconf(_SC_NPROCESSORS_ONLN));
	load_figure(&stream);
	eight.publishers = 8;
	load_figure(&eight);
	ping_figures(&ping, "-busy");
	sync.window = sync.acked = 1;
	load_figure(&sync);
	if (bench.busy == 0)
		busy_end();
}

/* A queue of jobs and one worker; beanstalkd calls it put, reserve and delete */
static void
w10(const char *name)
{
	static const struct { const char *variant; int prefetch, durable; } jobs[] = { { "prefetch-1", 1, 0 },
	    { "prefetch-64", 64, 0 }, { "durable-prefetch-64", 64, 1 } };
	for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
		struct load l = plain_load(name, jobs[i].variant, "jobs/s");
		l.prefetch = jobs[i].prefetch;
		l.durable = jobs[i].durable;
		l.size = bench.size ? (size_t)bench.size : 64;
		load_figure(&l);
	}
}

static const struct { const char *name; void (*run)(const char *name); } sets[] = {
	{ "W1", w1 }, { "W2", w2 }, { "W3", w3 }, { "W4", w4 }, { "W5", w5 }, { "W6", idle_figures }, { "W7", w7 },
	    { "W8", w8 },
	{ "W9", w9 }, { "W10", w10 },
};
enum { SETS = sizeof sets / sizeof *sets };

int
sets_known(const char *name)
{
	for (int i = 0; i < SETS; i++)
		if (strcmp(sets[i].name, name) == 0)
			return 1;
	return 0;
}

/* all of them for NULL; W6 starts servers, so there is none with --run */
void
sets_run(const char *name)
{
	for (int i = 0; i < SETS; i++)
		if (name ? strcmp(sets[i].name, name) == 0 : bench.selfserve || sets[i].run != idle_figures)
			sets[i].run(sets[i].name);
}

void
sets_own(void)
{
	char size[20], variant[40];
	size_name(size, sizeof size, bench.size ? bench.size : 64);
	snprintf(variant, sizeof variant, "%s-%ldto%ld%s", size, bench.publishers, bench.subscribers,
	    bench.durable ? "-durable" : "");
	struct load l = plain_load("own", variant, "deliveries/s");
	l.size = bench.size ? (size_t)bench.size : 64;
	l.count = bench.count;
	l.publishers = (int)bench.publishers;
	l.subscribers = (int)bench.subscribers;
	l.topics = l.heard = bench.topics ? (uint64_t)bench.topics : 1;
	l.durable = bench.durable;
	if (bench.latency) {
		l.publishers = l.subscribers = 1;
		ping_figures(&l, "");
	} else
		load_figure(&l);
}
