/* main - the example: two hosts, workers that add to a counter and append to a list, a mover that sends both to and fro
 * meanwhile; and what held
 *
 *   example_objects [--workers N] [--calls N] [--pause MS] [--timeout MS] [--other RUN]
 *
 * --calls: of each worker to each object. --pause: between two moves. --other: the run folder of the daemon that the
 * second host and every second worker use; else that of this program (MOM_RUN). Exit 0: all held. */
#include "../held.h"
#include "things.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS = 2, WORKERS = 64 };
static struct { long workers, calls, pause, timeout; const char *other; } opt = { .workers = 4, .calls = 300,
    .pause = 20, .timeout = 60000 };

/* what the processes tell each other outside MOM: only how it goes */
static volatile struct shared {
	int stop, workers_done, host_ready[HOSTS];
	long moves, stayed, alive, added[WORKERS], appended[WORKERS];
	long long results[WORKERS];                 /* sums of what the counter answered */
	char place[HOSTS][64], counter[64], list[64];
} *shared;
static int bad;

static pid_t
child(int (*run)(int), int number)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (opt.other && number % 2 == 1 && setenv("MOM_RUN", opt.other, 1) < 0)
			_exit(1);
		_exit(run(number));
	}
	if (pid < 0)
		perror("fork");
	return pid;
}

static void
pause_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* ---- the children ---- */

static int
export_both(struct mom_server *s)
{
	struct mom_object *c = mom_object_export(s, &counter_type, counter_new()),
	    *l = c ? mom_object_export(s, &list_type, list_new()) : NULL;
	if (l == NULL)
		return -1;
	snprintf((char *)(uintptr_t)shared->counter, sizeof shared->counter, "%s", mom_object_ref(c));
	snprintf((char *)(uintptr_t)shared->list, sizeof shared->list, "%s", mom_object_ref(l));
	return 0;
}

static int
host(int number)
{
	struct mom_server *s = mom_server_create();
	if (s == NULL || mom_object_serve(s, &counter_type) < 0 || mom_object_serve(s, &list_type) < 0 ||
	    (number == 0 && export_both(s) < 0))
		return fprintf(stderr, "host %d: %s\n", number, mom_error_text(-1)), 1;
	snprintf((char *)(uintptr_t)shared->place[number], sizeof shared->place[number], "%s", mom_object_place(s));
	shared->host_ready[number] = 1;
	while (!shared->stop) {
		int e = mom_serve_one(s, 50);
		if (e && e != MOM_ETIMEDOUT && e != MOM_EINTR)
			return fprintf(stderr, "host %d: %s\n", number, mom_error_text(mom_server_id(s))), 1;
	}
	return mom_server_destroy(s) < 0;
}

static int
worker(int number)
{
	char counter[64], list[64];
	int64_t value = 0;
	snprintf(counter, sizeof counter, "%s", (const char *)(uintptr_t)shared->counter);
	snprintf(list, sizeof list, "%s", (const char *)(uintptr_t)shared->list);
	int id = mom_create();
	if (id < 0)
		return fprintf(stderr, "worker %d: %s\n", number, mom_error_text(-1)), 1;
	for (long i = 0; i < opt.calls; i++) {
		int e = counter_add(id, counter, 1, &value, (int)opt.timeout);
		shared->added[number] += e == 0;
		shared->results[number] += value;
		if (e == 0 && (e = list_append(id, list, (uint32_t)number, (uint32_t)i, (int)opt.timeout)) == 0)
			shared->appended[number]++;
		if (e)
			return fprintf(stderr, "worker %d, call %ld: %s: %s\n", number, i, mom_strerror(e),
			    mom_error_text(id)), 1;
	}
	return mom_object_release(id, counter, (int)opt.timeout) < 0 ||
	    mom_object_release(id, list, (int)opt.timeout) < 0 || mom_destroy(id) < 0;
}

/* Both objects to the other host, and back, as long as the workers work. */
static int
mover(int number)
{
	char ref[2][64], place[HOSTS][64];
	(void)number;
	memcpy(ref[0], (const void *)(uintptr_t)shared->counter, sizeof ref[0]);
	memcpy(ref[1], (const void *)(uintptr_t)shared->list, sizeof ref[1]);
	memcpy(place, (const void *)(uintptr_t)shared->place, sizeof place);
	int id = mom_create();
	for (long i = 1; id >= 0 && !shared->workers_done; i++) {
		for (int k = 0; k < 2; k++) {
			int e = thing_move_to(id, ref[k], place[i % HOSTS], (int)opt.timeout);
			shared->moves += e == 0;
			shared->stayed += e == THING_STAYS;
			if (e && e != THING_STAYS)
				return fprintf(stderr, "the mover: %s\n", mom_error_text(id)), 1;
		}
		pause_ms(opt.pause);
	}
	return id < 0 || mom_destroy(id) < 0;
}

/* ---- what came of it ---- */

