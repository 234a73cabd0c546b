/* mom_bench - how fast MOM is and what a message costs, every message checked
 * USAGE    mom_bench [FLAGS] [W1 ... W10]...            workloads by name; all without one
 *          mom_bench [FLAGS] scale [DIMENSION]...      how cost grows: subscribers, machines, published, subscribed,
 *                                                      patterns, backlog, workers
 *          mom_bench [--size BYTES] [--count N] [--subscribers N] [--publishers N] [--topics N] [--durable] [--latency]
 *            one's own see --help
 * OUTPUT   a table, or with --json one object a figure: median, least and most of the runs, CPU time by role, context
 *          switches a message
 * SIGNALS  INT, TERM, HUP: ends its servers, removes their folder
 * EXIT     0   1 a message was lost, doubled, changed or out of order   100 wrong use   111 a server did not start or a
 *          call failed   130 a signal */
#include "base/arguments.h"
#include "base/program.h"
#include "bench/bench.h"
#include "format/limits.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct arguments line;

static const char help_text[] =
    "usage: mom_bench [FLAGS] [W1 ... W10]...\n"
    "       mom_bench [FLAGS] scale [subscribers | machines | published | subscribed | patterns | backlog |\n"
    "                                workers]...\n"
    "       mom_bench [FLAGS] [--size BYTES] [--count N] [--subscribers N] [--publishers N] [--topics N] [--durable] "
    "[--latency]\n\n"
    "  W1 one to one, 64 B to 16 KiB   W2 one to ten   W3 there and back   W4 durable   W5 each publish waits for its "
    "answer\n"
    "  W6 start-up and memory   W7 1000 topics   W8 eight to one   W9 W1, W8, W3 and W5 beside a busy loop a core\n"
    "  W10 a group's jobs, one worker\n"
    "  without a name: all, in under 3 minutes\n\n"
    "  --seconds S       a run's length (1; scale: 3)          --repeat N    runs of which the median is shown (3; "
    "scale: 1)\n"
    "  --json            one object a figure                   --syscalls    count system calls too, by strace, in a "
    "further run\n"
    "  --run DIR         use the daemon of that run folder, not servers of its own (so does MOM_RUN; --selfserve: its "
    "own all the same)\n"
    "  --size BYTES      with W1, W2: this size alone          --many N      clients of W6, topics of W7 (1000)\n"
    "  --busy N          beside N busy loops\n"
    "  --most N          scale: no point above N               --least N     nor below\n"
    "  --big             scale backlog: 10 GB too\n"
    "  --count N         messages of each publisher, instead of --seconds\n"
    "  --latency         one message at a time                 --durable     on disk before the answer\n\n"
    "  mom_bench W1 W5                              two workloads\n"
    "  mom_bench W1 --size 64 --seconds 5           one size, longer\n"
    "  mom_bench --size 200 --publishers 4 --subscribers 2\n"
    "  mom_bench --json W3 >figures                 for a program\n"
    "  mom_bench scale machines backlog             how cost grows\n";

/* ---- the command line ---- */

static void __attribute__((noreturn, format(printf, 1, 2)))
wrong_use(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	fprintf(stderr, "mom_bench: ");
	vfprintf(stderr, format, list);
	fprintf(stderr, "; see mom_bench --help\n");
	va_end(list);
	exit(BENCH_WRONG_USE);
}

static long
number(const char *flag, long least, long most)
{
	char *end;
	errno = 0;
	long v = strtol(line.value, &end, 10);
	if (*line.value == '\0' || *end != '\0' || errno || v < least || v > most)
		wrong_use("--%s %s is not a number from %ld to %ld", flag, line.value, least, most);
	return v;
}

static double
real_number(const char *flag, double least, double most)
{
	char *end;
	double v = strtod(line.value, &end);
	if (*line.value == '\0' || *end != '\0' || !(v >= least && v <= most))
		wrong_use("--%s %s is not a number from %g to %g", flag, line.value, least, most);
	return v;
}

static void
take_flag(int flag)
{
	switch (flag) {
	case 'r': setenv("MOM_RUN", line.value, 1); break;
	case 's': bench.size = number("size", (long)sizeof(struct stamp), MESSAGE_LIMIT); break;
	case 'c': bench.count = number("count", 1, LONG_MAX / 4); break;
	case 'S': bench.subscribers = number("subscribers", 1, SUBSCRIBERS_MAX); break;
	case 'P': bench.publishers = number("publishers", 1, PUBLISHERS_MAX); break;
	case 'd': bench.durable = 1; break;
	case 'l': bench.latency = 1; break;
	case 'j': bench.json = 1; break;
	case 'f': bench.selfserve = 1; break;
	case 't': bench.seconds = real_number("seconds", 0.001, 3600); break;
	case 'n': bench.repeat = (int)number("repeat", 1, REPEAT_MAX); break;
	case 'm': bench.many = number("many", 1, 3000); break;
	case 'B': bench.busy = number("busy", 1, BUSY_MAX); break;
	case 'T': bench.topics = number("topics", 1, 1000000); break;
	case 'M': bench.most = real_number("most", 0.001, 1000000); break;
	case 'L': bench.least = real_number("least", 0.001, 1000000); break;
	case 'b': bench.big = 1; break;
	case 'y': bench.syscalls = 1; break;
	case 'h': fputs(help_text, stdout); exit(program_end("mom_bench", 0, BENCH_START));
	default: wrong_use("%s", line.fault);
	}
}

