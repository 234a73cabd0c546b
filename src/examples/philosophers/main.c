/* main - philosophers round a table, who produce and consume, each a process; sticks and buffers are kept by
 * coordinators, which may die
 *
 *   example_philosophers [--philosophers N] [--items N] [--think MS] [--coordinators N] [--kills N] [--seed N] [--other
 *   RUN]
 *
 * --coordinators 0: those that run already. --kills: so many times one of ours is killed by kill -9, and another
 * started under its name. --other: the run folder of the daemon that every second process uses; else all use that of
 * this program (MOM_RUN). Exit 0: all held. */
#include "../crew.h"
#include "../held.h"
#include <getopt.h>
#include <mom_resource.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 500 };

static struct {
	long philosophers, items, think, coordinators, kills, seed;
	const char *other;
} opt = { .philosophers = 30, .items = 6, .think = 30, .coordinators = 3, .kills = 5, .seed = 1 };

/* What is told for the summary; nothing that a philosopher does depends on it but the pace, so that the kills come
 * while they eat. */
static struct told {
	atomic_long items[MOST], empty, kills;
	atomic_int hand[MOST], twice;          /* who has a stick; a stick in two hands */
} *told;

/* ---- a philosopher ---- */

static int
failed(int id, const char *what, const char *name)
{
	fprintf(stderr, "%s %s: %s\n", what, name, mom_error_text(id));
	return 1;
}

static int
take(int id, int stick, int who)
{
	char name[64];
	snprintf(name, sizeof name, "philosophers/stick/%d", stick);
	if (dsem_wait(id, name, -1) < 0)
		return failed(id, "take", name);
	if (atomic_exchange(&told->hand[stick], who + 1))
		told->twice++;
	return 0;
}

static int
put(int id, int stick)
{
	char name[64];
	snprintf(name, sizeof name, "philosophers/stick/%d", stick);
	atomic_store(&told->hand[stick], 0);
	return dsem_signal(id, name) < 0 ? failed(id, "put", name) : 0;
}

/* With both sticks in hand nobody else is at the buffer. An even one adds an item for its right neighbour, an odd one
 * takes what its left one added. */
static int
eat(int id, int who, int *has_eaten)
{
	char name[64];
	int items, is_producer = who % 2 == 0;
	snprintf(name, sizeof name, "philosophers/buffer/%d", who / 2);
	if (dshm_read(id, name, &items) < 0)
		return failed(id, "read", name);
	*has_eaten = is_producer || items > 0;
	if (!*has_eaten)
		told->empty++;
	return *has_eaten && dshm_write(id, name, is_producer ? items + 1 : items - 1) < 0 ? failed(id, "write", name)
	    : 0;
}

static void
think(int who)
{
	crew_sleep(crew_random((int)opt.think + 1));
	while (told->items[who] * (opt.kills + 1) / opt.items > told->kills)
		crew_sleep(2);
}

static int
philosopher(int who)
{
	int left = who, right = who ? who - 1 : (int)opt.philosophers - 1, has_eaten = 0, id = mom_create();
	if (id < 0)
		return failed(-1, "create", "");
	/* number 0 takes them in the other order: no circle of waiting closes */
	int first = who ? left : right, second = who ? right : left;
	while (told->items[who] < opt.items) {
		think(who);
		if (take(id, first, who) || take(id, second, who) || eat(id, who, &has_eaten) || put(id, second) ||
		    put(id, first))
			return 1;
		told->items[who] += has_eaten;
	}
	return mom_destroy(id) < 0 ? failed(-1, "destroy", "") : 0;
}

/* ---- the table ---- */

/* What a run before this one left behind goes. */
static int
lay(int id)
{
	char name[64];
	for (int i = 0; i < opt.philosophers; i++) {
		snprintf(name, sizeof name, "philosophers/stick/%d", i);
		if (dsem_init(id, name, 1, 0) == MOM_EEXIST && (dsem_destroy(id, name) < 0 ||
		    dsem_init(id, name, 1, 0) < 0))
			return failed(id, "lay", name);
		snprintf(name, sizeof name, "philosophers/buffer/%d", i / 2);
		int e = i % 2 ? 0 : dshm_init(id, name, 0);
		if (e && (e != MOM_EEXIST || dshm_write(id, name, 0) < 0))
			return failed(id, "lay", name);
	}
	return 0;
}

static void
clear(int id)
{
	char name[64];
	int items, full = 0, missing = 0;
	for (int i = 0; i < opt.philosophers; i++) {
		snprintf(name, sizeof name, "philosophers/stick/%d", i);
		missing += dsem_trywait(id, name) != 0 || dsem_trywait(id, name) != MOM_NOT_FREE ||
		    dsem_destroy(id, name) < 0;
		snprintf(name, sizeof name, "philosophers/buffer/%d", i / 2);
		if (i % 2 == 0)
			full += dshm_read(id, name, &items) < 0 || items != 0 || dshm_destroy(id, name) < 0;
	}
	held(full == 0, "every one of the %ld buffers is empty", opt.philosophers / 2);
	held(missing == 0 && told->twice == 0, "every stick lies on the table, and was never in two hands");
}

