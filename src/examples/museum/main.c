/* main - a museum with doors, a guide, a timer, and persons who come and go, each a process; how many are inside is
 * kept by coordinators
 *
 *   example_museum [--persons N] [--doors N] [--capacity N] [--arrive MS] [--chance PERCENT] [--sign PERCENT] [--walk
 *   MS] [--group N] [--tour MS] [--timer MS]
 *                  [--coordinators N] [--kills N] [--seed N] [--other RUN] [-v]
 *
 * Each --arrive with --chance a person comes; inside, --sign percent sign for a tour, the others walk for --walk to
 * twice that. --coordinators 0: those that run already. --kills: so many are killed on the way, and come back. By
 * default one, where there are two. -v: what the coordinators log. --other: the run folder of the daemon that every
 * second process uses; else all use that of this program (MOM_RUN). Exit 0: all held. */
#include "../crew.h"
#include "../held.h"
#include "museum.h"
#include <getopt.h>
#include <mom_resource.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { PERSONS_MOST = 1000, DOORS_MOST = 50, STAFF_MOST = DOORS_MOST + 2 };

struct museum_options opt = { .persons = 60, .doors = 3, .capacity = 6, .arrive = 25, .chance = 80, .sign = 80,
    .walk = 150, .group = 3, .tour = 150, .timer = 250, .coordinators = 2, .kills = -1, .seed = 1 };

static pid_t staff[STAFF_MOST], people[PERSONS_MOST];
static int staff_count, killed, rejected, left, toured, wrong;

static const struct { const char *name; int is_variable, value; unsigned flags; } things[] =
    { { PLACES, 0, -1, MOM_DSEM_KEEP }, { VACANCY, 0, 1, 0 }, { TOUR, 0, 1, 0 },
	{ INSIDE, 1, 0, 0 }, { MOST, 1, 0, 0 }, { SIGNED, 1, 0, 0 }, { TOURS, 1, 0, 0 }, { LARGEST, 1, 0, 0 } };
enum { THINGS = sizeof things / sizeof *things };

static int
close_down(int id)
{
	int bad = 0;
	for (int i = 0; i < THINGS; i++)
		bad |= things[i].is_variable ? dshm_destroy(id, things[i].name) : dsem_destroy(id, things[i].name);
	return bad;
}

static int
open_up(int id)
{
	close_down(id);                        /* what a run before this one left behind */
	for (int i = 0; i < THINGS; i++) {
		int value = things[i].value < 0 ? (int)opt.capacity : things[i].value;
		if (things[i].is_variable ? dshm_init(id, things[i].name, value)
		    : dsem_init(id, things[i].name, value, things[i].flags))
			return museum_failed(id, things[i].name);
	}
	return 0;
}

/* Doors, guide and timer; each says that it is ready. */
static int
staff_begins(int id)
{
	char word[16];
	int who, ready = 0;
	for (int i = 1; i <= opt.doors; i++)
		staff[staff_count++] = crew_fork(door, i, i % 2 ? opt.other : NULL);
	staff[staff_count++] = crew_fork(guide, 0, opt.other);
	staff[staff_count++] = crew_fork(timer, 0, NULL);
	while (ready < staff_count && museum_hear(id, word, &who, PATIENCE_MS) == 0)
		ready += strcmp(word, "ready") == 0;
	return ready < staff_count;
}

static void
staff_ends(int id)
{
	char topic[48];
	int status;
	for (int i = 1; i <= opt.doors; i++) {
		snprintf(topic, sizeof topic, "Museum/Doors/Door%d", i);
		museum_say(id, "end", -1, topic);
	}
	museum_say(id, "end", -1, "Museum/Guide");
	museum_say(id, "end", -1, "Museum/Timer");
	for (int i = 0; i < staff_count; i++)
		wrong += staff[i] <= 0 || waitpid(staff[i], &status, 0) != staff[i] || status != 0;
}

/* Who has gone home, or all of them. */
static int
people_gone(int came)
{
	int inside = 0, status;
	for (int i = 0; i < came; i++) {
		if (people[i] <= 0)
			continue;
		if (waitpid(people[i], &status, WNOHANG) != people[i]) {
			inside++;
			continue;
		}
		people[i] = 0;
		int how = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		printf("person %d: %s\n", i + 1, how == PERSON_REJECTED ? "rejected, the museum was full" :
		    how == PERSON_LEFT ? "walked about" : how == PERSON_TOURED ? "went on a tour" : "something failed");
		fflush(stdout);
		rejected += how == PERSON_REJECTED;
		left += how == PERSON_LEFT;
		toured += how == PERSON_TOURED;
		wrong += how != PERSON_REJECTED && how != PERSON_LEFT && how != PERSON_TOURED;
	}
	return inside;
}

/* Evenly over the day. */
static void
kill_on_the_way(int came)
{
	if (killed == opt.kills || came * (opt.kills + 1) < (killed + 1) * opt.persons)
		return;
	printf("coordinator crew-%d is killed, and comes back\n", (int)(killed % opt.coordinators));
	fflush(stdout);
	wrong += crew_restart((int)(killed++ % opt.coordinators)) < 0;
}

