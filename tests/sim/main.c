/* main - runs seeds, on all cores, and says which ones failed
 *
 *   simulate [--trace | --trace-calls] [--twice] FIRST COUNT
 *
 * A seed that ends the simulator itself (a segmentation fault in a program) is reported as failed and the next one goes
 * on. */
#include "sim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS = 64, SAMPLE = 1 };
struct job { struct counts counts; uint64_t running; long failed; };
static struct job *jobs;

static uint64_t
run(uint64_t seed)
{
	sim_reset(seed);
	world_begin();
	sim_run(NEVER - 1);
	return S.hash;
}

static void
run_one(uint64_t seed, int twice, struct job *job)
{
	job->running = seed;
	if (getenv("TRACE_FROM") && seed == strtoull(getenv("TRACE_FROM"), NULL, 10))
		S.trace = 1;
	uint64_t hash = run(seed);
	job->counts.runs++;
	world_finish(&job->counts);
	if (S.fault[0]) {
		printf("FAIL seed %llu: %s (make sim SEED=%llu repeats it with a trace)\n", (unsigned long long)seed,
		    S.fault, (unsigned long long)seed);
		fflush(stdout);
		job->failed++;
	} else if (twice && run(seed) != hash) {
		printf("FAIL seed %llu: a second run of it is another\n", (unsigned long long)seed);
		job->failed++;
	}
	if (S.trace)
		printf("seed %llu: %.3f s, %lld calls, %lld switches, hash %016llx\n", (unsigned long long)seed,
		    (double)S.now / SECOND,
		    (long long)S.calls, (long long)S.switches, (unsigned long long)hash);
}

static void
run_job(int k, int n, uint64_t first, uint64_t count, int twice)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	uint64_t begin = jobs[k].running ? jobs[k].running + (uint64_t)n : first + (uint64_t)k;
	for (uint64_t seed = begin; seed < first + count; seed += (uint64_t)n)
		run_one(seed, twice && seed % 16 == 0, &jobs[k]);
	fflush(stdout);
	_exit(0);
}

static void
run_jobs(int n, uint64_t first, uint64_t count, int twice)
{
	pid_t pid[JOBS];
	for (int k = 0; k < n; k++)
		if ((pid[k] = fork()) == 0)
			run_job(k, n, first, count, twice);
	for (int left = n; left > 0;) {
		int status, k = 0;
		pid_t ended = wait(&status);
		while (k < n && pid[k] != ended)
			k++;
		if (k == n)
			continue;
		if (WIFEXITED(status)) {
			left--;
			continue;
		}
		printf("FAIL seed %llu: signal %d (make sim SEED=%llu repeats it with a trace)\n",
		    (unsigned long long)jobs[k].running, WTERMSIG(status),
		    (unsigned long long)jobs[k].running);
		fflush(stdout);
		jobs[k].failed++;
		if ((pid[k] = fork()) == 0)
			run_job(k, n, first, count, twice);
	}
}

int
main(int argc, char **argv)
{
	int twice = 0, n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	struct counts c = { 0 };
	struct timespec t0, t1;
	long failed = 0;
	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		S.trace = strcmp(argv[1], "--trace") == 0 ? 1 : strcmp(argv[1], "--trace-calls") == 0 ? 2 : S.trace;
		twice |= strcmp(argv[1], "--twice") == 0;
	}
	if (argc != 3) {
		fprintf(stderr, "usage: simulate [--trace | --trace-calls] [--twice] FIRST COUNT\n");
		return 100;
	}
	uint64_t first = strtoull(argv[1], NULL, 10), count = strtoull(argv[2], NULL, 10);
	n = S.trace ? 1 : n > JOBS ? JOBS : n;
	if (getenv("JOBS"))
		n = atoi(getenv("JOBS"));
	clock_gettime(CLOCK_MONOTONIC, &t0);
	jobs = mmap(NULL, sizeof *jobs * JOBS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (S.trace)
		run_one(first, twice, &jobs[0]);
	else
		run_jobs(n, first, count, twice);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	for (int k = 0; k < n; k++) {
		long *sum = (long *)&c, *part = (long *)&jobs[k].counts;
		for (size_t i = 0; i < sizeof c / sizeof *sum; i++)
			sum[i] += part[i];
		failed += jobs[k].failed;
	}
	double seconds = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
	printf("%ld runs (seeds %llu to %llu), %ld failed: %ld messages acknowledged, %ld received; %ld kills, %ld "
	    "power cuts, %ld partitions, %ld resets, %ld full disks, %ld clock jumps, %ld stops; %lld system calls, "
	    "%.0f simulated hours in %.1f s (%.0f runs/s)\n", c.runs, (unsigned long long)first,
	    (unsigned long long)(first + count - 1), failed, c.published, c.received, c.kills, c.powers, c.cuts,
	    c.breaks, c.full, c.jumps, c.stops,
	    (long long)c.calls, (double)c.simulated / 3.6e9, seconds, (double)c.runs / seconds);
	return failed ? 1 : 0;
}