static void
parse(int argc, char **argv)
{
	static const struct option options[] = { { "run", 1, 0, 'r' }, { "size", 1, 0, 's' }, { "count", 1, 0, 'c' },
	    { "subscribers", 1, 0, 'S' },
		{ "publishers", 1, 0, 'P' }, { "durable", 0, 0, 'd' }, { "latency", 0, 0, 'l' }, { "json", 0, 0, 'j' },
		    { "selfserve", 0, 0, 'f' },
		{ "seconds", 1, 0, 't' }, { "repeat", 1, 0, 'n' }, { "many", 1, 0, 'm' }, { "topics", 1, 0, 'T' },
		    { "most", 1, 0, 'M' },
		{ "least", 1, 0, 'L' }, { "busy", 1, 0, 'B' }, { "big", 0, 0, 'b' }, { "syscalls", 0, 0, 'y' },
		    { "help", 0, 0, 'h' }, { 0 } };
	int run_given = getenv("MOM_RUN") != NULL && *getenv("MOM_RUN");
	arguments_begin(&line, argc, argv, "h", options);
	for (int o; (o = arguments_next(&line)) != -1;) {
		run_given |= o == 'r';
		take_flag(o);
	}
	bench.selfserve |= !run_given;
}

static int
is_own(void)
{
	return bench.count || bench.topics || bench.subscribers || bench.publishers || bench.durable || bench.latency;
}

/* Fails before anything starts: names that do not exist, flags that do not fit together. */
static void
check_use(int names, char **name)
{
	int scale = names > 0 && strcmp(name[0], "scale") == 0;
	for (int i = scale; i < names; i++) {
		if (!(scale ? scale_known(name[i]) : sets_known(name[i])))
			wrong_use(scale ? "%s: no dimension of scale" : "%s: no workload: W1 to W10, or scale",
			    name[i]);
		if (bench.size && strcmp(name[i], "W1") != 0 && strcmp(name[i], "W2") != 0)
			wrong_use("%s: --size is for W1, W2 or a workload of your own: leave it out", name[i]);
		if (!bench.selfserve && strcmp(name[i], "W6") == 0)
			wrong_use("W6 starts servers: leave out --run, unset MOM_RUN, or add --selfserve");
	}
	if (names && is_own())
		wrong_use("--count, --subscribers, --publishers, --topics, --durable and --latency describe a workload "
		    "of your own: leave out %s", name[0]);
	if (scale && !bench.selfserve)
		wrong_use("scale starts servers: leave out --run, unset MOM_RUN, or add --selfserve");
	if (scale && bench.size)
		wrong_use("--size is for W1, W2 or a workload of your own: leave it out");
	if (!scale && (bench.most > 0 || bench.least > 0 || bench.big))
		wrong_use("--most, --least and --big are for scale: leave them out");
}

static void
run(int names, char **name)
{
	int scale = names > 0 && strcmp(name[0], "scale") == 0, own = names == 0 && (is_own() || bench.size);
	if (bench.repeat == 0)
		bench.repeat = scale ? 1 : 3;
	if (bench.seconds == 0 && !scale)
		bench.seconds = 1;
	busy_begin(bench.busy);
	if (own) {
		bench.subscribers = bench.subscribers ? bench.subscribers : 1;
		bench.publishers = bench.publishers ? bench.publishers : 1;
		sets_own();
	} else if (names <= scale)
		scale ? scale_run(NULL) : sets_run(NULL);
	for (int i = scale; i < names; i++)
		scale ? scale_run(name[i]) : sets_run(name[i]);
	busy_end();
}

/* before a message of what ended it */
static void
end_all(void)
{
	progress_clear();
	crew_kill();
	busy_end();
	servers_stop();
}

int
main(int argc, char **argv)
{
	const char *fault = getenv("MOM_BENCH_FAULT");
	program_begin(argc, argv, "mom_bench");
	parse(argc, argv);
	check_use(line.count, line.word);
	if (program_stream_fault(STDOUT_FILENO))
		bench_die(BENCH_START, "%s: its figures could not be printed", program_stream_fault(STDOUT_FILENO));
	bench.lose = fault && strcmp(fault, "lose") == 0;
	bench_begin(end_all);
	run(line.count, line.word);
	return program_end("mom_bench", 0, BENCH_START);
}
