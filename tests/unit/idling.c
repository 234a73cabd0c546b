/* idling - how long a process looks before it sleeps */
#include <lib/t.h>
#include "ipc/idling.h"
#include "format/limits.h"
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/msg.h>
#include <time.h>
#include <unistd.h>

/* the library's calls come here */
static struct { int64_t now_us, look_us; int yields, naps, cores; } k = { .now_us = 1000000, .look_us = 1, .cores = 2 };

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	int64_t now = clock == CLOCK_MONOTONIC_COARSE ? k.now_us - k.now_us % 4000 : k.now_us;
	*t = (struct timespec){ now / 1000000, now % 1000000 * 1000 };
	return 0;
}

int
sched_yield(void)
{
	k.yields++;
	k.now_us += k.look_us;
	return 0;
}

int
usleep(useconds_t us)
{
	k.naps++;
	k.now_us += us;
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

/* a queue on which somebody always rings again, so many times */
static struct { int tickets, looks, found_each, there; int64_t us_between; } rung;

ssize_t
msgrcv(int queue, void *ticket, size_t n, long type, int flags)
{
	(void)queue, (void)ticket, (void)n, (void)type;
	errno = flags & IPC_NOWAIT ? ENOMSG : EIDRM;
	if (flags & IPC_NOWAIT || rung.tickets-- <= 0)
		return -1;
	k.now_us += rung.us_between;
	rung.there = rung.found_each && rung.tickets % rung.found_each == 0;
	return 0;
}

static int
look(void)
{
	int there = rung.there;
	rung.looks++;
	rung.there = 0;
	return there;
}

static void
clear(void)
{
}

static void
serve_tickets(int n, int64_t us_between, int found_each)
{
	const _Atomic int32_t queue = 1;
	k.yields = k.naps = rung.looks = 0;
	rung.tickets = n;
	rung.us_between = us_between;
	rung.found_each = found_each;
	rung.there = 0;
	REQUIRE(idling_serve(&queue, NULL, look, clear) < 0 && errno == EIDRM, "%s", strerror(errno));
}

/* one time without work, and a sleep of so many us behind it; looks before it */
static int
dry(struct idling *l, int64_t sleep_us)
{
	k.yields = k.naps = 0;
	while (idling_on(l) && k.yields + k.naps < 10000)
		;
	k.now_us += sleep_us;
	return k.yields;
}

TEST(learns, "where little comes a process sleeps after a few looks; where work came soon after it slept, it looks "
    "longer, up to a bound")
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

TEST(crowded, "a look that took long was beside a busy program: then no core is given away for a while, which doubles "
    "each time, and is forgotten in quiet")
{
	struct idling l = { 0 };
	REQUIRE(dry(&l, 10) > 0, "no looks on an idle machine");
	k.look_us = 4000;
	REQUIRE(dry(&l, 10) == 1, "%d looks beside a busy program", k.yields);
	int64_t began = k.now_us, tried = 0;
	while (k.now_us - began < 60 * INT64_C(1000000))
		tried += dry(&l, 100);
	REQUIRE(tried >= 28 && tried <= 45, "%d looks in vain in a minute: 2 s apart at most, and no closer than the "
	    "doubling says", (int)tried);
	k.look_us = 1;
	while (k.now_us - began < 70 * INT64_C(1000000))
		dry(&l, 100);
	REQUIRE(l.crowded_us == 0 && dry(&l, 10) > 0, "the busy program is gone, and looking is not taken up again");
}

TEST(late_work, "a look that took long counts also where it found something: beside a busy program most of them do")
{
	struct idling l = { 0 };
	k.look_us = 4000;
	REQUIRE(idling_on(&l), "no look on an idle machine");
	idling_found(&l, 1);
	REQUIRE(dry(&l, 10) == 0, "%d looks behind one that took 4 ms", k.yields);
}

TEST(ticks, "a tick of the kernel that falls into a short look is no busy program")
{
	struct idling l = { 0 };
	k.look_us = 30;
	for (int i = 0; i < 1000; i++)
		REQUIRE(dry(&l, 10) > 0, "no looks on an idle machine, in round %d", i);
}

TEST(naps, "beside busy programs a process through which much flows naps before its next look; where little comes it "
    "sleeps at once, to be woken at once")
{
	struct idling l = { 0 };
	idling_found(&l, 1000);
	REQUIRE(dry(&l, 10) > 0 && k.naps == 0, "%d naps on an idle machine", k.naps);
	k.look_us = 4000;
	dry(&l, 10);
	idling_found(&l, 1);
	REQUIRE(dry(&l, 10) == 0 && k.naps == 0, "%d naps, %d looks after one message", k.naps, k.yields);
	for (int i = 0; i < 3; i++)
		idling_found(&l, FLOW_LEAST / 2);
	REQUIRE(dry(&l, 10) == 0 && k.naps == 1, "%d naps, %d looks after many messages", k.naps, k.yields);
	REQUIRE(dry(&l, 10) == 0 && k.naps == 0, "%d naps where nothing came meanwhile", k.naps);
}

TEST(vain, "a process that is woken for nothing looks no more than twice and sleeps; where somebody rings without end "
    "it naps before each look, and it stays so where some of it finds something")
{
	enum { TICKETS = 100000 };
	serve_tickets(TICKETS, 10, 0);
	REQUIRE(rung.looks <= 2 * TICKETS + 50 && k.yields <= 50, "%d looks, %d yields for %d tickets", rung.looks,
	    k.yields, TICKETS);
	REQUIRE(k.naps > TICKETS / 2, "%d naps for %d tickets", k.naps, TICKETS);
	serve_tickets(TICKETS, 10, 5);
	REQUIRE(k.naps > TICKETS / 10, "%d naps for %d tickets where some find something", k.naps, TICKETS);
}

TEST(few_in_vain, "a process that is woken for nothing now and then does not nap")
{
	serve_tickets(1000, 1000, 0);
	REQUIRE(k.naps == 0, "%d naps", k.naps);
}
