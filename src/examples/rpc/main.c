/* main - the example: a server and a bad line as children, calls in every mode, and a summary of what held
 *
 *   example_rpc [--calls N] [--jobs N] [--drop PERCENT] [--twice PERCENT] [--retry MS] [--timeout MS] [--seed N]
 *   [--other RUN]
 *
 * --other: the run folder of the daemon that the server and the line use; else that of this program (MOM_RUN). Exit 0:
 * all held. */
#include "../held.h"
#include "relay.h"
#include "sum.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static struct {
	long calls, jobs, drop, twice, retry, timeout, seed;
	const char *other;
} opt = { .calls = 300, .jobs = 5, .drop = 10, .twice = 10, .retry = 10, .timeout = 60000, .seed = 1 };

static volatile struct shared { int stop, ready; struct relay_told line; } *shared;
static int bad;

/* ---- children ---- */

static pid_t
child(int (*run)(void))
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (opt.other && setenv("MOM_RUN", opt.other, 1) < 0)
			_exit(1);
		_exit(run());
	}
	if (pid < 0)
		perror("fork");
	return pid;
}

static int run_server(void) { return sum_server(&shared->stop, &shared->ready); }
static int run_relay(void)  { return relay((int)opt.drop, (int)opt.twice, (unsigned)opt.seed, &shared->stop,
    &shared->line); }

/* 0: it says that it is ready; -1: it ended */
static int
await(volatile const int *ready, pid_t pid)
{
	while (pid > 0 && !*ready && waitpid(pid, NULL, WNOHANG) == 0)
		nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
	return *ready ? 0 : -1;
}

/* ---- the three modes over the bad line ---- */

struct tally { long returned, timed_out, wrong, never, once, more; };

static int
tally_counts(int id, uint64_t from, const char *returned, struct tally *t)
{
	uint8_t *counts = malloc((size_t)opt.calls + 1);
	int e = counts ? sum_counts(id, from, from + (uint64_t)opt.calls, counts, (int)opt.timeout) : MOM_ELIMIT;
	for (long i = 0; e == 0 && i < opt.calls; i++) {
		if (!returned[i])
			continue;
		t->never += counts[i] == 0;
		t->once += counts[i] == 1;
		t->more += counts[i] > 1;
	}
	free(counts);
	return e;
}

static void
calls_in_mode(int id, unsigned mode, struct tally *t)
{
	uint64_t from = mode * (uint64_t)opt.calls;
	char *returned = calloc((size_t)opt.calls + 1, 1);
	*t = (struct tally){ 0 };
	for (long i = 0; returned && i < opt.calls; i++) {
		int64_t result = 0;
		int e = sum(id, RELAY_SERVICE, from + (uint64_t)i, i, 1000, &result,
		    mode == MOM_MAYBE ? 4 * (int)opt.retry : (int)opt.timeout, mode);
		returned[i] = e == 0;
		t->returned += e == 0;
		t->timed_out += e == MOM_ETIMEDOUT;
		t->wrong += (e == 0 && result != i + 1000) || (e && e != MOM_ETIMEDOUT);
		if (e && e != MOM_ETIMEDOUT)
			fprintf(stderr, "call %ld: %s: %s\n", i, mom_strerror(e), mom_error_text(id));
	}
	if (returned == NULL || tally_counts(id, from, returned, t) < 0)
		t->wrong++;
	free(returned);
}

static void
modes(int id)
{
	static const char *const names[] = { "maybe", "at least once", "at most once" };
	static const char *const promises[] = { "0 or 1", "1 or more", "exactly 1" };
	struct tally t;
	for (unsigned mode = MOM_MAYBE; mode <= MOM_AT_MOST_ONCE; mode++) {
		calls_in_mode(id, mode, &t);
		int kept = mode == MOM_MAYBE ? t.more == 0 : mode == MOM_AT_LEAST_ONCE
		    ? t.never == 0 && t.timed_out == 0 : t.never + t.more + t.timed_out == 0;
		held(kept && t.wrong == 0,
		    "%-13s of %ld calls %ld returned, %ld timed out; of the returned %ld were executed never, %ld "
		    "once, %ld more often (%s promised); %ld wrong", names[mode], opt.calls, t.returned, t.timed_out,
		    t.never, t.once, t.more, promises[mode], t.wrong);
	}
	held(opt.calls < 30 || ((opt.drop == 0 || shared->line.dropped) && (opt.twice == 0 || shared->line.doubled)),
	    "the line dropped %d messages and doubled %d, %d passed", shared->line.dropped, shared->line.doubled,
	    shared->line.passed);
}

/* ---- errors, long polling, push ---- */

