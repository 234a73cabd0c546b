/* mom stats - everything that the servers of this machine count */
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd_look.h"
#include "look/look_processes.h"
#include "look/metrics.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mom stats [--json | --prometheus] [-a] [FOLDER ...]\n"
    "  For each process its role, shard or machine, and what it counted since its first start; counters that are 0 are "
    "left out without -a.\n"
    "  FOLDER        a run folder or a store; without any, the servers in the usual places, MOM_RUN first\n"
    "  --json        an array of objects, one a process: role, server, shard, machine, slot, pid, counters, "
    "histograms\n"
    "  --prometheus  the text format 0.0.4, as http://.../metrics shows it\n"
    "  -a            zeros, too\n"
    "Exit status: 0   1 a server cannot be looked into, or there is none   2 wrong use\n"
    "Example: mom stats --prometheus\n";

static void
json_histogram(const char *name, const struct histogram *h)
{
	uint64_t all = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		all += atomic_load_explicit(&h->count[i], memory_order_relaxed);
	json_open(name, '{');
	json_number("count", all);
	json_number("sum", atomic_load_explicit(&h->sum, memory_order_relaxed));
	json_number("p50", counters_quantile(h, 0.5));
	json_number("p99", counters_quantile(h, 0.99));
	json_close('}');
}

static void
show_json(const struct look_server *s, const struct look_process *p)
{
	json_open(NULL, '{');
	json_text("role", counters_role_name(p->role));
	json_text("server", s->run);
	json_number("pid", (uint64_t)p->pid);
	json_bool("running", process_runs(p->pid));
	if (p->shard >= 0)
		json_number("shard", (uint64_t)p->shard);
	if (p->slot >= 0) {
		json_number("machine", p->machine);
		json_number("slot", (uint64_t)p->slot);
	}
	json_signed("since_us", atomic_load(&p->counters->since_us));
	json_open("counters", '{');
	for (unsigned i = 0; i < COUNTERS; i++)
		json_number(counters_names[i].name, counters_get(p->counters, (enum counter)i));
	json_close('}');
	json_open("histograms", '{');
	for (unsigned i = 0; i < HISTOGRAMS; i++)
		json_histogram(counters_histogram_names[i].name, &p->counters->histogram[i]);
	json_close('}');
	json_close('}');
}

static void
show_text(const struct look_server *s, const struct look_process *p, int all)
{
	char name[80];
	look_process_name(p, name, sizeof name);
	printf("%s pid %d%s ", name, (int)p->pid, process_runs(p->pid) ? "" : " (ended)");
	text_put(s->run, strlen(s->run), 0);
	putchar('\n');
	for (unsigned i = 0; i < COUNTERS; i++) {
		uint64_t v = counters_get(p->counters, (enum counter)i);
		if (v || all)
			printf("    %-24s %20" PRIu64 "  %s\n", counters_names[i].name, v, counters_names[i].help);
	}
	for (unsigned i = 0; i < HISTOGRAMS; i++) {
		const struct histogram *h = &p->counters->histogram[i];
		if (counters_quantile(h, 1) || all)
			printf("    %-24s p50 %" PRIu64 ", p99 %" PRIu64 " at most  %s\n",
			    counters_histogram_names[i].name, counters_quantile(h, 0.5),
			    counters_quantile(h, 0.99), counters_histogram_names[i].help);
	}
}

static int
run(int argc, char **argv)
{
	static const struct option longs[] = { { "json", 0, 0, 'j' }, { "prometheus", 0, 0, 'p' },
	    { "help", 0, 0, 'h' }, { 0 } };
	struct servers s;
	struct look_process p;
	int json = 0, prometheus = 0, all = 0, bad;
	for (int o; (o = cmd_option(&cmd_stats, argc, argv, "ha", longs)) != -1;) {
		json |= o == 'j';
		prometheus |= o == 'p';
		all |= o == 'a';
	}
	if (json && prometheus)
		cmd_wrong_use(&cmd_stats, "--json or --prometheus, not both");
	servers_look(&s, &cmd_stats, cmd_line.word, cmd_line.count, 0);
	bad = servers_none(&s, &cmd_stats, 1, 1) != CMD_OK || s.bad;
	if (prometheus)
		metrics_print(stdout, s.server, s.count);
	if (json)
		json_open(NULL, '[');
	for (size_t i = 0; !prometheus && i < s.count; i++)
		for (uint32_t page = 0; look_process(&s.server[i], page, &p) >= 0; page++) {
			if (p.role == ROLE_NONE || p.role >= COUNTER_ROLES)
				continue;
			if (json)
				show_json(&s.server[i], &p);
			else
				show_text(&s.server[i], &p, all);
		}
	if (json)
		json_close(']');
	servers_free(&s);
	return bad ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_stats = { "stats", "what every process counts; --json, --prometheus", usage, run };
