/* bench_scale - a part of mom_bench: what a message costs as one thing after the other grows */
#include "bench/bench.h"
#include <stdio.h>
#include <string.h>

static const double point_s = 3;
enum { AMOUNTS = 4, BACKLOG_SIZE = 1024, GIGABYTE = 1000000000 };

static void
name_figure(struct load *l, int value, double amount, const char *what, const char *unit)
{
	snprintf(l->figure[value].variant, sizeof l->figure[value].variant, "%.10g%s", amount, what);
	l->figure[value].unit = unit;
}

/* The costs are those of a delivery. */
static void
subscribers(struct load *l, double amount)
{
	l->subscribers = (int)amount;
	name_figure(l, 0, amount, "", "deliveries/s");
	name_figure(l, 1, amount, " published", "msg/s");
}

/* One publisher on the first machine, a subscriber on each. */
static void
machines(struct load *l, double amount)
{
	subscribers(l, amount);
	l->machines = (int)amount;
}

/* Published to in turn, each at least once; the first ten of them have a subscriber. */
static void
published(struct load *l, double amount)
{
	l->topics = l->least = (uint64_t)amount;
	l->heard = amount < 10 ? 1 : 10;
	l->acked = 1;
	name_figure(l, 0, amount, "", "publishes/s");
}

/* Ten subscribers share the topics: a subscribe is on disk before it returns, one client alone would wait for each. At
 * some 700 a second the last point takes minutes before its time begins. */
static void
subscribed(struct load *l, double amount)
{
	l->topics = l->heard = l->least = (uint64_t)amount;
	l->subscribers = l->parts = amount < 10 ? 1 : 10;
	name_figure(l, 0, amount, "", "deliveries/s");
	name_figure(l, 1, amount, " published", "msg/s");
	name_figure(l, 2, amount, " subscribes", "subscribes/s");
}

/* A thousand topics, all heard by one pattern; the others match nothing. */
static void
patterns(struct load *l, double amount)
{
	l->topics = l->heard = l->least = (uint64_t)bench.many;
	l->patterns = (uint64_t)amount;
	name_figure(l, 0, amount, "", "deliveries/s");
	name_figure(l, 1, amount, " published", "msg/s");
}

/* So much waits for a durable subscriber that is away; then more is published, the time counts; then it comes and reads
 * all. */
static void
backlog(struct load *l, double amount)
{
	l->size = BACKLOG_SIZE;
	l->subscribers = 0;
	l->absent = l->acked = 1;
	l->fill = (uint64_t)(amount * GIGABYTE) / BACKLOG_SIZE;
	name_figure(l, 0, amount, " GB", "publishes/s");
	name_figure(l, 1, amount, " GB drained", "deliveries/s");
}

/* Two publishers and two subscribers, a thousand topics: a topic belongs to one worker. */
static void
workers(struct load *l, double amount)
{
	l->workers = (int)amount;
	l->topics = l->heard = (uint64_t)bench.many;
	l->publishers = l->subscribers = l->parts = 2;
	name_figure(l, 0, amount, "", "deliveries/s");
}

static const struct dimension {
	const char *name;
	void (*set)(struct load *l, double amount);
	int count;
	double amount[AMOUNTS];
} dimensions[] = {
	{ "subscribers", subscribers, 4, { 1, 10, 100, 1000 } },
	{ "machines",    machines,    3, { 1, 5, 20 } },
	{ "published",   published,   4, { 1, 1000, 100000, 1000000 } },
	{ "subscribed",  subscribed,  4, { 1, 1000, 10000, 100000 } },
	{ "patterns",    patterns,    3, { 1, 1000, 100000 } },
	{ "backlog",     backlog,     4, { 0, 0.1, 1, 10 } },
	{ "workers",     workers,     3, { 1, 2, 4 } },
};
enum { DIMENSIONS = sizeof dimensions / sizeof *dimensions };

static int
is_wanted(const struct dimension *d, double amount)
{
	if (d->set == backlog && amount > 1 && !bench.big)
		return 0;
	return amount >= bench.least && (bench.most <= 0 || amount <= bench.most);
}

static void
run_dimension(const struct dimension *d)
{
	for (int i = 0; i < d->count; i++) {
		struct load l = { .workload = d->name, .publishers = 1, .subscribers = 1, .machines = 1, .workers = 1,
		    .topics = 1, .heard = 1, .parts = 1,
			.size = 64, .seconds = bench.seconds > 0 ? bench.seconds : point_s };
		d->set(&l, d->amount[i]);
		if (is_wanted(d, d->amount[i]))
			load_figure(&l);
	}
}

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
			run_dimension(&dimensions[i]);
}
