/* bench_scale - a part of mom_bench: what a message costs as one thing after the other grows */
#include "tools/bench.h"
#include <stdio.h>
#include <string.h>

static const double point_s = 3;
static const uint64_t gigabyte = 1000000000;

static struct load
point(const char *dimension, const char *unit, const char *format, double amount)
{
	struct load l = { .workload = dimension, .publishers = 1, .subscribers = 1, .machines = 1, .workers = 1, .topics = 1, .heard = 1, .parts = 1,
		.size = 64, .seconds = bench.seconds > 0 ? bench.seconds : point_s };
	snprintf(l.figure[0].variant, sizeof l.figure[0].variant, format, amount);
	l.figure[0].unit = unit;
	return l;
}

/* the costs are those of a delivery */
static void
deliveries_and_messages(struct load *l)
{
	snprintf(l->figure[1].variant, sizeof l->figure[1].variant, "%.20s published", l->figure[0].variant);
	l->figure[1].unit = "msg/s";
	load_figure(l);
}

static int
is_wanted(double amount)
{
	return bench.most <= 0 || amount <= bench.most;
}

static void
subscribers(const char *name)
{
	static const int counts[] = { 1, 10, 100, 1000 };
	for (int i = 0; i < 4 && is_wanted(counts[i]); i++) {
		struct load l = point(name, "deliveries/s", "%.0f", counts[i]);
		l.subscribers = counts[i];
		deliveries_and_messages(&l);
	}
}

/* one publisher on the first machine, a subscriber on each */
static void
machines(const char *name)
{
	static const int counts[] = { 1, 5, 20 };
	for (int i = 0; i < 3 && is_wanted(counts[i]); i++) {
		struct load l = point(name, "deliveries/s", "%.0f", counts[i]);
		l.machines = l.subscribers = counts[i];
		deliveries_and_messages(&l);
	}
}

/* published to in turn, each at least once; the first ten of them have a subscriber */
static void
published(const char *name)
{
	static const int counts[] = { 1, 1000, 100000, 1000000 };
	for (int i = 0; i < 4 && is_wanted(counts[i]); i++) {
		struct load l = point(name, "publishes/s", "%.0f", counts[i]);
		l.topics = l.least = (uint64_t)counts[i];
		l.heard = counts[i] < 10 ? 1 : 10;
		l.acked = 1;
		load_figure(&l);
	}
}

/* Ten subscribers share the topics: a subscribe is on disk before it returns, one client alone would wait for each. At about 1000 a second
 * the last point takes minutes before its time begins. */
static void
subscribed(const char *name)
{
	static const int counts[] = { 1, 1000, 10000, 100000 };
	for (int i = 0; i < 4 && is_wanted(counts[i]); i++) {
		struct load l = point(name, "deliveries/s", "%.0f", counts[i]);
		l.topics = l.heard = l.least = (uint64_t)counts[i];
		l.subscribers = l.parts = counts[i] < 10 ? 1 : 10;
		snprintf(l.figure[1].variant, sizeof l.figure[1].variant, "%.20s published", l.figure[0].variant);
		snprintf(l.figure[2].variant, sizeof l.figure[2].variant, "%.20s subscribes", l.figure[0].variant);
		l.figure[1].unit = "msg/s";
		l.figure[2].unit = "subscribes/s";
		load_figure(&l);
	}
}

/* messages of 1 KiB wait for a durable subscriber that is away; then more are published, then it comes and reads all */
static void
backlog(const char *name)
{
	static const double counts[] = { 0, 0.1, 1, 10 };
	for (int i = 0; i < (bench.big ? 4 : 3) && is_wanted(counts[i]); i++) {
		struct load l = point(name, "publishes/s", "%g GB", counts[i]);
		l.size = 1024;
		l.subscribers = 0;
		l.absent = l.acked = 1;
		l.fill = (uint64_t)(counts[i] * (double)gigabyte) / l.size;
		snprintf(l.figure[1].variant, sizeof l.figure[1].variant, "%g GB drained", counts[i]);
		l.figure[1].unit = "deliveries/s";
		load_figure(&l);
	}
}

/* two publishers and two subscribers, a thousand topics: a topic belongs to one worker */
static void
workers(const char *name)
{
	static const int counts[] = { 1, 2, 4 };
	for (int i = 0; i < 3 && is_wanted(counts[i]); i++) {
		struct load l = point(name, "deliveries/s", "%.0f", counts[i]);
		l.workers = counts[i];
		l.topics = l.heard = (uint64_t)bench.many;
		l.publishers = l.subscribers = l.parts = 2;
		load_figure(&l);
	}
}

static const struct { const char *name; void (*run)(const char *name); } dimensions[] = {
	{ "subscribers", subscribers }, { "machines", machines }, { "published", published }, { "subscribed", subscribed }, { "backlog", backlog },
	{ "workers", workers },
};
enum { DIMENSIONS = sizeof dimensions / sizeof *dimensions };

int
scale_known(const char *name)
{
	for (int i = 0; i < DIMENSIONS; i++)
		if (strcmp(dimensions[i].name, name) == 0)
			return 1;
	return 0;
}

/* all of them for NULL */
void
scale_run(const char *name)
{
	for (int i = 0; i < DIMENSIONS; i++)
		if (name == NULL || strcmp(dimensions[i].name, name) == 0)
			dimensions[i].run(dimensions[i].name);
}