static void
day(void)
{
	int came = 0, is_told = 0;
	while (came < opt.persons && wrong == 0) {
		crew_sleep((int)opt.arrive);
		if (crew_random(100) < opt.chance) {
			people[came] = crew_fork(person, came + 1, came % 2 ? opt.other : NULL);
			wrong += people[came] <= 0;
			came++;
		}
		people_gone(came);
		kill_on_the_way(came);
		if (!is_told && came * 2 >= opt.persons)
			is_told = printf("half of the persons came\n"), fflush(stdout);
	}
	while (people_gone(came) && wrong == 0)
		crew_sleep(5);
	for (int i = 0; wrong && i < came; i++)        /* somebody failed: the others may wait for ever */
		if (people[i] > 0)
			kill(people[i], SIGKILL), waitpid(people[i], NULL, 0);
}

static void
summary(int id)
{
	int most = -1, inside = -1, largest = -1, tours = -1, places = 0;
	if (dshm_read(id, MOST, &most) || dshm_read(id, INSIDE, &inside) || dshm_read(id, LARGEST, &largest) ||
	    dshm_read(id, TOURS, &tours))
		museum_failed(id, "read");
	while (dsem_trywait(id, PLACES) == 0)
		places++;
	held(wrong == 0 && rejected + left + toured == opt.persons,
	    "%ld persons: %d rejected, %d walked about and left, %d went on a tour and left", opt.persons, rejected,
	    left, toured);
	held(killed == opt.kills, "a coordinator was killed and came back %d times", killed);
	held(most >= 0 && most <= opt.capacity, "never more than %ld inside: at most %d", opt.capacity, most);
	held(largest >= 0 && largest <= opt.group && (toured == 0) == (tours == 0),
	    "no tour of more than %ld: %d tours, the largest of %d", opt.group, tours, largest);
	held(inside == 0 && places == opt.capacity, "at the end %d inside, %d places free", inside, places);
}

static int
options(int argc, char **argv)
{
	static const struct option names[] = { { "persons", 1, 0, 'p' }, { "doors", 1, 0, 'd' },
	    { "capacity", 1, 0, 'c' }, { "arrive", 1, 0, 'a' }, { "chance", 1, 0, 'h' },
		{ "sign", 1, 0, 'i' }, { "walk", 1, 0, 'w' }, { "group", 1, 0, 'g' }, { "tour", 1, 0, 't' },
		    { "timer", 1, 0, 'm' }, { "coordinators", 1, 0, 'n' }, { "kills", 1, 0, 'k' },
		    { "seed", 1, 0, 's' },
		{ "other", 1, 0, 'o' }, { 0 } };
	long *const values[256] = { ['p'] = &opt.persons, ['d'] = &opt.doors, ['c'] = &opt.capacity,
	    ['a'] = &opt.arrive, ['h'] = &opt.chance, ['i'] = &opt.sign, ['w'] = &opt.walk,
		['g'] = &opt.group, ['t'] = &opt.tour, ['m'] = &opt.timer, ['n'] = &opt.coordinators,
		    ['s'] = &opt.seed, ['k'] = &opt.kills };
	for (int o; (o = getopt_long(argc, argv, "v", names, NULL)) != -1;) {
		if (o == '?')
			return -1;
		if (o == 'o')
			opt.other = optarg;
		else if (o == 'v')
			crew_is_told = 1;
		else if ((*values[o] = strtol(optarg, NULL, 10)) < 0 || *values[o] > 10000000)
			return -1;
	}
	opt.kills = opt.kills < 0 ? opt.coordinators > 1 : opt.kills;
	return optind == argc && opt.persons > 0 && opt.persons <= PERSONS_MOST && opt.doors > 0 &&
	    opt.doors <= DOORS_MOST && opt.capacity > 0 && opt.chance > 0 && opt.chance <= 100 &&
	    opt.group > 0 && opt.timer > 0 && opt.coordinators <= CREW_MOST &&
	    (opt.kills == 0 || opt.coordinators > 1) ? 0 : -1;
}

int
main(int argc, char **argv)
{
	if (options(argc, argv) < 0)
		return fprintf(stderr, "usage: example_museum [--persons 1..%d] [--doors 1..%d] [--capacity N] "
		    "[--arrive MS] [--chance PERCENT] [--sign PERCENT] [--walk MS] [--group N]\n       [--tour MS] "
		    "[--timer MS] [--coordinators 0..%d] [--kills N, with 2 coordinators or more] [--seed N]\n       "
		    "[--other RUN] [-v]\n", PERSONS_MOST, DOORS_MOST,
		    CREW_MOST), 100;
	crew_seed((unsigned)opt.seed);
	if (crew_start((int)opt.coordinators, opt.other) < 0)
		return 1;
	int id = museum_client("Museum");
	if (id < 0 || open_up(id) || staff_begins(id))
		return 1;
	day();
	staff_ends(id);
	summary(id);
	held(close_down(id) == 0, "all semaphores and variables are destroyed");
	held(mom_destroy(id) == 0 && crew_stop() == 0, "doors, guide, timer and coordinators ended well");
	return held_end("museum", 0, "Doors in processes of their own, on any machine, count together: never was one "
	    "person too many inside.\nIt did no harm that a keeper of the counts was killed: a coordinator takes over "
	    "what another one kept.");
}
