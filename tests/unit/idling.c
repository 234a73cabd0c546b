/* idling - how long a process looks before it sleeps */
#include <lib/t.h>
#include "common/idling.h"
#include <mom/limits.h>
#include <sched.h>
#include <string.h>
#include <time.h>

/* the library's calls come here */
static struct { int64_t now_us; int yields, cores; } k = { .now_us = 1000000, .cores = 2 };

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	(void)clock;
	*t = (struct timespec){ k.now_us / 1000000, k.now_us % 1000000 * 1000 };
	return 0;
}

int
sched_yield(void)
{
	k.yields++;
	return 0;
}

int
sched_getaffinity(pid_t pid, size_t n, cpu_set_t *cores)
{
	(void)pid;
	memset(cores, 0, n);
	for (int i = 0; i < k.cores; i++)
		CPU_SET(i, cores);
	return 0;
}

/* one time without work, and a sleep of so many us behind it; looks before it */
static int
dry(struct idling *l, int64_t sleep_us)
{
	k.yields = 0;
	while (idling_on(l))
		;
	k.now_us += sleep_us;
	return k.yields;
}

TEST(learns, "where little comes a process sleeps after a few looks; where work came soon after it slept, it looks longer, up to a bound")
{
	struct idling l = { 0 };
	for (int i = 0; i < 5; i++)
		REQUIRE(dry(&l, 1000000) == IDLING_LEAST, "%d looks on an idle machine", k.yields);
	int looks = 0;
	for (int i = 0; i < 10; i++)
		looks = dry(&l, IDLING_US / 2);
	REQUIRE(looks == IDLING_MOST, "%d looks where work comes at once", looks);
	for (int i = 0; i < 10; i++)
		looks = dry(&l, 1000000);
	REQUIRE(looks == IDLING_LEAST, "%d looks after it became quiet", looks);
}

TEST(found, "looks are counted in a row: work in between begins the count anew")
{
	struct idling l = { 0 };
	for (int i = 0; i < 1000; i++) {
		REQUIRE(idling_on(&l), "it slept though there was work");
		if (i % 5 == 4)
			l.looks = 0;
	}
}

TEST(one_core, "on one core nobody looks again: others must run for anything to come")
{
	struct idling l = { 0 };
	k.cores = 1;
	REQUIRE(dry(&l, 10) == 0 && dry(&l, 10) == 0, "%d looks", k.yields);
}
