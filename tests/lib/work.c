/* work - see work.h */
#include <lib/t.h>
#include <lib/work.h>
#include <time.h>

double
work_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
least_of_three(double (*work)(size_t n), size_t n)
{
	double least = work(n);
	for (int i = 0; i < 2; i++) {
		double ms = work(n);
		least = ms < least ? ms : least;
	}
	return least;
}

void
work_is_linear(double (*work)(size_t n), size_t n)
{
	double one = least_of_three(work, n), four = least_of_three(work, 4 * n);
	t_remark("%zu: %.0f ms, %zu: %.0f ms of work", n, one, 4 * n, four);
	REQUIRE(four < 12 * one, "%zu took %.0f ms of work, %zu took %.0f ms", n, one, 4 * n, four);
}