static long
sum(int odd)
{
	long n = 0;
	for (int i = odd; i < opt.philosophers; i += 2)
		n += told->items[i];
	return n;
}

/* A line for each tenth of the items: who ate since the last one. */
static void
tell_eating(long done, long all)
{
	static long tenths, before[MOST];
	if (done * 10 / all <= tenths)
		return;
	tenths = done * 10 / all;
	printf("%ld of %ld items; since the last line ate", done, all);
	for (int i = 0; i < opt.philosophers; i++) {
		if (told->items[i] > before[i])
			printf(" %d", i);
		before[i] = told->items[i];
	}
	printf("\n");
	fflush(stdout);
}

/* Kills come with the items, evenly. */
static void
look_on(void)
{
	static int is_told;
	long all = opt.philosophers * opt.items, done = sum(0) + sum(1);
	tell_eating(done, all);
	if (!is_told && done * 2 >= all)
		is_told = printf("half of the items are eaten, %ld coordinators died\n", atomic_load(&told->kills)),
		    fflush(stdout);
	if (told->kills < opt.kills && done >= all * (told->kills + 1) / (opt.kills + 1)) {
		if (opt.coordinators && crew_restart((int)(told->kills % opt.coordinators)) < 0)
			held(0, "a coordinator does not come back");
		told->kills++;
	}
}

static void
dine(void)
{
	static pid_t pids[MOST];
	int status, bad = 0, left = 0;
	for (int i = 0; i < opt.philosophers; i++) {
		pids[i] = crew_fork(philosopher, i, i % 2 ? opt.other : NULL);
		left += pids[i] > 0;
	}
	bad = left < opt.philosophers;
	while (left > 0) {
		for (int i = 0; i < opt.philosophers; i++) {
			if (pids[i] > 0 && bad)
				/* one has failed: the others would wait for it for ever */
				kill(pids[i], SIGKILL);
			if (pids[i] > 0 && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
				pids[i] = 0;
				left--;
				bad |= status != 0;
			}
		}
		look_on();
		crew_sleep(2);
	}
	held(!bad, "all %ld philosophers got up; an odd one found its buffer empty %ld times", opt.philosophers,
	    atomic_load(&told->empty));
}

static int
options(int argc, char **argv)
{
	static const struct option names[] = { { "philosophers", 1, 0, 'p' }, { "items", 1, 0, 'i' },
	    { "think", 1, 0, 't' }, { "coordinators", 1, 0, 'c' }, { "kills", 1, 0, 'k' },
		{ "seed", 1, 0, 's' }, { "other", 1, 0, 'o' }, { 0 } };
	for (int o; (o = getopt_long(argc, argv, "v", names, NULL)) != -1;) {
		long *value = o == 'p' ? &opt.philosophers : o == 'i' ? &opt.items : o == 't' ? &opt.think : o == 'c'
		    ? &opt.coordinators : o == 'k' ? &opt.kills : &opt.seed;
		if (o == '?')
			return -1;
		if (o == 'o')
			opt.other = optarg;
		else if (o == 'v')
			crew_is_told = 1;
		else
			*value = strtol(optarg, NULL, 10);
	}
	return optind == argc && opt.philosophers >= 2 && opt.philosophers % 2 == 0 && opt.philosophers <= MOST &&
	    opt.items > 0 && opt.think >= 0 && opt.kills >= 0 &&
	    opt.coordinators >= 0 && opt.coordinators <= CREW_MOST && (opt.kills == 0 || opt.coordinators > 1) ? 0 : -1;
}

int
main(int argc, char **argv)
{
	if (options(argc, argv) < 0)
		return fprintf(stderr, "usage: example_philosophers [--philosophers 2..%d, even] [--items N] [--think "
		    "MS] [--coordinators 0..%d] [--kills N, with 2 coordinators or more]\n       [--seed N] "
		    "[--other RUN] [-v]\n",
		    MOST, CREW_MOST), 100;
	told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		return perror("mmap"), 111;
	crew_seed((unsigned)opt.seed);
	if (crew_start((int)opt.coordinators, opt.other) < 0)
		return 1;
	int id = mom_create();
	if (id < 0 || lay(id))
		return failed(id, "create", ""), 1;
	dine();
	held(sum(0) == sum(1) && sum(0) == opt.items * opt.philosophers / 2, "%ld items produced, %ld consumed", sum(0),
	    sum(1));
	held(told->kills == opt.kills, "a coordinator was killed and came back %ld times", atomic_load(&told->kills));
	clear(id);
	held(mom_destroy(id) == 0 && crew_stop() == 0, "all ended well");
	return held_end("philosophers", 0, opt.kills ? "No stick was ever in two hands, and no item was lost or taken "
	    "twice, though the coordinators that keep them were killed.\nProcesses on several machines can lock and "
	    "share as they do on one." : "No stick was ever in two hands, and no item was lost or taken twice.\n"
	    "Processes on several machines can lock and share as they do on one.");
}
