/* bench_load - a part of mom_bench: one workload, run by a crew of processes, repeated, reported */
#include "bench/bench.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIPS_MOST = 1 << 21, CREW_MAX = PUBLISHERS_MAX + SUBSCRIBERS_MAX + 2 };

/* ---- the crew ---- */

static struct {
	int count;
	struct { pid_t pid; enum role role; } one[CREW_MAX];
} crew;

void
crew_fork(crew_fn run, const struct load *l, struct board *b, int number, int machine, enum role role)
{
	pid_t parent = getpid();
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		bench_die(BENCH_START, "fork: %s: the limit on processes (ulimit -u)?", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGINT, SIG_IGN);           /* of the terminal: the bench ends us */
		signal(SIGTERM, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		if (getppid() != parent)
			_exit(BENCH_START);
		setenv("MOM_RUN", servers_run(machine), 1);
		run(l, b, number);
		_exit(0);
	}
	crew.one[crew.count].pid = pid;
	crew.one[crew.count++].role = role;
}

static void
crew_ended(pid_t pid, int status)
{
	const char *server = servers_ended(pid);
	if (server || status != 0)
		bench_nap(20000);                  /* a signal to all of us comes in any order */
	bench_look();
	if (server)
		bench_die(BENCH_START, "%s ended by itself, with status 0x%x", server, (unsigned)status);
	for (int i = 0; i < crew.count; i++) {
		if (crew.one[i].pid != pid)
			continue;
		crew.one[i] = crew.one[--crew.count];
		if (status != 0)
			bench_die(WIFEXITED(status) ? WEXITSTATUS(status) : BENCH_START,
			    WIFEXITED(status) ? "a client ended with exit status %d: see above" :
			    "a client was ended by signal %d", WIFEXITED(status) ? WEXITSTATUS(status)
			    : WTERMSIG(status));
		return;
	}
}

static void
crew_look(void)
{
	int status;
	bench_look();
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		crew_ended(pid, status);
}

void
crew_await(atomic_int *counter, int wanted)
{
	while (atomic_load(counter) < wanted) {
		crew_look();
		bench_nap(500);
	}
}

void
crew_join(void)
{
	while (crew.count > 0) {
		crew_look();
		bench_nap(200);
	}
}

void
crew_kill(void)
{
	for (int i = 0; i < crew.count; i++)
		kill(crew.one[i].pid, SIGKILL);
	for (int i = 0; i < crew.count; i++)
		while (waitpid(crew.one[i].pid, NULL, 0) < 0 && errno == EINTR)
			;
	crew.count = 0;
}

int
crew_pids(enum role role, pid_t *pids, int max)
{
	int n = 0;
	for (int i = 0; i < crew.count && n < max; i++)
		if (crew.one[i].role == role)
			pids[n++] = crew.one[i].pid;
	return n;
}

/* ---- what a load means ---- */

uint64_t
load_new_run(void)
{
	static uint64_t number;
	if (number == 0)
		number = (uint64_t)time(NULL) << 32 ^ (uint64_t)getpid() << 8;
	return ++number;
}

/* ---- one run ---- */

struct board *
load_board(const struct load *l)
{
	size_t subscribers = l->subscribers > 0 ? (size_t)l->subscribers : 1, row = ((size_t)l->publishers + 7) / 8 * 8;
	size_t got = subscribers * row * sizeof(uint64_t), trips = l->ping ? TRIPS_MOST * sizeof(uint32_t) : 0;
	size_t bytes = sizeof(struct board) + subscribers * sizeof(struct subscriber_state) + got + trips + 64;
	struct board *b = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b == MAP_FAILED)
		bench_die(BENCH_START, "mmap(%zu): %s", bytes, strerror(errno));
	b->bytes = bytes;
	b->run = load_new_run();
	b->row = row;
	b->subscriber = (struct subscriber_state *)(void *)(b + 1);
	b->got = (_Atomic uint64_t *)(void *)(b->subscriber + subscribers);
	b->trip_ns = (uint32_t *)(void *)((char *)b->got + got);
	b->trips_most = l->ping ? TRIPS_MOST : 0;
	return b;
}

