/* bench_report - a part of mom_bench: a figure as a line of a table or as a JSON object; the progress line
 * else%: the part of the machine's CPU time that others (processes, the kernel, the host) took: where it is much the
 * rates say little. The costs stand by message: by what the unit counts (a delivery, a publish that was acknowledged, a
 * round trip). */
#include "bench/bench.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const heads[ROLES] = { "broker", "handlr", "sender", "worker", "daemon", "reqstr", "respsr",
    "forwrd", NULL, "publsh", "subscr" };

void
progress(const char *format, ...)
{
	va_list list;
	if (!isatty(STDERR_FILENO))
		return;
	va_start(list, format);
	fputs("\r\033[K", stderr);
	vfprintf(stderr, format, list);
	va_end(list);
	fflush(stderr);
}

void
progress_clear(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double
us_of(const struct figure *f, const struct cost *c)
{
	return (c->user_us + c->system_us) / (double)f->messages;
}

static int
is_known(enum role r)
{
	return bench.selfserve || r >= ROLE_PUBLISHERS;
}

static struct cost
cost_of_all(const struct figure *f)
{
	struct cost all = { 0 };
	for (int r = 0; r < ROLES; r++)
		cost_add(&all, &f->costs.of[r]);
	return all;
}

static void
json_costs(const struct figure *f)
{
	struct cost all = cost_of_all(f);
	double n = (double)f->messages;
	printf(",\"switches_per_message\":%.6g,\"calls_per_message\":", (double)all.switches / n);
	printf(f->calls < 0 ? "null" : "%.6g", f->calls);
	printf(",\"cpu_elsewhere\":%.3f", f->elsewhere / f->runs);
	printf(",\"cpu_us_per_message\":{\"all\":%.6g", us_of(f, &all));
	for (int r = 0; r < ROLES; r++) {
		const struct cost *c = &f->costs.of[r];
		if (is_known((enum role)r))
			printf(",\"%s\":{\"user\":%.6g,\"system\":%.6g,\"switches\":%.6g}", role_names[r],
			    c->user_us / n, c->system_us / n,
			    (double)c->switches / n);
	}
	printf("}");
}

static void
report_json(const struct figure *f)
{
	const struct tally *t = &f->tally;
	printf("{\"workload\":\"%s\",\"variant\":\"%s\"", f->workload, f->variant);
	printf(",\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,\"unit\":\"%s\",\"runs\":%d,\"messages\":%llu",
	    f->value[f->runs / 2], f->value[0], f->value[f->runs - 1], f->unit, f->runs,
	    (unsigned long long)f->messages);
	printf(",\"lost\":%llu,\"doubled\":%llu,\"changed\":%llu,\"out_of_order\":%llu", (unsigned long long)t->lost,
	    (unsigned long long)t->doubled,
	    (unsigned long long)t->changed, (unsigned long long)t->disorder);
	if (f->has_costs)
		json_costs(f);
	puts("}");
}

static void
table_number(double v, int width)
{
	printf(" %*.*f", width, v < 10 ? 2 : v < 100 ? 1 : 0, v);
}

static void
table_head(void)
{
	static int done;
	if (done++)
		return;
	printf("%-11s %-19s %9s %9s %9s %-12s us/message:", "workload", "variant", "median", "min", "max", "unit");
	for (int r = 0; r < ROLES; r++)
		if (heads[r])
			printf(" %6s", heads[r]);
	printf(" switches else%%%s\n", bench.syscalls ? "  calls" : "");
}

static void
report_table(const struct figure *f)
{
	struct cost all = cost_of_all(f);
	table_head();
	printf("%-11s %-19s", f->workload, f->variant);
	table_number(f->value[f->runs / 2], 9);
	table_number(f->value[0], 9);
	table_number(f->value[f->runs - 1], 9);
	printf(f->has_costs ? " %-12s" : " %s", f->unit);
	if (f->has_costs) {
		table_number(us_of(f, &all), 11);
		for (int r = 0; r < ROLES; r++) {
			if (heads[r] && is_known((enum role)r))
				table_number(us_of(f, &f->costs.of[r]), 6);
			else if (heads[r])
				printf(" %6s", "-");
		}
		table_number((double)all.switches / (double)f->messages, 8);
		printf(" %5.0f", f->elsewhere / f->runs * 100);
		if (f->calls >= 0)
			table_number(f->calls, 6);
	}
	puts("");
}

void
report_figure(struct figure *f)
{
	qsort(f->value, (size_t)f->runs, sizeof *f->value, by_value);
	progress_clear();
	if (bench.json)
		report_json(f);
	else
		report_table(f);
	fflush(stdout);
}
