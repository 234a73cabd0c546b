/* bench_calls - a part of mom_bench: system calls by role, counted by strace in a run of its own
 * Nothing else counts all of them without root: /proc/PID/io knows reads and writes alone. strace makes each call slow,
 * so that processes gather more between two of them: the counts are of a slower run, and a little low. */
#include "bench/bench.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRACED_MAX = 256, ATTACH_MS = 10000 };

static pid_t tracer;
static int sees_all;               /* else its counts would be too low: there are none */

int
calls_can(void)
{
	static int known, can;
	if (!known)
		can = system("strace -V >/dev/null 2>&1") == 0;
	if (!known && !can)
		fprintf(stderr, "mom_bench: --syscalls: strace is not installed: system calls are not counted\n");
	known = 1;
	return can && bench.selfserve;
}

static int
traced_pids(pid_t *pids, int (*clients)(enum role role, pid_t *pids, int max))
{
	static struct snapshot s;
	int n = 0;
	proc_snapshot(&s);
	for (int i = 0; i < s.count && n < TRACED_MAX; i++)
		pids[n++] = s.proc[i].pid;
	n += clients(ROLE_PUBLISHERS, pids + n, TRACED_MAX - n);
	return n + clients(ROLE_SUBSCRIBERS, pids + n, TRACED_MAX - n);
}

static void
counts_path(char *path, size_t size)
{
	snprintf(path, size, "%s/strace", servers_dir());
}

static int
is_traced(pid_t pid)
{
	char path[64], text[4096];
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	const char *at = strstr(text, "\nTracerPid:");
	return f == NULL || (at && atoi(at + 11) > 0);
}

/* 1 when it sees all of them */
static int
await_traced(const pid_t *pids, int n)
{
	double end = bench_now() + ATTACH_MS / 1e3;
	int i = 0;
	for (; i < n && bench_now() < end; i += is_traced(pids[i])) {
		bench_look();
		bench_nap(2000);
	}
	return i == n;
}

void
calls_begin(int (*clients)(enum role role, pid_t *pids, int max))
{
	static char text[TRACED_MAX][16], path[PATH_MAX];
	static const char *argv[2 * TRACED_MAX + 8] = { "strace", "-c", "-f", "-q", "-o", path };
	pid_t pids[TRACED_MAX];
	int n = traced_pids(pids, clients), argc = 6;
	sees_all = 0;
	if (n == TRACED_MAX)
		return;
	counts_path(path, sizeof path);
	for (int i = 0; i < n; i++) {
		snprintf(text[i], sizeof text[i], "%d", (int)pids[i]);
		argv[argc++] = "-p";
		argv[argc++] = text[i];
	}
	argv[argc] = NULL;
	tracer = fork();
	if (tracer == 0) {
		int null = open("/dev/null", O_WRONLY);
		prctl(PR_SET_PDEATHSIG, SIGINT);
		dup2(null, STDERR_FILENO);
		execvp("strace", (char *const *)(uintptr_t)argv);
		_exit(BENCH_START);
	}
	sees_all = await_traced(pids, n);
}

/* The line of the sum: % time, seconds, usecs/call, calls, [errors,] total. -1 where there is none. */
int64_t
calls_end(void)
{
	char path[PATH_MAX], line[256];
	long long calls = -1, n;
	if (tracer <= 0)
		return -1;
	kill(tracer, SIGINT);
	while (waitpid(tracer, NULL, 0) < 0 && errno == EINTR)
		;
	tracer = 0;
	counts_path(path, sizeof path);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (strstr(line, " total\n") && sscanf(line, "%*f %*f %*f %lld", &n) == 1)
			calls = n;
	if (f)
		fclose(f);
	return sees_all ? calls : -1;
}