void
load_board_free(struct board *b)
{
	munmap(b, b->bytes);
}

/* The subscribers first: what they subscribed to has to be in force before the publishers begin. */
static void
open_crew(const struct load *l, struct board *b, struct outcome *o)
{
	double began = bench_now();
	if (l->absent) {
		crew_fork(client_absent, l, b, 0, 0, ROLE_SUBSCRIBERS);
		crew_join();
	}
	for (int i = 0; i < load_watchers(l); i++)
		crew_fork(client_watcher, l, b, i, i % l->machines, ROLE_SUBSCRIBERS);
	crew_await(&b->subscribers_ready, load_watchers(l));
	atomic_store(&b->subscribers_ready, 0);
	for (int i = 0; i < l->subscribers; i++)
		crew_fork(l->ping ? ping_answer : client_subscriber, l, b, i, i % l->machines, ROLE_SUBSCRIBERS);
	crew_await(&b->subscribers_ready, l->subscribers);
	o->value[2] = (double)l->heard / (bench_now() - began);
	for (int i = 0; i < l->publishers; i++)
		crew_fork(l->ping ? ping_ask : client_publisher, l, b, i, i % l->machines, ROLE_PUBLISHERS);
	board_phase(b, PHASE_OPEN);
	crew_await(&b->publishers_ready, l->publishers);
}