static void
errors(int id)
{
	int64_t result;
	int e = sum(id, "sum", 3 * (uint64_t)opt.calls, INT64_MAX, 1, &result, (int)opt.timeout, MOM_AT_LEAST_ONCE);
	held(e == SUM_OVERFLOW && strstr(mom_error_text(id), "64 bits"), "an error crosses: code %d, \"%s\"", e,
	    mom_error_text(id));
	struct timespec from, to;
	clock_gettime(CLOCK_MONOTONIC, &from);
	e = sum(id, "sum/nobody", 0, 1, 1, &result, (int)opt.timeout, MOM_AT_MOST_ONCE);
	clock_gettime(CLOCK_MONOTONIC, &to);
	held(e == MOM_ENOSUBSCRIBER, "no server is an error after %ld ms, not a time-out: \"%s\"",
	    (long)(to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000, mom_error_text(id));
}

static void
long_polling(int id)
{
	long polls = 0, right = 0;
	for (long i = 0; i < opt.jobs; i++) {
		uint64_t job;
		int64_t result = 0;
		int done = 0, e = sum_start(id, i, 7, 60 * (int)i, &job, (int)opt.timeout);
		for (; e == 0 && !done; polls++)
			e = sum_poll(id, job, &done, &result, (int)opt.timeout);
		right += e == 0 && result == i + 7;
	}
	held(right == opt.jobs, "long polling: %ld jobs, %ld polls, %ld right results", opt.jobs, polls, right);
}

/* The same jobs, but the server says when they are done. */
static void
push(int id)
{
	struct mom_message m;
	long right = 0, came = 0;
	uint64_t first = 0;
	int e = mom_subscribe(id, SUM_PUSH_TOPIC, 0);
	for (long i = 0; e == 0 && i < opt.jobs; i++) {
		uint64_t job;
		e = sum_start(id, i, 9, 30 * (int)i, &job, (int)opt.timeout);
		first = i ? first : job;
	}
	while (e == 0 && came < opt.jobs && (e = mom_receive(id, &m, (int)opt.timeout)) == 0) {
		uint64_t job;
		int64_t result;
		if (sum_pushed(&m, &job, &result) == 0 && job >= first) {
			came++;
			right += result == (int64_t)(job - first) + 9;
		}
	}
	held(right == opt.jobs, "push: %ld jobs, %ld results came on " SUM_PUSH_TOPIC ", %ld right", opt.jobs, came,
	    right);
}

static int
options(int argc, char **argv)
{
	static const struct option names[] = { { "calls", 1, 0, 'c' }, { "jobs", 1, 0, 'j' }, { "drop", 1, 0, 'd' },
	    { "twice", 1, 0, 't' }, { "retry", 1, 0, 'r' },
		{ "timeout", 1, 0, 'm' }, { "seed", 1, 0, 's' }, { "other", 1, 0, 'o' }, { 0 } };
	for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		long *value = o == 'c' ? &opt.calls : o == 'j' ? &opt.jobs : o == 'd' ? &opt.drop : o == 't'
		    ? &opt.twice : o == 'r' ? &opt.retry :
		    o == 'm' ? &opt.timeout : &opt.seed;
		if (o == '?')
			return -1;
		if (o == 'o')
			opt.other = optarg;
		else
			*value = strtol(optarg, NULL, 10);
	}
	return optind == argc && opt.calls > 0 && opt.calls <= 500000 && opt.jobs >= 0 && opt.retry > 0 &&
	    opt.timeout > 0 &&
	    opt.drop >= 0 && opt.twice >= 0 && opt.drop + opt.twice < 90 ? 0 : -1;
}

static int
client(void)
{
	int id = mom_create();
	if (id < 0 || mom_call_retry(id, (int)opt.retry) < 0)
		return fprintf(stderr, "%s\n", mom_error_text(id)), 1;
	errors(id);
	modes(id);
	long_polling(id);
	push(id);
	return mom_destroy(id) < 0;
}

int
main(int argc, char **argv)
{
	if (options(argc, argv) < 0)
		return fprintf(stderr,
		    "usage: example_rpc [--calls 1..500000] [--jobs N] [--drop PERCENT] [--twice PERCENT] [--retry MS] "
		    "[--timeout MS] [--seed N] [--other RUN]\n"), 100;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return perror("mmap"), 111;
	pid_t server = child(run_server), line = -1;
	int ended = await(&shared->ready, server) < 0 || await(&shared->line.ready, line = child(run_relay)) < 0;
	bad |= ended || client();
	shared->stop = 1;
	for (int status, i = 0; i < 2; i++) {
		pid_t pid = i ? line : server;
		if (pid > 0 && waitpid(pid, &status, 0) == pid)
			bad |= status != 0;
	}
	return held_end("rpc", bad, "A call did what its mode promises, though its messages were dropped and doubled: "
	    "0 or 1 times, at least once, or exactly once.\nAn answer may come late, by polling or by a message of its "
	    "own, and an error reaches the caller.");
}