static void
check_counter(int id)
{
	int64_t value = -1;
	long added = 0;
	long long results = 0;
	for (int i = 0; i < opt.workers; i++) {
		added += shared->added[i];
		results += shared->results[i];
	}
	int e = counter_add(id, (char *)(uintptr_t)shared->counter, 0, &value, (int)opt.timeout);
	long calls = opt.workers * opt.calls;
	held(e == 0 && value == added && added == calls, "the counter: %ld calls of %ld returned, its value is %lld",
	    added, calls, (long long)value);
	held(results == (long long)added * (added + 1) / 2, "its answers were 1 to %ld, each once (their sum is %lld)",
	    added, results);
}

static void
check_list(int id)
{
	long next[WORKERS] = { 0 }, wrong = 0, total = 0;
	size_t n = 0;
	uint32_t *all = list_get(id, (char *)(uintptr_t)shared->list, &n, (int)opt.timeout);
	for (size_t i = 0; all && i < n; i++)
		wrong += all[2 * i] >= (uint32_t)opt.workers || all[2 * i + 1] != (uint32_t)next[all[2 * i]]++;
	for (int i = 0; i < opt.workers; i++)
		total += shared->appended[i];
	held(all && wrong == 0 && n == (size_t)total && total == opt.workers * opt.calls,
	    "the list: %ld appends of %ld returned, it has %zu entries, %ld lost, doubled or out of order", total,
	    opt.workers * opt.calls, n, wrong);
	free(all);
}

static void
check_rest(int id)
{
	const char *counter = (char *)(uintptr_t)shared->counter, *list = (char *)(uintptr_t)shared->list;
	int e = mom_object_call(id, counter, "sing", NULL, NULL, (int)opt.timeout);
	held(e == THING_CANNOT, "an error crosses: code %d, \"%s\"", e, mom_error_text(id));
	int freed = mom_object_release(id, counter, (int)opt.timeout) == 0 &&
	    mom_object_release(id, list, (int)opt.timeout) == 0;
	for (int ms = 0; freed && ms < opt.timeout && shared->alive; ms += 5)
		pause_ms(5);                            /* the one that was freed elsewhere */
	held(freed && shared->alive == 0, "released by all: %ld objects are left", shared->alive);
	e = mom_object_hold(id, counter, (int)opt.timeout);
	held(e == MOM_ENOSUBSCRIBER, "its reference is of no use now: \"%s\"", mom_error_text(id));
}

static int
reap(pid_t pid)
{
	int status = 1;
	return pid <= 0 || waitpid(pid, &status, 0) != pid || status != 0;
}

static int
work(int id)
{
	pid_t workers[WORKERS], moves = child(mover, 0);
	if (mom_object_hold(id, (char *)(uintptr_t)shared->counter, (int)opt.timeout) < 0 ||
	    mom_object_hold(id, (char *)(uintptr_t)shared->list, (int)opt.timeout) < 0)
		return fprintf(stderr, "%s\n", mom_error_text(id)), 1;
	for (int i = 0; i < opt.workers; i++)
		workers[i] = child(worker, i);
	int failed = 0;
	for (int i = 0; i < opt.workers; i++)
		failed += reap(workers[i]);
	shared->workers_done = 1;
	failed += reap(moves);
	held(failed == 0 && (shared->moves > 1 || opt.calls < 20),
	    "%ld workers, %ld moves begun meanwhile, %ld refused (on its way, or there already); %d processes failed",
	    opt.workers, shared->moves, shared->stayed, failed);
	check_counter(id);
	check_list(id);
	check_rest(id);
	return 0;
}

static int
options(int argc, char **argv)
{
	static const struct option names[] = { { "workers", 1, 0, 'w' }, { "calls", 1, 0, 'c' }, { "pause", 1, 0, 'p' },
	    { "timeout", 1, 0, 't' }, { "other", 1, 0, 'o' }, { 0 } };
	for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		long *value = o == 'w' ? &opt.workers : o == 'c' ? &opt.calls : o == 'p' ? &opt.pause : &opt.timeout;
		if (o == '?')
			return -1;
		if (o == 'o')
			opt.other = optarg;
		else
			*value = strtol(optarg, NULL, 10);
	}
	return optind == argc && opt.workers > 0 && opt.workers <= WORKERS && opt.calls > 0 &&
	    opt.calls <= 100000 / opt.workers && opt.pause >= 0 &&
	    opt.timeout > 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	pid_t hosts[HOSTS] = { 0 };
	if (options(argc, argv) < 0)
		return fprintf(stderr,
		    "usage: example_objects [--workers 1..64] [--calls N] [--pause MS] [--timeout MS] [--other RUN]   "
		    "(workers x calls up to 100000)\n"), 100;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return perror("mmap"), 111;
	things_alive = &shared->alive;
	for (int i = 0; i < HOSTS; i++) {
		hosts[i] = child(host, i);
		while (hosts[i] > 0 && !shared->host_ready[i] && waitpid(hosts[i], NULL, WNOHANG) == 0)
			pause_ms(2);
		bad |= !shared->host_ready[i];
	}
	int id = bad ? -1 : mom_create();
	bad |= id < 0 || work(id) || mom_destroy(id) < 0;
	shared->stop = 1;
	for (int i = 0; i < HOSTS; i++)
		bad |= reap(hosts[i]);
	return held_end("objects", bad, "Two objects moved from process to process while others called them: no call "
	    "was lost, and none was done twice.\nWhoever held a reference did not notice, and what nobody held any "
	    "more was freed.");
}