static void
count_messages(const struct load *l, const struct board *b, struct outcome *o)
{
	double began = 1e300, ended = 0;
	uint64_t acked = 0;
	for (int p = 0; p < l->publishers; p++) {
		const struct publisher_state *state = &b->publisher[p];
		began = state->began < began ? state->began : began;
		ended = (l->acked || l->subscribers == 0) && state->ended > ended ? state->ended : ended;
		acked += atomic_load(&state->sent) - l->fill;
		cost_add(&o->costs[0].of[ROLE_PUBLISHERS], &state->cost);
	}
	for (int s = 0; s < l->subscribers; s++) {
		const struct subscriber_state *state = &b->subscriber[s];
		ended = !l->acked && state->ended > ended ? state->ended : ended;
		tally_add(&o->tally, &state->tally);
		cost_add(&o->costs[0].of[ROLE_SUBSCRIBERS], &state->cost);
	}
	o->messages[0] = l->acked || l->subscribers == 0 ? acked : o->tally.got;
	o->seconds = ended - began;
	o->value[0] = (double)o->messages[0] / o->seconds;
	o->messages[1] = acked;
	o->value[1] = (double)acked / o->seconds;
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void
count_trips(struct board *b, struct outcome *o)
{
	uint64_t n = b->trips;
	if (n == 0)
		bench_die(BENCH_BROKEN, "no message came back");
	qsort(b->trip_ns, n, sizeof *b->trip_ns, by_size);
	o->value[0] = b->trip_ns[n / 2] / 1e3;
	o->value[1] = b->trip_ns[n * 99 / 100] / 1e3;
	o->value[2] = b->trip_ns[n * 999 / 1000] / 1e3;
	o->messages[0] = o->messages[1] = o->messages[2] = n;
	o->tally = b->subscriber[0].tally;
	cost_add(&o->costs[0].of[ROLE_PUBLISHERS], &b->publisher[0].cost);
	cost_add(&o->costs[0].of[ROLE_SUBSCRIBERS], &b->subscriber[0].cost);
}

/* The subscriber that was away is back: all that was stored is read and judged. */
static void
drain(const struct load *l, struct board *b, struct outcome *o)
{
	static struct snapshot before, after;
	struct load one = *l;
	one.subscribers = 1;
	proc_snapshot(&before);
	double began = bench_now();
	crew_fork(client_drain, &one, b, 0, 0, ROLE_SUBSCRIBERS);
	crew_await(&b->subscribers_done, 1);
	proc_snapshot(&after);
	proc_costs(&before, &after, &o->costs[1]);
	cost_add(&o->costs[1].of[ROLE_SUBSCRIBERS], &b->subscriber[0].cost);
	tally_add(&o->tally, &b->subscriber[0].tally);
	o->messages[1] = b->subscriber[0].tally.got;
	o->value[1] = (double)o->messages[1] / (b->subscriber[0].ended - began);
}

static void
run_once(const struct load *l, struct outcome *o, int64_t *calls)
{
	static struct snapshot before, after;
	struct board *b = load_board(l);
	memset(o, 0, sizeof *o);
	open_crew(l, b, o);
	if (calls)
		calls_begin(crew_pids);
	proc_snapshot(&before);
	board_phase(b, PHASE_GO);
	crew_await(&b->publishers_done, l->publishers);
	if (!l->ping)
		crew_await(&b->subscribers_done, l->subscribers);
	proc_snapshot(&after);
	if (calls)
		*calls = calls_end();
	proc_costs(&before, &after, &o->costs[0]);
	if (l->ping)
		count_trips(b, o);
	else
		count_messages(l, b, o);
	o->elsewhere = proc_elsewhere(&before, &after, &o->costs[0]);
	if (l->absent)
		drain(l, b, o);
	board_phase(b, PHASE_END);
	crew_join();
	load_board_free(b);
}

/* ---- repeated, reported ---- */

static void
add_outcome(struct figure *f, const struct outcome *o, int run, int value)
{
	f->value[run] = o->value[value];
	f->runs = run + 1;
	f->messages += o->messages[value];
	f->elsewhere += o->elsewhere;
	for (int r = 0; r < ROLES; r++)
		cost_add(&f->costs.of[r], &o->costs[value].of[r]);
	tally_add(&f->tally, &o->tally);
}

static void
judge_or_die(const struct load *l, const struct outcome *o)
{
	char text[400];
	if (tally_is_clean(&o->tally))
		return;
	tally_text(&o->tally, text, sizeof text);
	bench_die(BENCH_BROKEN, "%s %s: %s", l->workload, l->figure[0].variant, text);
}

/* A run of its own: strace slows it, so its rate counts for nothing. */
static double
count_calls(const struct load *l)
{
	struct outcome o;
	int64_t calls = -1;
	if (!bench.syscalls || !calls_can())
		return -1;
	progress("%s %s: system calls", l->workload, l->figure[0].variant);
	run_once(l, &o, &calls);
	judge_or_die(l, &o);
	return calls < 0 || o.messages[0] == 0 ? -1 : (double)calls / (double)o.messages[0];
}

static void
one_core(int on)
{
	static cpu_set_t all;
	cpu_set_t first;
	if (on)
		sched_getaffinity(0, sizeof all, &all);
	CPU_ZERO(&first);
	for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&first) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &first);
	sched_setaffinity(0, sizeof first, on ? &first : &all);
}

void
load_figure(const struct load *l)
{
	struct figure f[VALUES] = { 0 };
	struct outcome o;
	if (l->one_core)
		one_core(1);
	progress("%s %s: servers start", l->workload, l->figure[0].variant);
	servers_start(l->machines, l->workers);
	for (int run = 0; run < bench.repeat; run++) {
		progress("%s %s: run %d of %d", l->workload, l->figure[0].variant, run + 1, bench.repeat);
		run_once(l, &o, NULL);
		for (int v = 0; v < VALUES; v++)
			add_outcome(&f[v], &o, run, v);
		judge_or_die(l, &o);
	}
	double calls = count_calls(l);
	servers_stop();
	if (l->one_core)
		one_core(0);
	for (int v = 0; v < VALUES && l->figure[v].variant[0]; v++) {
		f[v].workload = l->workload;
		f[v].variant = l->figure[v].variant;
		f[v].unit = l->figure[v].unit;
		f[v].has_costs = f[v].messages > 0 && (v == 0 || l->absent);
		f[v].calls = v == 0 ? calls : -1;
		report_figure(&f[v]);
	}
}
