/* bench - time, errors and the end, for all parts of mom_bench; see bench.h */
#include "bench/bench.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct bench_options bench = { .many = 1000 };
static void (*at_end)(void);
static pid_t main_pid;
static volatile sig_atomic_t ended;

double
bench_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void
bench_nap(long us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };
	nanosleep(&t, NULL);
}

void
bench_die(int status, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int is_main = getpid() == main_pid;
	if (is_main)
		at_end();
	fprintf(stderr, "mom_bench: ");
	vfprintf(stderr, format, list);
	fprintf(stderr, "\n");
	va_end(list);
	if (!is_main)
		_exit(status);
	exit(status);
}

void
bench_look(void)
{
	if (ended)
		bench_die(BENCH_INTERRUPTED, "ended by signal %d", (int)ended);
}

void
bench_check(int r, int id, const char *what)
{
	if (r < 0)
		bench_die(BENCH_START, "%s: %s", what, mom_error_text(id));
}

void
bench_flush(int id)
{
	int r;
	do
		r = mom_flush(id, 60000);
	while (r == MOM_EINTR);
	bench_check(r, id, "flush");
}

static void
on_signal(int number)
{
	ended = number;
}

void
bench_begin(void (*end)(void))
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = on_signal };
	at_end = end;
	main_pid = getpid();
	for (int i = 0; i < 3; i++)
		sigaction(numbers[i], &act, NULL);
}
